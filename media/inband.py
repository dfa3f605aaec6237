"""Keys as tones in the audio (ITU-T Q.23), heard to the figures of Q.24 (AT&T). Pure: frames in, keys out.

Every 5 ms a window of 25 ms is looked at. One matrix product of the last two frames gives the phasor of each
of the eight frequencies in each of the four windows that end in a frame. The turn of a phasor from one window
to the next tells how far a tone lies from its nominal frequency, which the width of a window would not (1.5 %
of 697 Hz are 10 Hz, a window resolves 40). A window shows a key when two tones lie near enough to their
frequencies, neither is much louder than the other, and there is little else in it; that last is what tells
keys from speech.
"""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass
from functools import cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from media.codecs import FRAME_MS
from media.tones import HIGH_HZ, KEYPAD, LOW_HZ, power

WINDOWS: Final = 4
"""Windows that end within one frame."""

HOP_MS: Final = FRAME_MS // WINDOWS
WINDOW_MS: Final = 25

DETUNED: Final = 0.025
"""Between what must be accepted (1.5 %) and what must not be (3.5 %)."""

WEAKEST: Final = power(-38.0)
"""Each tone; -25 dBm0 must be accepted, -55 must not be."""

LOUDER_HIGH: Final = 10**0.6
LOUDER_LOW: Final = 10**1.0
"""Twist: +4 and -8 dB must be accepted; the other 2 dB are for noise."""

PURE: Final = 0.8
"""Least share of the two tones in all that is heard: 6 dB above the rest, and 15 must be accepted."""

PRESSED: Final = 4
"""So many windows in a row that show a key are a press. A tone of 40 ms fills five or six well enough, one
of 23 ms three at most."""

RELEASED: Final = 4
"""So many windows in a row without the key end the press. A pause of 40 ms gives six, an interruption of
10 ms two at most."""

BRIDGED: Final = 2
"""Lost frames in a row within which a press goes on."""

GONE: Final = 10**-1.2
"""A key of which 12 dB are missing is not there."""

_TONES: Final = (*LOW_HZ, *HIGH_HZ)
_COUNT: Final = len(_TONES)
_ROWS: Final = len(LOW_HZ)
_NONE: Final = -1
_CANDIDATE: Final = 0.5
"""The same as `PURE`, before it is known what a detuned tone loses in the window."""

_DROWNED: Final = 0.2
"""A key that is down is not heard any more when it is less than this share of what is."""

Floats = NDArray[np.float32]
_ALL: Final = WINDOWS * _COUNT
_NOTHING: Final[Floats] = np.zeros(2 * _ALL, np.float32)


@dataclass(frozen=True, slots=True)
class _Bank:
    """What the samples of two frames are multiplied with, at one sample rate.

    `tones` gives the real parts of the phasors (for each window and frequency), then the imaginary ones;
    `energy` the mean power in each window (from squared samples), in the same units. `turn` brings the
    phasors of a frame to the time origin of the next.
    """

    tones: Floats
    energy: Floats
    turn: tuple[complex, ...]


