"""A circuit breaker: what fails again and again is left alone for a while, so that nobody waits for it.

Pure: the time is an argument, in seconds of any monotonic clock. A breaker is closed until `failures` in a
row; then it is open, for a time that doubles with each trial that fails; after it one caller may try.
"""

from __future__ import annotations

from enum import Enum

FAILURES = 3
FIRST_S = 5.0
LONGEST_S = 120.0


class BreakerState(Enum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half open"
    """The next may try, or one tries now."""


class Breaker:
    def __init__(
        self, failures: int = FAILURES, first_s: float = FIRST_S, longest_s: float = LONGEST_S
    ) -> None:
        self._limit = failures
        self._first_s = first_s
        self._longest_s = longest_s
        self._failures = 0
        self._open_s = first_s
        self._open_until = 0.0
        self._trying = False

    @property
    def closed(self) -> bool:
        return self._failures < self._limit

    def state(self, now: float) -> BreakerState:
        if self.closed:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now < self._open_until else BreakerState.HALF_OPEN

    def admits(self, now: float) -> bool:
        """Whether one may try now; who may says how it went, by `succeeded`, `failed` or `gave_up`."""
        if self.closed:
            return True
        if self._trying or now < self._open_until:
            return False
        self._trying = True
        return True

    def succeeded(self) -> None:
        self._failures = 0
        self._open_s = self._first_s
        self._trying = False

    def failed(self, now: float) -> None:
        was_open = not self.closed
        self._failures = min(self._failures + 1, self._limit)
        if was_open and not self._trying:
            return  # begun before it opened: that it would fail is known
        if not self.closed:
            self._open_until = now + self._open_s
            self._open_s = min(self._open_s * 2, self._longest_s)
        self._trying = False

    def gave_up(self) -> None:
        """Nobody knows how it would have gone: the next may try."""
        self._trying = False
