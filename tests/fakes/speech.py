"""Real speech and noise for tests, at 8 kHz as on a telephone line."""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import Coroutine
from functools import cache
from typing import Any, TypeVar

import numpy as np

from engines.contract import SpeechRequest
from engines.launch import WorkerCommand
from engines.tts.espeak import EspeakSynthesizer
from media.resample import StreamResampler

RATE = 8000

T = TypeVar("T")


class _Speaker:
    """One synthesiser for all tests of this process, in a thread and a loop of its own, so that a running
    test may wait for it.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="speaker", daemon=True).start()
        self._engine = EspeakSynthesizer(WorkerCommand("tests.fakes.same_voice:SameVoice"))
        self._do(self._engine.start())
        atexit.register(lambda: self._do(self._engine.close()))

    def say(self, request: SpeechRequest) -> bytes:
        return self._do(self._collect(request))

    async def _collect(self, request: SpeechRequest) -> bytes:
        return b"".join([chunk async for chunk in self._engine.synthesize(request, deadline_s=20)])

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=60)


@cache
def _speaker() -> _Speaker:
    return _Speaker()


@cache
def spoken(text: str, language: str, voice: str = "", speed: float = 1.0) -> bytes:
    """What espeak-ng says, as PCM at 8 kHz: the same whenever it is asked."""
    resampler = StreamResampler(22050, RATE)
    return resampler.process(_speaker().say(SpeechRequest(text, language, voice, speed))) + resampler.flush()


def noise(samples: int, rms: float, seed: int = 1) -> bytes:
    """White noise; `rms` of 32768."""
    values = np.random.default_rng(seed).normal(0.0, rms, samples)
    return bytes(np.clip(values, -32768, 32767).astype("<i2").tobytes())


def silence(samples: int) -> bytes:
    return bytes(2 * samples)


def frames(pcm: bytes, size: int = 320) -> list[bytes]:
    """Whole frames of 20 ms."""
    return [pcm[at : at + size] for at in range(0, len(pcm) - size + 1, size)]
