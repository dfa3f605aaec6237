"""How engines stand: a circuit breaker for each, shared by all that is asked of it.

Pure: the time is an argument, in seconds of any monotonic clock.
"""

from __future__ import annotations

from engines.breaker import Breaker, BreakerState

FAILURES = 3
FIRST_S = 2.0
LONGEST_S = 30.0
"""A trial costs one caller one hedge: an engine that is back is found soon."""


class Board:
    """Breakers by the keys of links; one that was never told of is well."""

    def __init__(self) -> None:
        self._breakers: dict[str, Breaker] = {}

    def admits(self, key: str, now: float) -> bool:
        """Whether it may be asked now; who asks it tells how it went."""
        return self._of(key).admits(now)

    def succeeded(self, key: str) -> None:
        self._of(key).succeeded()

    def failed(self, key: str, now: float) -> None:
        self._of(key).failed(now)

    def gave_up(self, key: str) -> None:
        """Nobody knows how it would have gone."""
        self._of(key).gave_up()

    def left_alone(self, key: str, now: float) -> bool:
        """Whether it is not to be asked now, while there are others."""
        return self.state(key, now) is BreakerState.OPEN

    def state(self, key: str, now: float) -> BreakerState:
        return self._of(key).state(now)

    def _of(self, key: str) -> Breaker:
        if key not in self._breakers:
            self._breakers[key] = Breaker(FAILURES, FIRST_S, LONGEST_S)
        return self._breakers[key]
