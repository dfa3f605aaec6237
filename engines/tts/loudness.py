"""Speech of every engine and voice at one loudness, without clipping, while it streams.

Loudness is that of ITU-R BS.1770-4 for one channel: the mean square under the K weighting, of blocks of 400
ms each 100 ms, those below -70 LUFS and those 10 LU under the rest left out (annex 1). The target of EBU
R 128, -23 LUFS, lies near the nominal active speech level of telephony, -26 dBov (ITU-T P.56, G.100).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

TARGET_LUFS: Final = -23.0
CEILING: Final = 0.708
"""Of full scale: -3 dB. µ-law and A-law then never meet their last segment's end, nor does a resampler."""

_FULL_SCALE: Final = 32768.0
_SUB_BLOCK_S: Final = 0.1
_BLOCK: Final = 4
"""Sub-blocks in a block."""
_ABSOLUTE_GATE: Final = 10 ** ((-70.0 + 0.691) / 10)
"""-70 LUFS as a mean square."""
_RELATIVE_GATE: Final = 0.1
"""-10 LU as a ratio of mean squares."""
_REMEMBERED: Final = 600
"""Blocks, one minute: what was long ago says little of how loud it is now."""

_MOST_GAIN_DB: Final = 18.0
_SLEW_DB: Final = 1.0
"""Per sub-block: 10 dB a second, too slow to be heard as pumping."""
_FIRST_SLEW_DB: Final = 6.0
"""While less than a second has been heard, and nothing is known of the voice."""
_FIRST_BLOCKS: Final = 10

_LOOK_AHEAD_S: Final = 0.005

# BS.1770-4, tables 1 and 2: the two filters of the K weighting at 48 kHz, b0 b1 b2 and a1 a2.
_K_RATE: Final = 48_000
_SHELF: Final = (
    (1.53512485958697, -2.69169618940638, 1.19839281085285),
    (-1.69065929318241, 0.73248077421585),
)
_HIGH_PASS: Final = ((1.0, -2.0, 1.0), (-1.99004745483398, 0.99007225036621))

Samples = NDArray[np.float32]


@lru_cache(maxsize=16)
def _weights(size: int, rate: int) -> NDArray[np.float64]:
    """Power weights of the K filters for the bins of a real FFT over `size` samples.

    The response is evaluated where the standard defines it, at 48 kHz, so that it is the same at any rate.
    The two-sided spectrum's symmetry and the mean are worked in: weights times |X|² sum to the mean square.
    """
    z = np.exp(-2j * np.pi * np.fft.rfftfreq(size, 1 / rate) / _K_RATE)
    power = np.ones(len(z))
    for (b0, b1, b2), (a1, a2) in (_SHELF, _HIGH_PASS):
        power *= np.abs((b0 + b1 * z + b2 * z**2) / (1 + a1 * z + a2 * z**2)) ** 2
    power *= 2.0
    power[0] /= 2
    if size % 2 == 0:
        power[-1] /= 2
    weights: NDArray[np.float64] = power / size**2
    return weights


def _mean_squares(blocks: NDArray[np.float32], rate: int) -> list[float]:
    """Of each row."""
    spectrum = np.fft.rfft(blocks)
    powers = (spectrum.real**2 + spectrum.imag**2) @ _weights(blocks.shape[1], rate)
    return [float(power) for power in powers]


def _lufs(mean_square: float) -> float:
    return -0.691 + 10 * float(np.log10(max(mean_square, 1e-12)))


class LoudnessMeter:
    """The gated loudness of what was heard so far, mono float samples within ±1."""

    def __init__(self, rate: int) -> None:
        """`rate` in Hz, at most 48,000."""
        self._rate = rate
        self._size = round(rate * _SUB_BLOCK_S)
        self._pending: Samples = np.zeros(0, np.float32)
        self._powers: list[float] = []
        self._blocks: list[float] = []

    @property
    def blocks(self) -> int:
        """How many blocks count so far: those that are no silence."""
        return len(self._blocks)

    def hear(self, samples: Samples) -> None:
        pending = np.concatenate((self._pending, samples)) if len(self._pending) else samples
        whole = len(pending) // self._size * self._size
        self._pending = pending[whole:]
        if not whole:
            return
        for power in _mean_squares(pending[:whole].reshape(-1, self._size), self._rate):
            self._powers = [*self._powers[1 - _BLOCK :], power]
            # At first a block is as long as there was sound: a short prompt must be levelled too.
            block = sum(self._powers) / len(self._powers)
            if block > _ABSOLUTE_GATE:
                self._blocks.append(block)
        del self._blocks[:-_REMEMBERED]

    @property
    def lufs(self) -> float | None:
        """None while nothing but silence was heard."""
        if not self._blocks:
            return None
        blocks = np.array(self._blocks)
        gate = blocks.mean() * _RELATIVE_GATE
        return _lufs(float(blocks[blocks > gate].mean()))


