"""Tones as PCM: keys (ITU-T Q.23) and the tones of call progress (ITU-T E.180). Mono, 16-bit little-endian.

Levels are those of each frequency in dBm0; a sine of full scale has 3.14 dBm0 (ITU-T G.711).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

LOW_HZ: Final = (697, 770, 852, 941)
HIGH_HZ: Final = (1209, 1336, 1477, 1633)
KEYPAD: Final = ("123A", "456B", "789C", "*0#D")
"""A row for each low frequency, a column for each high one."""

KEY_MS: Final = 100
KEY_GAP_MS: Final = 60

_FULL_SCALE: Final = 32768.0
_FULL_SCALE_DBM0: Final = 3.14
_KEY_LOW_DBM0: Final = -9.0
_KEY_HIGH_DBM0: Final = -7.0  # lines take more from the high frequencies
_PROGRESS_DBM0: Final = -15.0
_EDGE_MS: Final = 2


def amplitude(dbm0: float) -> float:
    """Peak of a sine of that level, in units of a 16-bit sample."""
    return float(_FULL_SCALE * 10 ** ((dbm0 - _FULL_SCALE_DBM0) / 20))


def power(dbm0: float) -> float:
    """Mean square of a signal of that level, in units of a squared 16-bit sample."""
    return amplitude(dbm0) ** 2 / 2


@dataclass(frozen=True, slots=True)
class Partial:
    """One sine wave of a tone. With `beat_hz` it is modulated by a sine of that frequency, all of it."""

    hz: float
    dbm0: float = _PROGRESS_DBM0
    beat_hz: float = 0.0


def tone(partials: Sequence[Partial], duration_ms: int, rate: int) -> bytes:
    """The sum of sine waves, with soft edges; what is too loud is clipped."""
    count = rate * duration_ms // 1000
    time = np.arange(count) / rate
    wave = np.zeros(count)
    for partial in partials:
        sine = amplitude(partial.dbm0) * np.sin(2 * np.pi * partial.hz * time)
        wave += sine * np.cos(2 * np.pi * partial.beat_hz * time)
    edge = min(rate * _EDGE_MS // 1000, count // 2)
    if edge:
        ramp = np.linspace(0.0, 1.0, edge)
        wave[:edge] *= ramp
        wave[-edge:] *= ramp[::-1]
    return bytes(np.clip(np.rint(wave), -32768, 32767).astype("<i2").tobytes())


def silence(duration_ms: int, rate: int) -> bytes:
    return bytes(2 * (rate * duration_ms // 1000))


def key_tone(key: str, rate: int) -> bytes:
    """One key, 100 ms at the levels of a telephone set, and 60 ms of silence after it; raises ValueError
    when it is no key."""
    for low, keys in zip(LOW_HZ, KEYPAD, strict=True):
        column = keys.find(key.upper())
        if len(key) == 1 and column >= 0:
            both = (Partial(low, _KEY_LOW_DBM0), Partial(HIGH_HZ[column], _KEY_HIGH_DBM0))
            return tone(both, KEY_MS, rate) + silence(KEY_GAP_MS, rate)
    raise ValueError("keys are 0-9, *, # and A-D")


@dataclass(frozen=True, slots=True)
class Cadence:
    """A tone that comes and goes: milliseconds on and off in turns."""

    partials: tuple[Partial, ...]
    ms: tuple[int, ...]

    def period(self, rate: int) -> bytes:
        """Once through; to be repeated."""
        parts = (
            silence(ms, rate) if index % 2 else tone(self.partials, ms, rate)
            for index, ms in enumerate(self.ms)
        )
        return b"".join(parts)


_RING: Final = (400, 200, 400, 2000)
_INDIA: Final = Cadence((Partial(400, beat_hz=25),), _RING)
_RINGBACK: Final = {
    "91": _INDIA,
    "44": Cadence((Partial(400), Partial(450)), _RING),
    "1": Cadence((Partial(440), Partial(480)), (2000, 4000)),
}
"""By country code (ITU-T E.180, supplement 2)."""


BEEP_MS: Final = 400


def beep(rate: int) -> bytes:
    """After which a message may be spoken: 1000 Hz, 400 ms."""
    return tone((Partial(1000),), BEEP_MS, rate)


def ringback(rate: int, country_code: str = "91") -> bytes:
    """One period of the ringback tone of a country; of India where we know no other."""
    return _RINGBACK.get(country_code, _INDIA).period(rate)
