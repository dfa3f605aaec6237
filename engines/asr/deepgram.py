"""Deepgram's live API as a `Recognizer`: a provider's service over a WebSocket, a connection for each turn.

The protocol is that of its documentation (`wss://api.deepgram.com/v1/listen`): audio as binary messages,
`Results` with partial and final pieces, `Finalize` to end an utterance, `CloseStream` to end the connection.
"""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any, Final
from urllib.parse import urlencode

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, WebSocketException

from engines.asr.outgoing import Outgoing, awaited
from engines.catalogue.asr import DEEPGRAM
from engines.contract import (
    EngineError,
    EngineTimeout,
    EngineUnavailable,
    OnPartial,
    RecognitionRequest,
    Segment,
    Transcript,
    Word,
)
from engines.supervisor import WorkerHealth, WorkerState

_CONNECT_S: Final = 3.0
_CLOSE_S: Final = 1.0
_KEYWORDS: Final = 100
"""What the service takes of them."""


class DeepgramRecognizer:
    """See `Recognizer`. Nothing runs while nobody speaks; `health` tells how the last connection went."""

    name: Final = DEEPGRAM.name

    def __init__(self, key: str, *, address: str, model: str = "nova-2") -> None:
        """`address` is that of the service, as `wss://api.deepgram.com`."""
        self._key = key
        self._address = address.rstrip("/")
        self._model = model
        self._failure = ""
        self._open = 0
        self._latency_ms: float | None = None

    @property
    def version(self) -> str:
        return self._model

    @property
    def health(self) -> WorkerHealth:
        state = WorkerState.DOWN if self._failure else WorkerState.UP
        pid = None if self._failure else os.getpid()
        return WorkerHealth(self.name, state, 0, self._open, pid, None, self._latency_ms, self._failure)

    async def start(self) -> None:
        """There is nothing to start: a service that is away must not keep ours from starting."""

    async def close(self) -> None:
        """Streams end with who opened them."""

    def supports(self, request: RecognitionRequest) -> bool:
        """See `Recognizer`."""
        return request.rate >= 8000 and DEEPGRAM.speaks(request.language)

    def open(self, request: RecognitionRequest, on_partial: OnPartial | None = None) -> DeepgramStream:
        """See `Recognizer`. The connection is made meanwhile; what is wrong with it is told by `finish`."""
        if not self.supports(request):
            raise EngineError(f"{self.name} does not speak {request.language!r}")
        return DeepgramStream(self, self._url(request), self._key, request, on_partial)

    def note(self, *, opened: int = 0, failure: str | None = None, latency_s: float | None = None) -> None:
        """For streams: what became of them."""
        self._open += opened
        if failure is not None:
            self._failure = failure
        if latency_s is not None:
            self._latency_ms = latency_s * 1000

    def _url(self, request: RecognitionRequest) -> str:
        query = [
            ("model", self._model),
            ("language", request.language),
            ("encoding", "linear16"),
            ("sample_rate", str(request.rate)),
            ("channels", "1"),
            ("interim_results", "true"),
            ("punctuate", "true"),
            # Where a turn ends is decided here.
            ("endpointing", "false"),
            *(("keywords", phrase) for phrase in request.phrases[:_KEYWORDS]),
        ]
        return f"{self._address}/v1/listen?{urlencode(query)}"