class Leveller:
    """Brings one stream to the target loudness: its gain glides, and a limiter holds what remains under the
    ceiling. 5 ms late; `flush` gives the rest.
    """

    def __init__(
        self,
        rate: int,
        gain_db: float | None = None,
        target_lufs: float = TARGET_LUFS,
        *,
        fixed: bool = False,
    ) -> None:
        """`gain_db` is that of the same voice before, where it is known: then the first word is level too.
        Where it is `fixed`, nothing is measured.
        """
        self._meter = LoudnessMeter(rate)
        self._size = round(rate * _SUB_BLOCK_S)
        self._target = target_lufs
        self._known = gain_db is not None
        self._fixed = fixed
        self._gain_db = gain_db or 0.0
        self._limiter = _Limiter(rate)
        self._odd = b""

    @property
    def gain_db(self) -> float:
        """Now; after the stream it is what the voice needs."""
        return self._gain_db

    @property
    def blocks(self) -> int:
        """How many blocks were measured."""
        return self._meter.blocks

    @property
    def wanted_db(self) -> float:
        """The gain that brings all that was measured to the target."""
        lufs = self._meter.lufs
        if lufs is None:
            return self._gain_db
        return min(_MOST_GAIN_DB, max(-_MOST_GAIN_DB, self._target - lufs))

    def process(self, pcm: bytes) -> bytes:
        """Takes mono 16-bit PCM in pieces of any size, even with half a sample at the end of one."""
        pcm = self._odd + pcm
        whole = len(pcm) & ~1
        self._odd = pcm[whole:]
        if not whole:
            return b""
        samples = np.frombuffer(pcm, "<i2", whole // 2).astype(np.float32)
        samples /= np.float32(_FULL_SCALE)
        return _pcm(self._limiter.process(self._amplified(samples)))

    def flush(self) -> bytes:
        """What the limiter held back; the stream is over."""
        return _pcm(self._limiter.flush())

    def _amplified(self, samples: Samples) -> Samples:
        """Louder or softer: the gain glides to what is wanted now, and then stays."""
        if self._fixed:
            return samples * np.float32(_ratio(self._gain_db))
        new = not self._known and self._meter.blocks <= _FIRST_BLOCKS
        self._meter.hear(samples)
        before_db, wanted_db = self._gain_db, self.wanted_db
        slew_db = _FIRST_SLEW_DB if new else _SLEW_DB
        glide = min(len(samples), math.ceil(abs(wanted_db - before_db) / slew_db * self._size))
        most_db = slew_db * glide / self._size
        self._gain_db = before_db + min(most_db, max(-most_db, wanted_db - before_db))
        amplified: Samples = samples * np.float32(_ratio(self._gain_db))
        if glide:
            ramp = np.linspace(_ratio(before_db), _ratio(self._gain_db), glide, dtype=np.float32)
            amplified[:glide] = samples[:glide] * ramp
        return amplified


class _Limiter:
    """Never lets a sample over the ceiling. The gain is the least that any sample of the next 5 ms needs,
    averaged over the last 5 ms: it falls before a peak, and at the peak every value in the average is low
    enough.
    """

    def __init__(self, rate: int) -> None:
        self._ahead = max(1, round(rate * _LOOK_AHEAD_S))
        # Samples that still wait for their future, and the needed gains of those plus of the past average:
        # None where all of them are 1, as nearly always.
        self._waiting: Samples = np.zeros(0, np.float32)
        self._needed: Samples | None = None

    def process(self, samples: Samples) -> Samples:
        quiet = max(float(samples.max()), -float(samples.min())) <= CEILING
        if self._needed is None and not quiet:
            self._needed = np.ones(self._ahead + len(self._waiting), np.float32)
        if self._needed is not None:
            peak = np.maximum(np.abs(samples), np.float32(1e-9))
            need = np.minimum(np.float32(1), np.float32(CEILING) / peak)
            self._needed = np.concatenate((self._needed, need))
        self._waiting = np.concatenate((self._waiting, samples))
        return self._release(max(0, len(self._waiting) - self._ahead))

    def flush(self) -> Samples:
        if self._needed is not None:
            self._needed = np.concatenate((self._needed, np.ones(self._ahead, np.float32)))
        return self._release(len(self._waiting))

    def _release(self, count: int) -> Samples:
        given: Samples = self._waiting[:count]
        self._waiting = self._waiting[count:]
        if self._needed is None or not count:
            return given
        ahead = self._ahead
        # needed[i] belongs to the sample `ahead` places before waiting[i].
        near = self._needed[: count + 2 * ahead]
        self._needed = self._needed[count:]
        if self._needed.min() >= 1:
            self._needed = None
        window = np.lib.stride_tricks.sliding_window_view(near, ahead + 1)
        least = window.min(axis=1)
        sums = np.concatenate(([0.0], np.cumsum(least, dtype=np.float64)))
        gains = ((sums[ahead:] - sums[:-ahead]) / ahead)[1 : count + 1].astype(np.float32)
        limited: Samples = given * np.minimum(gains, 1)
        return limited


def _ratio(gain_db: float) -> float:
    """Of amplitudes."""
    return float(10 ** (gain_db / 20))


def _pcm(samples: Samples) -> bytes:
    scaled: NDArray[np.int16] = np.clip(np.rint(samples * np.float32(_FULL_SCALE)), -32768, 32767).astype(
        "<i2"
    )
    return scaled.tobytes()
