"""What happens in live calls, told as it is noted in their records to whoever follows.

    with feed.follow(call_id) as following:
        async for call_id, event in following:
            ...

A follower has a queue of his own with a bound: who is slow loses the oldest, and `missed` counts them. No
call waits for him.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ivr.store import CallEvent

BEGAN: Final = "call_began"
ENDED: Final = "call_ended"
"""The first and the last that is told of a call here; in its record these are fields of their own."""

QUEUE: Final = 1000
MOST: Final = 1000
"""Followers at once."""

Told = tuple[str, CallEvent]
"""The id of the call, and what was noted."""


class TooManyFollowers(Exception):
    """Nobody else can follow now."""


class Following:
    """One follower's view; an asynchronous iterator that ends when the feed is closed."""

    def __init__(self, limit: int) -> None:
        self._queue: deque[Told] = deque()
        self._limit = limit
        self._came = asyncio.Event()
        self._closed = False
        self.missed = 0

    def put(self, told: Told) -> None:
        if len(self._queue) >= self._limit:
            self._queue.popleft()
            self.missed += 1
        self._queue.append(told)
        self._came.set()

    def close(self) -> None:
        """What is queued can still be read."""
        self._closed = True
        self._came.set()

    def take(self) -> list[Told]:
        """All that waits, without waiting."""
        told = list(self._queue)
        self._queue.clear()
        return told

    def __aiter__(self) -> Following:
        return self

    async def __anext__(self) -> Told:
        while not self._queue:
            if self._closed:
                raise StopAsyncIteration
            self._came.clear()
            await self._came.wait()
        return self._queue.popleft()


class Feed:
    """All followers; without one, telling costs a look into two dictionaries."""

    def __init__(self) -> None:
        self._of_all: dict[Following, None] = {}
        self._of_call: dict[str, dict[Following, None]] = {}
        self._count = 0

    def tell(self, call_id: str, event: CallEvent) -> None:
        for followers in (self._of_all, self._of_call.get(call_id, {})):
            for following in followers:
                following.put((call_id, event))

    @contextmanager
    def follow(self, call_id: str | None = None, limit: int = QUEUE) -> Iterator[Following]:
        """Follows one call, or all; raises `TooManyFollowers`."""
        if self._count >= MOST:
            raise TooManyFollowers(f"{MOST} follow already")
        following = Following(limit)
        followers = self._of_all if call_id is None else self._of_call.setdefault(call_id, {})
        followers[following] = None
        self._count += 1
        try:
            yield following
        finally:
            self._count -= 1
            del followers[following]
            if call_id is not None and not followers:
                self._of_call.pop(call_id, None)

    def close(self) -> None:
        """Nothing is told any more: who follows comes to an end."""
        for followers in (self._of_all, *self._of_call.values()):
            for following in followers:
                following.close()
