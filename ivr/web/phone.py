"""The phone page's own routes: which flows it may call, and a token for one call."""

from __future__ import annotations

import time
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from engines.service.keys import is_local
from ivr.api.gateway import Gateway, ParamsRefused, UnknownFlow
from ivr.api.models import Problem, Values
from ivr.api.problems import NOT_JSON, OTHER_ORIGIN, PHONE_CLOSED, TOO_MANY_CALLS, ProblemError
from ivr.flow.model import Flow
from ivr.flow.problems import ParamError
from ivr.web.book import FlowCall
from ivr.web.config import Phone
from ivr.web.offer import OfferedFlow, Offers
from ivr.web.routes import SessionOut
from ivr.web.sessions import Sessions
from ivr.web.visitors import RETRY_S, Visitors, from_our_page, names_this_machine

CALLER: Final = "phone page"
"""Who calls, in the record."""

_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Problem, "description": words}
    for status, words in {
        403: "The page is closed to this browser, or another site's page asks",
        404: "There is no such flow",
        415: "The body is not JSON",
        422: "The request is not valid",
        429: "Too many calls from this address",
        503: "No capacity",
    }.items()
}


class PhoneOffer(BaseModel):
    """What the page may call."""

    flows: list[OfferedFlow]
    ice_servers: list[dict[str, list[str]]] = Field(description="Those that want no password")


class PhoneCall(BaseModel):
    """A call that is about to be made."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "flow": "vendor-order",
                    "params": {
                        "vendor": "शर्मा भोजनालय",
                        "order": "48213",
                        "amount": 1250.5,
                        "language": "hi",
                    },
                    "language": "hi",
                }
            ]
        },
    )

    flow: str = Field(min_length=1, max_length=60)
    params: Values = {}
    language: str | None = None


def routes(gateway: Gateway, phone: Phone, sessions: Sessions) -> APIRouter:
    router = APIRouter(prefix="/api/voice/phone", tags=["phone page"])
    visitors = Visitors()
    offers = Offers(gateway.flows.library, gateway.flows.folder, phone.offers)

    async def welcome(request: Request) -> None:
        _check_welcome(request, phone)

    @router.get(
        "",
        response_model=PhoneOffer,
        responses={403: _REFUSALS[403]},
        dependencies=[Depends(welcome)],
        summary="What the phone page may call",
    )
    async def get_offer() -> PhoneOffer:
        return PhoneOffer(flows=await offers.all(time.monotonic()), ice_servers=sessions.ice_servers())

    @router.post(
        "/sessions",
        status_code=201,
        response_model=SessionOut,
        response_model_exclude_none=True,
        responses=_REFUSALS,
        dependencies=[Depends(welcome)],
        summary="A token for one call of the phone page",
    )
    async def make_session(
        body: PhoneCall, request: Request, _: Annotated[None, Depends(_same_origin)]
    ) -> Any:
        """For the page at `/` alone: others use `POST /api/voice/sessions`. Without a key, and so only where
        `web.phone` allows it, only from that page, and not too often from one address."""
        flow = offers.flow(body.flow)
        if flow is None:
            raise UnknownFlow(body.flow, offers.names)
        wrong = _misfits(flow, body)
        if wrong:
            raise ParamsRefused(wrong)
        address = request.client.host if request.client else ""
        if phone.access == "open" and not visitors.take(address, time.monotonic()):
            detail = "too many calls from this address; there is another one in a moment"
            raise ProblemError(TOO_MANY_CALLS, detail, {"Retry-After": str(RETRY_S)})
        return sessions.issue(FlowCall(body.flow, body.params, body.language, CALLER))

    return router


def _check_welcome(request: Request, phone: Phone) -> None:
    if phone.access == "off":
        raise ProblemError(PHONE_CLOSED, "the phone page is switched off (web.phone.access)")
    if phone.access == "local" and not (
        is_local(request) and names_this_machine(request.headers.get("host", ""))
    ):
        detail = (
            "the phone page is for browsers on the machine of the server alone: open it there as "
            "http://localhost, or set web.phone.access to open"
        )
        raise ProblemError(PHONE_CLOSED, detail)


def _misfits(flow: Flow, call: PhoneCall) -> dict[str, str]:
    """What is wrong with the values of a call, told before a token is spent on it."""
    wrong: dict[str, str] = {}
    try:
        flow.bind(call.params)
    except ParamError as error:
        wrong |= error.fields
    if call.language is not None and call.language not in flow.languages:
        wrong["language"] = f"must be one of {', '.join(flow.languages)}"
    return wrong


async def _same_origin(request: Request) -> None:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise ProblemError(NOT_JSON, "the body must be sent as application/json")
    if not from_our_page(request.headers):
        detail = "only the phone page of this server may ask; others use a token of POST /api/voice/sessions"
        raise ProblemError(OTHER_ORIGIN, detail)
