"""Real speech and noise for tests, at 8 kHz as on a telephone line."""

from __future__ import annotations

import asyncio
from functools import cache

import numpy as np

from engines.contract import SpeechRequest
from engines.tts.espeak import EspeakSynthesizer
from media.resample import StreamResampler

RATE = 8000


@cache
def spoken(text: str, language: str, voice: str = "", speed: float = 1.0) -> bytes:
    """What espeak-ng says, as PCM at 8 kHz."""

    async def synthesise() -> bytes:
        engine = EspeakSynthesizer()
        await engine.start()
        try:
            request = SpeechRequest(text, language, voice, speed)
            return b"".join([chunk async for chunk in engine.synthesize(request, deadline_s=20)])
        finally:
            await engine.close()

    async def resample() -> bytes:
        pcm = await synthesise()
        resampler = StreamResampler(22050, RATE)
        return resampler.process(pcm) + resampler.flush()

    return _run_apart(resample)


def noise(samples: int, rms: float, seed: int = 1) -> bytes:
    """White noise; `rms` of 32768."""
    values = np.random.default_rng(seed).normal(0.0, rms, samples)
    return bytes(np.clip(values, -32768, 32767).astype("<i2").tobytes())


def silence(samples: int) -> bytes:
    return bytes(2 * samples)


def frames(pcm: bytes, size: int = 320) -> list[bytes]:
    """Whole frames of 20 ms."""
    return [pcm[at : at + size] for at in range(0, len(pcm) - size + 1, size)]


def _run_apart(work):  # type: ignore[no-untyped-def]
    """In a thread and loop of its own, so that a running test may call it."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(work())).result(timeout=60)
