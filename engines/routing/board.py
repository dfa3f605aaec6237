"""How engines stand: a circuit breaker for each, shared by all that is asked of it.

Pure: the time is an argument, in seconds of any monotonic clock.
"""

from __future__ import annotations

from collections.abc import Iterable

from engines.breaker import Breaker, BreakerState

FAILURES = 3
FIRST_S = 2.0
LONGEST_S = 30.0
"""A trial costs one caller one hedge: an engine that is back is found soon."""


class Board:
    """Breakers by the keys of links."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._breakers = {key: Breaker(FAILURES, FIRST_S, LONGEST_S) for key in keys}

    def admits(self, key: str, now: float) -> bool:
        """Whether it may be asked now; who asks it tells how it went."""
        return self._breakers[key].admits(now)

    def succeeded(self, key: str) -> None:
        self._breakers[key].succeeded()

    def failed(self, key: str, now: float) -> None:
        self._breakers[key].failed(now)

    def gave_up(self, key: str) -> None:
        """Nobody knows how it would have gone."""
        self._breakers[key].gave_up()

    def state(self, key: str, now: float) -> BreakerState:
        return self._breakers[key].state(now)
