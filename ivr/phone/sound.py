"""Whether there is anything to be heard. Pure: frames in, times in samples."""

from __future__ import annotations

from typing import Final

import numpy as np

LOUD: Final = 330
"""Peak of a frame with sound in it: -40 dB of full scale, well above the noise of G.711 and of a bad line."""


class SoundMeter:
    """Watches 20 ms frames of mono 16-bit PCM."""

    def __init__(self, rate: int) -> None:
        """`rate` in Hz."""
        self._rate = rate
        self._samples = 0
        self._loud_samples = 0
        self._loud_end = 0

    def take(self, frame: bytes) -> None:
        samples = np.frombuffer(frame, "<i2")
        self._samples += len(samples)
        if len(samples) and int(np.abs(samples.astype(np.int32)).max()) >= LOUD:
            self._loud_samples += len(samples)
            self._loud_end = self._samples

    @property
    def heard_s(self) -> float:
        """Seconds of sound so far."""
        return self._loud_samples / self._rate

    @property
    def quiet_s(self) -> float:
        """Seconds since the last sound; since the beginning when there was none."""
        return (self._samples - self._loud_end) / self._rate
