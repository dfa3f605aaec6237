"""The routes by which calls of browsers begin, change and end."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Final, Literal, TypeVar
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from ivr.api.audited import about
from ivr.api.auth import Keys
from ivr.api.calls import errors
from ivr.api.models import Problem, Values
from ivr.api.problems import (
    BAD_CANDIDATE,
    BAD_OFFER,
    BAD_SECRET,
    BAD_TOKEN,
    NO_MEDIA_PORT,
    OTHER_ORIGIN,
    UNKNOWN_SESSION,
    Kind,
    ProblemError,
)
from ivr.metrics import Metrics
from ivr.web.book import FlowCall, TokenRefused
from ivr.web.browsers import Browsers, UnknownSession, WrongSecret
from ivr.web.config import Web
from ivr.web.sessions import Sessions
from webrtc.candidates import MAX_LENGTH, CandidateRefused
from webrtc.description import SdpRefused
from webrtc.ice import NoIcePorts
from webrtc.leg import OtherCall

ASK_S: Final = 5.0
"""How long a page that sends no candidates waits for ours."""

_T = TypeVar("_T")

_PARAMS: Final[dict[str, JsonValue]] = {"vendor": "शर्मा भोजनालय", "order": "48213", "amount": 1250.5}
_SDP: Final = "v=0\r\no=- 46117327 2 IN IP4 127.0.0.1\r\ns=-\r\n…"
_CANDIDATE: Final[dict[str, JsonValue]] = {
    "candidate": "candidate:1 1 udp 2130706431 192.0.2.7 50312 typ host",
    "sdpMid": "0",
    "sdpMLineIndex": 0,
}


class SessionRequest(BaseModel):
    """A call that a page is about to make."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"flow": "vendor-order", "params": _PARAMS, "language": "hi", "ttl_s": 60}]
        },
    )

    flow: str = Field(min_length=1, max_length=60)
    params: Values = {}
    language: str | None = Field(default=None, max_length=16)
    caller: str = Field(default="", max_length=128, description="Who calls, in the record of the call")
    ttl_s: float | None = Field(
        default=None, gt=0, description="How long the token is good; `web.session_s` at most, and without one"
    )


class IceServerOut(BaseModel):
    """As `RTCPeerConnection` takes it."""

    urls: list[str]
    username: str | None = None
    credential: str | None = None


class SessionOut(BaseModel):
    """The token is good for one call, and is told only here."""

    session_id: str
    token: str
    expires_at: float = Field(description="Unix time")
    ice_servers: list[IceServerOut]


class OfferIn(BaseModel):
    """What `RTCPeerConnection` has for a local description."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"type": "offer", "sdp": _SDP}]}
    )

    sdp: str
    type: Literal["offer"]


class StartOut(BaseModel):
    """The call has begun; its media follows. `secret` is what changes and ends it."""

    session_id: str
    call_id: str
    secret: str
    sdp: str
    type: Literal["answer"] = "answer"
    reconnect_s: float = Field(description="So long may the page be away, and come back with a new offer")


class CandidateIn(BaseModel):
    """As `RTCIceCandidate.toJSON()` has it."""

    candidate: str = Field(max_length=MAX_LENGTH)
    sdpMid: str | None = None
    sdpMLineIndex: int | None = None
    usernameFragment: str | None = None


class StreamChange(BaseModel):
    """Either candidates, null where there are no more; or a new offer."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"candidates": [_CANDIDATE, None]}, {"type": "offer", "sdp": _SDP}]},
    )

    candidates: list[CandidateIn | None] | None = None
    sdp: str | None = None
    type: Literal["offer"] | None = None

    @model_validator(mode="after")
    def _one(self) -> StreamChange:
        if (self.candidates is None) == (self.sdp is None) or (self.sdp is None) != (self.type is None):
            raise ValueError("send candidates, or sdp with type offer")
        return self


class StreamChanged(BaseModel):
    """The answer to a new offer; or our candidates that were not told yet, null when those are all."""

    sdp: str | None = None
    type: Literal["answer"] | None = None
    candidates: list[CandidateIn | None] | None = None


def _refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    told = {
        401: "No token or secret, or one that is not good",
        403: "The page is of a site that may not call",
        404: "No such flow, or no live call of this session",
        422: "The offer or a candidate cannot be taken",
        503: "Not now; Retry-After says when",
    }
    return {status: {"model": Problem, "description": told[status]} for status in statuses}


