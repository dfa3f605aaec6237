"""A neural engine as a `Synthesizer`: sentence by sentence through its worker, some at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from engines.catalogue import CatalogueEntry
from engines.contract import EngineError, EngineTimeout, SpeechRequest, base_of
from engines.launch import WorkerCommand
from engines.supervisor import Limits
from engines.tts.emotion import fit, style
from engines.tts.sentences import sentences
from engines.tts.worker_voice import WorkerVoice
from engines.wire import Fields

_PAUSE_BETWEEN_CHUNKS_S: Final = 5.0
"""After the first sound: an engine that works by sentences makes the next one meanwhile."""

_FORGET_S: Final = 10.0
_GB: Final = 1024**3

LIMITS: Final = Limits(start_s=300.0, ping_wait_s=5.0, stuck_s=20.0, memory_bytes=16 * _GB)
"""Loading reads gigabytes and compiles; a step may make a whole sentence."""


class NeuralSynthesizer(WorkerVoice):
    """`streams` sentences are made at once; further ones wait in the worker's queue.

    A turn is a sentence: whoever comes new waits for one sentence of the others, not for their texts.
    """

    def __init__(
        self, entry: CatalogueEntry, command: WorkerCommand, *, streams: int = 1, limits: Limits = LIMITS
    ) -> None:
        told = replace(command, settings={**command.settings, "streams": streams})
        assert entry.rate is not None  # it is a voice's
        super().__init__(entry.name, told, limits, entry.rate)
        self._entry = entry
        self._weights = Path(str(command.settings.get("weights", ""))).name
        self._streams = streams
        self._voices: dict[str, frozenset[str]] = {}

    def supports(self, language: str) -> bool:
        return self._entry.speaks(language)

    def voices(self, language: str) -> frozenset[str]:
        return self._voices.get(base_of(language), frozenset())

    async def synthesize(self, request: SpeechRequest, *, deadline_s: float) -> AsyncGenerator[bytes, None]:
        """See `Synthesizer`. Raises `EngineError` for a language or voice it does not know."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + deadline_s
        for number, job_request in enumerate(self._jobs(request)):
            crowded = self._worker.health.jobs >= self._streams
            job = self._worker.open({**job_request, "more": number > 0 or not request.waited_for})
            try:
                while frame := await job.receive(deadline):
                    yield frame.data
                    crowded = False
                    deadline = loop.time() + _PAUSE_BETWEEN_CHUNKS_S
            except EngineTimeout:
                if not crowded:
                    raise
                most = self._streams
                raise EngineTimeout(f"{self.name} was busy: it makes {most} sentences at once") from None
            finally:
                job.cancel()

    async def forget(self, key: str) -> None:
        """Drops what the worker derived from a voice profile; a worker that is down has nothing."""
        try:
            job = self._worker.open({"forget": key})
        except EngineError:
            return
        try:
            await job.receive(asyncio.get_running_loop().time() + _FORGET_S)
        finally:
            job.cancel()

    def _jobs(self, request: SpeechRequest) -> Iterator[dict[str, Any]]:
        language = base_of(request.language)
        if not self.supports(language):
            raise EngineError(f"{self.name} does not speak {request.language!r}")
        if request.voice and request.voice not in self.voices(language):
            known = ", ".join(sorted(self.voices(language))) or "none by name"
            raise EngineError(f"{self.name} has no voice {request.voice!r} in {language}; it has {known}")
        if request.reference and not self._entry.cloning:
            raise EngineError(f"{self.name} cannot clone a voice")
        common = {
            "language": language,
            "voice": request.voice,
            "speed": request.speed,
            "style": dict(style(self.name, request.emotion, request.intensity) or {}),
            "reference": asdict(request.reference) if request.reference else None,
        }
        for sentence in sentences(fit(request.text, self.name).text, language):
            # A dash or a lone mark is no speech; models babble when they are given one.
            if any(character.isalnum() for character in sentence):
                yield {**common, "text": sentence}

    def _learn(self, facts: Fields) -> None:
        self._version = f"{facts['version']}-{self._weights}-1"
        self._voices = {language: frozenset(names) for language, names in facts["voices"].items()}
