"""`ivr bench web --calls N`: so many browsers at once over one core of a server, from the packet of a
microphone to the listener in the server, and from there back to the wire."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from ivr.bench.printing import printed
from ivr.bench.process import BenchFailed, Usage
from ivr.bench.stats import in_ms
from ivr.bench.web.browser_caller import BrowserCaller
from ivr.bench.web.browser_node import ANSWER_HZ, BEEP_MS, beep_of
from media.codecs import FRAME_MS
from media.opus import OPUS

BEEP_HZ: Final = 600.0

_EVERY: Final = 53
"""Frames from one beep to the next: a little more than a second, so that beeps fall on every part of it."""

_SETTLE_S: Final = 2.0
_MOST_NS: Final = 700_000_000
_NODE: Final = "ivr.bench.web.browser_node"


@dataclass(frozen=True, slots=True)
class Options:
    calls: int
    seconds: float


def run(options: Options) -> int:
    """Prints the JSON; the exit status is 0 when all went well."""
    return printed(lambda: asyncio.run(measure(options)))


async def measure(options: Options) -> dict[str, Any]:
    """Raises `BenchFailed`. The server gets one core and the callers another, where there are two."""
    cores = sorted(os.sched_getaffinity(0))
    node = await asyncio.create_subprocess_exec(
        sys.executable, "-m", _NODE,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 24,
    )  # fmt: skip
    if len(cores) > 1:
        os.sched_setaffinity(node.pid, {cores[0]})
        os.sched_setaffinity(0, {cores[-1]})
    callers = _callers(options.calls)
    try:
        failed = await _connected(callers, node)
        late: list[int] = []
        sending = asyncio.create_task(_send_all(callers, late))
        await asyncio.sleep(_SETTLE_S)
        begin, before = time.monotonic_ns(), Usage.of(node.pid)
        await asyncio.sleep(options.seconds)
        after = Usage.of(node.pid)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        told = await _asked(node, {"figures": True})
    finally:
        os.sched_setaffinity(0, set(cores))
        for caller in callers:
            await caller.close()
        if node.returncode is None:
            node.kill()
        await node.wait()
    return _report(
        options, callers, told, begin, (after.cpu_s - before.cpu_s) / (after.at - before.at), late, failed
    )


def _callers(count: int) -> list[BrowserCaller]:
    """They beep at different times."""
    beep, answer = beep_of(BEEP_HZ).frames, beep_of(ANSWER_HZ).frames[0]
    made = []
    for number in range(count):
        place = number * _EVERY // count
        frames = [OPUS.silence] * _EVERY
        for step, payload in enumerate(beep):
            frames[(place + step) % _EVERY] = payload
        made.append(BrowserCaller(number, frames, place, answer))
    return made


async def _connected(callers: list[BrowserCaller], node: asyncio.subprocess.Process) -> int:
    """How many could not be connected."""
    failed = 0
    for caller in callers:
        answered = await _asked(node, {"sdp": await caller.offer()})
        try:
            await caller.connect(answered["sdp"])
        except (ConnectionError, TimeoutError):
            failed += 1
    if failed == len(callers):
        raise BenchFailed("no call could be connected")
    return failed


async def _asked(node: asyncio.subprocess.Process, asked: dict[str, Any]) -> dict[str, Any]:
    assert node.stdin is not None
    assert node.stdout is not None
    node.stdin.write(json.dumps(asked).encode() + b"\n")
    async with asyncio.timeout(30):
        line = await node.stdout.readline()
    if not line:
        raise BenchFailed("the server's half ended")
    told: dict[str, Any] = json.loads(line)
    return told


async def _send_all(callers: list[BrowserCaller], late: list[int]) -> None:
    """Each caller's packet every 20 ms, spread over them."""
    loop = asyncio.get_running_loop()
    step = FRAME_MS / 1000 / len(callers)
    due, turn = loop.time(), 0
    while True:
        due += step
        if (wait_s := due - loop.time()) > 0.0005:
            await asyncio.sleep(wait_s)
        else:
            await asyncio.sleep(0)
        late.append(max(0, int((loop.time() - due) * 1e9)))
        callers[turn].send()
        turn = (turn + 1) % len(callers)


def _report(
    options: Options,
    callers: list[BrowserCaller],
    told: dict[str, Any],
    begin: int,
    share: float,
    late: list[int],
    failed: int,
) -> dict[str, Any]:
    up: list[int] = []
    down: list[int] = []
    missed = 0
    for caller, heard, answered in zip(callers, told["heard"], told["answered"], strict=True):
        beeps = [at for at in caller.beeps if at >= begin]
        found = [_first_after(at, heard) for at in beeps[:-1]]
        up += [after for after in found if after is not None]
        missed += found.count(None)
        back = [_first_after(at, caller.answers) for at in answered if at >= begin]
        down += [after for after in back[:-1] if after is not None]
    buffers = sorted(round(ms) for ms in told["buffer_ms"])
    return {
        "calls": options.calls,
        "failed": failed,
        "beeps": len(up) + missed,
        "missed": missed,
        "microphone_to_plane_ms": in_ms(up, "p50", "p95", "p99", "max"),
        "plane_to_wire_ms": in_ms(down, "p50", "p95", "p99", "max"),
        "jitter_buffer_ms": {"p50": buffers[len(buffers) // 2], "max": buffers[-1]},
        "packets_lost": told["lost"],
        "packets_late": told["late"],
        "cpu_percent": round(100 * share, 1),
        "cpu_percent_per_call": round(100 * share / options.calls, 2),
        "plane_lateness_ms": round(told["lateness_ms"], 1),
        "generator_lateness_ms": in_ms(late, "p50", "p95", "p99", "max"),
        "beep_ms": BEEP_MS,
    }


def _first_after(at: int, times: Sequence[int]) -> int | None:
    return next((time_ - at for time_ in times if 0 <= time_ - at < _MOST_NS), None)
