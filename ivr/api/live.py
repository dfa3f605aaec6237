"""The routes about all live calls at once: which there are, and what happens in them."""

from __future__ import annotations

import asyncio
import json
from contextlib import ExitStack
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from ivr.api.auth import Keys
from ivr.api.calls import errors, find_call
from ivr.api.gateway import Gateway
from ivr.api.models import href, utc
from ivr.api.problems import NOT_LIVE, TOO_MANY_FOLLOWERS, ProblemError
from ivr.api.sse import EventStream, Reader
from ivr.feed import TooManyFollowers
from ivr.live_calls import Caption, LiveCallState
from ivr.store import CallState, Store
from ivr.supervision import Supervising
from ivr.web.book import Mode
from media.leg import Direction

AT_ONCE: Final = 25
"""Calls of a long list that are looked at before the media of all calls have their turn."""

_ID: Final = "019aab1c-6d2e-7b1f-9c44-52a1f0a0c7de"
_CALL: Final[dict[str, Any]] = {
    "id": _ID,
    "flow": "vendor-order",
    "direction": "inbound",
    "trunk": "exotel",
    "caller": "+919876543210",
    "called": "+912240001234",
    "state": "answered",
    "since": "2025-11-22T09:30:00.120000Z",
    "answered_at": "2025-11-22T09:30:00.160000Z",
    "step": "minutes",
    "language": "hi",
    "queued": None,
    "agent": None,
    "said": {"text": "कितने मिनट लगेंगे?", "at": "2025-11-22T09:30:09.480000Z"},
    "heard": {"text": "बीस मिनट", "at": "2025-11-22T09:30:07.010000Z"},
    "mos": 4.31,
    "supervisors": [],
    "href": f"/api/voice/calls/{_ID}",
}


class LiveCaption(BaseModel):
    """What one side said last. What was said in a secret step is "•"; an empty text was not understood."""

    text: str
    at: datetime


class Supervisor(BaseModel):
    """Somebody who listens in, whispers, or has taken over."""

    session_id: str
    operator: str
    mode: Mode
    since: datetime = Field(description="When he came, or changed to this mode")
    connecting: bool = Field(description="He has no media yet")


class ActiveCall(BaseModel):
    """A live call. `ended` is a call whose record is being completed."""

    model_config = ConfigDict(json_schema_extra={"examples": [_CALL]})

    id: str
    flow: str
    direction: Direction
    trunk: str = Field(description="`web`, `websocket`, `exotel-stream` for calls that come by no trunk")
    caller: str
    called: str
    state: CallState
    since: datetime
    answered_at: datetime | None
    step: str | None = Field(description="Where the flow stands; FLOW/STEP in a flow within")
    language: str
    queued: int | None = Field(description="The caller's place while an agent is awaited")
    agent: str | None = Field(description="The agent whom the caller talks to")
    said: LiveCaption | None = Field(description="What the server said last")
    heard: LiveCaption | None = Field(description="What the caller said last")
    mos: float | None = Field(description="What the caller's voice is worth here, 1 to 4.5 (ITU-T G.107)")
    supervisors: list[Supervisor]
    href: str


class ActiveCalls(BaseModel):
    """All live calls, oldest first. `last_event_id` is where to follow on from (`Last-Event-ID` of
    `GET /admin/events`): nothing is told twice, and nothing is missed."""

    calls: list[ActiveCall]
    last_event_id: str


_STREAM: Final[dict[str, Any]] = {
    "description": "A stream of events, until the reader goes; with `call` until the call has ended",
    "content": {
        "text/event-stream": {
            "schema": {"type": "string"},
            "example": "id: 5f0c6ad1-17\nevent: call.event\n"
            'data: {"call_id":"019a…","at":"2025-11-22T09:30:07Z","kind":"heard","data":{"text":"बीस"}}\n\n',
        }
    },
}