class DeepgramStream:
    """One utterance; see `RecognizerStream`."""

    def __init__(
        self,
        engine: DeepgramRecognizer,
        url: str,
        key: str,
        request: RecognitionRequest,
        on_partial: OnPartial | None,
    ) -> None:
        self._engine = engine
        self._request = request
        self._on_partial = on_partial
        self._outgoing = Outgoing()
        self._pieces = _Pieces(request.language)
        self._finalised = False
        self._done: asyncio.Future[None] = awaited()
        self._task = asyncio.create_task(self._run(url, key), name="deepgram")
        self._counted = True
        engine.note(opened=1)

    def write(self, pcm: bytes) -> None:
        """See `RecognizerStream`."""
        if not self._finalised:
            self._outgoing.put(pcm)

    async def finish(self, *, deadline_s: float) -> Transcript:
        """See `RecognizerStream`."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        self._finalised = True
        self._outgoing.put(json.dumps({"type": "Finalize"}))
        self._outgoing.put(json.dumps({"type": "CloseStream"}))
        try:
            async with asyncio.timeout(deadline_s):
                await asyncio.shield(self._done)
        except TimeoutError:
            self._engine.note(failure="no transcript in time")
            raise EngineTimeout("deepgram gave no transcript before the deadline") from None
        finally:
            self.cancel()
        self._engine.note(failure="", latency_s=loop.time() - began)
        return self._pieces.final()

    def cancel(self) -> None:
        """See `RecognizerStream`."""
        self._on_partial = None
        self._task.cancel()
        if not self._done.done():
            self._done.set_exception(EngineUnavailable("the utterance was cancelled"))
        if self._counted:
            self._counted = False
            self._engine.note(opened=-1)

    async def _run(self, url: str, key: str) -> None:
        try:
            await self._talk(url, key)
        except InvalidHandshake as error:
            self._fail(EngineUnavailable(f"deepgram refused the connection: {_reason(error)}"))
        except ConnectionClosed as closed:
            reason = closed.rcvd.reason if closed.rcvd else "the connection was lost"
            self._fail(EngineUnavailable(f"deepgram closed the connection: {reason}"))
        except (OSError, TimeoutError, WebSocketException) as error:
            self._fail(EngineUnavailable(f"deepgram cannot be reached: {error or type(error).__name__}"))
        except EngineError as error:
            self._fail(error)

    async def _talk(self, url: str, key: str) -> None:
        headers = {"Authorization": f"Token {key}"}
        async with (
            connect(
                url,
                additional_headers=headers,
                open_timeout=_CONNECT_S,
                close_timeout=_CLOSE_S,
                compression=None,
            ) as socket,
            self._outgoing.sent_to(socket),
        ):
            async for message in socket:
                self._take(json.loads(message))
        # A normal close: after CloseStream it says that all was told.
        if not self._finalised:
            raise EngineUnavailable("deepgram ended the stream")
        if not self._done.done():
            self._done.set_result(None)

    def _take(self, message: dict[str, Any]) -> None:
        kind = message.get("type")
        if kind == "Error":
            raise EngineError(f"deepgram: {message.get('description') or message.get('message')}")
        if kind != "Results":
            return
        partial = self._pieces.add(message)
        if message.get("from_finalize") and not self._done.done():
            self._done.set_result(None)
        elif partial and self._on_partial and not self._finalised:
            self._on_partial(partial)

    def _fail(self, error: EngineError) -> None:
        self._engine.note(failure=str(error))
        if not self._done.done():
            self._done.set_exception(error)


class _Pieces:
    """The final pieces of an utterance, and the one that may still change."""

    def __init__(self, language: str) -> None:
        self._language = language
        self._segments: list[Segment] = []
        self._confidences: list[float] = []

    def add(self, message: dict[str, Any]) -> Transcript | None:
        """A `Results` message; gives what was heard so far."""
        best = message["channel"]["alternatives"][0]
        text = str(best["transcript"]).strip()
        stable = self._text()
        if message.get("is_final"):
            if text:
                self._confidences.append(float(best["confidence"]))
                self._segments.append(_segment(message, best, text))
            stable = text = self._text()
        elif text:
            text = f"{stable} {text}".strip()
        else:
            text = stable
        if not text:
            return None
        return Transcript(text, self._language, 0.0, final=False, stable=len(stable))

    def final(self) -> Transcript:
        confidence = min(self._confidences, default=0.0)
        return Transcript(self._text(), self._language, confidence, segments=tuple(self._segments))

    def _text(self) -> str:
        return " ".join(segment.text for segment in self._segments)


def _segment(message: dict[str, Any], best: dict[str, Any], text: str) -> Segment:
    words = tuple(
        Word(
            str(word.get("punctuated_word") or word["word"]),
            float(word["start"]),
            float(word["end"]),
            float(word["confidence"]),
        )
        for word in best.get("words", ())
    )
    start_s = float(message["start"])
    return Segment(text, start_s, start_s + float(message["duration"]), words)


def _reason(error: InvalidHandshake) -> str:
    """The service says in a header what was wrong."""
    response = getattr(error, "response", None)
    if response is None:
        return str(error)
    return str(response.headers.get("dg-error") or f"status {response.status_code}")
