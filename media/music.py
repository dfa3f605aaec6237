"""Music for who waits, made by rule: four chords, broken up into soft notes. Mono, 16-bit little-endian."""

from __future__ import annotations

from typing import Final

import numpy as np

from media.tones import amplitude

_CHORDS: Final = (
    (261.63, 329.63, 392.00, 493.88),  # C major seventh
    (220.00, 261.63, 329.63, 392.00),  # A minor seventh
    (174.61, 220.00, 261.63, 329.63),  # F major seventh
    (196.00, 246.94, 293.66, 349.23),  # G seventh
)
_ORDER: Final = (0, 1, 2, 3, 2, 1, 2, 3)
_NOTE_S: Final = 0.4
_RING_S: Final = 1.6
"""How long a note goes on under those that follow it."""

_PARTIALS: Final = ((1, 1.0), (2, 0.3), (3, 0.1))
_NOTE_DBM0: Final = -19.0


def hold_music(rate: int) -> bytes:
    """12.8 s that begin again without a seam: the last notes ring on into the first."""
    step, length = int(rate * _NOTE_S), int(rate * _RING_S)
    time = np.arange(length) / rate
    shape = np.minimum(time / 0.02, 1.0) * np.exp(-3.0 * time / _RING_S) * (1 - time / _RING_S)
    notes = [chord[index] for chord in _CHORDS for index in _ORDER]
    wave = np.zeros(step * len(notes))
    for place, hertz in enumerate(notes):
        note = sum(share * np.sin(2 * np.pi * times * hertz * time) for times, share in _PARTIALS)
        where = (place * step + np.arange(length)) % len(wave)
        wave[where] += amplitude(_NOTE_DBM0) * note * shape
    return bytes(np.clip(np.rint(wave), -32768, 32767).astype("<i2").tobytes())
