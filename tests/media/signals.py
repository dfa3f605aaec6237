"""Keys as a bad telephone might send them, for the tests of the in-band receiver."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from media import g711
from media.inband import InbandReceiver
from media.tones import HIGH_HZ, KEYPAD, LOW_HZ, amplitude

RATE = 8000
LOW_DBM0, HIGH_DBM0 = -9.0, -7.0

Wave = NDArray[np.float64]


def pair(key: str) -> tuple[int, int]:
    row = next(row for row in range(4) if key in KEYPAD[row])
    return LOW_HZ[row], HIGH_HZ[KEYPAD[row].index(key)]


def press(
    key: str = "5",
    ms: float = 60.0,
    low_dbm0: float = LOW_DBM0,
    high_dbm0: float = HIGH_DBM0,
    low_off: float = 0.0,
    high_off: float = 0.0,
    phase: float = 0.0,
) -> Wave:
    """The two tones; `low_off` and `high_off` are shares of the nominal frequencies."""
    time = np.arange(round(RATE * ms / 1000)) / RATE
    low, high = pair(key)
    low_wave = amplitude(low_dbm0) * np.sin(2 * np.pi * low * (1 + low_off) * time + phase)
    high_wave = amplitude(high_dbm0) * np.sin(2 * np.pi * high * (1 + high_off) * time + 2 * phase)
    return low_wave + high_wave


def pause(ms: float) -> Wave:
    return np.zeros(round(RATE * ms / 1000))


def noisy(wave: Wave, snr_db: float, seed: int) -> Wave:
    """With white noise, so far below a press at the levels of `press`."""
    power = (amplitude(LOW_DBM0) ** 2 + amplitude(HIGH_DBM0) ** 2) / 2
    return wave + np.random.default_rng(seed).normal(0.0, np.sqrt(power / 10 ** (snr_db / 10)), len(wave))


def heard(*parts: Wave, lead_ms: float = 40.0) -> str:
    """The keys that are recognised when the parts come through A-law, at any place within the frames."""
    wave = np.concatenate([pause(lead_ms), *parts, pause(100)])
    pcm = np.clip(np.rint(wave), -32768, 32767).astype("<i2").tobytes()
    return keys_in(g711.decode_alaw(g711.encode_alaw(pcm)))


def keys_in(pcm: bytes, rate: int = RATE) -> str:
    size = 2 * rate // 50
    return received((pcm[at : at + size] for at in range(0, len(pcm) - size + 1, size)), rate)


def received(frames: Iterable[bytes], rate: int = RATE) -> str:
    receiver = InbandReceiver(rate)
    return "".join(filter(None, map(receiver.take, frames)))
