"""Recognisers in a worker process that speak `engines.asr.exchange`: the parent's side of all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from engines.asr.exchange import Mode, Reader, request_fields
from engines.asr.outgoing import awaited
from engines.contract import (
    EngineError,
    EngineTimeout,
    EngineUnavailable,
    OnPartial,
    RecognitionRequest,
    Transcript,
)
from engines.launch import WorkerCommand
from engines.link import RemoteJob
from engines.supervisor import Limits, SupervisedWorker, WorkerHealth

_FAR: Final = 86400.0
"""A caller speaks as long as they like: the deadline is that of `finish`."""


class WorkerRecognizer:
    """See `Recognizer`. `speaks` says whether a language is known, "" being one to find out."""

    def __init__(
        self,
        name: str,
        version: str,
        command: WorkerCommand,
        limits: Limits,
        speaks: Callable[[str], bool],
    ) -> None:
        self._name = name
        self._version = version
        self._speaks = speaks
        self._worker = SupervisedWorker(name, command, limits)

    @property
    def name(self) -> str:
        return self._name

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
        """See `Recognizer`."""
        return request.rate >= 8000 and self._speaks(request.language)

    def open(self, request: RecognitionRequest, on_partial: OnPartial | None = None) -> WorkerStream:
        """See `Recognizer`."""
        if not self.supports(request):
            raise EngineError(f"{self._name} does not speak {request.language!r}")
        job = self._worker.open(request_fields(request, Mode.UTTERANCE, partials=on_partial is not None))
        return WorkerStream(job, on_partial)

    async def transcribe(
        self, pcm: bytes, request: RecognitionRequest, *, idle_s: float, deadline_s: float
    ) -> Transcript:
        """A whole recording. `idle_s` is the longest wait for the next sign of progress; raises
        `EngineTimeout`, `EngineUnavailable`, `EngineError`."""
        try:
            async with asyncio.timeout(deadline_s):
                return await self._ask(pcm, request, idle_s)
        except TimeoutError:
            raise EngineTimeout(f"no transcript after {deadline_s:g} s") from None

    async def detect(
        self, pcm: bytes, request: RecognitionRequest, *, deadline_s: float
    ) -> list[tuple[str, float]]:
        """Languages with their probabilities, the likeliest first; raises as `transcribe` does."""
        deadline = asyncio.get_running_loop().time() + deadline_s
        job = self._worker.open(request_fields(request, Mode.DETECT))
        try:
            await job.write_all(pcm, deadline)
            job.finish()
            frame = await job.receive(deadline)
        finally:
            job.cancel()
        if frame is None:
            raise EngineError(f"{self._name} did not answer")
        return [(str(code), float(probability)) for code, probability in frame.fields["languages"]]

    async def _ask(self, pcm: bytes, request: RecognitionRequest, idle_s: float) -> Transcript:
        loop = asyncio.get_running_loop()
        job = self._worker.open(request_fields(request, Mode.RECORDING))
        reader = Reader()
        try:
            await job.write_all(pcm, loop.time() + idle_s)
            job.finish()
            while frame := await job.receive(loop.time() + idle_s):
                if transcript := reader.read(frame.fields):
                    return transcript
        finally:
            job.cancel()
        raise EngineError(f"{self._name} gave no transcript")


class WorkerStream:
    """One utterance; see `RecognizerStream`. A task of its own reads the worker's answers as they come."""

    def __init__(self, job: RemoteJob, on_partial: OnPartial | None) -> None:
        self._job = job
        self._on_partial = on_partial
        self._final: asyncio.Future[Transcript] = awaited()
        self._reading = asyncio.create_task(self._read(), name="partials")

    def write(self, pcm: bytes) -> None:
        """See `RecognizerStream`."""
        self._job.write(pcm)

    async def finish(self, *, deadline_s: float) -> Transcript:
        """See `RecognizerStream`; the worker is free of the utterance when this returns or raises."""
        self._job.finish()
        try:
            async with asyncio.timeout(deadline_s):
                return await asyncio.shield(self._final)
        except TimeoutError:
            raise EngineTimeout("no transcript before the deadline") from None
        finally:
            self.cancel()

    def cancel(self) -> None:
        """See `RecognizerStream`."""
        self._on_partial = None
        self._job.cancel()
        self._reading.cancel()
        if not self._final.done():
            self._final.set_exception(EngineUnavailable("the utterance was cancelled"))

    async def _read(self) -> None:
        reader = Reader()
        try:
            while frame := await self._job.receive(asyncio.get_running_loop().time() + _FAR):
                transcript = reader.read(frame.fields)
                if transcript is not None and transcript.final:
                    self._final.set_result(transcript)
                    return
                if transcript is not None and self._on_partial:
                    self._on_partial(transcript)
            raise EngineError("the worker gave no transcript")
        except EngineError as error:
            if not self._final.done():
                self._final.set_exception(error)
