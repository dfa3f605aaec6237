"""Hides lost frames: the last pitch period is repeated and fades, after ITU-T G.711 Appendix I. Pure.

Unlike the appendix nothing is delayed: the seam to the lost frame is the pitch period itself, and only the
first frame that arrives again is blended with the synthetic signal.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

from media.codecs import FRAME_MS

FADE_MS: Final = 60
"""After so much loss there is silence."""

_FULL_MS: Final = 10
_PITCH_MS: Final = (5, 15)
_HISTORY_MS: Final = 50
_BLEND_MS: Final = 4

HISTORY_FRAMES: Final = -(-_HISTORY_MS // FRAME_MS)
"""Frames that must have come before a lost one, for it to be concealed."""

Samples = NDArray[np.float32]


class Concealer:
    """Takes the frames of one stream in order; `lost` stands in for each one that did not come.

    Frames are 20 ms of mono 16-bit little-endian PCM.
    """

    __slots__ = ("_history", "_lost_ms", "_period", "_phase", "_rate", "_silence")

    def __init__(self, rate: int) -> None:
        """`rate` in Hz."""
        self._rate = rate
        self._history: deque[bytes] = deque(maxlen=HISTORY_FRAMES)
        self._lost_ms = 0
        self._period: Samples | None = None
        self._phase = 0
        self._silence = bytes(2 * rate * FRAME_MS // 1000)

    def good(self, frame: bytes) -> bytes:
        """Takes a frame that arrived; gives it, its beginning blended in if frames before it were lost."""
        if self._lost_ms:
            frame = self._blend(frame)
            self._lost_ms = 0
            self._period = None
        self._history.append(frame)
        return frame

    def silent(self) -> bytes:
        """A frame in which the far end said nothing."""
        self._history.clear()
        self._lost_ms = 0
        self._period = None
        return self._silence

    @property
    def faded(self) -> bool:
        """Whether there is nothing left to repeat: `lost` gives silence."""
        return self._lost_ms >= FADE_MS or len(self._history) < HISTORY_FRAMES

    def lost(self) -> bytes:
        """A frame in place of a lost one."""
        if self.faded:
            return self._silence
        if self._period is None:
            self._period = self._last_period()
            self._phase = 0
        samples = self._synthesise(len(self._silence) // 2)
        self._lost_ms += FRAME_MS
        return samples.astype("<i2").tobytes()

    def _samples(self, ms: int) -> int:
        return self._rate * ms // 1000

    def _last_period(self) -> Samples:
        """One pitch period from the end of the history, found by normalised cross-correlation."""
        heard = np.frombuffer(b"".join(self._history), "<i2").astype(np.float32)
        shortest, longest = (self._samples(ms) for ms in _PITCH_MS)
        window = self._samples(FRAME_MS)
        lags = np.lib.stride_tricks.sliding_window_view(heard[-window - longest : -shortest], window)
        energy = np.einsum("ij,ij->i", lags, lags)
        score = (lags @ heard[-window:]) / np.sqrt(energy + 1.0)
        pitch = longest - int(np.argmax(score))
        # The end runs over into what came one period earlier, so that repeating it leaves no click.
        period = heard[-pitch:].copy()
        overlap = pitch // 4
        ramp = np.linspace(0.0, 1.0, overlap, dtype=np.float32)
        period[-overlap:] += (heard[-pitch - overlap : -pitch] - period[-overlap:]) * ramp
        return period

    def _synthesise(self, count: int) -> Samples:
        assert self._period is not None
        index = np.arange(self._phase, self._phase + count)
        self._phase += count
        full, end = self._samples(_FULL_MS), self._samples(FADE_MS)
        gain = np.clip((end - index) / (end - full), 0.0, 1.0).astype(np.float32)
        return np.take(self._period, index, mode="wrap") * gain

    def _blend(self, frame: bytes) -> bytes:
        if self._period is None:
            return frame
        count = self._samples(_BLEND_MS)
        samples = np.frombuffer(frame, "<i2").astype(np.float32)
        ramp = np.linspace(0.0, 1.0, count, dtype=np.float32)
        samples[:count] = samples[:count] * ramp + self._synthesise(count) * (1 - ramp)
        return samples.astype("<i2").tobytes()
