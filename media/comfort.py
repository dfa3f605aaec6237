"""Comfort noise (RFC 3389): what is heard while the far end sends nothing because nobody speaks there. Pure.

Of the packet only the level is used: the noise is white below the telephone's band edge. We do not send such
packets: silence goes out as audio, because packets that stop look to many a gateway like a call that is dead.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_LOOP_S: Final = 1.3
"""The noise repeats after this, too long to be noticed."""

_QUIETEST_DB: Final = 127
_OVERLOAD: Final = 32768 / np.sqrt(2)
"""0 dBov of a sine wave in 16 bits, as root mean square (RFC 3389 section 3)."""

_FRAME_MS: Final = 20


def noise_level(payload: bytes) -> int | None:
    """How many decibels below overload the noise is, 0 to 127; None when the packet is empty."""
    return payload[0] & 0x7F if payload else None


class ComfortNoise:
    """Noise frames of 20 ms, mono 16-bit little-endian PCM at `rate` Hz."""

    __slots__ = ("_at", "_frame", "_level", "_scaled", "_shape")

    def __init__(self, rate: int) -> None:
        self._frame = rate * _FRAME_MS // 1000
        count = int(rate * _LOOP_S) // self._frame * self._frame
        self._shape: NDArray[np.float32] = np.random.default_rng(3389).standard_normal(count, np.float32)
        self._level = _QUIETEST_DB
        self._scaled = b""
        self._at = 0

    def set_level(self, below_overload_db: int) -> None:
        """The level of what `frame` gives from now on."""
        if below_overload_db == self._level and self._scaled:
            return
        self._level = below_overload_db
        rms = _OVERLOAD * 10 ** (-below_overload_db / 20)
        self._scaled = np.clip(self._shape * rms, -32768, 32767).astype("<i2").tobytes()

    def frame(self) -> bytes:
        """The next 20 ms."""
        if not self._scaled:
            self.set_level(self._level)
        begin = self._at
        self._at = (begin + 2 * self._frame) % len(self._scaled)
        return self._scaled[begin : begin + 2 * self._frame]
