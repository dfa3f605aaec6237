"""When a group of streams sends: every 20 ms, and what to do when the event loop came too late. Pure.

A group that is behind catches up at twice the pace, so that a receiver never gets a burst. Further behind
than `GIVE_UP_S` the missed packets are not sent at all: the media clock jumps, and nothing of what plays is
lost.
"""

from __future__ import annotations

from typing import Final

from media.codecs import FRAME_MS

FRAME_S: Final = FRAME_MS / 1000
CLOSEST_S: Final = FRAME_S / 2
"""Two packets of a stream are never closer than this."""

GIVE_UP_S: Final = 0.1

_TOLERANCE_S: Final = 0.001  # a loop whose clock counts milliseconds may wake its callers so much too early


class Pace:
    """Times in monotonic seconds."""

    __slots__ = ("_closest", "_due")

    def __init__(self, first: float) -> None:
        """The first packet is due at `first`."""
        self._due = first
        self._closest = first

    def ready(self, now: float) -> bool:
        """Whether a packet is to be sent now."""
        limit = now + _TOLERANCE_S
        return self._due <= limit and self._closest <= limit

    def advance(self, now: float) -> int:
        """A packet is about to be sent; gives the number of ticks to leave out before it, nearly always 0."""
        self._closest = now + CLOSEST_S
        behind = now - self._due
        ticks = int(behind / FRAME_S) if behind > GIVE_UP_S else 0
        self._due += (ticks + 1) * FRAME_S
        return ticks


class Lateness:
    """The worst lateness of the event loop within the last `WINDOW_S` to twice that."""

    WINDOW_S: Final = 2.0

    __slots__ = ("_before", "_now", "_window_end")

    def __init__(self) -> None:
        self._before = self._now = self._window_end = 0.0

    def note(self, late_s: float, now: float) -> None:
        """The loop woke us so much too late."""
        if now >= self._window_end:
            self._before, self._now = self._now, 0.0
            self._window_end = now + self.WINDOW_S
        self._now = max(self._now, late_s)

    @property
    def worst_s(self) -> float:
        return max(self._before, self._now)
