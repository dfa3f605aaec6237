"""The last events of all live calls, for whoever follows them: each reads at his own pace. Pure.

There is one ring for all, and a reader is no more than the number of what he read last: he costs nothing,
and one who is too slow finds the oldest gone, and is told how many. Numbers count up from 1; a run of the
server has a name of its own, so that a reader of an earlier one can be told that he has missed something.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

KEPT: Final = 8192
"""Some twenty seconds of 500 calls that talk."""

AT_ONCE: Final = 500
"""Events that a reader is given in one go."""


@dataclass(slots=True)
class Logged:
    """`call_id` is None for what concerns no call. `written` is for who reads it first: how it is written for
    all of them."""

    number: int
    name: str
    call_id: str | None
    data: Mapping[str, Any]
    written: bytes | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader is given: so many `missed` before these, and where he is now (`upto`)."""

    entries: tuple[Logged, ...]
    missed: int
    upto: int


class EventLog:
    """A ring of events. `keep` bounds it."""

    def __init__(self, run: str, keep: int = KEPT) -> None:
        """`run` names this run of the server."""
        self.run = run
        self._ring: deque[Logged] = deque(maxlen=keep)
        self.last = 0
        """The number of the newest event."""

    def add(self, name: str, call_id: str | None, data: Mapping[str, Any]) -> None:
        self.last += 1
        self._ring.append(Logged(self.last, name, call_id, data))

    def read(self, after: int, call_id: str | None = None, most: int = AT_ONCE) -> Reading:
        """What came after the event of that number, of one call or of all, oldest first, at most so many."""
        first = self.last - len(self._ring) + 1
        missed = max(0, first - after - 1)
        entries: list[Logged] = []
        upto = max(after, first - 1)
        for entry in self._since(upto + 1 - first):
            if len(entries) == most:
                break
            upto = entry.number
            if call_id is None or entry.call_id == call_id:
                entries.append(entry)
        return Reading(tuple(entries), missed, upto)

    def name_of(self, number: int) -> str:
        """How an event is called outside (`Last-Event-ID`)."""
        return f"{self.run}-{number}"

    def place_of(self, name: str) -> int | None:
        """The number of the event of that name; None when it is of another run, or of none."""
        run, _, number = name.rpartition("-")
        if run != self.run or len(number) > 18 or not number.isdecimal() or int(number) > self.last:
            return None
        return int(number)

    def _since(self, index: int) -> Iterator[Logged]:
        """From that place of the ring on; counted from its nearer end."""
        behind = len(self._ring) - index
        if behind < index:
            newest = list(islice(reversed(self._ring), behind))
            return reversed(newest)
        return islice(self._ring, index, None)
