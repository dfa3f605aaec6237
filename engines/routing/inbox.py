"""What happens to a race that runs: awaited in turn, until the race is due."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_BREATH_S: Final = 0.001
_ROUNDS: Final = 8
"""Of the loop: from bytes that wait in a socket to an item, with some to spare."""


class Inbox(Generic[T]):
    def __init__(self) -> None:
        self._waiting: deque[T] = deque()
        self._moved = asyncio.Event()

    def put(self, item: T) -> None:
        self._waiting.append(item)
        self._moved.set()

    def wake(self) -> None:
        """The time that is waited for may be another now."""
        self._moved.set()

    async def next(self, due: Callable[[], float | None]) -> T | None:
        """What happened next; None when nothing did until `due`, a time of the loop's clock.

        Where the loop itself was late, what has come meanwhile goes before the time that is over.
        """
        while not self._waiting:
            self._moved.clear()
            try:
                async with asyncio.timeout_at(due()):
                    await self._moved.wait()
            except TimeoutError:
                if not await self._came_meanwhile():
                    return None
        return self._waiting.popleft()

    async def _came_meanwhile(self) -> bool:
        for _ in range(_ROUNDS):
            await asyncio.sleep(0)
            if self._waiting:
                return True
        return False


def time_of(due: float | None) -> float:
    """The loop's time; what is due, where its timer came a breath early."""
    now = asyncio.get_running_loop().time()
    return due if due is not None and 0 < due - now < _BREATH_S else now
