"""The route about the traffic of a flow: which ways its calls took, and where callers hung up."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from ivr.api.auth import Keys
from ivr.api.calls import errors
from ivr.api.gateway import Gateway
from ivr.api.models import utc
from ivr.api.problems import INVALID, UNKNOWN_FLOW, ProblemError, fields
from ivr.store import Store
from ivr.store.traffic import Counted

DAY_S: Final = 86_400.0
LONGEST_S: Final = 31 * DAY_S
"""Most of the past that is counted in one request."""

WITHIN_S: Final = 3.0
"""So long is counted for one request; what was counted is kept, and the next goes on from there."""

_EXAMPLE: Final[dict[str, Any]] = {
    "flow": "vendor-order",
    "hash": None,
    "since": "2025-11-22T00:00:00Z",
    "until": "2025-11-22T09:30:00Z",
    "complete": True,
    "calls": 812,
    "live": 3,
    "steps": [{"step": "offer", "calls": 806, "visits": 1020, "mean_visits": 1.27, "hung_up": 41}],
    "ways": [{"step": "offer", "outcome": "accept", "next": "minutes", "count": 655}],
    "endings": [
        {"cause": "normal", "by": "us", "count": 702},
        {"cause": "normal", "by": "caller", "count": 107},
    ],
}


class StepTraffic(BaseModel):
    """One step, with the calls that came to it."""

    step: str
    calls: int = Field(description="Calls that came to it at least once")
    visits: int = Field(description="How often it was entered")
    mean_visits: float = Field(description="`visits` of a call that came to it")
    hung_up: int = Field(description="Calls whose far end hung up, or vanished, in it")


class WayTraffic(BaseModel):
    """One way out of a step."""

    step: str
    outcome: str
    next: str
    count: int


class EndingTraffic(BaseModel):
    """Calls that ended so."""

    cause: str
    by: str = Field(description="Who hung up: caller, callee, us")
    count: int


class FlowTraffic(BaseModel):
    """How calls went through a flow. Steps of flows within are counted as the step that enters those."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    flow: str
    hash: str | None = Field(description="The version that was asked for; null: all versions")
    since: datetime = Field(description="From where on calls were counted")
    until: datetime
    complete: bool = Field(
        description="false: there was no time to count back to where it was asked for; ask again, what was "
        "counted is kept"
    )
    calls: int
    live: int = Field(description="Those that have not ended")
    steps: list[StepTraffic]
    ways: list[WayTraffic]
    endings: list[EndingTraffic]


def routes(gateway: Gateway, store: Store, keys: Keys) -> APIRouter:
    router = APIRouter(prefix="/api/flows", tags=["flows"])

    @router.get(
        "/{name}/traffic",
        response_model=FlowTraffic,
        dependencies=[Depends(keys.needs("flows:read"))],
        responses=errors(404, 422),
        summary="Which ways calls took through a flow, and where callers hung up",
    )
    async def traffic(
        name: Annotated[str, Path(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,59}$")],
        since: Annotated[
            datetime | None, Query(description="ISO 8601, UTC without a zone; a day ago without it")
        ] = None,
        until: Annotated[datetime | None, Query(description="ISO 8601; now without it")] = None,
        hash: Annotated[
            str | None, Query(pattern=r"^[0-9a-f]{1,64}$", description="Calls of this version alone")
        ] = None,
    ) -> FlowTraffic:
        """Calls are told by when they began. At most 31 days are counted at once. A flow that is gone is
        still counted."""
        now = time.time()
        end = now if until is None else min(_unix(until), now)
        begin = end - DAY_S if since is None else _unix(since)
        if begin >= end:
            raise _refused("since", "is not before until")
        if end - begin > LONGEST_S:
            raise _refused("since", f"is more than {LONGEST_S / DAY_S:g} days before until")
        counted = await store.traffic(name, hash, begin, end, now=now, within_s=WITHIN_S)
        if not counted.traffic.calls and gateway.flows.library.entry(name) is None:
            known = [entry.name for entry in gateway.flows.library]
            raise ProblemError(UNKNOWN_FLOW, f"there is no flow {name!r}", known=known)
        return _shown(name, hash, counted)

    return router


def _unix(at: datetime) -> float:
    return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()


def _refused(field: str, message: str) -> ProblemError:
    return ProblemError(INVALID, f"{field}: {message}", fields=fields({field: message}))


def _shown(name: str, hash: str | None, counted: Counted) -> FlowTraffic:
    traffic = counted.traffic
    steps = sorted(traffic.visits | traffic.hung_up, key=_most(traffic.visits))
    return FlowTraffic(
        flow=name,
        hash=hash,
        since=utc(counted.since),
        until=utc(counted.until),
        complete=counted.complete,
        calls=traffic.calls,
        live=traffic.live,
        steps=[
            StepTraffic(
                step=step,
                calls=traffic.entered[step],
                visits=traffic.visits[step],
                mean_visits=round(traffic.mean_visits(step), 2),
                hung_up=traffic.hung_up[step],
            )
            for step in steps
        ],
        ways=[
            WayTraffic(step=way.step, outcome=way.outcome, next=way.next, count=count)
            for way, count in sorted(traffic.ways.items(), key=lambda item: (-item[1], item[0]))
        ],
        endings=[
            EndingTraffic(cause=ending.cause, by=ending.by, count=count)
            for ending, count in sorted(traffic.endings.items(), key=lambda item: (-item[1], item[0]))
        ],
    )


def _most(counts: Mapping[str, int]) -> Any:
    return lambda name: (-counts[name], name)
