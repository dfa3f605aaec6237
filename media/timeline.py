"""Two channels that arrive apart, in packets with positions, put side by side in time."""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

_SPAN_S: Final = 2.0
_HELD_BACK_S: Final = 1.0
"""One channel may be so far behind the other (jitter buffer, a late tick) and still find its place."""


class Channel(IntEnum):
    CALLER = 0  # left
    SERVER = 1  # right


class Piece(NamedTuple):
    """Interleaved 16-bit little-endian samples that belong at sample `start`."""

    start: int
    pcm: bytes


class StereoTimeline:
    """A window of two seconds into which packets are placed; what leaves it is final.

    Where no packet was placed there is silence. Pieces come in order; between two of them there may be a gap,
    which is silence as well. What comes too late for the window is dropped and counted.
    """

    def __init__(self, rate: int) -> None:
        """`rate` in Hz."""
        self._window: npt.NDArray[np.int16] = np.zeros((int(rate * _SPAN_S), 2), np.int16)
        self._held_back = int(rate * _HELD_BACK_S)
        self._base = 0
        self._end = 0
        self.late_packets = 0

    def place(self, channel: Channel, pcm: bytes, at: int) -> Piece | None:
        """Puts mono 16-bit PCM, a second at most, at sample `at`; returns what leaves the window, if anything
        does.
        """
        samples = np.frombuffer(pcm, dtype="<i2", count=len(pcm) // 2)[: self._held_back]
        if at < self._base:
            samples = samples[self._base - at :]
            at = self._base
            if not len(samples):
                self.late_packets += 1
                return None
        end = at + len(samples)
        piece = None
        if end - self._base > len(self._window):
            piece = self._advance(end - self._held_back)
        first = at - self._base
        self._window[first : first + len(samples), channel] = samples
        self._end = max(self._end, end)
        return piece

    def finish(self) -> Piece | None:
        """The rest, up to the end of the last packet."""
        return self._advance(self._end)

    def _advance(self, base: int) -> Piece | None:
        start = self._base
        ready = min(base, self._end) - start
        kept = max(0, self._end - base)
        piece = Piece(start, self._window[:ready].astype("<i2").tobytes()) if ready > 0 else None
        self._window[:kept] = self._window[base - start : base - start + kept].copy()
        self._window[kept:] = 0
        self._base = base
        self._end = max(self._end, base)
        return piece
