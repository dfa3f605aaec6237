"""`ivr bench talk`: many conversations at once with engines of known speed, heard from outside the server.

Callers speak, and wait for the reply; on one reply in four they cut in by voice, on one by a key. The
engines are services in a process of their own (`ivr.bench.engines`), the callers are another; the server has
a core to itself where there are two.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from engines.contract import SpeechRequest
from engines.tts.espeak import EspeakSynthesizer
from ivr.bench.engines import Delays
from ivr.bench.generator import Plan
from ivr.bench.plot import chart
from ivr.bench.process import BenchFailed, Usage, generated
from ivr.bench.service import shares
from ivr.bench.talk_flow import FLOOR_S, NAME, write_flow
from ivr.bench.talker import TalkSamples, level
from ivr.local import PATIENT, LocalServer, ServerFailed, local_server
from ivr.trace.model import CallTrace, share, trace_of
from ivr.trace.picture import picture
from media.clip import Clip, ClipWriter
from media.codecs import PCMA

PROFILES: Final = {
    "none": Delays(),
    "fast": Delays(0.05, 0.1, 0.05),
    "rtx3060": Delays(0.15, 0.2, 0.15),
}
"""What engines take; `rtx3060` is what is expected of one such card."""

_RECOGNISER: Final = "faster-whisper"
_VOICE: Final = "kokoro"
"""Whose places the engines of known speed take: known names, reached by an address."""

_SENTENCES: Final = (
    "please tell me where my order is now, thank you",
    "I would like to know when the rider comes to my door",
    "can you tell me again what was in the order that I made",
)
_EDGE: Final = 12
"""Peak with which an utterance begins and ends, so that its end is that of the voice."""

_CALLS_A_SECOND: Final = 5.0
_SPARE_CALLS: Final = 5
_START_S: Final = 30.0

WARM_S: Final = 8.0


@dataclass(frozen=True, slots=True)
class Options:
    """`levels` are how many conversations there are at once; all of them go on for `seconds`. `profile` is
    one of `PROFILES`. Without an `agent` no language model is asked: a form says again what it has heard."""

    levels: tuple[int, ...]
    seconds: float
    profile: str = "none"
    agent: bool = True
    plot: Path | None = None
    trace: Path | None = None
    """Where the waterfalls of the newest conversation are drawn, as SVG."""


def run(options: Options) -> int:
    """Prints one JSON object, writes the chart; 1 when a call failed, 2 when nothing could be measured."""
    try:
        report = measure(options)
    except (BenchFailed, ServerFailed) as error:
        print(f"ivr bench: {error}", file=sys.stderr)
        return 2
    print(json.dumps(report, indent=2))
    if options.plot is not None:
        options.plot.write_text(_chart(report), encoding="utf-8")
    return 1 if any(each["failed"] for each in report["levels"]) else 0


def measure(options: Options) -> dict[str, Any]:
    """The figures of all levels. Raises `BenchFailed` and `ServerFailed`."""
    delays = PROFILES[options.profile]
    cores = sorted(os.sched_getaffinity(0))
    ours, others = ({cores[0]}, {cores[-1]}) if len(cores) > 1 else (None, None)
    with tempfile.TemporaryDirectory(prefix="ivr-bench-") as folder, _engines(delays, others) as address:
        utterances = Path(folder) / "utterances.json"
        utterances.write_text(json.dumps(asyncio.run(_spoken())), encoding="utf-8")
        write_flow(Path(folder) / "flows", agent=options.agent)
        config = _config(address, max(options.levels) + _SPARE_CALLS)
        with local_server(Path(folder), config, cpus=ours) as server:
            _generate(server, 1, WARM_S, utterances, others)  # a first conversation fills the caches
            levels = []
            for calls in options.levels:
                before = {call["id"] for call in server.api.calls()}
                samples, usage = _generate(server, calls, options.seconds, utterances, others)
                traces = _traces(server, before)
                levels.append(_figures(samples, usage, calls, traces))
            if options.trace is not None:
                options.trace.write_text(picture(traces[0]), encoding="utf-8")
    return {
        "profile": options.profile,
        "delays_ms": {name: round(seconds * 1000) for name, seconds in asdict(delays).items()},
        "model": options.agent,
        "floor_ms": round(FLOOR_S * 1000),
        "bound_ms": round((FLOOR_S + delays.sum_s(model=options.agent)) * 1000),
        "levels": levels,
    }


def _generate(
    server: LocalServer, calls: int, seconds: float, utterances: Path, cpus: set[int] | None
) -> tuple[TalkSamples, tuple[Usage, Usage, Usage] | None]:
    plan = Plan("127.0.0.1", server.port, NAME, calls, seconds, _CALLS_A_SECOND)
    arguments = [json.dumps(asdict(plan)), str(utterances)]
    measured, usage = generated("ivr.bench.talk_generator", arguments, cpus, server.pid)
    return TalkSamples(**measured), usage


def _figures(
    samples: TalkSamples,
    usage: tuple[Usage, Usage, Usage] | None,
    calls: int,
    traces: list[CallTrace],
) -> dict[str, Any]:
    for reason, count in Counter(samples.failures).most_common():
        print(f"ivr bench: {count} failed: {reason}", file=sys.stderr)
    cpu_percent = None
    if usage is not None:
        _, steady, ending = usage
        cpu_percent = round(100 * (ending.cpu_s - steady.cpu_s) / (ending.at - steady.at), 1)
    return {
        "conversations": calls,
        "failed": len(samples.failures),
        "turns": len(samples.reply),
        "unanswered": samples.unanswered,
        "not_cut": samples.not_cut,
        "reply_ms": _ms(samples.reply),
        "stages_ms": _stages(traces),
        "ducked_ms": _ms(samples.ducked),
        "silent_ms": _ms(samples.silent),
        "key_silent_ms": _ms(samples.key_silent),
        "rtp_spacing_ms": _ms(samples.spacing),
        "rtp_lost": samples.lost,
        "cpu_percent": cpu_percent,
        "generator_lateness_ms": _ms(samples.lateness),
    }


def _traces(server: LocalServer, before: set[str]) -> list[CallTrace]:
    """Of the calls that came since, newest first."""
    ids = [call["id"] for call in server.api.calls() if call["id"] not in before]
    return [trace_of(server.api.ended(call_id)) for call_id in ids]


def _stages(traces: list[CallTrace]) -> dict[str, dict[str, float]]:
    """When the stages of spoken turns were reached, since the end of speech, by the server's own record."""
    reached: dict[str, list[float]] = {}
    for turn in (turn for trace in traces for turn in trace.turns if turn.trigger == "speech"):
        for bar in turn.bars:
            reached.setdefault(bar.stage.value, []).append(bar.end_s * 1000)
    found = {}
    for stage, times in reached.items():
        ordered = sorted(times)
        found[stage] = {name: round(share(ordered, of), 1) for name, of in (("p50", 0.5), ("p95", 0.95))}
    return found


