"""The routes by which operators join live calls: to listen in, to whisper to the agent, to take over."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from ivr.api.audited import about
from ivr.api.auth import Client, Keys
from ivr.api.calls import errors, find_call
from ivr.api.gateway import Gateway
from ivr.api.live import Supervisor, supervisor
from ivr.store import Store
from ivr.web.book import Mode, Supervision
from ivr.web.routes import IceServerOut
from ivr.web.sessions import Sessions

_CALL: Final = "019aab1c-6d2e-7b1f-9c44-52a1f0a0c7de"
_SESSION: Final = "5f0c6ad15f0c6ad15f0c6ad1"
_Id = Annotated[str, Path(max_length=64)]


class SuperviseRequest(BaseModel):
    """How an operator joins a call."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"mode": "listen"}]})

    mode: Mode = Field(
        description="`listen`: he hears both sides, and nobody hears him; `whisper`: the agent, who must be "
        "on the call, hears him too, the caller does not; `take_over`: he speaks with the caller in the "
        "flow's or the agent's place"
    )
    ttl_s: float | None = Field(
        default=None, gt=0, description="How long the token is good; `web.session_s` at most, and without one"
    )


class SupervisionSession(BaseModel):
    """A token for one leg, as of `POST /api/voice/sessions`: who begins a call with it (`POST
    /api/voice/stream/start`, or `/ws/voice`) joins the live one."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "session_id": _SESSION,
                    "call_id": _CALL,
                    "mode": "listen",
                    "token": "…",
                    "expires_at": 1763803860.0,
                    "ice_servers": [],
                }
            ]
        }
    )

    session_id: str
    call_id: str
    mode: Mode
    token: str
    expires_at: float = Field(description="Unix time")
    ice_servers: list[IceServerOut]


class ModeChange(BaseModel):
    """Another mode for an operator who is on the call. From `take_over` the caller goes back to the flow."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"mode": "take_over"}]})

    mode: Mode


class SupervisorList(BaseModel):
    """Who is on the call, in the order they came."""

    supervisors: list[Supervisor]


def routes(gateway: Gateway, store: Store, sessions: Sessions, keys: Keys) -> APIRouter:
    router = APIRouter(prefix="/admin/calls/{call_id}/supervise", tags=["supervision"])
    asking = Depends(keys.needs("calls:supervise"))
    supervisors = gateway.supervisors

    @router.get(
        "",
        response_model=SupervisorList,
        dependencies=[Depends(keys.needs("calls:read"))],
        responses=errors(404),
        summary="Operators who are on a call",
    )
    async def list_supervisors(call_id: _Id) -> SupervisorList:
        found = supervisors.of(call_id)
        if not found:
            await find_call(store, call_id)
        return SupervisorList(supervisors=[Supervisor(**supervisor(each)) for each in found])

    @router.post(
        "",
        status_code=201,
        response_model=SupervisionSession,
        responses=errors(404, 409, 422, 503),
        summary="Join a live call: listen in, whisper, take over",
    )
    async def supervise(call_id: _Id, body: SuperviseRequest, client: Client = asking) -> dict[str, Any]:
        """Gives a token for the operator's leg; he is on the call as soon as that has media. The record of
        the call says who was on it, how, and when (`supervised`)."""
        await find_call(store, call_id)
        supervisors.check(call_id, body.mode)
        told = sessions.issue(Supervision(call_id, body.mode, client.operator or client.name), body.ttl_s)
        about(mode=body.mode, session=told["session_id"])
        return {**told, "call_id": call_id, "mode": body.mode}

    @router.patch(
        "/{session_id}",
        response_model=Supervisor,
        dependencies=[asking],
        responses=errors(404, 409, 422),
        summary="Change how an operator is on a call",
    )
    async def change(call_id: _Id, session_id: _Id, body: ModeChange) -> dict[str, Any]:
        """Refused where the mode is not possible now; all is then as it was."""
        about(mode=body.mode, session=session_id)
        await find_call(store, call_id)
        return supervisor(await supervisors.change(call_id, session_id, body.mode))

    @router.delete(
        "/{session_id}",
        status_code=204,
        dependencies=[asking],
        responses=errors(404, 409),
        summary="Hang up on an operator",
    )
    async def leave(
        call_id: _Id,
        session_id: _Id,
        give_back: Annotated[
            bool, Query(alias="return", description="Who had taken over gives the caller back to the flow")
        ] = False,
    ) -> None:
        """When an operator leaves who had taken the caller over, the call ends, and its `hangup` steps run;
        with `return` the flow has the caller again, and asks its step anew."""
        about(session=session_id, gave_back=give_back)
        await find_call(store, call_id)
        await supervisors.end(call_id, session_id, gives_back=give_back)

    return router
