"""`ivr bench tts`: how soon a service speaks, against how many listen at once. Measured from outside it.

A listener asks for a sentence, hears it to its end in real time, and asks for the next: so many listeners are
so many calls that hear speech without a pause. The figures are of the time from the request to its first byte
of sound, and of the time that a second of sound took to come (RTF).
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ivr.bench.http import Client
from ivr.bench.plot import chart
from ivr.bench.service import Options, cpu_s, shares
from ivr.bench.speech import Levels, measured
from ivr.bench.vram import peak_vram
from ivr.local import ServerFailed

ARRIVALS: Final = 10.0
"""Listeners that come in a second, until all of a level are there; it then lasts its seconds."""
_BYTES_A_SECOND: Final = 8000
"""µ-law at 8 kHz, as a call takes it."""
_OK: Final = 200
_TIMEOUT_S: Final = 60.0

_SENTENCES: Final = {
    "hi": (
        "नमस्ते, आपका ऑर्डर {n} तैयार है।",
        "कुल रकम ₹{n}.50 है, कृपया भुगतान करें।",
        "आपका राइडर {m} मिनट में पहुँचेगा।",
    ),
    "mr": (
        "नमस्कार, तुमची ऑर्डर {n} तयार आहे.",
        "एकूण रक्कम ₹{n}.50 आहे, कृपया भरा.",
        "तुमचा रायडर {m} मिनिटांत पोहोचेल.",
    ),
    "en": (
        "Hello, your order {n} is ready.",
        "The total is ₹{n}.50, please pay at the counter.",
        "Your rider will be there in {m} minutes.",
    ),
}
"""With figures that differ each time, so that nothing can be remembered."""


@dataclass(slots=True)
class Heard:
    """What the listeners of one level measured; times in nanoseconds."""

    first: list[int] = field(default_factory=list)
    rtf: list[float] = field(default_factory=list)
    sound_s: float = 0.0
    failures: list[str] = field(default_factory=list)
    engines: set[str] = field(default_factory=set)


def run(options: Options) -> int:
    """Measures, prints one JSON object, writes the chart; 1 when a request failed."""
    return measured("tts", options, _SENTENCES, _all_levels, _chart)


async def _all_levels(options: Options, url: str, pid: int | None) -> Levels:
    client = Client(url, options.key)
    await _listen(client, options, first := Heard(), random.Random(0))
    client.close()
    if first.failures:
        raise ServerFailed(f"{url}: {first.failures[0]}")
    return [await _level(url, options, count, pid) for count in options.levels]


async def _level(url: str, options: Options, count: int, pid: int | None) -> dict[str, Any]:
    heard = Heard()
    began, used = time.monotonic(), cpu_s(pid)
    async with peak_vram(pid) as vram, asyncio.TaskGroup() as listeners:
        for number in range(count):
            draw = random.Random(number)
            listeners.create_task(_listener(url, options, count, began, heard, draw))
    took_s = time.monotonic() - began
    return {
        "streams": count,
        "requests": len(heard.first),
        "engines": sorted(heard.engines),
        "first_audio_ms": shares(heard.first, 1e6),
        "rtf": shares([round(each * 1e6) for each in heard.rtf], 1e6),
        "sound_s_per_s": round(heard.sound_s / took_s, 1),
        "service_cores": None if used is None else round(((cpu_s(pid) or 0) - used) / took_s, 3),
        "vram_mb": vram.mb,
        "failures": heard.failures[:10],
    }


async def _listener(
    url: str,
    options: Options,
    count: int,
    began: float,
    heard: Heard,
    draw: random.Random,
) -> None:
    # Calls do not begin in step.
    ramp_s = count / ARRIVALS
    await asyncio.sleep(draw.random() * ramp_s)
    client = Client(url, options.key)
    while time.monotonic() - began < ramp_s + options.seconds:
        asked_at = time.monotonic()
        sound_s = await _listen(client, options, heard, draw)
        await asyncio.sleep(max(0.05, asked_at + sound_s - time.monotonic()))
    client.close()


async def _listen(client: Client, options: Options, heard: Heard, draw: random.Random) -> float:
    """One request; gives the seconds of sound."""
    language = draw.choice(options.languages)
    text = draw.choice(_SENTENCES[language]).format(n=draw.randint(100, 9999), m=draw.randint(2, 59))
    body = {"input": text, "language": language, "model": options.model, "response_format": "mulaw"}
    asked = json.dumps(body, ensure_ascii=False).encode()
    try:
        answer = await client.post("/v1/audio/speech/stream", asked, timeout_s=_TIMEOUT_S)
    except OSError as error:
        heard.failures.append(f"{type(error).__name__}: {error}")
        return 1.0
    if answer.status != _OK:
        heard.failures.append(f"{answer.status}: {answer.begins.decode(errors='replace')[:200]}")
        return 1.0
    sound_s = answer.size / _BYTES_A_SECOND
    heard.engines.add(answer.headers["x-engine"])
    heard.first.append(answer.first_ns)
    heard.rtf.append(answer.last_ns / 1e9 / max(sound_s, 0.01))
    heard.sound_s += sound_s
    return sound_s


def _chart(levels: Sequence[dict[str, Any]]) -> str:
    lines = {share: [level["first_audio_ms"][share] for level in levels] for share in ("p50", "p95", "p99")}
    return chart("Time to the first audio", "ms", [level["streams"] for level in levels], lines)
