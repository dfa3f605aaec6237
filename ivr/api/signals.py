"""The route by which a live call is told what happened outside."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from ivr.api.audited import about
from ivr.api.auth import Keys
from ivr.api.calls import errors, find_call
from ivr.api.gateway import Gateway
from ivr.api.models import Accepted, Name, Values, href
from ivr.api.problems import NOT_LIVE, ProblemError
from ivr.store import Store

_EXAMPLE: Final[dict[str, JsonValue]] = {"name": "rider-found", "values": {"rider": "राहुल", "eta": 12}}


class SignalRequest(BaseModel):
    """Something that a `wait` step of the call's flow waits for (`until`), with the values that it fills."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, json_schema_extra={"examples": [_EXAMPLE]})

    name: Name = Field(description="As the flow has it in `until`")
    values: Values = Field(
        default={}, description="The `values` of the step; those of an optional type may be left out"
    )


def routes(gateway: Gateway, store: Store, keys: Keys) -> APIRouter:
    router = APIRouter(prefix="/api/voice", tags=["calls"])

    @router.post(
        "/calls/{call_id}/signals",
        status_code=202,
        response_model=Accepted,
        dependencies=[Depends(keys.needs("calls:write"))],
        responses=errors(404, 409, 422),
        summary="Tell a live call that something happened",
    )
    async def signal(call_id: str, body: SignalRequest) -> Accepted:
        """Ends the wait for it, or is kept until the call comes to a step that waits for it; a later signal
        of the same name takes its place. A name that no step of the flow waits for, and values that do not
        fit, are refused."""
        about(signal=body.name)
        record = await find_call(store, call_id)
        if not gateway.signal(call_id, body.name, body.values):
            raise ProblemError(NOT_LIVE, "the call is not live on this server", state=record.state.value)
        return Accepted(id=call_id, state=record.state, href=href(call_id))

    return router
