"""How much of the card's memory a service took while it was measured."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import psutil

from engines.gpu.cards import Cards, read_cards

_EVERY_S: Final = 0.5
_MB: Final = 1024 * 1024


class Peak:
    """`mb` is the most that was seen; None where there is no card, or the service is none of ours."""

    def __init__(self) -> None:
        self.mb: int | None = None

    def take(self, mb: int | None) -> None:
        if mb is not None:
            self.mb = max(mb, self.mb or 0)


@asynccontextmanager
async def peak_vram(pid: int | None, read: Callable[[], Cards] = read_cards) -> AsyncIterator[Peak]:
    """Of the process and its engines, looked at twice a second."""
    peak = Peak()
    if pid is None or not (await asyncio.to_thread(read)).cards:
        yield peak
        return
    watching = asyncio.create_task(_watch(pid, read, peak))
    try:
        yield peak
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        peak.take(_used_mb(pid, await asyncio.to_thread(read)))


async def _watch(pid: int, read: Callable[[], Cards], peak: Peak) -> None:
    while True:
        peak.take(_used_mb(pid, await asyncio.to_thread(read)))
        await asyncio.sleep(_EVERY_S)


def _used_mb(pid: int, cards: Cards) -> int | None:
    try:
        parent = psutil.Process(pid)
        pids = {pid, *(child.pid for child in parent.children(recursive=True))}
    except psutil.NoSuchProcess:
        return None
    found = [
        process.memory_bytes
        for card in cards.cards
        for process in card.processes
        if process.pid in pids and process.memory_bytes is not None
    ]
    return sum(found) // _MB if found else None
