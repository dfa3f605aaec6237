"""The routes about trunks: how each stands."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from ivr.api.auth import Keys
from ivr.api.calls import errors
from ivr.api.gateway import Gateway, TrunkStatus
from ivr.api.problems import NO_TRUNK, ProblemError

_EXAMPLE: Final[dict[str, Any]] = {
    "name": "exotel",
    "profile": "exotel",
    "up": True,
    "reason": "",
    "registered": None,
    "rtt_ms": 18.2,
    "targets": [
        {"address": "tcp:192.0.2.10:5070", "up": True},
        {"address": "tcp:192.0.2.11:5070", "up": False},
    ],
    "seen_as": None,
    "calls": 12,
    "max_calls": 100,
}


class Target(BaseModel):
    """One address that the trunk's proxy has in DNS."""

    address: str = Field(description="Transport, address and port")
    up: bool | None = Field(description="Whether it answers OPTIONS; null before it was asked")


class Trunk(BaseModel):
    """A trunk of the configuration, and how it stands now."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: str
    profile: str | None
    up: bool | None = Field(description="Whether calls can be placed over it; null: nothing is known")
    reason: str = Field(description="Why it is not up, or not registered, in words")
    registered: bool | None = Field(description="null: the trunk wants no registration")
    rtt_ms: float | None = Field(description="Round trip of the last OPTIONS, in milliseconds")
    targets: list[Target]
    seen_as: str | None = Field(
        description="Our address as the trunk sees it, where it is not the one that we tell: "
        "then `sip.advertise` is wrong or missing"
    )
    calls: int = Field(description="Calls that it has now, both ways")
    max_calls: int


class TrunkList(BaseModel):
    """All trunks, in the order of the configuration."""

    trunks: list[Trunk]


def routes(gateway: Gateway, keys: Keys) -> APIRouter:
    router = APIRouter(prefix="/api/voice", tags=["trunks"])
    read = Depends(keys.needs("calls:read"))

    @router.get(
        "/trunks", response_model=TrunkList, dependencies=[read], responses=errors(), summary="List trunks"
    )
    async def list_trunks() -> TrunkList:
        return TrunkList(trunks=[_shown(status) for status in gateway.trunks()])

    @router.get(
        "/trunks/{name}",
        response_model=Trunk,
        dependencies=[read],
        responses=errors(404),
        summary="One trunk: reachable, registered, how many calls",
    )
    async def get_trunk(name: str) -> Trunk:
        known = {status.name: status for status in gateway.trunks()}
        if name not in known:
            raise ProblemError(NO_TRUNK, "no trunk has this name", known=list(known))
        return _shown(known[name])

    return router


def _shown(status: TrunkStatus) -> Trunk:
    state = status.state
    return Trunk(
        name=status.name,
        profile=status.profile,
        up=state.up,
        reason=state.reason,
        registered=state.registered,
        rtt_ms=state.rtt_ms,
        targets=[Target(address=target.address, up=target.up) for target in state.targets],
        seen_as=state.seen_as,
        calls=status.calls,
        max_calls=status.max_calls,
    )
