"""Where received audio belongs in a recording: from the sender's clock to ours. Pure."""

from __future__ import annotations

from typing import Final

from media.rtp import TIMESTAMP_MASK

_HALF: Final = 1 << 31
_STRAY_S: Final = 0.25
"""A packet further than this from where it would be expected by its arrival starts a new count: the sender
paused without counting on, jumped, or its clock has run away."""


class Placement:
    """Counts one sender's timestamps (RFC 3550, 5.1) from its first packet on."""

    __slots__ = ("_anchor_sample", "_anchor_timestamp", "_clock_rate", "_sample_rate", "_ssrc", "_stray")

    def __init__(self, clock_rate: int, sample_rate: int) -> None:
        """`clock_rate` is the timestamps' in Hz, `sample_rate` that of the positions."""
        self._clock_rate = clock_rate
        self._sample_rate = sample_rate
        self._stray = int(sample_rate * _STRAY_S)
        self._ssrc: int | None = None
        self._anchor_timestamp = 0
        self._anchor_sample = 0

    def place(self, ssrc: int, timestamp: int, sample: int) -> int:
        """The position of a packet that arrives when our own clock is at `sample`; never below zero."""
        if ssrc == self._ssrc:
            ticks = (timestamp - self._anchor_timestamp) & TIMESTAMP_MASK
            if ticks >= _HALF:
                ticks -= TIMESTAMP_MASK + 1
            position = self._anchor_sample + ticks * self._sample_rate // self._clock_rate
            if -self._stray <= position - sample <= self._stray:
                return max(position, 0)
        self._ssrc, self._anchor_timestamp, self._anchor_sample = ssrc, timestamp, sample
        return sample
