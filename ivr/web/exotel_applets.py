"""What Exotel's applets ask by HTTP: the address of a stream, which flow is for a call, how it went, and whom
to connect the caller with."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from ivr.api.models import Problem
from ivr.api.problems import (
    EXOTEL_ADDRESS,
    EXOTEL_OFF,
    EXOTEL_SECRET,
    INVALID,
    NO_CAPACITY,
    ProblemError,
    fields,
)
from ivr.store import CallRecord, CallState, Store
from ivr.web.book import FlowCall, SessionBook, TooManyTokens
from ivr.web.exotel_calls import ExotelCalls, KnownCall, normalised, spellings, unquoted
from ivr.web.exotel_config import Exotel
from ivr.web.exotel_door import Door, Refused
from ivr.web.exotel_routing import ExotelRouting, NoFlow

TOKEN_S: Final = 60.0
"""How long the address of a stream is good: Exotel calls it at once."""

ENDING_S: Final = 3.0
"""An applet that follows a stream asks while the call's record is being closed: so long it is waited for."""

_LOOK_S: Final = 0.05
_GO_ON: Final = 200
_OTHERWISE: Final = 302
"""A Passthru applet takes its first way out for 200, and the other for 302."""

_KINDS: Final = {401: EXOTEL_SECRET, 403: EXOTEL_ADDRESS, 404: EXOTEL_OFF}


class StreamAddress(BaseModel):
    """What a Voicebot applet expects of an https address."""

    url: str = Field(examples=["wss://voice.example/ws/exotel/orders?token=dGhpcyBpcyBv"])


class CallAnswer(BaseModel):
    """`call` is `expected` when a flow will answer, `live`, `ended`, or `unknown` where no flow answers the
    number."""

    call: Literal["expected", "live", "ended", "unknown"]
    call_sid: str = Field(examples=["56b1234567abcdef89abcdef12345678"])
    flow: str | None = Field(default=None, examples=["vendor-order"])
    call_id: str | None = None
    cause: str | None = Field(default=None, examples=["normal"])
    result: dict[str, Any] | None = Field(default=None, examples=[{"decision": "accepted", "eta": 20}])
    digits: str = Field(default="", description="Keys that an applet before has gathered")
    detail: str | None = Field(default=None, examples=["no flow answers this number"])


class _Asked:
    """What an applet tells of its call, in the address or in the body; the names' case does not count."""

    def __init__(self, told: Mapping[str, str]) -> None:
        self._told = {name.lower(): value for name, value in told.items()}
        self.call_sid = self._first("callsid", "call_sid")
        self.caller = self._first("callfrom", "from")
        self.called = self._first("callto", "to")
        self.digits = unquoted(self._first("digits"))

    def _first(self, *names: str) -> str:
        values = (self._told.get(name, "").strip() for name in names)
        text = next((value for value in values if value), "")
        return "".join(char for char in text[:200] if char.isprintable())

    def custom(self) -> dict[str, str]:
        """What may be for the flow's parameters."""
        return {**self._told, "digits": self.digits} if self.digits else self._told


