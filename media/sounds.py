"""What a frame sounds like: silence, a voice (or music, or noise), or one steady tone. Pure.

Voice is what is well above the quietest of the last second; a tone is what keeps its one frequency for
100 ms, which no voice does.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from media.codecs import FRAME_MS
from media.tones import power

TONE_MS: Final = 100
STEADY: Final = 0.015
"""How far a tone may move from frame to frame: a voice moves further."""

_MILLIWATT: Final = power(0.0)
_QUIET_DBM0: Final = -45.0
"""Below it is silence, whatever the noise on the line."""

_OVER_NOISE_DB: Final = 9.0
_NOTHING_DBM0: Final = -60.0
"""Below it is no line: nothing came yet, or nothing is sent."""

_NOISE_FRAMES: Final = 1000 // FRAME_MS
"""The quietest of so many frames is the noise: a voice has pauses, or closures, within a second."""

_LOUDEST_NOISE_DBM0: Final = -30.0
_PURE: Final = 0.9
_LOBE: Final = 2
"""Bins on either side of a peak that its tone fills under the window: 100 Hz."""

_BIN_HZ: Final = 1000 // FRAME_MS
_LOWEST_HZ: Final = 250
_HIGHEST_HZ: Final = 2300

Floats = NDArray[np.float32]


@cache
def _spectrum(rate: int) -> tuple[Floats, Floats]:
    """The window, and what a frame is multiplied with for its spectrum from `_LOWEST_HZ` to `_HIGHEST_HZ`:
    all real parts, then all imaginary ones."""
    size = rate * FRAME_MS // 1000
    window = np.hanning(size + 1)[:-1]
    hertz = np.arange(_LOWEST_HZ, _HIGHEST_HZ + 1, _BIN_HZ)
    # Squares of the result add up to the energy under the window, all of it on this side of 0 Hz.
    scale = math.sqrt(2 / size)
    waves = np.exp(-2j * np.pi * np.outer(np.arange(size), hertz) / rate) * window[:, np.newaxis] * scale
    return window.astype(np.float32), np.hstack([waves.real, waves.imag]).astype(np.float32)


class Sound(Enum):
    SILENCE = "silence"
    VOICE = "voice"
    TONE = "tone"


@dataclass(frozen=True, slots=True)
class Heard:
    """One frame; `hz` is the frequency of a tone. Its first 80 ms are called voice: nobody knows yet."""

    sound: Sound
    hz: float = 0.0


class SoundMeter:
    """Tells the frames of one stream apart."""

    def __init__(self, rate: int) -> None:
        """`rate` in Hz; a frame is 20 ms."""
        self._window, self._bank = _spectrum(rate)
        self._levels: deque[float] = deque(maxlen=_NOISE_FRAMES)
        self._tone_hz = 0.0
        self._tone_ms = 0

    def take(self, frame: bytes) -> Heard:
        """Takes 20 ms of mono 16-bit little-endian PCM."""
        samples = np.frombuffer(frame, "<i2").astype(np.float32)
        level = 10 * math.log10(float(samples.dot(samples)) / len(samples) / _MILLIWATT + 1e-10)
        if level > _NOTHING_DBM0:
            self._levels.append(level)
        if level < _QUIET_DBM0:
            self._tone_hz = 0.0
            return Heard(Sound.SILENCE)
        hz = self._pure(samples)
        self._tone_ms = self._tone_ms + FRAME_MS if hz and abs(hz - self._tone_hz) <= STEADY * hz else 0
        self._tone_hz = hz
        if self._tone_ms >= TONE_MS - FRAME_MS:
            return Heard(Sound.TONE, hz)
        loud = hz or level > self._noise_dbm0 + _OVER_NOISE_DB
        return Heard(Sound.VOICE if loud else Sound.SILENCE)

    @property
    def _noise_dbm0(self) -> float:
        return min(min(self._levels, default=_LOUDEST_NOISE_DBM0), _LOUDEST_NOISE_DBM0)

    def _pure(self, samples: Floats) -> float:
        """The frequency of a frame that is little else than one tone; 0 when it is not."""
        seen = samples * self._window
        squares = np.square(samples.dot(self._bank))
        half = len(squares) // 2
        powers: list[float] = (squares[:half] + squares[half:]).tolist()
        peak = powers.index(max(powers))
        first = max(0, peak - _LOBE)
        around = powers[first : peak + _LOBE + 1]
        total = sum(around)
        if total <= _PURE * float(seen.dot(seen)):  # both are 0 where the window hides all that is heard
            return 0.0
        centre = sum(index * share for index, share in enumerate(around, first)) / total
        return _LOWEST_HZ + centre * _BIN_HZ
