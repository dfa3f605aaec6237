"""`ivr bench calls`: many calls at once, measured from outside the server; one JSON object on the standard
output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import psutil

from ivr.bench.flow import NAME, write_flow
from ivr.bench.generator import Plan
from ivr.bench.stats import Samples, in_ms
from ivr.local import PATIENT, LocalServer, ServerFailed, local_server

RATE: Final = 20.0
"""Calls a second that are set up."""

_SPARE_CALLS: Final = 10
_TRIAL_S: Final = 3.0
_TRIALS: Final = 3
_OVERTIME_S: Final = 30.0


class BenchFailed(Exception):
    """Nothing could be measured; the text says why."""


@dataclass(frozen=True, slots=True)
class Options:
    """`server` is HOST:PORT of a server that answers the number `bench` with the flow of `ivr.bench.flow`;
    None
    starts one. `rate` is in calls a second."""

    calls: int
    seconds: float
    rate: float = RATE
    server: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """What the server's processes used up to a moment: CPU seconds, and resident bytes."""

    at: float
    cpu_s: float
    rss_bytes: int

    @staticmethod
    def of(pid: int) -> Usage:
        parent = psutil.Process(pid)
        cpu, rss = 0.0, 0
        for process in (parent, *parent.children(recursive=True)):
            try:
                times = process.cpu_times()
                cpu += times.user + times.system
                rss += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        return Usage(time.monotonic(), cpu, rss)


def run(options: Options) -> int:
    """Prints the JSON; the exit status is 0 when no call failed."""
    try:
        report = measure(options)
    except (BenchFailed, ServerFailed) as error:
        print(f"ivr bench: {error}", file=sys.stderr)
        return 2
    print(json.dumps(report, indent=2))
    return 1 if report["failed"] else 0


def measure(options: Options) -> dict[str, Any]:
    """The figures as a mapping; raises `BenchFailed` and `ServerFailed`.

    With a server of our own it gets one core and the generator another, where there are two.
    """
    if options.server is not None:
        host, _, port = options.server.rpartition(":")
        if not host or not port.isdigit():
            raise BenchFailed(f"{options.server!r} is no HOST:PORT")
        plan = Plan(host, int(port), NAME, options.calls, options.seconds, options.rate)
        return _report(plan, *_generate(plan, None, None))
    cores = sorted(os.sched_getaffinity(0))
    apart = len(cores) > 1
    with tempfile.TemporaryDirectory(prefix="ivr-bench-") as folder:
        write_flow(Path(folder) / "flows")
        config = {
            "flows": "flows",
            "numbers": {NAME: {"flow": NAME}},
            "limits": {**PATIENT, "calls": options.calls + _SPARE_CALLS},
        }
        with local_server(Path(folder), config, cpus={cores[0]} if apart else None) as server:
            return _measured(server, options, {cores[-1]} if apart else None)


def _measured(server: LocalServer, options: Options, cpus: set[int] | None) -> dict[str, Any]:
    plan = Plan("127.0.0.1", server.port, NAME, options.calls, options.seconds, options.rate)
    _warm_up(plan, cpus, server)
    return _report(plan, *_generate(plan, cpus, server.pid))


def _warm_up(plan: Plan, cpus: set[int] | None, server: LocalServer) -> None:
    """A first call fills the caches and shows that it works; a server that has just started may refuse
    some."""
    trial = replace(plan, calls=1, seconds=_TRIAL_S, rate=1.0)
    for _ in range(_TRIALS):
        samples, _usage = _generate(trial, cpus, server.pid)
        if not samples.failures:
            return
    raise BenchFailed(f"a first call failed: {samples.failures[0]}")


def _generate(
    plan: Plan, cpus: set[int] | None, pid: int | None
) -> tuple[Samples, tuple[Usage, Usage, Usage] | None]:
    """Runs the generator; the server's usage before, with all calls up, and at the end."""
    usage = [Usage.of(pid)] if pid is not None else []
    process = subprocess.Popen(
        [sys.executable, "-m", "ivr.bench.generator", json.dumps(asdict(plan))],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    try:
        if cpus is not None:
            os.sched_setaffinity(process.pid, cpus)
        assert process.stdout is not None
        line = b""
        for line in process.stdout:
            if pid is not None and line in (b"steady\n", b"ending\n"):
                usage.append(Usage.of(pid))
        if process.wait(_OVERTIME_S) != 0 or not line.startswith(b"{"):
            raise BenchFailed(f"the load generator ended with status {process.returncode}")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    return Samples(**json.loads(line)), (usage[0], usage[1], usage[2]) if pid is not None else None


def _report(plan: Plan, samples: Samples, usage: tuple[Usage, Usage, Usage] | None) -> dict[str, Any]:
    cpu_percent = rss_kb = None
    if usage is not None:
        before, steady, ending = usage
        share = (ending.cpu_s - steady.cpu_s) / (ending.at - steady.at)
        cpu_percent = round(100 * share / plan.calls, 4)
        rss_kb = round((ending.rss_bytes - before.rss_bytes) / 1024 / plan.calls, 1)
    for reason, count in Counter(samples.failures).most_common():
        print(f"ivr bench: {count} failed: {reason}", file=sys.stderr)
    return {
        "calls": plan.calls,
        "failed": len(samples.failures),
        "rtp_spacing_ms": in_ms(samples.spacing, "p50", "p99", "max"),
        "rtp_lost": samples.lost,
        "key_to_prompt_ms": in_ms(samples.key_to_prompt, "p50", "p99", "max"),
        "setup_ms": in_ms(samples.setup, "p50", "p99"),
        "cpu_percent_per_call": cpu_percent,
        "rss_kb_per_call": rss_kb,
        "generator_lateness_ms_p99": in_ms(samples.lateness, "p99")["p99"],
    }