@cache
def _bank(rate: int) -> _Bank:
    frame, hop, size = (rate * ms // 1000 for ms in (FRAME_MS, HOP_MS, WINDOW_MS))
    window = np.hamming(size)
    # A sine of power p is to give a phasor whose square is p.
    weights = window * math.sqrt(2) / window.sum()
    squares = window**2 / (window**2).sum()
    time = np.arange(2 * frame)[:, np.newaxis] / rate
    waves = np.exp(-2j * np.pi * time * np.array(_TONES))
    tones = np.zeros((2 * frame, WINDOWS, _COUNT), complex)
    energy = np.zeros((2 * frame, WINDOWS), np.float32)
    for index in range(WINDOWS):
        end = frame + (index + 1) * hop
        tones[end - size : end, index] = waves[end - size : end] * weights[:, np.newaxis]
        energy[end - size : end, index] = squares
    flat = tones.reshape(2 * frame, -1)
    turn = tuple(cmath.exp(2j * math.pi * hz * frame / rate) for hz in _TONES)
    return _Bank(np.hstack([flat.real, flat.imag]).astype(np.float32), energy, turn)


def _width() -> float:
    """The response of the window to a tone that is f Hz away is exp(-width * f²), near enough."""
    window = np.hamming(1000)
    off = abs(np.sum(window * np.exp(1j * np.pi * np.arange(1000) / 1000))) / window.sum()
    return float(-2 * math.log(off) / (0.5 / WINDOW_MS * 1000) ** 2)


_WIDTH: Final = _width()
_HZ_PER_RADIAN: Final = 1000 / HOP_MS / (2 * math.pi)


class InbandReceiver:
    """The keys of one stream. Gives each press once, 40 to 60 ms after it began.

    A lost frame or two are left out: what is pressed before and after them is one press.
    """

    __slots__ = (
        "_bank",
        "_before",
        "_frame",
        "_key",
        "_lost",
        "_power",
        "_quiet",
        "_run",
        "_run_key",
        "_samples",
    )

    def __init__(self, rate: int) -> None:
        """`rate` in Hz; a frame is 20 ms."""
        self._bank = _bank(rate)
        self._frame = rate * FRAME_MS // 1000
        self._samples = np.zeros(2 * self._frame, np.float32)
        self._before = _NOTHING
        self._run_key = _NONE
        self._run = 0
        self._key = _NONE  # the one that is down
        self._power = 0.0  # the most that its two tones had
        self._quiet = 0
        self._lost = 0

    def take(self, frame: bytes) -> str | None:
        """Takes 20 ms of mono 16-bit little-endian PCM; gives the key that was recognised in it, or None."""
        bank, samples, size = self._bank, self._samples, self._frame
        samples[:size] = samples[size:]
        samples[size:] = np.frombuffer(frame, "<i2")
        self._lost = 0
        energies: list[float] = np.square(samples).dot(bank.energy).tolist()
        if max(energies) < WEAKEST:
            self.silent()
            return None
        spectrum = samples.dot(bank.tones)
        before, self._before = self._before, spectrum
        squares = np.square(spectrum)
        every: list[float] = (squares[:_ALL] + squares[_ALL:]).tolist()
        windows = [every[at : at + _COUNT] for at in range(0, _ALL, _COUNT)]
        if self._key == _NONE:
            for window, energy in zip(windows, energies, strict=True):
                if max(window[:_ROWS]) + max(window[_ROWS:]) > _CANDIDATE * energy:
                    break
            else:
                self._run = 0
                return None
        return self._judge(windows, energies, before, spectrum)

    def missing(self) -> None:
        """A frame did not come. Many in a row mean that the far end sends no silence."""
        self._lost += 1
        if self._lost > BRIDGED:
            self.silent()

    def silent(self) -> None:
        """There was nothing to hear for a frame."""
        self._before = _NOTHING
        self._key = _NONE
        self._run = 0

    def _judge(
        self, windows: list[list[float]], energies: list[float], before: Floats, spectrum: Floats
    ) -> str | None:
        """Follows press and release, window by window."""
        turns = _Turns(before.tolist(), spectrum.tolist(), self._bank.turn)
        pressed = None
        for index, (window, energy) in enumerate(zip(windows, energies, strict=True)):
            self._hold(window, energy)
            key = _shown(window, energy, turns, index, self._key)
            self._run = self._run + 1 if key == self._run_key else 1
            self._run_key = key
            if key not in (_NONE, self._key) and self._run == PRESSED:
                self._key, self._power, self._quiet = key, 0.0, 0
                pressed = KEYPAD[key // _ROWS][key % _ROWS]
        return pressed

    def _hold(self, window: list[float], energy: float) -> None:
        """Watches whether the key that is down still is."""
        if self._key == _NONE:
            return
        both = window[self._key // _ROWS] + window[_ROWS + self._key % _ROWS]
        self._power = max(self._power, both)
        if both > GONE * self._power and both > _DROWNED * energy:
            self._quiet = 0
            return
        self._quiet += 1
        if self._quiet == RELEASED:
            self._key = _NONE


class _Turns(NamedTuple):
    """The phasors of two frames, real parts before imaginary ones; only those that matter are looked at."""

    before: list[float]
    now: list[float]
    turn: tuple[complex, ...]

    def off_hz(self, window: int, tone: int) -> float:
        """How far a tone lies from its nominal frequency, by its turn since the window before."""
        at = window * _COUNT + tone
        phasor = complex(self.now[at], self.now[_ALL + at])
        if window:
            last = complex(self.now[at - _COUNT], self.now[_ALL + at - _COUNT])
        else:
            last = complex(self.before[_ALL - _COUNT + tone], self.before[tone - _COUNT]) * self.turn[tone]
        return _HZ_PER_RADIAN * cmath.phase(phasor * last.conjugate())


def _shown(powers: list[float], energy: float, turns: _Turns, index: int, down: int) -> int:
    """The key that the window of this index shows, or none. One that is `down` need not prove itself
    again."""
    low_power, high_power = max(powers[:_ROWS]), max(powers[_ROWS:])
    if low_power + high_power < _CANDIDATE * energy:
        return _NONE
    low, high = powers.index(low_power), powers.index(high_power)
    if low * _ROWS + high - _ROWS == down:
        return down
    low_off = turns.off_hz(index, low)
    high_off = turns.off_hz(index, high)
    if abs(low_off) > DETUNED * _TONES[low] or abs(high_off) > DETUNED * _TONES[high]:
        return _NONE
    low_power *= math.exp(_WIDTH * low_off * low_off)
    high_power *= math.exp(_WIDTH * high_off * high_off)
    alike = high_power < LOUDER_HIGH * low_power and low_power < LOUDER_LOW * high_power
    if alike and min(low_power, high_power) > WEAKEST and low_power + high_power > PURE * energy:
        return low * _ROWS + high - _ROWS
    return _NONE
