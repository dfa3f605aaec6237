"""An event loop in which waiting takes no time: where nothing is ready, the clock goes on to the next timer.

For code that waits for timers and for itself alone; there is nobody outside who could send it something.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Stuck(AssertionError):
    """Everybody waits, and nothing will ever happen."""


class _NoWait(selectors.BaseSelector):
    """Gives what is there and never waits; a wait is what moves the clock."""

    def __init__(self) -> None:
        self._inner = selectors.DefaultSelector()
        self.waited_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._inner.select(0)
        if not ready:
            if timeout is None:
                raise Stuck("everybody waits for ever")
            self.waited_s += max(timeout, 0.0)
        return ready

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._inner.unregister(fileobj)

    def get_map(self) -> Any:
        return self._inner.get_map()

    def close(self) -> None:
        self._inner.close()


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._no_wait = _NoWait()
        super().__init__(self._no_wait)

    def time(self) -> float:
        return self._no_wait.waited_s


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """Runs it in a loop of its own that begins at 0 seconds. Raises `Stuck` when nothing can happen."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
