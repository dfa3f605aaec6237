"""Cuts the silence that voices put before the first sound: a caller who pressed a key waits for it."""

from __future__ import annotations

from typing import Final

import numpy as np

_QUIET: Final = 60
"""-55 dBFS: below any consonant of a voice."""

_KEPT_MS: Final = 5


class LeadingSilence:
    """One stream of mono 16-bit little-endian PCM, in chunks of any size."""

    def __init__(self, rate: int) -> None:
        """`rate` in Hz."""
        self._kept = rate * _KEPT_MS // 1000
        self._begun = False

    def cut(self, pcm: bytes) -> bytes:
        """The chunk without what is silent before the first sound of the stream; 5 ms of it are kept."""
        if self._begun:
            return pcm
        loud = np.abs(np.frombuffer(pcm, dtype="<i2").astype(np.int32)) > _QUIET
        if not loud.any():
            return b""
        self._begun = True
        return pcm[2 * max(0, int(loud.argmax()) - self._kept) :]