def routes(sessions: Sessions, browsers: Browsers, settings: Web, keys: Keys, metrics: Metrics) -> APIRouter:
    router = APIRouter(prefix="/api/voice", tags=["calls of browsers"])
    bearer = HTTPBearer(
        auto_error=False, description="The token, or the secret of the call", scheme_name="Session"
    )
    own_page = Depends(_pages_of(settings, metrics))
    given = Depends(bearer)

    def text(credentials: _Given, kind: Kind) -> str:
        if credentials is None:
            metrics.web_refused("token" if kind is BAD_TOKEN else "secret")
            raise ProblemError(kind, "the request has none", {"WWW-Authenticate": 'Bearer realm="session"'})
        return credentials.credentials

    async def told(doing: Awaitable[_T]) -> _T:
        """The same, with refusals as problems, and counted."""
        try:
            return await doing
        except TokenRefused as error:
            metrics.web_refused("token")
            challenge = {"WWW-Authenticate": 'Bearer realm="session", error="invalid_token"'}
            raise ProblemError(BAD_TOKEN, str(error), challenge, reason=error.reason) from error
        except WrongSecret as error:
            metrics.web_refused("secret")
            challenge = {"WWW-Authenticate": 'Bearer realm="session", error="invalid_token"'}
            raise ProblemError(BAD_SECRET, str(error), challenge) from error
        except (UnknownSession, ConnectionError) as error:
            metrics.web_refused("session")
            raise ProblemError(UNKNOWN_SESSION, str(error)) from error
        except (SdpRefused, OtherCall) as error:
            metrics.web_refused("sdp")
            raise ProblemError(BAD_OFFER, str(error)) from error
        except CandidateRefused as error:
            metrics.web_refused("candidates")
            raise ProblemError(BAD_CANDIDATE, str(error)) from error
        except NoIcePorts as error:
            metrics.web_refused("ports")
            raise ProblemError(NO_MEDIA_PORT, str(error), {"Retry-After": "5"}) from error

    @router.post(
        "/sessions",
        status_code=201,
        response_model=SessionOut,
        response_model_exclude_none=True,
        dependencies=[Depends(keys.needs("sessions:write"))],
        responses=errors(422, 503),
        summary="A token for one call of a page",
    )
    async def make_session(body: SessionRequest) -> Any:
        """Your own server asks for it, and hands it to the page that is to call; the key stays with you.
        Whether flow and parameters fit is told when the call begins."""
        session = sessions.issue(FlowCall(body.flow, body.params, body.language, body.caller), body.ttl_s)
        about(session["session_id"], flow=body.flow)
        return session

    @router.post(
        "/stream/start",
        status_code=201,
        response_model=StartOut,
        dependencies=[own_page],
        responses=_refusals(401, 403, 404, 422, 503),
        summary="Begin a call with an offer",
    )
    async def start(body: OfferIn, response: Response, token: _Given = given) -> StartOut:
        """Answers at once; ICE and DTLS have 10 seconds from here. Media is Opus (or G.711) and keys by
        telephone-event; a data channel named `ivr` takes keys as `{"type": "key", "key": "5"}`, and tells
        what happens in the call."""
        begun = await told(browsers.begin(text(token, BAD_TOKEN), body.sdp))
        response.headers["Location"] = f"/api/voice/stream/{begun.session_id}"
        return StartOut(
            session_id=begun.session_id,
            call_id=begun.call_id,
            secret=begun.secret,
            sdp=begun.sdp,
            reconnect_s=begun.reconnect_s,
        )

    @router.patch(
        "/stream/{session_id}",
        response_model=StreamChanged,
        response_model_exclude_unset=True,
        dependencies=[own_page],
        responses=_refusals(401, 403, 404, 422, 503),
        summary="Trickle candidates, restart ICE, or come back to a call",
    )
    async def change(session_id: str, body: StreamChange, secret: _Given = given) -> StreamChanged:
        """Candidates are answered with ours that are new; with an empty list the answer waits for them, 5
        seconds at most. An offer of the same connection restarts ICE; one of another connection goes on with
        the call: the page was loaded anew, or its network is another."""
        given_secret = text(secret, BAD_SECRET)
        if body.sdp is not None:
            answer = await told(browsers.renew(session_id, given_secret, body.sdp))
            return StreamChanged(sdp=answer, type="answer")
        lines = [None if one is None else one.candidate for one in body.candidates or []]
        fresh, complete = await told(browsers.trickle(session_id, given_secret, lines, ASK_S))
        ours: list[CandidateIn | None] = [CandidateIn(candidate=line, sdpMLineIndex=0) for line in fresh]
        return StreamChanged(candidates=[*ours, *([None] if complete else [])])

    @router.delete(
        "/stream/{session_id}",
        status_code=204,
        dependencies=[own_page],
        responses=_refusals(401, 403, 404),
        summary="Hang up",
    )
    async def hang_up(session_id: str, secret: _Given = given) -> None:
        """The caller has hung up: the call ends as any other."""
        await told(browsers.hang_up(session_id, text(secret, BAD_SECRET)))

    return router


_Given = HTTPAuthorizationCredentials | None


def _pages_of(settings: Web, metrics: Metrics) -> Any:
    """Requests of programs, of our own pages, and of those of the configured sites."""

    async def check(request: Request) -> None:
        origin = request.headers.get("origin")
        if origin is None or origin in settings.origins:
            return
        if urlsplit(origin).netloc != request.headers.get("host"):
            metrics.web_refused("origin")
            raise ProblemError(OTHER_ORIGIN, "pages of this origin may not call: see web.origins")

    return check
