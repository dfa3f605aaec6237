"""Which recognisers the service has, and which one a request means."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol, runtime_checkable

from engines.asr.router import purpose_of
from engines.catalogue import Kind, UnknownEngine, find, not_here
from engines.contract import (
    EngineDown,
    EngineError,
    EngineUnavailable,
    RecognitionRequest,
    Recognizer,
    Transcript,
)
from engines.routing.board import Board
from engines.routing.routes import Routes
from engines.service.errors import bad_request
from engines.supervisor import WorkerHealth, WorkerState

_log = logging.getLogger(__name__)

AUTOMATIC: Final = ("", "auto", "whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe")
"""The engine is chosen by language; clients of OpenAI ask for its own names."""

_RECORDING_IDLE_S: Final = 60.0

_MOST_LISTED: Final = 25
"""Languages: more are no help in an error."""


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
    """Recognisers by name. `routes` are the choices of each language and purpose, the best first; in a
    language without any, the order is that of `recognizers`."""

    def __init__(self, recognizers: Mapping[str, ServedRecognizer], routes: Routes | None = None) -> None:
        """Raises ValueError when there are none."""
        if not recognizers:
            raise ValueError("the service has no engine")
        self._places = dict(recognizers)
        """By the name that the routes have; another engine may have taken its place."""
        self._first = {name: recognizer.name for name, recognizer in recognizers.items()}
        self._routes = routes or Routes()
        self.board = Board()
        """Is told how it went by whoever asks one of them."""

    @property
    def _recognizers(self) -> dict[str, ServedRecognizer]:
        """By the name of who has each place now."""
        return {
            name if recognizer.name == self._first[name] else recognizer.name: recognizer
            for name, recognizer in self._places.items()
        }

    @property
    def names(self) -> list[str]:
        return list(self._recognizers)

    def health(self, name: str) -> WorkerHealth:
        return (self._recognizers.get(name) or self._places[name]).health

    def down(self) -> list[str]:
        """Engines that take no work now, in words."""
        return [
            f"{name} is {health.state.value}"
            for name in self._recognizers
            if (health := self.health(name)).state is not WorkerState.UP
        ]

    def choose(self, model: str, request: RecognitionRequest) -> ServedRecognizer:
        """The first of the `row`; raises as that does."""
        return self.row(model, request)[0]

    def row(self, model: str, request: RecognitionRequest) -> tuple[ServedRecognizer, ...]:
        """The engine that `model` means, which can do what is asked. Without a name, those of the language
        that can, first choice first; those that are not up, or failed again and again of late, come last.
        Raises the `ServiceError` that answers 404 or 400.
        """
        if model not in AUTOMATIC:
            recognizer = self.find(model)
            check(recognizer, request)
            return (recognizer,)
        chain = self._routes.chain(request.language, purpose_of(request)).engines
        row = [self._places[name] for name in dict.fromkeys((*chain, *self._places))]
        able = [recognizer for recognizer in row if recognizer.supports(request)]
        if not able:
            check(row[0], request)
        now = asyncio.get_running_loop().time()

        def troubled(one: ServedRecognizer) -> bool:
            return one.health.state is not WorkerState.UP or self.board.left_alone(one.name, now)

        return tuple(sorted(able, key=troubled))

    def find(self, name: str) -> ServedRecognizer:
        """The engine of a name; raises the `ServiceError` that answers 404."""
        if name not in self._recognizers:
            raise bad_request(
                not_here(name, Kind.ASR, self.names), code="model_not_found", param="model", status=404
            )
        return self._recognizers[name]

    def detector(self) -> LanguageDetector:
        """The first engine that finds out languages; raises the `ServiceError` that answers 400."""
        for recognizer in self._recognizers.values():
            if isinstance(recognizer, LanguageDetector):
                return recognizer
        raise bad_request(
            f"{' and '.join(self._recognizers)} cannot find out languages: faster-whisper can",
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
        f"{name} does not understand {request.language!r}{_understood(name)}",
        code="language_not_supported",
        param="language",
    )


async def transcribe_by_one_of(
    row: Sequence[ServedRecognizer],
    pcm: bytes,
    request: RecognitionRequest,
    board: Board,
    *,
    deadline_s: float,
    failed: Callable[[str], None],
) -> tuple[str, Transcript]:
    """A whole recording by the first that can, with its name; `failed` is told the names of others. Raises
    the last one's `EngineError`."""
    now = asyncio.get_running_loop().time
    failure: EngineError = EngineUnavailable("there is no recogniser")
    for recognizer in row:
        name = recognizer.name
        board.admits(name, now())
        try:
            transcript = await transcribe(recognizer, pcm, request, deadline_s=deadline_s)
        except EngineError as error:
            failed(name)
            if isinstance(error, EngineDown):
                board.gave_up(name)
            else:
                board.failed(name, now())
            _log.warning("%s: %s", name, error)
            failure = error
        except asyncio.CancelledError:
            board.gave_up(name)
            raise
        else:
            board.succeeded(name)
            return name, transcript
    raise failure


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


def _understood(name: str) -> str:
    """What it understands instead, as far as that is known and can be read."""
    with contextlib.suppress(UnknownEngine):
        languages = find(name).languages
        return f"; it understands {', '.join(languages)}" if len(languages) <= _MOST_LISTED else ""
    return ""


def _with_phrases(request: RecognitionRequest) -> RecognitionRequest:
    return RecognitionRequest(request.language, request.rate, ("yes",))
