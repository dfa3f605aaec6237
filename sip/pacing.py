"""So many in a minute, and no more: token buckets. Pure.

A bucket holds `burst` tokens and is filled at `rate` tokens a second; what happens takes one. In any time t,
however it is placed, no more than `burst + rate * t` things can happen.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

_MINUTE_S: Final = 60.0
_BURST: Final = 10
"""A minute's share that may come at once is one in so many: carriers count by the second too."""

K = TypeVar("K", bound=Hashable)


class Bucket:
    """One token bucket, full at first."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, burst: float, rate: float) -> None:
        """`rate` in tokens a second, above 0."""
        self._burst: Final = burst
        self._rate: Final = rate
        self._tokens = burst
        self._at = 0.0

    def take(self, now: float, patience_s: float = 0.0) -> float | None:
        """Takes a token and gives the seconds until it is there, 0 mostly; None when that is beyond the
        patience, and then nothing is taken."""
        wait = self.wait_s(now)
        if wait > patience_s:
            return None
        self._tokens -= 1.0
        return wait

    def wait_s(self, now: float) -> float:
        """Seconds until there is a token."""
        if now > self._at:
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
            self._at = now
        return max(0.0, (1.0 - self._tokens) / self._rate)


def per_minute(count: int) -> Bucket:
    """A bucket that lets at most `count` pass in any 60 s (half-open), spread over the minute but for a small
    burst: with 200, twenty at once and then three a second."""
    burst = max(1, count // _BURST)
    return Bucket(burst, (count - burst + 1) / _MINUTE_S)


class Buckets(Generic[K]):
    """A bucket for each key; of more than `size` keys the one not seen for longest is forgotten."""

    def __init__(self, burst: float, rate: float, size: int = 4096) -> None:
        self._burst: Final = burst
        self._rate: Final = rate
        self._size: Final = size
        self._buckets: OrderedDict[K, Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: K, now: float) -> bool:
        """Whether the key had a token."""
        return self._bucket(key).take(now) is not None

    def empty(self, key: K, now: float) -> bool:
        """Whether the key has no token now; none is taken."""
        found = self._buckets.get(key)
        return found is not None and found.wait_s(now) > 0.0

    def _bucket(self, key: K) -> Bucket:
        found = self._buckets.get(key)
        if found is None:
            if len(self._buckets) >= self._size:
                self._buckets.popitem(last=False)
            found = self._buckets[key] = Bucket(self._burst, self._rate)
        else:
            self._buckets.move_to_end(key)
        return found
