"""espeak-ng as a `Synthesizer`: Hindi, Marathi and English without weights or a GPU, in a worker process."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from typing import Final

from engines.contract import EngineError, SpeechRequest, base_of
from engines.launch import WorkerCommand
from engines.supervisor import Limits
from engines.tts.emotion import fit
from engines.tts.worker_voice import WorkerVoice

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


class EspeakSynthesizer(WorkerVoice):
    """`SpeechRequest.voice` is "" or one of espeak-ng's variants m1-m8, f1-f5."""

    def __init__(self, command: WorkerCommand | None = None, limits: Limits | None = None) -> None:
        limits = limits or Limits(memory_bytes=256 * _MB)
        super().__init__("espeak", command or WorkerCommand("espeak"), limits, 22050)

    def supports(self, language: str) -> bool:
        return base_of(language) in _VOICES

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
    voice = _VOICES.get(base_of(request.language))
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
