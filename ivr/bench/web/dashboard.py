"""`ivr bench web --dashboard`: what a dashboard costs the server that it watches, with many live calls, and
how soon it knows what happens in them.

The calls stay up; by turns the dashboard is there and is not, and the processor time of the server is
compared, neighbour with neighbour, so that what else changes meanwhile does not count.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from statistics import median
from typing import IO, Any, Final

import psutil

from ivr.bench.flow import NAME
from ivr.bench.generator import Plan
from ivr.bench.own_server import SPARE_CALLS, own_server
from ivr.bench.printing import printed
from ivr.bench.process import BenchFailed
from ivr.bench.stats import in_ms
from ivr.bench.web.follower import Follower
from ivr.local import LocalServer

RATE: Final = 20.0
"""Calls a second that are set up."""

_SETTLE_S: Final = 1.5
_SLACK_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Options:
    """`pairs` of windows of `seconds` each, one with the dashboard and one without."""

    calls: int
    seconds: float = 10.0
    pairs: int = 4

    @property
    def measured_s(self) -> float:
        return 2 * self.pairs * (self.seconds + _SETTLE_S) + _SLACK_S


def run(options: Options) -> int:
    """Prints the JSON; the exit status is 0 when all went well."""
    return printed(lambda: measure(options))


def measure(options: Options) -> dict[str, Any]:
    """Raises `BenchFailed` and `ServerFailed`."""
    trunk = {"allow": ["127.0.0.0/8"], "max_calls": options.calls + SPARE_CALLS}
    numbers = {NAME: {"flow": NAME}}
    with own_server(options.calls, numbers=numbers, trunks={"local": trunk}) as (server, cpus):
        plan = Plan("127.0.0.1", server.port, NAME, options.calls, options.measured_s, RATE)
        with _calls(plan, cpus) as said:
            _await(said, b"steady\n")
            without, watched, followers = _by_turns(options, server)
            measured = json.loads(_last(said))
    for failure, count in Counter(measured["failures"]).most_common(5):
        print(f"{count} calls: {failure}", file=sys.stderr)
    events = sum((follower.events for follower in followers), Counter())
    cost = [100 * (there - away) for away, there in zip(without, watched, strict=True)]
    return {
        "calls": options.calls,
        "failed": len(measured["failures"]),
        "seen_live": max(follower.calls for follower in followers),
        "events_a_second": round(events["call.event"] / (options.pairs * options.seconds), 1),
        "missed": events["missed"],
        "cpu_percent_without": round(100 * median(without), 2),
        "cpu_percent_of_dashboard": {
            "median": round(median(cost), 2),
            "all": [round(each, 2) for each in cost],
        },
        "event_to_follower_ms": in_ms(
            [delay for follower in followers for delay in follower.delays], "p50", "p99", "max"
        ),
    }


def _by_turns(options: Options, server: LocalServer) -> tuple[list[float], list[float], list[Follower]]:
    """The share of a core that the server took without the dashboard, and with it, by turns."""
    without, watched, followers = [], [], []
    for _ in range(options.pairs):
        time.sleep(_SETTLE_S)
        without.append(_share(server.pid, options.seconds))
        follower = Follower(server.url, server.api.key)
        follower.start()
        time.sleep(_SETTLE_S)
        watched.append(_share(server.pid, options.seconds))
        follower.stop()
        if follower.failure is not None:
            raise BenchFailed(f"the dashboard was not answered: {follower.failure}")
        followers.append(follower)
    return without, watched, followers


def _share(pid: int, seconds: float) -> float:
    """Of a core, of the server's process alone: its engines' do not watch anything."""
    process = psutil.Process(pid)

    def spent() -> tuple[float, float]:
        times = process.cpu_times()
        return time.monotonic(), times.user + times.system

    at, before = spent()
    time.sleep(seconds)
    until, after = spent()
    return (after - before) / (until - at)


@contextmanager
def _calls(plan: Plan, cpus: set[int] | None) -> Iterator[IO[bytes]]:
    """The callers, and what they say."""
    command = [sys.executable, "-m", "ivr.bench.web.callers", json.dumps(asdict(plan))]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        if cpus is not None:
            os.sched_setaffinity(process.pid, cpus)
        assert process.stdout is not None
        yield process.stdout
    finally:
        process.kill()
        process.wait()


def _await(said: IO[bytes], wanted: bytes) -> None:
    for line in said:
        if line == wanted:
            return
    raise BenchFailed("the callers ended before all calls were up")


def _last(said: IO[bytes]) -> bytes:
    lines = list(said)
    if not lines or not lines[-1].startswith(b"{"):
        raise BenchFailed("the callers ended without a word")
    return lines[-1]
