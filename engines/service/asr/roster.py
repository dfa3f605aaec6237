"""Which recognisers the service has, and which one a request means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol, runtime_checkable

from engines.contract import RecognitionRequest, Recognizer, Transcript
from engines.service.errors import bad_request
from engines.supervisor import WorkerHealth, WorkerState

OPENAI_NAMES: Final = ("whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe")
"""What clients of OpenAI ask for; here the default engine."""

_RECORDING_IDLE_S: Final = 60.0


@runtime_checkable
class Transcriber(Protocol):
    """A recogniser with a way of its own for long recordings."""

    async def transcribe(
        self, pcm: bytes, request: RecognitionRequest, *, idle_s: float, deadline_s: float
    ) -> Transcript: ...


@runtime_checkable
class LanguageDetector(Protocol):
    async def detect(
        self, pcm: bytes, request: RecognitionRequest, *, deadline_s: float
    ) -> list[tuple[str, float]]: ...


class ServedRecognizer(Recognizer, Protocol):
    @property
    def health(self) -> WorkerHealth: ...

    async def start(self) -> None: ...

    async def close(self) -> None: ...


class Roster:
    """Recognisers by name; the first is the default."""

    def __init__(self, recognizers: Mapping[str, ServedRecognizer]) -> None:
        """Raises ValueError when there are none."""
        if not recognizers:
            raise ValueError("the service has no engine")
        self._recognizers = dict(recognizers)
        self.default = next(iter(self._recognizers))

    @property
    def names(self) -> list[str]:
        return list(self._recognizers)

    def health(self, name: str) -> WorkerHealth:
        return self._recognizers[name].health

    def down(self) -> list[str]:
        """Engines that take no work now, in words."""
        return [
            f"{name} is {health.state.value}"
            for name in self._recognizers
            if (health := self.health(name)).state is not WorkerState.UP
        ]

    def find(self, model: str) -> ServedRecognizer:
        """The engine that `model` means; raises the `ServiceError` that answers 404."""
        name = self.default if not model or model in OPENAI_NAMES else model
        if name not in self._recognizers:
            known = ", ".join(self._recognizers)
            raise bad_request(
                f"there is no model {model!r}; there are {known}",
                code="model_not_found",
                param="model",
                status=404,
            )
        return self._recognizers[name]

    def detector(self) -> LanguageDetector:
        """The first engine that finds out languages; raises the `ServiceError` that answers 400."""
        for recognizer in self._recognizers.values():
            if isinstance(recognizer, LanguageDetector):
                return recognizer
        raise bad_request(
            f"none of the engines here ({', '.join(self._recognizers)}) finds out languages",
            code="not_supported",
            param="model",
        )


def check(recognizer: Recognizer, request: RecognitionRequest) -> None:
    """Raises the `ServiceError` that says what of the request the engine cannot do."""
    if recognizer.supports(request):
        return
    name = recognizer.name
    if not request.phrases and recognizer.supports(_with_phrases(request)):
        raise bad_request(
            f"{name} hears only given phrases: send `phrases`, or ask another model",
            code="phrases_needed",
            param="phrases",
        )
    if not request.language:
        raise bad_request(
            f"{name} does not find out the language: send `language`",
            code="language_needed",
            param="language",
        )
    if request.phrases and recognizer.supports(_with_phrases(request)):
        raise bad_request(
            f"{name} cannot tell {len(request.phrases)} phrases apart",
            code="too_many_phrases",
            param="phrases",
        )
    raise bad_request(
        f"{name} does not speak {request.language!r}", code="language_not_supported", param="language"
    )


async def transcribe(
    recognizer: Recognizer, pcm: bytes, request: RecognitionRequest, *, deadline_s: float
) -> Transcript:
    """A whole recording by any recogniser; raises `EngineError`."""
    if isinstance(recognizer, Transcriber):
        return await recognizer.transcribe(pcm, request, idle_s=_RECORDING_IDLE_S, deadline_s=deadline_s)
    stream = recognizer.open(request)
    try:
        stream.write(pcm)
        return await stream.finish(deadline_s=deadline_s)
    finally:
        stream.cancel()


def _with_phrases(request: RecognitionRequest) -> RecognitionRequest:
    return RecognitionRequest(request.language, request.rate, ("yes",))
