"""A recogniser that another machine offers (`ivr asr`), over its WebSocket: one model for many nodes.

Connections are kept open between turns. Where a turn ends is decided here; the service only listens. A turn
whose connection is lost is said once more to another: of several replicas one may have died.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections import deque
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, WebSocketException

from engines.asr.outgoing import Outgoing, awaited
from engines.catalogue import CatalogueEntry
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

_CONNECT_S: Final = 2.0
_CLOSE_S: Final = 0.5
_MOST_IDLE: Final = 16
_MOST_KEPT_BYTES: Final = 4 * 1024 * 1024
"""Of a turn, to be said once more; two minutes at 16 kHz."""


class _Lost(EngineUnavailable):
    """The connection, and with it what was said to it; another one may do better."""


class ServiceRecognizer:
    """See `Recognizer`. `address` is the service's, as `http://10.0.0.5:7001`."""

    def __init__(self, entry: CatalogueEntry, address: str, key: str | None) -> None:
        parts = urlsplit(address)
        scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
        self._url = urlunsplit((scheme, parts.netloc, parts.path.rstrip("/") + "/ws/stream", "", ""))
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._entry = entry
        self._idle: deque[ClientConnection] = deque()
        self._failure = "not started"
        self._jobs = 0
        self._latency_ms: float | None = None
        self._closed = False

    @property
    def name(self) -> str:
        return self._entry.name

    @property
    def version(self) -> str:
        return "service"

    @property
    def health(self) -> WorkerHealth:
        state = WorkerState.DOWN if self._failure else WorkerState.UP
        pid = None if self._failure else os.getpid()
        return WorkerHealth(self.name, state, 0, self._jobs, pid, None, self._latency_ms, self._failure)

    async def start(self) -> None:
        """Connects once; raises `EngineUnavailable`."""
        self.give_back(await self.connection())
        self._failure = ""

    async def close(self) -> None:
        """Turns end with who opened them."""
        self._closed = True
        while self._idle:
            with contextlib.suppress(ConnectionClosed):
                await self._idle.popleft().close()

    def supports(self, request: RecognitionRequest) -> bool:
        """See `Recognizer`."""
        return request.rate >= 8000 and (not request.language or self._entry.speaks(request.language))

    def open(self, request: RecognitionRequest, on_partial: OnPartial | None = None) -> ServiceStream:
        """See `Recognizer`."""
        if not self.supports(request):
            raise EngineError(f"{self.name} does not speak {request.language!r}")
        start = {
            "type": "start",
            "model": self.name,
            "language": request.language,
            "rate": request.rate,
            "phrases": list(request.phrases),
            "prompt": request.prompt,
            "words": request.words,
            "partials": on_partial is not None,
            "endpointing": False,
            "max_s": 120.0,
        }
        return ServiceStream(self, start, request.language, on_partial)

    async def connection(self) -> ClientConnection:
        """For streams: one that is open; raises `EngineUnavailable`."""
        while self._idle:
            socket = self._idle.pop()
            if socket.close_code is None:
                return socket
        try:
            return await connect(
                self._url,
                additional_headers=self._headers,
                open_timeout=_CONNECT_S,
                close_timeout=_CLOSE_S,
                compression=None,
                proxy=None,
            )
        except InvalidHandshake as error:
            response = getattr(error, "response", None)
            reason = response.body.decode(errors="replace")[:300] if response else str(error)
            failed = response is not None and response.status_code >= 500
            refused = _Lost if failed else EngineUnavailable
            raise refused(f"the service of {self.name} refused: {reason}") from error
        except (OSError, TimeoutError, WebSocketException) as error:
            reason = str(error) or type(error).__name__
            raise EngineUnavailable(f"the service of {self.name} cannot be reached: {reason}") from error

    def give_back(self, socket: ClientConnection) -> None:
        """For streams: it may be used again."""
        if not self._closed and len(self._idle) < _MOST_IDLE and socket.close_code is None:
            self._idle.append(socket)
        else:
            socket.transport.abort()

    def begun(self) -> None:
        """For streams."""
        self._jobs += 1

    def ended(self, failure: EngineError | None, latency_s: float | None) -> None:
        """For streams, once each: how it went; no latency when it was cancelled."""
        self._jobs -= 1
        if failure is not None:
            self._failure = str(failure)
        elif latency_s is not None:
            self._failure = ""
            self._latency_ms = latency_s * 1000


