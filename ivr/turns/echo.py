"""Our own voice, come back from a speakerphone: told from the caller's by how much of what is heard is made of
what was said. Pure.

The far end's loudspeaker, room and microphone are a filter of a few milliseconds behind a delay. Its delay is
where the two signals correlate best; the filter, the one that explains most of what is heard (least squares).
What it explains is echo, what is left is the caller and noise: over an echo alone it explains most, over a
caller who speaks as loud as the echo not half.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float64]

RATE: Final = 4000
"""Of what is compared, in Hz: enough of a voice, and half the work."""

WINDOW_S: Final = 0.24
"""How much of what is heard is looked at."""

MOST_DELAY_S: Final = 0.4
NEEDED_S: Final = WINDOW_S + MOST_DELAY_S
"""How much of what was said is looked at."""

ECHO_SHARE: Final = 0.5
"""So much of what is heard, by energy, is made of what was said: it is an echo."""

_TAPS: Final = 48
"""The filter: 12 ms."""

_LEAD: Final = 8
"""Of them before the delay that was found: the loudest path need not be the first."""

_QUIET_RMS: Final = 4.0
"""Softer than this, of 32768, is silence."""

_RIDGE: Final = 1e-3
"""Keeps the filter from explaining what it has hardly heard."""


def echo_share(heard: bytes, said: bytes, rate: int) -> float:
    """How much of the energy of `heard` is an echo of `said`, from 0 to 1. Both are 16-bit PCM of `rate` Hz (a
    multiple of 4,000) that end at the same moment; the last `WINDOW_S` and `NEEDED_S` of them count."""
    near, far = _lower(heard, rate)[-int(WINDOW_S * RATE) :], _lower(said, rate)[-int(NEEDED_S * RATE) :]
    size = len(near)
    if len(far) <= size or _rms(near) < _QUIET_RMS or _rms(far) < _QUIET_RMS:
        return 0.0
    delay = _delay(near, far)
    start = len(far) - size - delay
    padded = np.concatenate((np.zeros(_TAPS), far, np.zeros(_TAPS)))
    first = start + _TAPS + _LEAD
    # Column k is what was said, k - _LEAD samples before the delay.
    columns = np.lib.stride_tricks.sliding_window_view(padded[first - _TAPS + 1 : first + size], _TAPS)
    gram = columns.T @ columns
    gram[np.diag_indices(_TAPS)] += _RIDGE * np.trace(gram) / _TAPS + 1e-9
    filter_ = np.linalg.solve(gram, columns.T @ near)
    left = near - columns @ filter_
    return float(np.clip(1.0 - np.dot(left, left) / np.dot(near, near), 0.0, 1.0))


def _delay(near: Signal, far: Signal) -> int:
    """How many samples ago it was said, where the two are most alike, for the loudness of what was said."""
    size = len(near)
    length = 1 << (len(far) + size - 1).bit_length()
    spectrum = np.fft.rfft(far, length) * np.conj(np.fft.rfft(near, length))
    alike = np.abs(np.fft.irfft(spectrum, length)[: len(far) - size + 1])
    power = np.cumsum(np.concatenate(([0.0], far**2)))
    loudness = np.sqrt(power[size:] - power[:-size]) + _QUIET_RMS * np.sqrt(size)
    return len(far) - size - int(np.argmax(alike / loudness))


def _lower(pcm: bytes, rate: int) -> Signal:
    """At `RATE`, without the lowest frequencies, which telephones do not carry."""
    samples = np.frombuffer(pcm, "<i2").astype(np.float64)
    step = rate // RATE
    samples = samples[len(samples) % step :]
    lowered = samples.reshape(-1, step).mean(axis=1)
    return np.diff(lowered, prepend=lowered[:1])


def _rms(signal: Signal) -> float:
    return float(np.sqrt(np.mean(signal**2))) if len(signal) else 0.0
