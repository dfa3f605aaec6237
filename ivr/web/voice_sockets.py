"""`WS /ws/voice/{session_id}`: calls of apps and tests, audio in binary messages and events in JSON."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import Final

from fastapi import APIRouter, WebSocket
from starlette.responses import JSONResponse
from starlette.websockets import WebSocketState

from ivr.api.gateway import CallRefused, Gateway, NoCapacity, ParamsRefused
from ivr.feed import BEGAN, ENDED, Following, TooManyFollowers
from ivr.metrics import Metrics
from ivr.store import StoreError
from ivr.supervision import SupervisionRefused
from ivr.web.book import FlowCall, Purpose, Supervision, TokenRefused, leg_info
from ivr.web.call_events import CallEvents
from ivr.web.exchange import NORMAL, POLICY, TRY_LATER, Exchange, received
from ivr.web.waiting_room import Full, WaitingRoom
from media.leg import Cause, Party
from media.opus import OPUS, NoOpus
from webrtc.socket_leg import SocketLeg
from webrtc.voice_socket import Answer, Audio, Fault, HangUp, Key, Start, VoiceSocket

log = logging.getLogger(__name__)

TRUNK: Final = "websocket"
LEG: Final = "websocket"
"""In the metrics."""

START_S: Final = 10.0
SUBPROTOCOL: Final = "ivr"
TOKEN_PREFIX: Final = "ivr.token."

MOST_FRAMES: Final = 50
"""A second of audio: a far end that is further behind loses the oldest."""
MOST_MESSAGES: Final = 500

_ENDED_S: Final = 15.0
"""How long the record of a call that is over may take to be complete, which is when the end is told."""


class Refused(Exception):
    """The call cannot begin; `code` is for a program, and `close` the close code."""

    def __init__(self, code: str, text: str, close: int = POLICY) -> None:
        super().__init__(text)
        self.fault = Fault(code, text, final=True)
        self.close = close


class VoiceSockets:
    """All such sockets of the server."""

    def __init__(self, gateway: Gateway, room: WaitingRoom, metrics: Metrics) -> None:
        self._gateway = gateway
        self._room = room
        self._metrics = metrics

    def routes(self) -> APIRouter:
        router = APIRouter()

        @router.websocket("/ws/voice/{session_id}")
        async def voice(socket: WebSocket, session_id: str) -> None:
            await self._serve(socket, session_id)

        return router

    async def _serve(self, socket: WebSocket, session_id: str) -> None:
        protocol = VoiceSocket(time.monotonic())
        try:
            with self._room.enter() as seat:
                await socket.accept(_subprotocol(socket))
                start = await self._started(socket, protocol)
                seat.leave()
            if start is not None:
                call = self._redeem(session_id, _token(socket) or start.token)
                await self._call(socket, session_id, protocol, start, call)
        except Full:
            self._metrics.socket_fault(LEG, "full")
            await socket.send_denial_response(JSONResponse({"detail": "too many calls have not begun"}, 503))
        except Refused as error:
            self._metrics.socket_fault(LEG, error.fault.code)
            if WebSocketState.CONNECTED is socket.client_state is socket.application_state:
                await socket.send_text(error.fault.text)
                await socket.close(error.close, error.fault.code)
        finally:
            for what, count in protocol.counts.items():
                self._metrics.socket_fault(LEG, what, count)

    async def _started(self, socket: WebSocket, protocol: VoiceSocket) -> Start | None:
        """None where the far end went away instead. Raises `Refused`."""
        try:
            async with asyncio.timeout(START_S):
                while True:
                    message = await received(socket)
                    if message is None:
                        return None
                    said = protocol.receive(message, time.monotonic())
                    if isinstance(said, Start):
                        return _speakable(said)
                    if isinstance(said, Fault) and said.final:
                        raise Refused(said.code, said.detail)
                    if isinstance(said, Fault | Answer):
                        await socket.send_text(said.text)
        except TimeoutError:
            raise Refused("no_start", f"no start within {START_S:g} s") from None

    def _redeem(self, session_id: str, token: str | None) -> Purpose:
        """Raises `Refused`."""
        if token is None:
            raise Refused("token", "there is no token: send it as Authorization: Bearer, or in the start")
        try:
            session, purpose = self._gateway.book.redeem(token, time.time())
        except TokenRefused as error:
            raise Refused("token", str(error)) from error
        if session != session_id:
            raise Refused("token", "the token is of another session")
        return purpose

    async def _call(
        self, socket: WebSocket, session_id: str, protocol: VoiceSocket, start: Start, purpose: Purpose
    ) -> None:
        exchange = Exchange(socket, MOST_FRAMES, MOST_MESSAGES)
        waiting: list[asyncio.TimerHandle] = []

        def over(_cause: Cause, _by: Party) -> None:
            # Where the end is not told; an operator is told nothing of the call that he joins.
            wait_s = _ENDED_S if isinstance(purpose, FlowCall) else 0.0
            waiting.append(asyncio.get_running_loop().call_later(wait_s, exchange.close))

        info = leg_info(session_id, purpose, TRUNK)
        plane = self._gateway.plane
        leg = SocketLeg(info, start, plane, exchange.send_audio, exchange.send, over)
        try:
            call_id = await self._place(leg, purpose)
            with self._gateway.feed.follow(call_id) as following:
                telling = asyncio.create_task(_tell(following, exchange, call_id, purpose))
                try:
                    await exchange.run(lambda message: self._take(message, protocol, leg, exchange))
                finally:
                    telling.cancel()
        except TooManyFollowers as error:
            raise Refused("no_capacity", str(error), TRY_LATER) from error
        finally:
            leg.ended(Cause.MEDIA_TIMEOUT if exchange.deaf else Cause.NORMAL)
            for handle in waiting:
                handle.cancel()
            self._metrics.socket_fault(LEG, "dropped_audio", exchange.dropped)
            self._metrics.socket_fault(LEG, "deaf", int(exchange.deaf))

    async def _place(self, leg: SocketLeg, purpose: Purpose) -> str:
        """Raises `Refused`."""
        try:
            if isinstance(purpose, Supervision):
                return await self._gateway.supervise(leg, purpose)
            return await self._gateway.serve(leg, purpose)
        except SupervisionRefused as error:
            raise Refused("refused", str(error)) from error
        except ParamsRefused as error:
            wrong = "; ".join(f"{name}: {what}" for name, what in error.fields.items())
            raise Refused("params", wrong) from error
        except NoCapacity as error:
            raise Refused("no_capacity", str(error), TRY_LATER) from error
        except CallRefused as error:
            raise Refused("refused", str(error)) from error
        except StoreError as error:
            raise Refused("no_capacity", "the call cannot be stored now", TRY_LATER) from error

    def _take(self, message: str | bytes, protocol: VoiceSocket, leg: SocketLeg, exchange: Exchange) -> None:
        said = protocol.receive(message, time.monotonic())
        match said:
            case Audio(data=data):
                leg.take(data)
            case Key(key=key):
                leg.press(key)
            case HangUp():
                leg.ended()
            case Answer(text=text):
                exchange.send(text)
            case Fault():
                exchange.send(said.text)
                if said.final:
                    exchange.close(POLICY, said.code)
            case Start() | None:
                pass


async def _tell(following: Following, exchange: Exchange, call_id: str, call: Purpose) -> None:
    """Tells what happens in the call until it has ended; that closes the socket."""
    if isinstance(call, Supervision):
        return
    events = CallEvents(call_id, call.flow, call.language or "")
    async for _, event in following:
        if event.kind == BEGAN:
            events = CallEvents(call_id, call.flow, event.data["language"])
        for told in events.of(event):
            exchange.send(json.dumps(told, ensure_ascii=False))
        if event.kind == ENDED:
            break
    exchange.close(NORMAL)


def _speakable(start: Start) -> Start:
    """Raises `Refused`."""
    if start.encoding == "opus":
        try:
            OPUS.new_decoder()
        except NoOpus as error:
            raise Refused("bad_start", f"Opus cannot be spoken: {error}") from error
    return start


def _token(socket: WebSocket) -> str | None:
    """Of the header, or of a subprotocol, which is what a page can set."""
    scheme, _, token = socket.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token.strip()
    offered = (name for name in socket.scope.get("subprotocols", ()) if name.startswith(TOKEN_PREFIX))
    return next((name.removeprefix(TOKEN_PREFIX) for name in offered), None)


def _subprotocol(socket: WebSocket) -> str | None:
    """A page wants one of those that it offered."""
    offered: list[str] = socket.scope.get("subprotocols", [])
    if SUBPROTOCOL in offered:
        return SUBPROTOCOL
    return next((name for name in offered if name.startswith(TOKEN_PREFIX)), None)