class ServiceStream:
    """One utterance; see `RecognizerStream`. Audio waits until the connection is there, and is kept until the
    utterance is over."""

    def __init__(
        self,
        engine: ServiceRecognizer,
        start: dict[str, Any],
        language: str,
        on_partial: OnPartial | None,
    ) -> None:
        self._engine = engine
        self._language = language
        self._on_partial = on_partial
        self._outgoing = Outgoing(json.dumps(start), kept_bytes=_MOST_KEPT_BYTES)
        self._heard = False
        self._over = False
        self._final: asyncio.Future[Transcript] = awaited()
        engine.begun()
        self._task = asyncio.create_task(self._run(), name=f"{engine.name} service")

    def write(self, pcm: bytes) -> None:
        """See `RecognizerStream`."""
        if pcm and not self._over:
            self._heard = True
            self._outgoing.put(pcm)

    async def finish(self, *, deadline_s: float) -> Transcript:
        """See `RecognizerStream`."""
        if not self._heard:
            self.cancel()
            return Transcript("", self._language, 0.0)
        loop = asyncio.get_running_loop()
        began = loop.time()
        self._outgoing.put(json.dumps({"type": "finish"}))
        try:
            async with asyncio.timeout(deadline_s):
                transcript = await asyncio.shield(self._final)
        except TimeoutError:
            late = EngineTimeout(f"no transcript from the service of {self._engine.name} before the deadline")
            self._end(failure=late)
            raise late from None
        except EngineError as error:
            self._end(failure=error)
            raise
        else:
            self._end(latency_s=loop.time() - began)
            return transcript
        finally:
            self.cancel()

    def cancel(self) -> None:
        """See `RecognizerStream`."""
        self._on_partial = None
        if not self._final.done():
            self._final.set_exception(EngineUnavailable("the utterance was cancelled"))
            self._task.cancel()
        self._end()

    def _end(self, failure: EngineError | None = None, latency_s: float | None = None) -> None:
        """Tells the engine once how it went."""
        if not self._over:
            self._over = True
            self._engine.ended(failure, latency_s)

    async def _run(self) -> None:
        try:
            transcript = await self._once_or_twice()
        except EngineError as error:
            if not self._final.done():
                self._final.set_exception(error)
        else:
            if not self._final.done():
                self._final.set_result(transcript)

    async def _once_or_twice(self) -> Transcript:
        try:
            return await self._once()
        except _Lost:
            if not self._outgoing.again():
                raise
        return await self._once()

    async def _once(self) -> Transcript:
        """All of the utterance to one connection; raises `EngineError`."""
        socket = await self._engine.connection()
        try:
            transcript = await self._talk(socket)
        except ConnectionClosed:
            raise _Lost(f"the service of {self._engine.name} closed the connection") from None
        except BaseException:
            socket.transport.abort()
            raise
        self._engine.give_back(socket)
        return transcript

    async def _talk(self, socket: ClientConnection) -> Transcript:
        async with self._outgoing.sent_to(socket):
            while True:
                message = json.loads(await socket.recv())
                kind = message["type"]
                if kind == "final":
                    return _transcript(message)
                if kind == "error":
                    raise EngineError(str(message["error"]["message"]))
                if kind == "partial" and self._on_partial:
                    self._on_partial(_partial(message))


def _partial(message: dict[str, Any]) -> Transcript:
    return Transcript(
        str(message["text"]), str(message["language"]), 0.0, final=False, stable=int(message["stable"])
    )


def _transcript(message: dict[str, Any]) -> Transcript:
    words = tuple(
        Word(str(w["word"]), float(w["start_s"]), float(w["end_s"]), float(w["confidence"]))
        for w in message.get("words", ())
    )
    text = str(message["text"])
    segments = (Segment(text, words[0].start_s, words[-1].end_s, words),) if words else ()
    return Transcript(text, str(message["language"]), float(message["confidence"]), segments=segments)
