"""What a server did in the last hour, minute by minute, for who has no Prometheus to ask. Pure.

Everything is bounded: sixty minutes, a few dozen buckets for each kind of time in each. Times are Unix
seconds; observing takes a microsecond or two.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import ceil, exp, log
from typing import Final

MINUTES: Final = 60
MINUTE_S: Final = 60.0

_FINEST_S: Final = 0.0005
_STEP: Final = log(1.1)
"""Buckets of times, each a tenth wider than the one before: a percentile is right within 5 %."""

_MOST: Final = 140
"""The last bucket: five minutes, and all beyond."""


@dataclass(frozen=True, slots=True)
class Times:
    """How long something took: how often it was seen, and half and nineteen in twenty of them within."""

    count: int
    p50_ms: float | None = None
    p95_ms: float | None = None


@dataclass(slots=True)
class Minute:
    """One minute; `at` is its beginning. `most` holds the highest of each figure that goes up and down."""

    at: float
    counts: Counter[str] = field(default_factory=Counter)
    times: dict[str, Counter[int]] = field(default_factory=dict)
    most: dict[str, float] = field(default_factory=dict)

    def took(self, what: str) -> Times:
        return times_of((self.times.get(what, Counter()),))


class Hour:
    """Counts, times and levels by name; who counts decides on the names, which are to be few."""

    def __init__(self) -> None:
        self.totals: Counter[str] = Counter()
        """Counts since the start."""
        self._minutes: deque[Minute] = deque(maxlen=MINUTES)

    def count(self, what: str, now: float, by: int = 1) -> None:
        self.totals[what] += by
        self._minute(now).counts[what] += by

    def observe(self, what: str, seconds: float, now: float) -> None:
        times = self._minute(now).times
        buckets = times.get(what)
        if buckets is None:
            buckets = times[what] = Counter()
        buckets[_bucket(seconds)] += 1

    def level(self, what: str, value: float, now: float) -> None:
        """A figure as it is now; the highest of each minute is kept."""
        most = self._minute(now).most
        most[what] = max(value, most.get(what, value))

    def minutes(self, now: float) -> list[Minute]:
        """The last hour, oldest first, up to this minute; those in which nothing happened are there too, as
        far back as anything did."""
        self._minute(now)
        newest = self._minutes[-1].at
        known = {minute.at: minute for minute in self._minutes if newest - minute.at < MINUTES * MINUTE_S}
        first = min(known)
        count = round((newest - first) / MINUTE_S) + 1
        wanted = (first + MINUTE_S * index for index in range(count))
        return [known.get(at) or Minute(at) for at in wanted]

    def took(self, what: str, now: float) -> Times:
        """Over the whole hour."""
        return times_of(minute.times.get(what, Counter()) for minute in self.minutes(now))

    def _minute(self, now: float) -> Minute:
        """This minute. A clock that was set back goes on in the last one there is."""
        at = now - now % MINUTE_S
        if not self._minutes or at > self._minutes[-1].at:
            self._minutes.append(Minute(at))
        return self._minutes[-1]


def times_of(parts: Iterable[Mapping[int, int]]) -> Times:
    """The percentiles of all parts together."""
    together: Counter[int] = Counter()
    for part in parts:
        together.update(part)
    count = together.total()
    if not count:
        return Times(0)
    return Times(count, _percentile(together, count, 0.5), _percentile(together, count, 0.95))


def _bucket(seconds: float) -> int:
    if seconds <= _FINEST_S:
        return 0
    return min(_MOST, 1 + int(log(seconds / _FINEST_S) / _STEP))


def _percentile(buckets: Mapping[int, int], count: int, share: float) -> float:
    """In milliseconds: the middle of the bucket that it lies in (nearest rank)."""
    rank = ceil(count * share)
    seen = 0
    for bucket in sorted(buckets):
        seen += buckets[bucket]
        if seen >= rank:
            break
    middle_s = _FINEST_S * exp(_STEP * (bucket - 0.5)) if bucket else _FINEST_S
    return round(middle_s * 1000, 2)
