"""What plays made softer, and where in it a word begins: on wire payloads, as they are sent. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

import numpy as np

from media.codecs import PCMA, PCMU, Codec, Coder

SOFT_DB: Final = -12.0
"""A voice so much softer is still understood, and lets another be heard over it."""

_FACTOR: Final = 10 ** (SOFT_DB / 20)


def softener(codec: Codec) -> Coder:
    """Makes the payloads of one stream softer by `SOFT_DB`.

    G.711, which remembers nothing, by a table of its 256 codes; another is decoded and encoded anew, and is
    heard for the few milliseconds that it takes to find its way.
    """
    if codec in (PCMA, PCMU):
        table = _table(codec)
        return lambda payload: payload.translate(table)
    decode, encode = codec.new_decoder(), codec.new_encoder()
    return lambda payload: encode(_softer(decode(payload)))


def word_start(payloads: Sequence[bytes], codec: Codec) -> int:
    """Which of these payloads in a row a word begins at: the one after the last quiet one, or after the
    quietest where there is no pause; 0 for none. So that what was broken off within a word is said again from
    its beginning."""
    if not payloads:
        return 0
    decode = codec.new_decoder()
    levels = [_level(decode(payload)) for payload in payloads]
    pause = max(levels) * _PAUSE
    quiet = [at for at, level in enumerate(levels) if level <= pause] or [levels.index(min(levels))]
    return min(quiet[-1] + 1, len(payloads) - 1)


_PAUSE: Final = 10 ** (-24 / 20)
"""Of the loudest frame: softer than any syllable of the same words."""


@cache
def _table(codec: Codec) -> bytes:
    codes = bytes(range(256))
    return codec.new_encoder()(_softer(codec.new_decoder()(codes)))


def _softer(pcm: bytes) -> bytes:
    samples = np.frombuffer(pcm, "<i2").astype(np.float32) * np.float32(_FACTOR)
    return bytes(np.rint(samples).astype("<i2").tobytes())


def _level(pcm: bytes) -> float:
    """Root mean square."""
    samples = np.frombuffer(pcm, "<i2").astype(np.float32)
    return float(np.sqrt(np.mean(samples**2))) if len(samples) else 0.0