def routes(gateway: Gateway, store: Store, keys: Keys) -> APIRouter:
    router = APIRouter(prefix="/admin", tags=["live"])
    reading = Depends(keys.needs("calls:read"))
    overview = gateway.overview

    @router.get(
        "/calls/active",
        response_model=ActiveCalls,
        dependencies=[reading],
        responses=errors(),
        summary="Every live call: step, captions, quality, who supervises it",
    )
    async def active() -> Response:
        """From memory: no record is read. Numbers are whole, as in records."""
        last = overview.log.name_of(overview.log.last)
        shown: list[str] = []
        for call in list(overview.calls):
            shown.append(written(gateway, call))
            if len(shown) % AT_ONCE == 0:
                await asyncio.sleep(0)
        body = f'{{"calls":[{",".join(shown)}],"last_event_id":"{last}"}}'
        return Response(body.encode(errors="replace"), media_type="application/json")

    @router.get(
        "/events",
        response_class=StreamingResponse,
        dependencies=[reading],
        responses={**errors(404, 409, 503), 200: _STREAM},
        summary="What happens in live calls, as it happens",
    )
    async def events(
        call: Annotated[str | None, Query(max_length=64, description="Of this call alone")] = None,
        last_event_id: Annotated[
            str | None, Header(max_length=64, description="Go on behind this event")
        ] = None,
    ) -> Response:
        """Server-sent events, in batches every quarter of a second: `call.began`, `call.event` (as noted in
        the record: `step`, `prompt`, `heard`, `key`, `turn`, …), `call.ended`, every two seconds `load`, and
        `missed` with the `count` of events that a reader was too slow for, or null when the server has
        started anew: then ask for all live calls."""
        if call is not None and call not in overview.calls.calls:
            record = await find_call(store, call)
            raise ProblemError(NOT_LIVE, "the call is not live on this server", state=record.state.value)
        held = ExitStack()
        try:
            log = held.enter_context(overview.following())
        except TooManyFollowers as error:
            raise ProblemError(TOO_MANY_FOLLOWERS, str(error), {"Retry-After": "5"}) from error
        reader = Reader(log, last_event_id, call)
        return _Events(EventStream(reader.batch, lambda: overview.closed or reader.over), held)

    return router


class _Events(Response):
    """A stream that lets go of what it holds when it is over."""

    media_type = "text/event-stream"

    def __init__(self, stream: EventStream, held: ExitStack) -> None:
        super().__init__()
        self._stream = stream
        self._held = held

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        with self._held:
            await self._stream(scope, receive, send)


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def written(gateway: Gateway, call: LiveCallState) -> str:
    """A live call as JSON."""
    return _encode(_active(gateway, call))


def _active(gateway: Gateway, call: LiveCallState) -> dict[str, Any]:
    live = gateway.live(call.id)
    mos = None if live is None else live.quality.mos
    return {
        "id": call.id,
        "flow": call.flow,
        "direction": call.direction,
        "trunk": call.trunk,
        "caller": call.caller,
        "called": call.called,
        "state": call.state.value,
        "since": _time(call.since),
        "answered_at": None if call.answered_at is None else _time(call.answered_at),
        "step": call.step,
        "language": call.language,
        "queued": call.queued,
        "agent": call.agent,
        "said": _caption(call.said),
        "heard": _caption(call.heard),
        "mos": None if mos is None else round(mos, 2),
        "supervisors": [supervisor(each) for each in gateway.supervisors.of(call.id)],
        "href": href(call.id),
    }


def supervisor(shown: Supervising) -> dict[str, Any]:
    """An operator on a call, as he is told."""
    return {
        "session_id": shown.session_id,
        "operator": shown.operator,
        "mode": shown.mode,
        "since": _time(shown.since),
        "connecting": shown.connecting,
    }


def _caption(caption: Caption | None) -> dict[str, Any] | None:
    return None if caption is None else {"text": caption.text, "at": _time(caption.at)}


def _time(at: float) -> str:
    return utc(at).isoformat().replace("+00:00", "Z")
