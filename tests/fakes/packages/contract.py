"""What the recorded contracts share: noise instead of speech, failures on demand, a log of the calls."""

from __future__ import annotations

import os
import time
import zlib

import numpy as np
import torch

TOKEN_S = 0.04
"""Of sound for each token."""


def note(what: str) -> None:
    if path := os.environ.get("CONTRACT_LOG"):
        with open(path, "a", encoding="utf-8") as log:
            log.write(what + "\n")


def tokens(text: str) -> int:
    """A text takes two tokens for each character."""
    return 2 * max(1, len(text))


def work(text: str, at: int) -> None:
    """A step of the model: it takes a little time, or fails as the text wants it to."""
    if "OOM" in text and at == 3:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
    if "BREAK" in text and at == 3:
        raise RuntimeError(f"probability tensor contains either inf, nan or element < 0 in {text!r}")
    if "HANG" in text:
        time.sleep(3600)
    time.sleep(0.001)


def sound(text: str, count: int, rate: int) -> torch.Tensor:
    """`count` tokens of noise with the envelope of syllables; the same for the same text."""
    size = int(count * TOKEN_S * rate)
    draw = np.random.default_rng(zlib.crc32(text.encode()))
    envelope = 0.5 + 0.5 * np.sin(2 * np.pi * 4 * np.arange(size) / rate)
    return torch.Tensor((0.2 * draw.standard_normal(size) * envelope).astype(np.float32))
