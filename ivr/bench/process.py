"""The load generator as a process of its own, and what the server uses meanwhile."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import psutil

_OVERTIME_S: Final = 30.0


class BenchFailed(Exception):
    """Nothing could be measured; the text says why."""


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


def generated(
    module: str, arguments: Sequence[str], cpus: set[int] | None, pid: int | None
) -> tuple[dict[str, Any], tuple[Usage, Usage, Usage] | None]:
    """Runs a generator to its end on these cores; gives what it measured, and what the process `pid` had used
    before, with all calls up, and at the end. Raises `BenchFailed`."""
    usage = [Usage.of(pid)] if pid is not None else []
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
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
    return json.loads(line), (usage[0], usage[1], usage[2]) if pid is not None else None
