"""The lines of every trunk: how many calls it has, and how soon it may have another. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from sip.pacing import Bucket, per_minute
from sip.stack import TrunkBusy
from sip.trunks import Trunk

BUSY_RETRY_S: Final = 5
"""Retry-After where a trunk has all the calls it may have, or no media port is free."""
PATIENCE_S: Final = 1.0
"""A call that comes a little too early for the pace waits here: what dials many at once is not sent away for
a moment that it would spend waiting anyhow. Beyond that, it is told when to come again, and holds no line."""


class Lines:
    """The calls of each trunk, both directions, against its `max_calls`, `calls_per_minute` (those we place)
    and `invites_per_minute` (those it sends)."""

    def __init__(self, trunks: Mapping[str, Trunk]) -> None:
        self._max: Final = {name: trunk.max_calls for name, trunk in trunks.items()}
        self._out: Final = _buckets({name: trunk.calls_per_minute for name, trunk in trunks.items()})
        self._in: Final = _buckets({name: trunk.invites_per_minute for name, trunk in trunks.items()})
        self._taken: Counter[str] = Counter()

    def __getitem__(self, trunk: str) -> int:
        """Calls that the trunk has now."""
        return self._taken[trunk]

    def wait_s(self, trunk: str, now: float) -> int | None:
        """None when a call could be placed now, else the whole seconds after which to try again."""
        if self._taken[trunk] >= self._max[trunk]:
            return BUSY_RETRY_S
        pace = self._out.get(trunk)
        wait = 0.0 if pace is None else pace.wait_s(now)
        return None if wait <= PATIENCE_S else int(wait) + 1

    def place(self, trunk: str, now: float) -> float:
        """Takes a line for a call of ours, and gives the seconds to wait before it is dialled.

        Raises `TrunkBusy`, and then takes none.
        """
        if self._taken[trunk] >= self._max[trunk]:
            raise TrunkBusy(f"the trunk {trunk} has its {self._max[trunk]} calls", BUSY_RETRY_S)
        pace = self._out.get(trunk)
        wait = 0.0 if pace is None else pace.take(now, PATIENCE_S)
        if wait is None:
            raise TrunkBusy(f"the trunk {trunk} has its calls for this minute", self.wait_s(trunk, now) or 1)
        self._taken[trunk] += 1
        return wait

    def invited(self, trunk: str, now: float) -> int | None:
        """An INVITE of the trunk came: None when it may become a call, else the seconds for Retry-After."""
        pace = self._in.get(trunk)
        if pace is not None and pace.take(now) is None:
            return int(pace.wait_s(now)) + 1
        return BUSY_RETRY_S if self._taken[trunk] >= self._max[trunk] else None

    def take(self, trunk: str) -> None:
        """A call of the trunk's began."""
        self._taken[trunk] += 1

    def give_back(self, trunk: str) -> None:
        """A call ended."""
        self._taken[trunk] -= 1


def _buckets(limits: Mapping[str, int | None]) -> dict[str, Bucket]:
    return {name: per_minute(limit) for name, limit in limits.items() if limit is not None}
