"""Sound files: a tone for a phone to send, and whether there is sound in what it recorded."""

from __future__ import annotations

import math
import struct
import wave
from pathlib import Path

import numpy as np

RATE = 8000
LOUD = 1000
"""A sample of speech or tone; the noise of G.711 is a hundredth of it."""


def write_tone(path: Path, seconds: float = 30.0, rate: int = RATE) -> Path:
    """A 440 Hz tone, mono."""
    period = [round(8000 * math.sin(2 * math.pi * 440 * n / rate)) for n in range(rate)]
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(struct.pack(f"<{rate}h", *period) * round(seconds))
    return path


def sounding_s(pcm: bytes, rate: int = RATE) -> float:
    """Seconds of sound, counted in steps of 20 ms."""
    step = rate // 50
    samples = np.abs(np.frombuffer(pcm[: len(pcm) // 2 * 2], "<i2").astype(np.int32))
    frames = samples[: len(samples) // step * step].reshape(-1, step)
    return float((frames.max(axis=1) > LOUD).sum() * 0.02) if len(frames) else 0.0


def is_tone(pcm: bytes, hz: float, rate: int = RATE) -> bool:
    """Whether it is a loud tone of that frequency, give or take 10 Hz."""
    samples = np.frombuffer(pcm[: len(pcm) // 2 * 2], "<i2").astype(float)
    if len(samples) < rate // 4 or np.abs(samples).max() < LOUD:
        return False
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    found = np.fft.rfftfreq(len(samples), 1 / rate)
    return bool(spectrum[np.abs(found - hz) < 10].sum() > 0.8 * spectrum.sum())


def pcm_of(path: Path) -> bytes:
    """The samples of a WAV file that may still be growing: whatever its header says of its length."""
    data = path.read_bytes()
    at = data.find(b"data")
    return data[at + 8 :] if at >= 0 else b""
