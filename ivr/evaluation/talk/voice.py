"""What a simulated caller sounds like: words in a voice of the embedded engine, coughs, and the noise of the
line that all of it lies over."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.contract import SpeechRequest, Synthesizer
from ivr.evaluation.talk.scenario import Manner
from media.clip import Clip, ClipWriter
from media.codecs import FRAME_MS, Codec
from media.resample import StreamResampler

RATE: Final = 8000
_FRAME: Final = RATE * FRAME_MS // 1000
_DEADLINE_S: Final = 20.0
_HUM_S: Final = 4.0
_AUDIBLE: Final = 330
"""Peak of a frame that is part of the words: -40 dB of full scale."""

_SPEECH_RMS: Final = 3000.0
"""What the embedded voice speaks with, about; the noise is measured against it."""

_COUGH_RMS: Final = 4000.0

Samples = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sound:
    """Ready for the line; the sound itself, without silence and noise, is from `begins_s` to `ends_s`."""

    clip: Clip
    begins_s: float
    ends_s: float


class Voice:
    """One caller's, in one language. The same caller sounds the same every time."""

    def __init__(self, engine: Synthesizer, manner: Manner, language: str, codec: Codec) -> None:
        self._engine = engine
        self._manner = manner
        self._language = manner.accent or language
        self._codec = codec
        self._draw = np.random.default_rng(1)

    async def words(self, text: str) -> Sound:
        """Raises `EngineError`."""
        narrow = StreamResampler(self._engine.sample_rate, RATE)
        request = SpeechRequest(text, self._language, self._manner.voice, self._manner.rate)
        pcm = bytearray()
        speaking = self._engine.synthesize(request, deadline_s=_DEADLINE_S)
        async with contextlib.aclosing(speaking) as chunks:
            async for chunk in chunks:
                pcm += narrow.process(chunk)
        pcm += narrow.flush()
        return self._over_noise(np.frombuffer(bytes(pcm), "<i2").astype(np.float64))

    def cough(self, seconds: float) -> Sound:
        """A burst of breath: loud at once, then less and less."""
        length = int(seconds * RATE)
        envelope = np.minimum(1.0, np.arange(length) / (0.01 * RATE)) * np.exp(
            -3.0 * np.arange(length) / length
        )
        return self._over_noise(self._noise(length, _COUGH_RMS) * envelope)

    def hum(self) -> Clip | None:
        """The noise of the line, which loops; None where there is none."""
        if self._manner.snr is None:
            return None
        clip = self._clip(self._noise(int(_HUM_S * RATE), self._noise_rms))
        clip.loops = True
        return clip

    @property
    def _noise_rms(self) -> float:
        return 0.0 if self._manner.snr is None else _SPEECH_RMS / 10 ** (self._manner.snr / 20)

    def _over_noise(self, samples: Samples) -> Sound:
        frames = len(samples) // _FRAME
        peaks = (
            np.abs(samples[: frames * _FRAME]).reshape(frames, _FRAME).max(axis=1) if frames else np.empty(0)
        )
        audible = np.flatnonzero(peaks >= _AUDIBLE)
        begins, ends = (audible[0], audible[-1] + 1) if len(audible) else (0, frames)
        noisy = samples + self._noise(len(samples), self._noise_rms)
        return Sound(self._clip(noisy), begins * FRAME_MS / 1000, ends * FRAME_MS / 1000)

    def _noise(self, length: int, rms: float) -> Samples:
        """Less of it the higher it is (1/f in power), as in a street or a kitchen."""
        if not rms or not length:
            return np.zeros(length)
        spectrum = np.fft.rfft(self._draw.normal(size=length))
        spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
        spectrum[0] = 0.0
        noise: Samples = np.fft.irfft(spectrum, length)
        scaled: Samples = noise * (rms / np.sqrt((noise**2).mean()))
        return scaled

    def _clip(self, samples: Samples) -> Clip:
        writer = ClipWriter(Clip(self._codec), RATE)
        writer.write(np.clip(np.rint(samples), -32768, 32767).astype("<i2").tobytes())
        writer.close()
        return writer.clip