def _ms(samples: list[int]) -> dict[str, float | None]:
    return {name: None if ms is None else round(ms, 1) for name, ms in shares(samples, 1e6).items()}


def _config(address: str, calls: int) -> dict[str, Any]:
    return {
        "flows": "flows",
        "numbers": {NAME: {"flow": NAME}},
        "limits": {**PATIENT, "calls": calls},
        "engines": {
            "asr": {"en": [_RECOGNISER]},
            "tts": {"en": [_VOICE]},
            "setup": {name: {"address": address} for name in (_RECOGNISER, _VOICE)},
            "asr_deadline_s": 3.0,
            "tts_deadline_s": 3.0,
        },
        "llm": {
            "providers": [{"name": "bench", "url": f"{address}/v1", "model": "bench"}],
            "slow_s": 3.0,
            "second_s": 3.0,
        },
    }


@contextlib.contextmanager
def _engines(delays: Delays, cpus: set[int] | None) -> Iterator[str]:
    """Their address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ivr.bench.engines", json.dumps(asdict(delays))],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    try:
        if cpus is not None:
            os.sched_setaffinity(process.pid, cpus)
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise BenchFailed("the engines did not start")
        yield line.decode().strip()
    finally:
        process.terminate()
        process.wait()


async def _spoken() -> list[list[str]]:
    """What the callers say, as packets in base64."""
    voice = EspeakSynthesizer()
    await voice.start()
    try:
        return [await _packets(voice, sentence) for sentence in _SENTENCES]
    finally:
        await voice.close()


async def _packets(voice: EspeakSynthesizer, sentence: str) -> list[str]:
    writer = ClipWriter(Clip(PCMA), voice.sample_rate)
    request = SpeechRequest(sentence, "en")
    async with contextlib.aclosing(voice.synthesize(request, deadline_s=_START_S)) as chunks:
        async for chunk in chunks:
            writer.write(chunk)
    writer.close()
    frames = writer.clip.frames
    loud = [place for place, frame in enumerate(frames) if level(frame) >= _EDGE]
    return [base64.b64encode(frame).decode() for frame in frames[loud[0] : loud[-1] + 1]]


def _chart(report: dict[str, Any]) -> str:
    levels = report["levels"]
    lines: dict[str, list[float | None]] = {
        "reply p50": [each["reply_ms"]["p50"] for each in levels],
        "reply p95": [each["reply_ms"]["p95"] for each in levels],
        "silent p95": [each["silent_ms"]["p95"] for each in levels],
        "key p95": [each["key_silent_ms"]["p95"] for each in levels],
        "bound": [float(report["bound_ms"])] * len(levels),
    }
    title = f"End of speech to the first packet of the reply ({report['profile']})"
    return chart(title, "ms", [each["conversations"] for each in levels], lines, "conversations at once")
