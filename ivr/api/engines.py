"""The route about speech engines: how each stands."""

from __future__ import annotations

from typing import Any, Final, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from ivr.api.auth import Keys
from ivr.api.calls import errors
from ivr.api.gateway import EngineStatus, Gateway

_EXAMPLE: Final[dict[str, Any]] = {
    "name": "kokoro",
    "kind": "tts",
    "state": "up",
    "breaker": "closed",
    "restarts": 0,
    "jobs": 2,
    "latency_ms": 84.0,
    "last_failure": "",
}


class Engine(BaseModel):
    """A speech engine that calls use. Of the embedded voice there are two: `espeak`, `espeak#2`."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: str
    kind: Literal["tts", "asr"]
    state: Literal["up", "starting", "down"] = Field(description="Of its worker, or of the service elsewhere")
    breaker: Literal["closed", "open", "half open"] = Field(
        description="open: it failed again and again, and is left alone for a while; half open: one may try"
    )
    restarts: int = Field(description="How often its worker was started anew")
    jobs: int = Field(description="Texts or utterances that it works on now")
    latency_ms: float | None = Field(description="To its last answer's beginning; null before the first")
    last_failure: str


class EngineList(BaseModel):
    """All engines, voices first."""

    engines: list[Engine]


def routes(gateway: Gateway, keys: Keys) -> APIRouter:
    router = APIRouter(prefix="/api/voice", tags=["engines"])

    @router.get(
        "/engines",
        response_model=EngineList,
        dependencies=[Depends(keys.needs("calls:read"))],
        responses=errors(),
        summary="List speech engines: up, left alone, how busy",
    )
    async def list_engines() -> EngineList:
        return EngineList(engines=[engine_shown(status) for status in gateway.engines()])

    return router


def engine_shown(status: EngineStatus) -> Engine:
    health = status.health
    latency_ms = health.last_latency_ms
    return Engine(
        name=status.name,
        kind=status.kind,
        state=health.state.value,
        breaker=status.breaker.value,
        restarts=health.restarts,
        jobs=health.jobs,
        latency_ms=None if latency_ms is None else round(latency_ms, 1),
        last_failure=health.last_failure,
    )
