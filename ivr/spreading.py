"""Work that needs all cores: each item in a process of its own, what comes of them in their order."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def spread(work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """`work` of each item. Processes are forked, so they begin with what is loaded; with one item or one core
    there are none. Both `work` and what it gives must be possible to pickle."""
    processes = min(len(items), os.cpu_count() or 1)
    if processes < 2:
        yield from map(work, items)
        return
    with ProcessPoolExecutor(processes, multiprocessing.get_context("fork")) as pool:
        yield from pool.map(work, items)
