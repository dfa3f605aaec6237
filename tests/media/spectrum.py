"""Which tones are in a piece of audio, however many there are."""

from __future__ import annotations

import numpy as np

LOUD_ENOUGH = 300
"""Below this peak it is silence, or what a codec makes of it."""


def tones_in(pcm: bytes, rate: int) -> set[int]:
    """Those between 300 and 3000 Hz, to the nearest 50, a tenth as strong as the strongest at least; half a
    second is needed."""
    samples = np.frombuffer(pcm, "<i2").astype(np.float64)
    if len(samples) < rate // 2 or np.abs(samples).max() < LOUD_ENOUGH:
        return set()
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    per_bin = rate / len(samples)

    def strength(hz: int) -> float:
        return float(spectrum[int((hz - 20) / per_bin) : int((hz + 20) / per_bin)].max())

    strongest = max(map(strength, range(300, 3000, 50)))
    return {hz for hz in range(300, 3000, 50) if strength(hz) > strongest * 0.1}
