"""`ivr bench asr`: how soon a service understands, against how many speak at once. Measured from outside it.

A caller says yes or no over the WebSocket, in real time as a call would, in A-law; when 0.6 s of silence
have followed, the turn is over, as a call decides it. The figures are of the time from that message to the
transcript (`final_ms`), and of what the service added to its engine (`added_ms`: all of it, less what the
service itself measured from the end of the turn to the engine's transcript).
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect

from engines.contract import SpeechRequest
from engines.tts.espeak import EspeakSynthesizer
from ivr.bench.plot import chart
from ivr.bench.service import Options, cpu_s, shares
from ivr.bench.speech import Levels, measured
from ivr.bench.vram import peak_vram
from ivr.local import ServerFailed
from media.g711 import encode_alaw
from media.resample import resample_clip

_RATE: Final = 8000
_FRAME: Final = 160
_FRAME_S: Final = 0.02
_BEFORE: Final = b"\xd5" * int(0.3 * _RATE)
_AFTER: Final = b"\xd5" * int(0.6 * _RATE)
_ANSWER_S: Final = 30.0

_WORDS: Final = {"hi": ("हाँ", "नहीं"), "mr": ("हो", "नाही"), "en": ("yes", "no")}


@dataclass(frozen=True, slots=True)
class Spoken:
    """A word in A-law, with the silence around it."""

    word: str
    alaw: bytes


@dataclass(slots=True)
class Understood:
    """What the callers of one level measured; times in nanoseconds."""

    final: list[int] = field(default_factory=list)
    added: list[int] = field(default_factory=list)
    right: int = 0
    failures: list[str] = field(default_factory=list)
    engines: set[str] = field(default_factory=set)


def run(options: Options) -> int:
    """Measures, prints one JSON object, writes the chart; 1 when a turn failed."""
    return measured("asr", options, _WORDS, _all_levels, _chart)


async def _all_levels(options: Options, url: str, pid: int | None) -> Levels:
    spoken = await _speak(options.languages)
    address = f"ws{url.removeprefix('http')}/ws/stream"
    return [await _level(address, options, spoken, count, pid) for count in options.levels]


async def _speak(languages: Sequence[str]) -> dict[str, list[Spoken]]:
    """Yes and no in each language, by the embedded voice."""
    voice = EspeakSynthesizer()
    await voice.start()
    try:
        spoken: dict[str, list[Spoken]] = {}
        for language in languages:
            for word in _WORDS[language]:
                said = voice.synthesize(SpeechRequest(word, language), deadline_s=10)
                pcm = resample_clip(b"".join([part async for part in said]), voice.sample_rate, _RATE)
                spoken.setdefault(language, []).append(Spoken(word, _BEFORE + encode_alaw(pcm) + _AFTER))
        return spoken
    finally:
        await voice.close()


async def _level(
    address: str, options: Options, spoken: dict[str, list[Spoken]], count: int, pid: int | None
) -> dict[str, Any]:
    understood = Understood()
    began, used = time.monotonic(), cpu_s(pid)
    async with peak_vram(pid) as vram, asyncio.TaskGroup() as callers:
        for number in range(count):
            callers.create_task(_caller(address, options, spoken, understood, random.Random(number)))
    took_s = time.monotonic() - began
    turns = len(understood.final)
    return {
        "streams": count,
        "turns": turns,
        "engines": sorted(understood.engines),
        "right": round(understood.right / turns, 3) if turns else None,
        "final_ms": shares(understood.final, 1e6),
        "added_ms": shares(understood.added, 1e6),
        "service_cores": None if used is None else round(((cpu_s(pid) or 0) - used) / took_s, 3),
        "vram_mb": vram.mb,
        "failures": understood.failures[:10],
    }


async def _caller(
    address: str,
    options: Options,
    spoken: dict[str, list[Spoken]],
    understood: Understood,
    draw: random.Random,
) -> None:
    headers = {"Authorization": f"Bearer {options.key}"} if options.key else {}
    language = draw.choice(options.languages)
    async with connect(address, additional_headers=headers, compression=None, proxy=None) as socket:
        start = {
            "type": "start",
            "model": options.model,
            "language": language,
            "encoding": "alaw",
            "phrases": _WORDS[language],
            "endpointing": False,
            "partials": False,
        }
        await socket.send(json.dumps(start))
        ready = json.loads(await socket.recv())
        if ready["type"] != "ready":
            raise ServerFailed(ready["error"]["message"])
        understood.engines.add(ready["model"])
        await asyncio.sleep(draw.random())  # calls do not begin in step
        ends = time.monotonic() + options.seconds
        while time.monotonic() < ends:
            await _turn(socket, draw.choice(spoken[language]), understood)


async def _turn(socket: ClientConnection, said: Spoken, understood: Understood) -> None:
    due = time.monotonic()
    for at in range(0, len(said.alaw), _FRAME):
        await socket.send(said.alaw[at : at + _FRAME])
        due += _FRAME_S
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    began_ns = time.perf_counter_ns()
    await socket.send('{"type": "finish"}')
    async with asyncio.timeout(_ANSWER_S):
        while (message := json.loads(await socket.recv()))["type"] not in ("final", "error"):
            pass
    took_ns = time.perf_counter_ns() - began_ns
    if message["type"] == "error":
        understood.failures.append(message["error"]["message"])
        return
    understood.final.append(took_ns)
    understood.added.append(took_ns - round(message["latency_ms"] * 1e6))
    understood.right += message["text"] == said.word


def _chart(levels: Sequence[dict[str, Any]]) -> str:
    lines = {share: [level["final_ms"][share] for level in levels] for share in ("p50", "p95", "p99")}
    return chart("Time to the final transcript", "ms", [level["streams"] for level in levels], lines)
