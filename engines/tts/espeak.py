"""espeak-ng as a `Synthesizer`: Hindi, Marathi and English without weights or a GPU, in a worker process."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from typing import Final

from engines.contract import EngineError, SpeechRequest
from engines.launch import WorkerCommand
from engines.supervisor import Limits, SupervisedWorker, WorkerHealth
from engines.tts.emotion import fit

LANGUAGES: Final = ("hi", "mr", "en")
_VOICES: Final = {"hi": "hi", "mr": "mr", "en": "en-us"}
VARIANTS: Final = frozenset((*(f"m{n}" for n in range(1, 9)), *(f"f{n}" for n in range(1, 6))))
"""Voices of each language."""

_NORMAL_RATE: Final = 160
"""Words a minute at speed 1: a little slower than espeak-ng's own 175, for 8 kHz."""
_SLOWEST: Final = 80
_FASTEST: Final = 450

_LONGEST_TEXT: Final = 4000
"""Characters: five minutes of speech."""

_PAUSE_BETWEEN_CHUNKS_S: Final = 2.0
"""After the first audio; the worker then makes a second of speech in some 2 ms."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]+")
_MB: Final = 1024 * 1024


class EspeakSynthesizer:
    """`SpeechRequest.voice` is "" or one of espeak-ng's variants m1-m8, f1-f5."""

    name: Final = "espeak"

    def __init__(self, command: WorkerCommand | None = None, limits: Limits | None = None) -> None:
        self._worker = SupervisedWorker(
            "espeak", command or WorkerCommand("espeak"), limits or Limits(memory_bytes=256 * _MB)
        )
        self._version = "1"
        self._sample_rate = 22050

    @property
    def version(self) -> str:
        return self._version

    @property
    def sample_rate(self) -> int:
        return self._sample_rate

    @property
    def health(self) -> WorkerHealth:
        return self._worker.health

    async def start(self) -> None:
        """Raises `EngineUnavailable` or `EngineTimeout`."""
        facts = await self._worker.start()
        self._sample_rate = int(facts["sample_rate"])
        self._version = f"{facts['version']}-1"

    async def close(self) -> None:
        await self._worker.close()

    def supports(self, language: str) -> bool:
        return _base(language) in _VOICES

    def voices(self, language: str) -> frozenset[str]:
        return VARIANTS if self.supports(language) else frozenset()

    async def synthesize(self, request: SpeechRequest, *, deadline_s: float) -> AsyncGenerator[bytes, None]:
        """See `Synthesizer`. Raises `EngineError` for a language, voice or length of text it does not
        know.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + deadline_s
        job = self._worker.open(_job(request))
        try:
            while frame := await job.receive(deadline):
                yield frame.data
                deadline = loop.time() + _PAUSE_BETWEEN_CHUNKS_S
        finally:
            job.cancel()


def _job(request: SpeechRequest) -> dict[str, object]:
    voice = _VOICES.get(_base(request.language))
    if voice is None:
        raise EngineError(f"espeak does not speak {request.language!r}; it speaks {', '.join(_VOICES)}")
    if request.voice and request.voice not in VARIANTS:
        raise EngineError(f"espeak has no voice {request.voice!r}; it has {', '.join(sorted(VARIANTS))}")
    if len(request.text) > _LONGEST_TEXT:
        raise EngineError(
            f"a text of {len(request.text)} characters is too long; {_LONGEST_TEXT} are allowed"
        )
    rate = min(_FASTEST, max(_SLOWEST, round(_NORMAL_RATE * request.speed)))
    return {
        # espeak-ng takes control characters for commands.
        "text": _CONTROL.sub(" ", fit(request.text, "espeak").text),
        "voice": f"{voice}+{request.voice}" if request.voice else voice,
        "rate": rate,
    }


def _base(language: str) -> str:
    """ "hi-IN" is spoken like "hi"."""
    return language.partition("-")[0].lower()
