"""The server that a benchmark measures: one of its own, apart from who loads it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from ivr.bench.flow import write_flow
from ivr.local import PATIENT, LocalServer, local_server

SPARE_CALLS: Final = 10
"""More than are placed: what one of them leaves behind for a moment must not refuse another."""


@contextmanager
def own_server(calls: int, **config: Any) -> Iterator[tuple[LocalServer, set[int] | None]]:
    """A server with the benchmark's flow for so many calls at once, and the cores that are left for the
    generator: it gets one core and the generator another, where there are two. Raises `ServerFailed`."""
    cores = sorted(os.sched_getaffinity(0))
    apart = len(cores) > 1
    with tempfile.TemporaryDirectory(prefix="ivr-bench-") as folder:
        write_flow(Path(folder) / "flows")
        limits = {**PATIENT, "calls": calls + SPARE_CALLS}
        settings = {"flows": "flows", "limits": limits, **config}
        with local_server(Path(folder), settings, cpus={cores[0]} if apart else None) as server:
            yield server, {cores[-1]} if apart else None
