"""Sound like speech, and how much of it is left after a network: for tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BLOCK_S = 0.5
_SEARCH_S = 0.3


def speech(seconds: float, rate: int, seed: int) -> bytes:
    """Voiced syllables of 200 ms with short pauses, whose pitch and vowels change: 16-bit PCM, mono."""
    chance = np.random.default_rng(seed)
    time = np.arange(int(rate * seconds)) / rate
    pitch = 130 + 30 * np.sin(2 * np.pi * 0.7 * time + seed) + 10 * np.sin(2 * np.pi * 2.3 * time)
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    syllables = int(seconds / 0.25) + 1
    weights = chance.uniform(0.1, 1.0, (8, syllables))
    place = (time / 0.25).astype(int)
    voice = sum(weights[h - 1][place] * np.sin(h * phase) / h for h in range(1, 9))
    loudness = np.clip(4 * np.sin(np.pi * (time % 0.25) / 0.25), 0, 1) * (time % 2.0 < 1.75)
    return bytes((5000 * voice * loudness).astype("<i2").tobytes())


def worst_correlation(said: bytes, heard: NDArray[np.float64], rate: int) -> tuple[float, float]:
    """Mean and least correlation of half-second blocks of what was said with what was heard, each aligned to
    where it fits best: a jitter buffer may move speech by a frame between two words."""
    clean = np.frombuffer(said, "<i2").astype(float)
    size, search = int(rate * BLOCK_S), int(rate * _SEARCH_S)
    scores = []
    for start in range(0, len(clean) - size + 1, size):
        block = clean[start : start + size]
        if not np.any(block):
            continue
        near = heard[max(0, start - search // 3) : start + size + search]
        if len(near) < size:
            break
        dots = np.correlate(near, block, "valid")
        sums = np.cumsum(np.concatenate(([0.0], near**2)))
        norms = np.sqrt((sums[size:] - sums[:-size]) * np.dot(block, block)) + 1e-9
        scores.append(float(np.max(dots / norms)))
    return float(np.mean(scores)), min(scores)