class ExotelApplets:
    """The routes; `routing` is asked which flow a number has."""

    def __init__(
        self,
        store: Store,
        settings: Exotel,
        routing: ExotelRouting,
        calls: ExotelCalls,
        book: SessionBook,
    ) -> None:
        self._store = store
        self._settings = settings
        self._routing = routing
        self._calls = calls
        self._book = book
        self._door = Door(settings)

    def routes(self) -> APIRouter:
        router = APIRouter(prefix="/api/voice", tags=["exotel"])
        refusals: dict[int | str, dict[str, Any]] = {
            401: {"model": Problem, "description": "The address lacks the token"},
            403: {"model": Problem, "description": "Not from this address"},
            404: {"model": Problem, "description": "Not configured"},
        }
        token = Query(None, description="`exotel.secret` of the configuration")

        @router.get(
            "/exotel/{name}",
            response_model=StreamAddress,
            responses={**refusals, 503: {"model": Problem, "description": "Too many streams are awaited"}},
            summary="The address of a stream, for a Voicebot applet",
        )
        async def stream(request: Request, name: str, token: str | None = token) -> StreamAddress:
            """The address is good once, for a minute. Which flow answers is decided now, where the applet
            tells the called number; else when the stream begins."""
            return await self._address(request, name, token)

        router.post(
            "/exotel/{name}", response_model=StreamAddress, responses=refusals, include_in_schema=False
        )(stream)

        @router.get(
            "/call/answer",
            response_model=CallAnswer,
            responses={
                **refusals,
                302: {"model": CallAnswer, "description": "Take the other way: see the description"},
                422: {"model": Problem, "description": "`when` cannot be read"},
            },
            summary="Which flow is for a call, and how it went, for a Passthru or Connect applet",
        )
        async def answer(
            request: Request,
            token: str | None = token,
            when: str | None = Query(
                None, description="NAME:VALUE of the result: 200 where it is so, else 302", max_length=200
            ),
            as_: Literal["passthru", "connect"] = Query("passthru", alias="as"),
        ) -> JSONResponse:
            """A Passthru applet goes one way for 200 and another for 302. Without `when`: 200 when a flow
            answers the number, or has answered the call. For a Connect applet (`as=connect`) the answer names
            whom the flow transferred the caller to; nobody, where it did not. Asking changes nothing: the
            same question has the same answer."""
            return await self._answer(request, token, when, as_ == "connect")

        router.post("/call/answer", response_model=CallAnswer, responses=refusals, include_in_schema=False)(
            answer
        )
        return router

    async def _address(self, request: Request, name: str, token: str | None) -> StreamAddress:
        self._check(request, token)
        stream = self._settings.streams.get(name)
        if stream is None:
            known = list(self._settings.streams)
            raise ProblemError(EXOTEL_OFF, f"there is no stream {name}", known=known)
        asked = await _asked(request)
        query = {}
        if asked.called or stream.flow is not None:
            try:
                call = self._routing.call(stream, asked.called, asked.caller, asked.custom())
            except NoFlow as error:
                raise ProblemError(EXOTEL_OFF, str(error)) from error
        else:
            call = FlowCall("")  # the stream's start tells the number
        try:
            query["token"] = self._book.issue(call, time.time(), TOKEN_S).token
        except TooManyTokens as error:
            raise ProblemError(NO_CAPACITY, str(error), {"Retry-After": "10"}) from error
        if rate := request.query_params.get("sample-rate") or request.query_params.get("sample_rate"):
            query["sample-rate"] = rate
        return StreamAddress(url=f"{self._base(request)}/ws/exotel/{name}?{urlencode(query)}")

    async def _answer(
        self, request: Request, token: str | None, when: str | None, connect: bool
    ) -> JSONResponse:
        self._check(request, token)
        wanted = _wanted(when)
        asked = await _asked(request)
        now = time.time()
        if asked.digits:
            self._calls.note(asked.call_sid, now, digits=asked.digits)
        known = self._calls.find(asked.call_sid, now)
        if connect:
            return JSONResponse(_destination(asked, known))
        record = None if known is None or not known.call_id else await self._record(known.call_id)
        body = self._told(asked, known, record)
        goes_on = body.call != "unknown"
        if wanted is not None:
            name, value = wanted
            goes_on = body.result is not None and _said(body.result.get(name)) == value
        return JSONResponse(body.model_dump(), _GO_ON if goes_on else _OTHERWISE)

    def _told(self, asked: _Asked, known: KnownCall | None, record: CallRecord | None) -> CallAnswer:
        digits = known.digits if known is not None else ""
        if record is not None:
            return CallAnswer(
                call="ended" if record.state is CallState.ENDED else "live",
                call_sid=asked.call_sid,
                flow=record.flow,
                call_id=record.id,
                cause=record.cause,
                result=None if record.result is None else dict(record.result),
                digits=digits,
            )
        try:
            flow = self._routing.call(None, asked.called, asked.caller, asked.custom()).flow
        except NoFlow as error:
            return CallAnswer(call="unknown", call_sid=asked.call_sid, digits=digits, detail=str(error))
        return CallAnswer(call="expected", call_sid=asked.call_sid, flow=flow, digits=digits)

    async def _record(self, call_id: str) -> CallRecord | None:
        """The call's record, closed if that is a matter of moments."""
        until = time.monotonic() + ENDING_S
        while True:
            record = await self._store.get_call(call_id)
            if record is None or record.state is CallState.ENDED or time.monotonic() >= until:
                return record
            await asyncio.sleep(_LOOK_S)

    def _check(self, request: Request, token: str | None) -> None:
        peer = request.client.host if request.client else None
        try:
            self._door.check_request(peer, ",".join(request.headers.getlist("x-forwarded-for")), token)
        except Refused as error:
            raise ProblemError(_KINDS[error.status], str(error)) from error

    def _base(self, request: Request) -> str:
        if self._settings.public_url is not None:
            return self._settings.public_url
        scheme = request.headers.get("x-forwarded-proto", request.url.scheme)
        return f"{'wss' if scheme == 'https' else 'ws'}://{request.headers.get('host', '')}"


async def _asked(request: Request) -> _Asked:
    """The query, and a form over it where there is one."""
    told = dict(request.query_params)
    if request.method == "POST":
        form = await request.form()
        told |= {name: value for name, value in form.items() if isinstance(value, str)}
    return _Asked(told)


def _wanted(when: str | None) -> tuple[str, str] | None:
    if when is None:
        return None
    name, colon, value = when.partition(":")
    if not (name and colon):
        message = "write it as NAME:VALUE, as decision:accepted"
        raise ProblemError(INVALID, f"when: {message}", fields=fields({"when": message}))
    return name, value


def _said(value: object) -> str:
    """A value of a result as it is written in an address."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _destination(asked: _Asked, known: KnownCall | None) -> dict[str, Any]:
    """As a Connect applet reads it; an empty list is its way for a call that is not connected."""
    to = "" if known is None else known.to
    number = normalised(to) if len(spellings(to)) > 1 or to.startswith("+") else ""
    answer: dict[str, Any] = {
        "fetch_after_attempt": False,
        "destination": {"numbers": [number] if number else []},
    }
    if asked.called:
        answer["outgoing_phone_number"] = asked.called
    return answer
