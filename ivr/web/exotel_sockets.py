"""`WS /ws/exotel/NAME`: Exotel's Voicebot applet calls by a stream, and a flow answers.

A stream is let in (`ivr.web.exotel_door`), says within 10 s whose call it is, and is a call like any other
from then on. The call's end closes the socket, after what was said was really played: the flow at Exotel
goes on with its next applet.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final

from fastapi import APIRouter, WebSocket
from starlette.responses import JSONResponse

from ivr.api.gateway import CallRefused, Gateway, NoCapacity
from ivr.masking import mask_number
from ivr.metrics import Metrics
from ivr.store import StoreError
from ivr.web.book import FlowCall, SessionBook, TokenRefused
from ivr.web.exchange import NORMAL, POLICY, TRY_LATER, Exchange, received
from ivr.web.exotel_calls import ExotelCalls, normalised
from ivr.web.exotel_config import Exotel, ExotelStream
from ivr.web.exotel_door import Door, Refused
from ivr.web.exotel_routing import ExotelRouting, NoFlow
from ivr.web.waiting_room import Full, WaitingRoom
from media.leg import Cause, LegInfo
from webrtc.exotel import ExotelError, Start, rate_of
from webrtc.exotel_leg import ExotelLeg
from webrtc.exotel_stream import ExotelStream as Messages
from webrtc.exotel_stream import Heard

log = logging.getLogger(__name__)

TRUNK: Final = "exotel-stream"
LEG: Final = "exotel"
"""In the metrics."""

START_S: Final = 10.0
SESSION_S: Final = 3600.0
"""Exotel ends a stream then."""

MOST_MESSAGES: Final = 600
"""That wait for Exotel to read them: more than are sent within the time after which it is given up."""


class ExotelSockets:
    """All streams of the server."""

    def __init__(
        self,
        gateway: Gateway,
        settings: Exotel,
        routing: ExotelRouting,
        calls: ExotelCalls,
        book: SessionBook,
        room: WaitingRoom,
        metrics: Metrics,
    ) -> None:
        self._gateway = gateway
        self._settings = settings
        self._routing = routing
        self._calls = calls
        self._book = book
        self._room = room
        self._metrics = metrics
        self._door = Door(settings)

    def routes(self) -> APIRouter:
        router = APIRouter()

        @router.websocket("/ws/exotel/{name}")
        async def stream(socket: WebSocket, name: str) -> None:
            await self._serve(socket, name)

        return router

    async def _serve(self, socket: WebSocket, name: str) -> None:
        settings = self._settings.streams.get(name)
        try:
            if settings is None:
                raise Refused(404, "there is no such stream")
            with self._room.enter() as seat:
                rate, booked = self._let_in(socket)
                await socket.accept()
                messages = Messages(time.monotonic(), rate)
                start = await self._started(socket, messages)
                seat.leave()
            if start is not None:
                await self._call(socket, settings, messages, start, booked)
        except Full:
            self._metrics.socket_fault(LEG, "full")
            await _refuse(socket, 503, "too many streams have not begun")
        except Refused as error:
            self._metrics.socket_fault(LEG, "refused")
            await _refuse(socket, error.status, str(error))

    def _let_in(self, socket: WebSocket) -> tuple[int | None, FlowCall | None]:
        """The rate and the call that the address asks for."""
        query, headers = socket.query_params, socket.headers
        token, booked = query.get("token"), None
        if token is not None:
            try:
                _, purpose = self._book.redeem(token, time.time())
            except TokenRefused as error:
                raise Refused(401, str(error)) from error
            booked = purpose if isinstance(purpose, FlowCall) else None
            if booked is None:
                raise Refused(401, "the token is for something else")
        self._door.check_stream(
            socket.client.host if socket.client else None,
            ",".join(headers.getlist("x-forwarded-for")),
            headers.get("authorization"),
            has_token=booked is not None,
        )
        try:
            return rate_of(query.get("sample-rate") or query.get("sample_rate")), booked
        except ExotelError as error:
            raise Refused(400, str(error)) from error

    async def _started(self, socket: WebSocket, messages: Messages) -> Start | None:
        """The start; None when there was none in time, or none that can be used: the socket is closed."""
        try:
            async with asyncio.timeout(START_S):
                while True:
                    message = await received(socket)
                    if message is None:
                        return None
                    heard = messages.receive(message, time.monotonic())
                    if isinstance(heard, Start):
                        return heard
        except TimeoutError:
            self._metrics.socket_fault(LEG, "no_start")
            await socket.close(POLICY, f"no start within {START_S:g} s")
        except ExotelError as error:
            self._metrics.socket_fault(LEG, error.fault.value)
            log.warning("a stream of Exotel's is refused: %s", error)
            await socket.close(POLICY, str(error))
        finally:
            self._count(messages)
        return None

    async def _call(
        self,
        socket: WebSocket,
        settings: ExotelStream,
        messages: Messages,
        start: Start,
        booked: FlowCall | None,
    ) -> None:
        now = time.time()
        known = self._calls.find(start.call_sid, now)
        digits = {"digits": known.digits} if known is not None and known.digits else {}
        # Custom parameters stand in the address, and most pages say that the start has them as well.
        given = {**socket.query_params, **digits, **start.parameters}
        exchange = Exchange(socket, most_audio=0, most_messages=MOST_MESSAGES)

        def over(cause: Cause, _by: str) -> None:
            exchange.close(NORMAL, cause.value)

        def hand_over(target: str) -> None:
            self._calls.note(start.call_sid, time.time(), to=target)

        leg = ExotelLeg(
            _info(start),
            start.stream_sid,
            messages.rate,
            self._gateway.plane,
            exchange.send,
            over,
            settings.chunk_ms,
            hand_over if settings.connects else None,
        )
        try:
            call = booked
            if call is None or not call.flow:  # the address was asked for before the number was known
                call = self._routing.call(settings, start.called, start.caller, given)
            call_id = await self._gateway.serve(leg, call)
        except (NoFlow, CallRefused, StoreError) as error:
            log.warning(
                "the stream of %s to %s is refused: %s",
                mask_number(start.caller), mask_number(start.called), error,
            )  # fmt: skip
            if isinstance(error, NoFlow):
                self._metrics.call_refused("unknown_number")
            leg.end(Cause.NOT_FOUND)
            later = isinstance(error, NoCapacity | StoreError)
            await socket.close(TRY_LATER if later else POLICY, "this call cannot be answered")
            return
        except BaseException:
            leg.end(Cause.FAILED)
            raise
        self._calls.note(start.call_sid, now, call_id=call_id, flow=call.flow)
        await self._exchange(exchange, messages, leg)

    async def _exchange(self, exchange: Exchange, messages: Messages, leg: ExotelLeg) -> None:
        loop = asyncio.get_running_loop()

        def receive(text: str | bytes) -> None:
            try:
                heard: Heard | None = messages.receive(text, time.monotonic())
            except ExotelError as error:
                log.warning("a stream of Exotel's is given up: %s", error)
                exchange.close(POLICY, str(error))
                return
            if heard is not None and not isinstance(heard, Start):
                leg.take(heard)

        limit = loop.call_later(SESSION_S, leg.end, Cause.LIMIT)
        try:
            await exchange.run(receive)
        finally:
            limit.cancel()
            leg.ended(Cause.MEDIA_TIMEOUT if exchange.deaf else Cause.NORMAL)
            messages.counts["unmarked"] += leg.unmarked
            messages.counts["deaf"] += exchange.deaf
            self._count(messages)

    def _count(self, messages: Messages) -> None:
        for what, count in messages.counts.items():
            self._metrics.socket_fault(LEG, what, count)
        messages.counts.clear()


def _info(start: Start) -> LegInfo:
    told = {"X-Exotel-CallSid": start.call_sid, "X-Exotel-StreamSid": start.stream_sid}
    return LegInfo(
        id=start.stream_sid,
        direction="inbound",
        caller=normalised(start.caller),
        called=normalised(start.called),
        trunk=TRUNK,
        headers={name: value for name, value in told.items() if value},
    )


async def _refuse(socket: WebSocket, status: int, why: str) -> None:
    """Before the socket is accepted: an answer of HTTP."""
    await socket.send_denial_response(JSONResponse({"detail": why}, status))
