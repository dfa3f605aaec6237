"""`ivr bench calls`: many calls at once; `ivr bench rate`: calls that come and go. Both are measured from
outside the server, and print one JSON object."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from ivr.bench.flow import NAME
from ivr.bench.generator import Plan
from ivr.bench.own_server import SPARE_CALLS, own_server
from ivr.bench.printing import printed
from ivr.bench.process import BenchFailed, Usage, generated
from ivr.bench.stats import Samples, in_ms
from ivr.local import LocalServer

RATE: Final = 20.0
"""Calls a second that are set up."""

_TRIAL_S: Final = 3.0
_TRIALS: Final = 3
_STAY_S: Final = 3.0
"""How long the calls of `ivr bench rate` last."""


@dataclass(frozen=True, slots=True)
class Options:
    """`server` is HOST:PORT of a server that answers the number `bench` with the flow of `ivr.bench.flow`;
    None starts one. `rate` is in calls a second. `srtp`: the media are encrypted, which that server must
    take."""

    calls: int
    seconds: float
    rate: float = RATE
    server: str | None = None
    srtp: bool = False

    def plan(self, host: str, port: int) -> Plan:
        return Plan(host, port, NAME, self.calls, self.seconds, self.rate, srtp=self.srtp)


@dataclass(frozen=True, slots=True)
class RateOptions:
    """`rate` calls a second for `seconds`; each is answered, hears the beginning of a prompt and hangs up."""

    rate: float
    seconds: float
    srtp: bool = False

    def plan(self, host: str, port: int) -> Plan:
        calls = max(1, round(self.rate * self.seconds))
        return Plan(host, port, NAME, calls, self.seconds, self.rate, stay_s=_STAY_S, srtp=self.srtp)


def run(options: Options | RateOptions) -> int:
    """Prints the JSON; the exit status is 0 when no call failed."""
    return printed(lambda: measure(options) if isinstance(options, Options) else measure_rate(options))


def measure(options: Options) -> dict[str, Any]:
    """The figures of calls at once; raises `BenchFailed` and `ServerFailed`.

    With a server of our own it gets one core and the generator another, where there are two.
    """
    if options.server is not None:
        host, _, port = options.server.rpartition(":")
        if not host or not port.isdigit():
            raise BenchFailed(f"{options.server!r} is no HOST:PORT")
        plan = options.plan(host, int(port))
        return _report(plan, *_generate(plan, None, None))
    with _server(options.calls, options.srtp) as (server, cpus):
        plan = options.plan("127.0.0.1", server.port)
        _warm_up(plan, cpus, server)
        return _report(plan, *_generate(plan, cpus, server.pid))


def measure_rate(options: RateOptions) -> dict[str, Any]:
    """The figures of calls that come and go; raises `BenchFailed` and `ServerFailed`."""
    # Where the server cannot keep up, calls pile up until they are refused, and that is counted.
    with _server(int(2 * options.rate * _STAY_S), options.srtp) as (server, cpus):
        plan = options.plan("127.0.0.1", server.port)
        _warm_up(plan, cpus, server)
        return _rate_report(options, plan, *_generate(plan, cpus, server.pid))


@contextmanager
def _server(calls: int, srtp: bool) -> Iterator[tuple[LocalServer, set[int] | None]]:
    config: dict[str, Any] = {"numbers": {NAME: {"flow": NAME}}}
    if srtp:
        trunk = {"allow": ["127.0.0.0/8"], "max_calls": calls + SPARE_CALLS, "srtp": "required"}
        config["trunks"] = {"local": trunk}
    with own_server(calls, **config) as found:
        yield found


def _warm_up(plan: Plan, cpus: set[int] | None, server: LocalServer) -> None:
    """A first call fills the caches and shows that it works; a server that has just started may refuse
    some."""
    trial = replace(plan, calls=1, seconds=_TRIAL_S, rate=1.0, stay_s=None)
    for _ in range(_TRIALS):
        samples, _usage = _generate(trial, cpus, server.pid)
        if not samples.failures:
            return
    raise BenchFailed(f"a first call failed: {samples.failures[0]}")


def _generate(
    plan: Plan, cpus: set[int] | None, pid: int | None
) -> tuple[Samples, tuple[Usage, Usage, Usage] | None]:
    """Runs the generator; the server's usage before, with all calls up, and at the end."""
    measured, usage = generated("ivr.bench.generator", [json.dumps(asdict(plan))], cpus, pid)
    return Samples(**measured), usage


def _report(plan: Plan, samples: Samples, usage: tuple[Usage, Usage, Usage] | None) -> dict[str, Any]:
    cpu_percent = rss_kb = None
    if usage is not None:
        before, steady, ending = usage
        share = (ending.cpu_s - steady.cpu_s) / (ending.at - steady.at)
        cpu_percent = round(100 * share / plan.calls, 4)
        rss_kb = round((ending.rss_bytes - before.rss_bytes) / 1024 / plan.calls, 1)
    _tell(samples)
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


def _rate_report(
    options: RateOptions, plan: Plan, samples: Samples, usage: tuple[Usage, Usage, Usage] | None
) -> dict[str, Any]:
    assert usage is not None
    _, steady, ending = usage
    share = (ending.cpu_s - steady.cpu_s) / (ending.at - steady.at)
    _tell(samples)
    return {
        "rate": options.rate,
        "seconds": options.seconds,
        "calls": plan.calls,
        "failed": len(samples.failures),
        "setup_ms": in_ms(samples.setup, "p50", "p99", "max"),
        "rtp_spacing_ms": in_ms(samples.spacing, "p50", "p99", "max"),
        "rtp_lost": samples.lost,
        "cpu_percent": round(100 * share, 1),
        "cpu_ms_per_call": round(1000 * share / options.rate, 2),
        "generator_lateness_ms_p99": in_ms(samples.lateness, "p99")["p99"],
    }


def _tell(samples: Samples) -> None:
    for reason, count in Counter(samples.failures).most_common():
        print(f"ivr bench: {count} failed: {reason}", file=sys.stderr)
