"""What the benches of the speech services share: a service of one's own, its CPU time, and shares."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from ivr.bench.stats import percentile
from ivr.local import ServerFailed

_START_S: Final = 300.0
_STOP_S: Final = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """`url` of a service that runs; None starts one with `config`, or, with `random_weights`, one whose
    engine has such. Each of `levels` (how many at once) lasts `seconds`."""

    levels: tuple[int, ...]
    seconds: float
    url: str | None = None
    config: Path | None = None
    key: str | None = None
    model: str = "auto"
    languages: tuple[str, ...] = ("hi", "mr", "en")
    plot: Path | None = None
    cpus: frozenset[int] | None = None
    """The cores that a started service may use."""
    random_weights: bool = False


def shares(samples: Sequence[int], unit: float) -> dict[str, float | None]:
    """`p50`, `p95`, `p99`, `max` in `unit`; None where nothing was measured."""
    ordered = sorted(samples)
    wanted = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {
        name: round(percentile(ordered, share) / unit, 4) if ordered else None
        for name, share in wanted.items()
    }


def cpu_s(pid: int | None) -> float | None:
    """Of the service's processes, its engines included."""
    if pid is None:
        return None
    parent = psutil.Process(pid)
    times = [process.cpu_times() for process in (parent, *parent.children(recursive=True))]
    return float(sum(each.user + each.system for each in times))


@contextmanager
def service(
    command: str, url: str | None, config: Path | None, cpus: frozenset[int] | None
) -> Iterator[tuple[str, int | None]]:
    """The address of the service, and its process where it is ours: `ivr tts` or `ivr asr`, unless `url` is
    that of one that runs. `cpus` are the cores it may use. Raises `ServerFailed`.
    """
    if url:
        yield url.rstrip("/"), None
        return
    if cpus and not cpus <= (here := os.sched_getaffinity(0)):
        raise ServerFailed(f"the cores here are {', '.join(map(str, sorted(here)))}")
    with tempfile.TemporaryDirectory(prefix="ivr-bench-") as folder:
        announce, log = Path(folder) / "announce.json", Path(folder) / "log"
        path = config or Path(folder) / "ivr.yaml"
        if config is None:
            path.write_text("store: {path: var}\n", encoding="utf-8")
        arguments = [sys.executable, "-m", "ivr.cli", command, "--port", "0"]
        with log.open("wb") as output:
            process = psutil.Popen(
                [*arguments, "--config", str(path), "--announce", str(announce)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            if cpus:
                process.cpu_affinity(list(cpus))
            deadline = time.monotonic() + _START_S
            while not announce.exists():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise ServerFailed(
                        f"the service did not start:\n{log.read_text(errors='replace')[-2000:]}"
                    )
                time.sleep(0.02)
            yield json.loads(announce.read_text())["api"], process.pid
        finally:
            process.terminate()
            try:
                process.wait(_STOP_S)
            except psutil.TimeoutExpired:
                process.kill()
                process.wait()
