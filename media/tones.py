"""Tones as PCM: keys (ITU-T Q.23) and ringback. Mono, 16-bit little-endian."""

from __future__ import annotations

from typing import Final

import numpy as np

_LOW: Final = (697, 770, 852, 941)
_HIGH: Final = (1209, 1336, 1477, 1633)
_ROWS: Final = ("123A", "456B", "789C", "*0#D")
_LEVEL: Final = 0.2  # of full scale for each of the two, about -11 dBm0
_EDGE_MS: Final = 2

KEY_MS: Final = 100
KEY_GAP_MS: Final = 60


def tone(frequencies: tuple[float, ...], duration_ms: int, rate: int, level: float = _LEVEL) -> bytes:
    """The sum of sine waves, each at `level` of full scale, with soft edges."""
    count = rate * duration_ms // 1000
    time = np.arange(count) / rate
    wave = np.zeros(count)
    for frequency in frequencies:
        wave += np.sin(2 * np.pi * frequency * time)
    edge = min(rate * _EDGE_MS // 1000, count // 2)
    if edge:
        ramp = np.linspace(0.0, 1.0, edge)
        wave[:edge] *= ramp
        wave[-edge:] *= ramp[::-1]
    pcm = np.clip(wave * level * 32767, -32768, 32767).astype("<i2")
    return bytes(pcm.tobytes())


def silence(duration_ms: int, rate: int) -> bytes:
    return bytes(2 * (rate * duration_ms // 1000))


def key_tone(key: str, rate: int) -> bytes:
    """One key, 100 ms, and 60 ms of silence after it; raises ValueError when it is no key."""
    for row, keys in enumerate(_ROWS):
        column = keys.find(key.upper())
        if len(key) == 1 and column >= 0:
            return tone((_LOW[row], _HIGH[column]), KEY_MS, rate) + silence(KEY_GAP_MS, rate)
    raise ValueError("keys are 0-9, *, # and A-D")


def ringback(rate: int) -> bytes:
    """One period of the Indian ringback tone: 400 Hz, twice 0.4 s with 0.2 s between, then 2 s of silence."""
    ring = tone((400,), 400, rate)
    return ring + silence(200, rate) + ring + silence(2000, rate)
