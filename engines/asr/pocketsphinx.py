"""pocketsphinx as a `Recognizer` of yes, no and small menus in Hindi, Marathi and English, in a worker
process.

It hears which of the given phrases was said, or none. Offer keys beside it, and confirm what matters.
Measured by bench/asr_yes_no.py on synthetic speech through A-law, in a grammar of five phrases (hi, mr, en):
answers heard rightly 0.90, 0.98, 0.85, taken for the opposite none, the rest missed; other words taken for an
answer 0.27, 0.25, 0.0; white noise never. At 10 dB of noise nearly half of the answers are missed.
"""

from __future__ import annotations

import asyncio
from importlib import metadata
from typing import Final

from engines.contract import EngineError, OnPartial, RecognitionRequest, Transcript, base_of
from engines.launch import WorkerCommand
from engines.link import RemoteJob
from engines.supervisor import Limits, SupervisedWorker, WorkerHealth

_LANGUAGES: Final = frozenset({"hi", "mr", "en"})

_MOST_PHRASES: Final = 500
_LEAST_RATE: Final = 8000
_MB: Final = 1024 * 1024


class PocketsphinxRecognizer:
    """See `Recognizer`."""

    name: Final = "pocketsphinx"

    def __init__(self, command: WorkerCommand | None = None, limits: Limits | None = None) -> None:
        self._worker = SupervisedWorker(
            "pocketsphinx", command or WorkerCommand("pocketsphinx"), limits or Limits(memory_bytes=400 * _MB)
        )
        self._version = f"{metadata.version('pocketsphinx')}-1"

    @property
    def version(self) -> str:
        return self._version

    @property
    def health(self) -> WorkerHealth:
        return self._worker.health

    async def start(self) -> None:
        """Raises `EngineUnavailable` or `EngineTimeout`."""
        await self._worker.start()

    async def close(self) -> None:
        await self._worker.close()

    def supports(self, request: RecognitionRequest) -> bool:
        """No to free speech, and to more phrases than it could tell apart."""
        known = base_of(request.language) in _LANGUAGES and request.rate >= _LEAST_RATE
        return known and 0 < len(request.phrases) <= _MOST_PHRASES

    def open(self, request: RecognitionRequest, on_partial: OnPartial | None = None) -> PocketsphinxStream:
        """Raises `EngineUnavailable`, and `EngineError` for what it does not support. It has no partials."""
        if not self.supports(request):
            raise EngineError(
                f"pocketsphinx cannot do {request.language!r} with {len(request.phrases)} phrases"
            )
        phrases = tuple(dict.fromkeys((*request.phrases, *request.murmurs)))
        job = self._worker.open(
            {"language": base_of(request.language), "rate": request.rate, "phrases": phrases}
        )
        return PocketsphinxStream(job, request.language)


class PocketsphinxStream:
    """One utterance; see `RecognizerStream`."""

    def __init__(self, job: RemoteJob, language: str) -> None:
        self._job = job
        self._language = language

    def write(self, pcm: bytes) -> None:
        """See `RecognizerStream`."""
        self._job.write(pcm)

    async def finish(self, *, deadline_s: float) -> Transcript:
        """See `RecognizerStream`; the worker is free of the utterance when this returns or raises."""
        deadline = asyncio.get_running_loop().time() + deadline_s
        self._job.finish()
        try:
            frame = await self._job.receive(deadline)
        finally:
            self._job.cancel()
        if frame is None:
            raise EngineError("the worker gave no transcript")
        return Transcript(str(frame.fields["text"]), self._language, float(frame.fields["confidence"]))

    def cancel(self) -> None:
        """See `RecognizerStream`."""
        self._job.cancel()
