"""Measures what live calls feel while flows are read anew.

    python -m bench.reload --flows 500 --calls 100 --seconds 10

A server of its own answers calls that hear prompts and press keys, as in `ivr bench calls`; beside their flow
lie as many others as are asked for, each like the shipped vendor order. By turns nothing happens, and all of
the others are written anew, with another prompt, and read at once. Prints one JSON object: how long the
reload took from the first file written, the CPU time of the server meanwhile (calls included) and of the
process that reads flows, and the spacing of RTP packets at the callers with and without a reload. The
server's processes share one core, the callers have another.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final

import psutil

from ivr.bench.command import Options, _generate, _warm_up
from ivr.bench.flow import NAME, write_flow
from ivr.bench.stats import in_ms
from ivr.local import PATIENT, LocalServer, local_server

ROOT: Final = Path(__file__).parents[1]
TEXT: Final = (ROOT / "flows" / "vendor_order.yaml").read_text(encoding="utf-8")
AFTER_S: Final = 3.0
"""How long all calls have been up when the reload begins."""


def write(folder: Path, count: int, turn: int) -> None:
    for number in range(count):
        text = TEXT.replace("flow: vendor-order", f"flow: vendor-order-{number}")
        text = text.replace(
            "\nprompts:\n", f'\nprompts:\n  turn: {{hi: "{turn}", mr: "{turn}", en: "{turn}"}}\n'
        )
        (folder / f"vendor_order_{number}.yaml").write_text(text, encoding="utf-8")


def reload(server: LocalServer, count: int, turn: int, told: dict[str, Any]) -> None:
    """Of the flows some may be seen before all are written: the server looks by itself."""
    process = psutil.Process(server.pid)
    reader = next(child for child in process.children() if "ivr.shelf.worker:FlowEngine" in child.cmdline())
    before = [each.cpu_times() for each in (process, reader)]
    began = time.monotonic()
    write(server.folder / "flows", count, turn)
    server.api.reload_flows()
    told["reload_s"] = round(time.monotonic() - began, 3)
    after = [each.cpu_times() for each in (process, reader)]
    used = [now.user + now.system - then.user - then.system for now, then in zip(after, before, strict=True)]
    told["cpu_s"] = {"server": round(used[0], 2), "reader": round(used[1], 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--flows", type=int, default=500)
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--turns", type=int, default=2)
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    apart = len(cores) > 1
    with tempfile.TemporaryDirectory(prefix="ivr-bench-") as folder:
        flows = Path(folder) / "flows"
        write_flow(flows)
        write(flows, options.flows, 0)
        config = {
            "flows": "flows",
            "numbers": {NAME: {"flow": NAME}},
            "endpoints": {"order-webhook": {"url": "http://127.0.0.1:9/"}},
            "queues": {"vendor-desk": "sip:desk@127.0.0.1:9"},
            "limits": {**PATIENT, "calls": options.calls + 10},
        }
        with local_server(Path(folder), config, cpus={cores[0]} if apart else None) as server:
            report = measure(server, options, {cores[-1]} if apart else None)
    print(json.dumps(report, indent=2))


def measure(server: LocalServer, options: argparse.Namespace, cpus: set[int] | None) -> dict[str, Any]:
    plan = Options(options.calls, options.seconds).plan("127.0.0.1", server.port)
    _warm_up(plan, cpus, server)
    up_s = plan.calls / plan.rate + 1.0
    turns: list[dict[str, Any]] = []
    for turn in range(1, 2 * options.turns + 1):
        told: dict[str, Any] = {}
        work = threading.Timer(up_s + AFTER_S, reload, (server, options.flows, turn, told))
        if turn % 2 == 0:
            work.start()
        samples, usage = _generate(plan, cpus, server.pid)
        if turn % 2 == 0:
            work.join()
        assert usage is not None
        turns.append(
            {
                **told,
                "failed": len(samples.failures),
                "rtp_spacing_ms": in_ms(samples.spacing, "p50", "p99", "max"),
                "rtp_lost": samples.lost,
                "key_to_prompt_ms": in_ms(samples.key_to_prompt, "p50", "p99", "max"),
                "cpu_percent": round(
                    100 * (usage[2].cpu_s - usage[1].cpu_s) / (usage[2].at - usage[1].at), 1
                ),
            }
        )
    load = [round(one, 2) for one in os.getloadavg()]
    return {
        "flows": options.flows,
        "calls": options.calls,
        "load_average": load,
        "without": turns[0::2],
        "with": turns[1::2],
    }


if __name__ == "__main__":
    main()
