"""What a call sounded like, from what the network did to it: the E-model of ITU-T G.107. Pure.

With every other parameter at its default the model is R = 93.2 - Id - Ie,eff (G.107 clause 7). We are a
machine without a microphone beside its loudspeaker, so of the delay impairment Id only the pure delay Idd
counts, not the echoes Idte and Idle. It is a planning model: good for comparing calls and trunks, no verdict
of a listener.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log2, pow
from typing import Final

R_BEST: Final = 93.2
"""R of a narrowband call without loss and delay (G.107 table 2, all defaults)."""

_SCALE: Final = 95.0
"""What loss can take away (G.107 clause 7.5)."""

_ABSOLUTE_MS: Final = 100.0
"""Delay up to here costs nothing (G.107 clause 7.4)."""

_MOS_WORST: Final = 1.0
_MOS_BEST: Final = 4.5


@dataclass(frozen=True, slots=True)
class Impairment:
    """How a codec, with its concealment, bears loss: `ie` without any, `bpl` its robustness (ITU-T G.113)."""

    ie: float
    bpl: float


G711_CONCEALED: Final = Impairment(0.0, 25.1)
"""G.711 with the concealment of its Appendix I (G.113 Appendix I)."""

G711_PLAIN: Final = Impairment(0.0, 4.3)
"""G.711 where lost packets are silence (G.113 Appendix I)."""


@dataclass(frozen=True, slots=True)
class Path:
    """What one direction went through.

    `loss` is the share of packets that were not there when they were to be played, 0 to 1. `burst` is the
    mean length of a run of lost packets over that of the same loss at random (BurstR; 1 is random).
    `delay_ms` is one way, from mouth to ear.
    """

    loss: float
    delay_ms: float
    burst: float = 1.0


def rating(path: Path, impairment: Impairment = G711_CONCEALED) -> float:
    """The transmission rating R, at most 93.2; may fall below 0."""
    return R_BEST - delay_impairment(path.delay_ms) - loss_impairment(path, impairment)


def delay_impairment(delay_ms: float) -> float:
    """Idd (G.107 clause 7.4, equations 7-27 and 7-28)."""
    if delay_ms <= _ABSOLUTE_MS:
        return 0.0
    x = log2(delay_ms / _ABSOLUTE_MS)
    return 25.0 * (_sixth_root(1 + pow(x, 6)) - 3 * _sixth_root(1 + pow(x / 3, 6)) + 2)


def loss_impairment(path: Path, impairment: Impairment) -> float:
    """Ie,eff (G.107 clause 7.5, equation 7-29)."""
    percent = 100 * min(max(path.loss, 0.0), 1.0)
    ie, bpl = impairment.ie, impairment.bpl
    return ie + (_SCALE - ie) * percent / (percent / max(path.burst, 1.0) + bpl)


def _sixth_root(value: float) -> float:
    return pow(value, 1 / 6)


def mos(r: float) -> float:
    """The mean opinion score of a rating, 1 to 4.5 (G.107 annex B, equation B-4)."""
    if r <= 0:
        return _MOS_WORST
    if r >= 100:
        return _MOS_BEST
    # Between 0 and 6.5 the polynomial is a little below 1.
    return max(_MOS_WORST, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)


def burst_ratio(lost: int, runs: int, expected: int) -> float:
    """BurstR of `lost` of `expected` packets that were lost in so many runs; 1 when it cannot be told."""
    if not 0 < runs <= lost < expected:
        return 1.0
    return max(1.0, lost / runs * (1 - lost / expected))
