"""Our own voice, come back from a speakerphone: told from the caller's by how much of what is heard is made
of what was said. Pure.

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

MOST_DELAY_S: Final = 0.54
"""The way there and back, and what waits in the buffers at both ends."""

NEEDED_S: Final = WINDOW_S + MOST_DELAY_S
"""How much of what was said is looked at."""

ECHO_SHARE: Final = 0.5
"""So much of what is heard, by energy, is made of what was said: it is an echo. Measured over made rooms of
10 to 100 ms, 6 to 30 dB softer: 98 % of an echo's windows are above, 96 % of a caller's without one below, be
it that he has only begun."""

STILL_ECHO_SHARE: Final = 0.35
"""What was an echo a moment ago is one still. Most of a caller's who is 6 dB above it are below."""

_TAPS: Final = 48
"""The filter: 12 ms."""

_LEAD: Final = 8
"""Of them before the delay that was found: the loudest path need not be the first."""

_QUIET_RMS: Final = 4.0
"""Softer than this, of 32768, is silence."""

_RIDGE: Final = 1e-3
"""Keeps the filter from explaining what it has hardly heard."""


class EchoGate:
    """Tells of one window after another whether it is an echo."""

    def __init__(self) -> None:
        self._echo = False

    def is_echo(self, heard: bytes, said: bytes, rate: int) -> bool:
        """As `echo_share`, with hysteresis."""
        share = echo_share(heard, said, rate)
        self._echo = share >= (STILL_ECHO_SHARE if self._echo else ECHO_SHARE)
        return self._echo


def echo_share(heard: bytes, said: bytes, rate: int) -> float:
    """How much of the energy of `heard` is an echo of `said`, from 0 to 1. Both are 16-bit PCM of `rate` Hz
    (a multiple of 4,000) that end at the same moment; the last `WINDOW_S` and `NEEDED_S` of them count."""
    near, far = _lower(heard, rate)[-int(WINDOW_S * RATE) :], _lower(said, rate)[-int(NEEDED_S * RATE) :]
    size = len(near)
    if len(far) <= size or _rms(near) < _QUIET_RMS or _rms(far) < _QUIET_RMS:
        return 0.0
    first = len(far) - size - _delay(near, far) + _LEAD
    # What was said, from the longest way of the filter to the shortest.
    ways = np.concatenate((np.zeros(_TAPS), far, np.zeros(_TAPS)))[first + 1 : first + _TAPS + size]
    taps = np.linalg.solve(_gram(ways, size), np.correlate(ways, near, "valid"))
    left = near - np.correlate(ways, taps, "valid")
    unexplained = float(np.dot(left, left) / np.dot(near, near))
    # Of a sound that has only begun, so many taps explain much by chance: as R squared is adjusted for that.
    samples = min(3.0 * float(np.dot(near, near)) ** 2 / float(np.sum(near**4)), float(size))
    spare = max(samples - _TAPS, 0.25 * samples)
    return min(max(1.0 - unexplained * samples / spare, 0.0), 1.0)


def _gram(ways: Signal, size: int) -> Signal:
    """The products of all pairs of ways, each a stretch of `size`. By running sums: a product of matrices
    would be handed to other threads, which are not there for so little."""
    later = np.lib.stride_tricks.sliding_window_view(np.concatenate((ways, np.zeros(_TAPS))), len(ways))
    sums = np.zeros((_TAPS, len(ways) + 1))
    np.cumsum(later[:_TAPS] * ways, axis=1, out=sums[:, 1:])
    low = np.minimum.outer(np.arange(_TAPS), np.arange(_TAPS))
    apart = np.abs(np.subtract.outer(np.arange(_TAPS), np.arange(_TAPS)))
    gram: Signal = sums[apart, low + size] - sums[apart, low]
    gram[np.diag_indices(_TAPS)] += _RIDGE * np.trace(gram) / _TAPS + 1e-9
    return gram


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
    if not len(samples):
        return samples
    step = rate // RATE
    taps = np.hanning(2 * step + 3)[1:-1]
    lowered = np.convolve(samples, taps / taps.sum(), "same")[(len(samples) - 1) % step :: step]
    return np.diff(lowered, prepend=lowered[:1])


def _rms(signal: Signal) -> float:
    return float(np.sqrt(np.mean(signal**2))) if len(signal) else 0.0
