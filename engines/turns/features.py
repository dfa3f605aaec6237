"""What smart-turn hears: the log-mel spectrogram of Whisper, over 8 s that end now. Pure.

16 kHz, windows of 25 ms every 10 ms, 80 bands on Slaney's mel scale, as `WhisperFeatureExtractor` of
transformers makes them with `chunk_length=8` and `do_normalize=True`: the audio brought to a mean of 0 and a
variance of 1, its spectrum's power in decibels down to 80 below the loudest, shifted and scaled.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

RATE: Final = 16000
SECONDS: Final = 8
BANDS: Final = 80
FRAMES: Final = 100 * SECONDS

_WINDOW: Final = 400
_HOP: Final = 160
_LINEAR_HZ: Final = 200.0 / 3
_LOG_FROM_HZ: Final = 1000.0
_LOG_STEP: Final = np.log(6.4) / 27.0


def features(samples: Samples) -> Samples:
    """Of the last 8 s, with silence before what is shorter: an array of `BANDS` by `FRAMES`."""
    size = RATE * SECONDS
    last = samples[-size:].astype(np.float64)
    padded = np.concatenate((np.zeros(size - len(last)), last))
    normal = (padded - padded.mean()) / np.sqrt(padded.var() + 1e-7)
    mirrored = np.pad(normal, _WINDOW // 2, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(mirrored, _WINDOW)[::_HOP][:FRAMES]
    power = np.abs(np.fft.rfft(windows * np.hanning(_WINDOW + 1)[:-1], axis=1)) ** 2
    bels = np.log10(np.maximum(power @ _filters().T, 1e-10))
    scaled = (np.maximum(bels, bels.max() - 8.0) + 4.0) / 4.0
    return np.ascontiguousarray(scaled.T, dtype=np.float32)


@cache
def _filters() -> NDArray[np.float64]:
    """The triangles of Slaney's mel scale, each of the same area: linear to 1 kHz, logarithmic above."""
    steps = np.linspace(0.0, _mel(RATE / 2), BANDS + 2)
    hz = np.where(
        steps < _LOG_FROM_HZ / _LINEAR_HZ,
        steps * _LINEAR_HZ,
        _LOG_FROM_HZ * np.exp(_LOG_STEP * (steps - _LOG_FROM_HZ / _LINEAR_HZ)),
    )
    bins = np.fft.rfftfreq(_WINDOW, 1.0 / RATE)
    below = (bins - hz[:-2, None]) / np.diff(hz)[:-1, None]
    above = (hz[2:, None] - bins) / np.diff(hz)[1:, None]
    triangles: NDArray[np.float64] = np.maximum(0.0, np.minimum(below, above))
    return triangles * (2.0 / (hz[2:] - hz[:-2]))[:, None]


def _mel(hz: float) -> float:
    return _LOG_FROM_HZ / _LINEAR_HZ + float(np.log(hz / _LOG_FROM_HZ)) / float(_LOG_STEP)
