"""`ivr bench web --exotel N`: so many streams of Exotel's at once, on one core of the server's."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from ivr.bench.flow import NAME
from ivr.bench.own_server import own_server
from ivr.bench.printing import printed
from ivr.bench.process import Usage, generated
from ivr.bench.stats import in_ms
from ivr.bench.web.exotel_generator import Plan

_TRIAL_S: Final = 3.0
_RATE: Final = 8000


@dataclass(frozen=True, slots=True)
class Options:
    """`chunk_ms` None: 3,200 bytes, as Exotel's pages ask for."""

    streams: int
    seconds: float
    chunk_ms: int | None = None


def run(options: Options) -> int:
    """Prints the JSON; the exit status is 0 when all went well."""
    return printed(lambda: measure(options))


def measure(options: Options) -> dict[str, Any]:
    """Raises `BenchFailed` and `ServerFailed`."""
    stream: dict[str, Any] = {"flow": NAME}
    if options.chunk_ms is not None:
        stream["chunk_ms"] = options.chunk_ms
    exotel = {"allow": ["127.0.0.0/8"], "streams": {NAME: stream}}
    with own_server(options.streams, exotel=exotel) as (server, cpus):
        host, port = urlsplit(server.url).hostname or "", urlsplit(server.url).port or 0
        path = f"/ws/exotel/{NAME}"
        _generate(Plan(host, port, path, 1, _TRIAL_S), cpus, server.pid)  # fills the caches
        plan = Plan(host, port, path, options.streams, options.seconds)
        return _report(options, *_generate(plan, cpus, server.pid))


def _generate(
    plan: Plan, cpus: set[int] | None, pid: int
) -> tuple[dict[str, Any], tuple[Usage, Usage, Usage] | None]:
    return generated("ivr.bench.web.exotel_generator", [json.dumps(asdict(plan))], cpus, pid)


def _report(
    options: Options, measured: dict[str, Any], usage: tuple[Usage, Usage, Usage] | None
) -> dict[str, Any]:
    assert usage is not None
    before, steady, ending = usage
    share = (ending.cpu_s - steady.cpu_s) / (ending.at - steady.at)
    for reason, count in Counter(measured["failures"]).most_common():
        print(f"ivr bench: {count} failed: {reason}", file=sys.stderr)
    chunk_ms = measured["chunk_bytes"] * 1000 / (_RATE * 2)
    keys = measured["key_to_prompt"]
    return {
        "streams": options.streams,
        "failed": len(measured["failures"]),
        "chunk_ms": chunk_ms,
        "keys": len(keys),
        # To the message with the first of the next prompt; it is heard a chunk less 20 ms later.
        "key_to_audio_ms": in_ms(keys, "p50", "p95", "p99", "max"),
        "gaps": measured["gaps"],
        "chunks": measured["chunks"],
        "clears": measured["clears"],
        "cpu_percent": round(100 * share, 1),
        "cpu_percent_per_stream": round(100 * share / options.streams, 3),
        "rss_kb_per_stream": round((ending.rss_bytes - before.rss_bytes) / 1024 / options.streams, 1),
        "generator_lateness_ms": in_ms(measured["lateness"], "p50", "p95", "p99", "max"),
    }
