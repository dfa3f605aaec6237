"""One connection of `WS /ws/stream`: audio in; where speech begins and ends, and what was said, out."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

from pydantic import ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from engines.contract import EngineError, RecognitionRequest, RecognizerStream, Transcript
from engines.routing.board import Board
from engines.service.asr import protocol
from engines.service.asr.protocol import Cancel, ClientMessage, Finish, Start, Stop
from engines.service.asr.roster import Roster, ServedRecognizer
from engines.service.errors import ServiceError, engine_failure
from engines.service.faults import in_words
from engines.service.metrics import ServiceMetrics
from media import g711
from media.resample import StreamResampler
from media.silero import RATE as VAD_RATE
from media.turns import Endpointer, Endpointing, Turn

_log = logging.getLogger(__name__)

IDLE_S: Final = 60.0
"""A client that sends nothing for so long is gone."""

_PRE_ROLL_S: Final = 0.4
"""Audio from before the onset was sure: the first consonant."""

_MOST_WAITING: Final = 500
"""Messages that a client has not taken yet; past it, it gets no partials, and past twice it, it is let go."""

_PIECE_S: Final = 0.02

_VAD_LAG: Final = int(0.1 * VAD_RATE)
"""Samples that the detector may be behind: less than the pre-roll, or an onset would be lost."""
_VAD_WAIT_S: Final = 1.0


class VadStream(Protocol):
    def write(self, frame: bytes) -> None: ...

    def close(self) -> None: ...


class Vad(Protocol):
    """A voice-activity detector for many streams, which hears 8 kHz."""

    def open(self, on_probability: Callable[[float, int], None]) -> VadStream: ...


class _Gone(Exception):
    """The client does not take what it is sent."""


class Outbox:
    """Messages on their way to the client, in order. Putting one never waits."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._messages: deque[dict[str, Any]] = deque()
        self._filled = asyncio.Event()

    def put(self, message: dict[str, Any]) -> None:
        if message["type"] == "partial" and len(self._messages) > _MOST_WAITING:
            return
        self._messages.append(message)
        self._filled.set()

    async def run(self) -> None:
        """Sends, for ever; raises `_Gone`."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            await self.flush()

    async def flush(self) -> None:
        while self._messages:
            if len(self._messages) > 2 * _MOST_WAITING:
                raise _Gone
            await self._socket.send_text(json.dumps(self._messages.popleft(), ensure_ascii=False))


class Listening:
    """What one `start` asked for: any number of utterances, one after the other.

    `spawn` starts a task that dies with the connection.
    """

    def __init__(
        self,
        start: Start,
        recognizer: ServedRecognizer,
        vad: Vad,
        outbox: Outbox,
        metrics: ServiceMetrics,
        board: Board,
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        first_utterance: int,
        deadline_s: float,
    ) -> None:
        self._start = start
        self._recognizer = recognizer
        self._outbox = outbox
        self._metrics = metrics
        self._board = board
        self._spawn = spawn
        self._deadline_s = deadline_s
        self._request = RecognitionRequest(
            start.language, start.rate, tuple(start.phrases), start.prompt, start.words
        )
        self._decode = _DECODERS[start.encoding]
        self._odd = b""
        self._pre_roll: deque[bytes] = deque(maxlen=int(_PRE_ROLL_S / _PIECE_S))
        self._piece = int(start.rate * _PIECE_S) * 2
        self._stream: RecognizerStream | None = None
        self._finals: set[asyncio.Task[None]] = set()
        self._samples = 0
        self._heard_samples = 0
        self._lost = False
        self.utterance = first_utterance
        self._vad: VadStream | None = None
        self._vad_given = self._vad_heard = 0
        self._vad_moved = asyncio.Event()
        if start.endpointing:
            self._endpointer = Endpointer(Endpointing(start.end_silence_s, start.max_s), VAD_RATE)
            self._narrow = StreamResampler(start.rate, VAD_RATE)
            self._vad = vad.open(self._on_probability)

    async def audio(self, data: bytes) -> None:
        """A binary frame of any length. Who sends faster than speech is spoken waits for the detector, which
        would leave out what it cannot hear in time."""
        pcm = self._odd + self._decode(data)
        whole = len(pcm) & ~1
        self._odd = pcm[whole:]
        for at in range(0, whole, self._piece):
            self._take(pcm[at : min(at + self._piece, whole)])
            if self._vad and self._vad_given - self._vad_heard > _VAD_LAG:
                await self._detector()

    async def _detector(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_VAD_WAIT_S):
                while self._vad_given - self._vad_heard > _VAD_LAG:
                    self._vad_moved.clear()
                    await self._vad_moved.wait()

    def finish(self) -> None:
        """The utterance under way, if any, is over now."""
        self._lost = False
        if self._stream is not None:
            self._end()

    def cancel(self) -> None:
        """The utterance under way is dropped."""
        self._lost = False
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.cancel()
            self._metrics.cancelled(self._recognizer.name)

    async def finals(self) -> None:
        """Until everything that ended is answered."""
        if self._finals:
            await asyncio.wait(self._finals)

    def close(self) -> None:
        self.cancel()
        for task in self._finals:
            task.cancel()
        if self._vad:
            self._vad.close()

    def _take(self, piece: bytes) -> None:
        self._samples += len(piece) // 2
        if self._stream is None and self._vad is None and not self._lost:
            self._begin(self._samples - len(piece) // 2)
        if self._stream is not None:
            self._stream.write(piece)
            self._heard_samples += len(piece) // 2
            if self._vad is None and self._heard_samples > self._start.max_s * self._start.rate:
                self._end()
        else:
            self._pre_roll.append(piece)
        if self._vad:
            narrow = self._narrow.process(piece)
            self._vad_given += len(narrow) // 2
            self._vad.write(narrow)

    def _on_probability(self, probability: float, sample: int) -> None:
        self._vad_heard = sample
        self._vad_moved.set()
        turn = self._endpointer.feed(probability, sample)
        if turn is Turn.BEGAN:
            self._begin(sample * self._start.rate // VAD_RATE)
        elif turn is Turn.ENDED and self._stream is not None:
            self._end()

    def _begin(self, sample: int) -> None:
        self.utterance += 1
        number = self.utterance

        def partial(transcript: Transcript) -> None:
            self._outbox.put(protocol.heard(number, transcript))

        self._outbox.put(protocol.began(number, sample / self._start.rate))
        try:
            self._stream = self._recognizer.open(self._request, partial if self._start.partials else None)
        except EngineError as error:
            self._metrics.failed(self._recognizer.name)
            self._outbox.put(protocol.failed(engine_failure(error).body(), number))
            self._lost = True  # told once; what is left of it is passed over
            return
        self._heard_samples = 0
        for piece in self._pre_roll:
            self._stream.write(piece)
            self._heard_samples += len(piece) // 2
        self._pre_roll.clear()

    def _end(self) -> None:
        stream, self._stream = self._stream, None
        assert stream is not None
        self._outbox.put(protocol.ended(self.utterance, self._samples / self._start.rate))
        audio_s = self._heard_samples / self._start.rate
        task = self._spawn(self._answer(stream, self.utterance, audio_s))
        self._finals.add(task)
        task.add_done_callback(self._finals.discard)

    async def _answer(self, stream: RecognizerStream, number: int, audio_s: float) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            transcript = await stream.finish(deadline_s=self._deadline_s)
        except EngineError as error:
            self._metrics.failed(self._recognizer.name)
            self._board.failed(self._recognizer.name, loop.time())
            self._outbox.put(protocol.failed(engine_failure(error).body(), number))
            return
        finally:
            stream.cancel()
        latency_s = loop.time() - began
        self._metrics.done(self._recognizer.name, latency_s, audio_s)
        self._board.succeeded(self._recognizer.name)
        self._outbox.put(protocol.final(number, transcript, latency_s))


async def serve(
    socket: WebSocket, roster: Roster, vad: Vad, metrics: ServiceMetrics, deadline_s: float
) -> None:
    """An accepted connection, until either side ends it. Everything of it ends with it."""
    outbox = Outbox(socket)
    connection = _Connection(roster, vad, metrics, outbox, deadline_s)
    try:
        async with asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(outbox.run())
            connection.spawn = tasks.create_task
            try:
                await _receive(socket, connection)
            finally:
                sending.cancel()
                connection.close()
        await outbox.flush()
        if socket.client_state is WebSocketState.CONNECTED:
            await socket.close(1000)
    except* (WebSocketDisconnect, _Gone, RuntimeError) as gone:
        # RuntimeError is what Starlette raises when it sends to who has left.
        for error in gone.exceptions:
            if isinstance(error, RuntimeError) and socket.application_state is WebSocketState.CONNECTED:
                _log.debug("a client left while it was sent to: %s", error)


class _Connection:
    def __init__(
        self, roster: Roster, vad: Vad, metrics: ServiceMetrics, outbox: Outbox, deadline_s: float
    ) -> None:
        self._roster = roster
        self._vad = vad
        self._metrics = metrics
        self._outbox = outbox
        self._deadline_s = deadline_s
        self._listening: Listening | None = None
        self._told_to_start = False
        self.spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]

    async def audio(self, data: bytes) -> None:
        """Raises `ServiceError` before a `start`, once: a client that sends fifty frames a second has heard
        it."""
        if self._listening is not None:
            await self._listening.audio(data)
        elif not self._told_to_start:
            self._told_to_start = True
            message = "audio before `start`, or after one that was refused, is left out"
            raise ServiceError(400, message, code="not_started")

    async def message(self, text: str) -> bool:
        """Whether the connection goes on. Raises `ServiceError`."""
        message = _read(text)
        self._told_to_start = False
        if isinstance(message, Start):
            self._begin(message)
        elif isinstance(message, Stop):
            if self._listening:
                self._listening.finish()
                await self._listening.finals()
            return False
        elif self._listening is None:
            raise ServiceError(400, f"`{message.type}` before `start`", code="not_started")
        elif isinstance(message, Finish):
            self._listening.finish()
        elif isinstance(message, Cancel):
            self._listening.cancel()
        return True

    def tell(self, error: ServiceError) -> None:
        self._outbox.put(protocol.failed(error.body()))

    def close(self) -> None:
        if self._listening:
            self._listening.close()
            self._listening = None

    def _begin(self, start: Start) -> None:
        request = RecognitionRequest(start.language, start.rate, tuple(start.phrases))
        recognizer = self._roster.choose(start.model, request)
        number = self._listening.utterance if self._listening else 0
        self.close()
        self._listening = Listening(
            start,
            recognizer,
            self._vad,
            self._outbox,
            self._metrics,
            self._roster.board,
            self.spawn,
            number,
            self._deadline_s,
        )
        self._outbox.put(protocol.ready(recognizer.name))


async def _receive(socket: WebSocket, connection: _Connection) -> None:
    while True:
        try:
            async with asyncio.timeout(IDLE_S):
                message = await socket.receive()
        except TimeoutError:
            connection.tell(ServiceError(408, f"nothing came for {IDLE_S:g} s", code="idle"))
            return
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1000))
        try:
            if message.get("bytes") is not None:
                await connection.audio(message["bytes"])
            elif not await connection.message(message.get("text") or ""):
                return
        except ServiceError as error:
            connection.tell(error)


def _read(text: str) -> Start | Finish | Cancel | Stop:
    try:
        return ClientMessage.validate_json(text)
    except ValidationError as error:
        # The first place is the message's type.
        message, field = in_words({**fault, "loc": fault["loc"][1:]} for fault in error.errors())
        raise ServiceError(400, message, code="invalid_value", param=field) from None


def _as_it_is(data: bytes) -> bytes:
    return data


_DECODERS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "pcm": _as_it_is,
    "ulaw": g711.decode_ulaw,
    "mulaw": g711.decode_ulaw,
    "alaw": g711.decode_alaw,
}
