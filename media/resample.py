"""Sample rate conversion of mono 16-bit little-endian PCM: streams in chunks, and whole clips."""

from __future__ import annotations

import math
from typing import Any, Final, cast

import numpy as np
import samplerate
import soxr
from numpy.typing import NDArray

_FULL_SCALE: Final = 32768.0

_TAIL_S: Final = 0.05
"""Silence that pushes the last samples out of the filter; longer than the filter at any usual rate."""


def _check_rates(rate_in: int, rate_out: int) -> None:
    if rate_in <= 0 or rate_out <= 0:
        raise ValueError(f"a sample rate must be positive, not {rate_in} -> {rate_out}")


class StreamResampler:
    """Converts a stream that comes in chunks of any size, even with half a sample at the end of one.

    The output of all calls together has the input's length times the ratio, whatever the chunks were.
    """

    def __init__(self, rate_in: int, rate_out: int) -> None:
        """Rates in Hz; equal rates cost nothing."""
        _check_rates(rate_in, rate_out)
        self._ratio = rate_out / rate_in
        self._tail = bytes(2 * math.ceil(_TAIL_S * rate_in))
        self._taken = 0
        self._given = 0
        self._converter: Any = (
            None if rate_in == rate_out else samplerate.Resampler("sinc_fastest", channels=1)
        )
        self._odd = b""

    def process(self, pcm: bytes) -> bytes:
        """Gives what can be said so far; the filter holds a few milliseconds back."""
        if self._converter is None:
            return pcm
        if self._odd:
            pcm = self._odd + pcm
        whole = len(pcm) & ~1
        self._odd = pcm[whole:]
        return self._convert(pcm[:whole], last=False) if whole else b""

    def flush(self) -> bytes:
        """Gives what was held back; the stream is over."""
        if self._converter is None:
            return b""
        owed = round(self._taken * self._ratio) - self._given
        rest = self._convert(self._tail, last=True)[: 2 * max(owed, 0)]
        self._converter.reset()
        self._odd, self._taken, self._given = b"", 0, 0
        return rest

    def _convert(self, pcm: bytes, *, last: bool) -> bytes:
        samples = np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(_FULL_SCALE)
        converted = self._converter.process(samples, self._ratio, end_of_input=last)
        self._taken += len(samples)
        self._given += len(converted)
        return _to_pcm(converted)


class EvenResampler:
    """Converts a stream and gives for each piece as much time as it takes, 10 ms late."""

    def __init__(self, rate_in: int, rate_out: int) -> None:
        """Rates in Hz, each a multiple of the other or of 1000."""
        self._resampler = StreamResampler(rate_in, rate_out)
        self._rates = (rate_in, rate_out)
        self._pending = bytearray(2 * (rate_out // 100))

    def __call__(self, pcm: bytes) -> bytes:
        rate_in, rate_out = self._rates
        size = 2 * (len(pcm) // 2 * rate_out // rate_in)
        self._pending += self._resampler.process(pcm)
        self._pending.extend(bytes(max(0, size - len(self._pending))))
        given = bytes(self._pending[:size])
        del self._pending[:size]
        return given


def resample_clip(pcm: bytes, rate_in: int, rate_out: int) -> bytes:
    """Converts a whole clip at once, in high quality."""
    _check_rates(rate_in, rate_out)
    if rate_in == rate_out or not pcm:
        return pcm
    converted = soxr.resample(np.frombuffer(pcm, "<i2"), rate_in, rate_out)
    return cast(bytes, converted.astype("<i2").tobytes())


def _to_pcm(samples: NDArray[np.float32]) -> bytes:
    scaled = np.rint(samples * np.float32(_FULL_SCALE))
    pcm: NDArray[np.int16] = np.clip(scaled, -32768, 32767).astype("<i2")
    return pcm.tobytes()
