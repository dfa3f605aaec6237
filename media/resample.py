"""Sample rate conversion of mono 16-bit little-endian PCM: streams in chunks, and whole clips.

Streams go through a polyphase filter: a sinc under a Kaiser window, of which each output sample has its own
phase (A. V. Oppenheim, R. W. Schafer, *Discrete-Time Signal Processing*, 4.7 and 7.5). With rates whose ratio
is L to M the phases repeat after L outputs and M inputs; so a run of inputs becomes outputs by one product
with a matrix that never changes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, cast

import numpy as np
import soxr
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

_PASSED: Final = 0.425
"""Of the lower rate is passed on (3400 Hz of 8 kHz), and from half of it on nothing: a telephone's band."""
_STOPPED: Final = 0.5
_ATTENUATION_DB: Final = 70.0
_LEAST_UNIT_S: Final = 0.001
_MOST_PRODUCTS: Final = 250_000
"""In one product of matrices: a larger one is spread over threads by the linear algebra below numpy, which
take the cores from live calls.
"""

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Bank:
    """The filter from one rate to another: `taken` inputs become `given` outputs. `groups` are runs of them:
    where the inputs of the first begin, and the matrix from inputs to outputs. `reach` inputs on both sides
    belong to an output.
    """

    taken: int
    given: int
    reach: int
    groups: tuple[tuple[int, Samples], ...]


@lru_cache(maxsize=32)
def _bank(rate_in: int, rate_out: int) -> _Bank:
    common = math.gcd(rate_in, rate_out)
    repeats = max(1, math.ceil(_LEAST_UNIT_S * common))
    taken, given = rate_in // common * repeats, rate_out // common * repeats
    lower = min(rate_in, rate_out)
    # Kaiser's formulas for the length and the window's form.
    width = 2 * math.pi * (_STOPPED - _PASSED) * lower / rate_in
    reach = math.ceil((_ATTENUATION_DB - 7.95) / (2.285 * width) / 2)
    beta = 0.1102 * (_ATTENUATION_DB - 8.7)
    cutoff = (_PASSED + _STOPPED) * lower / rate_in  # of half the input's rate

    # Outputs that lie close together need nearly the same inputs: a matrix for all would be mostly zeros.
    size = max(1, math.ceil(3 * given * reach / taken))
    groups = []
    for first in range(0, given, size):
        at = np.arange(first, min(given, first + size)) * taken / given
        start = math.floor(at[0]) - reach + 1
        stop = math.floor(at[-1]) + reach + 1
        distance = np.arange(start, stop)[:, None] - at[None, :]
        inside = np.clip(1 - (distance / reach) ** 2, 0, None)
        taps = np.sinc(cutoff * distance) * np.i0(beta * np.sqrt(inside)) * (np.abs(distance) < reach)
        groups.append((start + reach, (taps / taps.sum(axis=0)).astype(np.float32)))
    return _Bank(taken, given, reach, tuple(groups))


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
        self._bank = None if rate_in == rate_out else _bank(rate_in, rate_out)
        self._begin()

    def _begin(self) -> None:
        reach = self._bank.reach if self._bank else 0
        self._waiting: Samples = np.zeros(reach, np.float32)
        self._odd = b""
        self._taken = self._given = 0

    def process(self, pcm: bytes) -> bytes:
        """Gives what can be said so far; the filter holds 3.6 ms back, and what makes no whole unit."""
        if self._bank is None:
            return pcm
        if self._odd:
            pcm = self._odd + pcm
        whole = len(pcm) & ~1
        self._odd = pcm[whole:]
        return self._convert(self._bank, np.frombuffer(pcm[:whole], "<i2").astype(np.float32))

    def flush(self) -> bytes:
        """Gives what was held back; the stream is over."""
        if self._bank is None:
            return b""
        owed = round(self._taken * self._ratio) - self._given
        tail = np.zeros(2 * self._bank.reach + self._bank.taken, np.float32)
        rest = self._convert(self._bank, tail)[: 2 * max(owed, 0)]
        self._begin()
        return rest

    def _convert(self, bank: _Bank, samples: Samples) -> bytes:
        self._taken += len(samples)
        waiting = np.concatenate((self._waiting, samples))
        units = (len(waiting) - 2 * bank.reach) // bank.taken
        if units <= 0:
            self._waiting = waiting
            return b""
        self._waiting = waiting[units * bank.taken :]
        self._given += units * bank.given
        converted = np.empty((units, bank.given), np.float32)
        at = 0
        for start, matrix in bank.groups:
            step = waiting.strides[0]
            heard = as_strided(
                waiting[start:], (units, len(matrix)), (bank.taken * step, step), writeable=False
            )
            many = max(1, _MOST_PRODUCTS // matrix.size)
            width = matrix.shape[1]
            for first in range(0, units, many):
                run = slice(first, first + many)
                np.matmul(heard[run], matrix, out=converted[run, at : at + width])
            at += width
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


def _to_pcm(samples: Samples) -> bytes:
    pcm: NDArray[np.int16] = np.clip(np.rint(samples), -32768, 32767).astype("<i2")
    return pcm.tobytes()
