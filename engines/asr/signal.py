"""A caller's utterance made fit for the acoustic model: its speech cut out, at one loudness, at 16 kHz."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import soxr

MODEL_RATE: Final = 16000

BLOCK_S: Final = 0.01
"""Loudness is measured in blocks of this length."""
_MARGIN_S: Final = 0.3
"""On both sides of the speech: soft consonants, and a little background for the decoder's silence. A file
that is cut closer gets silence: without it at the end, the decoder hears nothing in most of them."""

_LOUDNESS: Final = 3000.0
"""RMS of the loud part, of 32768."""

_FLOOR: Final = 120.0
"""RMS of the white noise that is added, 28 dB below the speech. It fills the band above 4 kHz, which the
model knows and a telephone does not send, and the digital silence between words.
"""
_FLOOR_S: Final = 8

_QUIETEST: Final = 40.0
"""RMS of 10 ms; below it nobody spoke."""

_LOUD_SHARE: Final = 0.1
_PEAK_PERCENTILE: Final = 95.0

Samples = npt.NDArray[np.float32]

_floor: Final[Samples] = (
    np.random.default_rng(1).normal(0.0, _FLOOR, MODEL_RATE * _FLOOR_S).astype(np.float32)
)


@dataclass(frozen=True, slots=True)
class Speech:
    """From the first loud moment to the last, in blocks of 10 ms."""

    first: int
    end: int

    @property
    def seconds(self) -> float:
        return (self.end - self.first) * BLOCK_S


class Utterance:
    """Audio as it streams in, with the loudness of every 10 ms."""

    def __init__(self, rate: int) -> None:
        """`rate` of the input, in Hz."""
        self._rate = rate
        self._block = int(rate * BLOCK_S)
        self._pcm = bytearray()
        self._levels: list[float] = []

    @property
    def seconds(self) -> float:
        return len(self._pcm) / 2 / self._rate

    def add(self, pcm: bytes) -> None:
        """Mono 16-bit little-endian PCM, in pieces of any size."""
        self._pcm += pcm
        size = self._block * 2
        start = len(self._levels) * size
        blocks = (len(self._pcm) - start) // size
        if blocks:
            samples = np.frombuffer(bytes(self._pcm[start : start + blocks * size]), "<i2").astype(np.float32)
            self._levels += np.sqrt((samples.reshape(blocks, -1) ** 2).mean(axis=1)).tolist()

    def speech(self) -> Speech | None:
        """None when nobody has spoken so far."""
        if not self._levels:
            return None
        levels = np.array(self._levels)
        peak = float(np.percentile(levels, _PEAK_PERCENTILE))
        if peak < _QUIETEST:
            return None
        loud = np.flatnonzero(levels > peak * _LOUD_SHARE)
        return Speech(int(loud[0]), int(loud[-1]) + 1)

    @property
    def levels(self) -> Sequence[float]:
        """RMS (of 32768) of every 10 ms so far."""
        return self._levels

    def quiet_s(self, speech: Speech) -> float:
        """How long nobody has spoken since."""
        return (len(self._levels) - speech.end) * BLOCK_S

    def pausing(self, speech: Speech) -> bool:
        """Whether there is already as much quiet behind the speech as `prepare` would keep."""
        return self.quiet_s(speech) >= _MARGIN_S

    def cut(self, first: int, end: int | None = None) -> Samples:
        """The blocks from `first` up to `end` as they came, between -1 and 1, at `MODEL_RATE`."""
        last = None if end is None else end * self._block * 2
        pcm = bytes(self._pcm[first * self._block * 2 : last])
        samples = np.frombuffer(pcm[: len(pcm) & ~1], "<i2").astype(np.float32) / 32768.0
        return samples if self._rate == MODEL_RATE else soxr.resample(samples, self._rate, MODEL_RATE)

    def prepare(self, speech: Speech) -> bytes:
        """The speech (7 s at most) with its margins, as PCM at `MODEL_RATE`."""
        first, last = speech.first * self._block, speech.end * self._block
        margin = int(_MARGIN_S * self._rate)
        samples = np.frombuffer(bytes(self._pcm[: len(self._pcm) & ~1]), "<i2").astype(np.float32)
        levels = np.array(self._levels[speech.first : speech.end])
        loud = levels[levels > levels.max() * _LOUD_SHARE]
        gain = _LOUDNESS / float(np.sqrt((loud**2).mean()))
        missing = max(0, margin - first), max(0, last + margin - len(samples))
        cut = np.pad(samples[max(0, first - margin) : last + margin], missing) * gain
        if self._rate != MODEL_RATE:
            cut = soxr.resample(cut, self._rate, MODEL_RATE)
        cut = cut + _floor[: len(cut)]
        return bytes(np.clip(cut, -32768, 32767).astype("<i2").tobytes())
