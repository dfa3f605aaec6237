"""The route of the figures that a dashboard draws: now, since the start, the last hour by the minute."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any, Final

import psutil
from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from ivr.api.auth import Keys
from ivr.api.calls import errors
from ivr.api.engines import Engine, engine_shown
from ivr.api.gateway import Gateway
from ivr.api.models import utc
from ivr.hour import Minute, Times
from ivr.store import Store

TIMES: Final = ("turn", "key", "asr", "tts", "llm")

_TIMES: Final = {"count": 3, "p50_ms": 142.0, "p95_ms": 310.0}
_NONE: Final = {"count": 0, "p50_ms": None, "p95_ms": None}
_TIMED: Final = {"turn": _TIMES, "key": _NONE, "asr": _TIMES, "tts": _TIMES, "llm": _NONE}
_EXAMPLE: Final[dict[str, Any]] = {
    "at": "2025-11-22T09:30:41Z",
    "started_at": "2025-11-22T09:00:03Z",
    "now": {
        "calls": 42,
        "by_state": {"answered": 40, "ringing": 2},
        "by_flow": {"vendor-order": 42},
        "by_trunk": {"exotel": 42},
        "lateness_ms": 1.2,
        "cpu": 0.31,
        "memory_mb": 210.5,
        "store_backlog": 0,
        "followers": 1,
    },
    "totals": {"began": 611, "answered": 598, "ended": {"normal": 560, "no_answer": 9}, "refused": {}},
    "hour": _TIMED,
    "minutes": [
        {
            "at": "2025-11-22T09:30:00Z",
            "began": 11,
            "answered": 10,
            "ended": {"normal": 9},
            "refused": {},
            "calls": 42,
            "lateness_ms": 2.1,
            "cpu": 0.34,
            **_TIMED,
        }
    ],
    "engines": [],
}


class TimesTaken(BaseModel):
    """How long something took: how often it was seen, and half and nineteen in twenty of them within."""

    count: int
    p50_ms: float | None
    p95_ms: float | None


class Timed(BaseModel):
    """Times to the first of an answer."""

    turn: TimesTaken = Field(description="From the end of speech to the first packet of the reply")
    key: TimesTaken = Field(description="From a key's first packet to the first of the prompt")
    asr: TimesTaken = Field(description="Of recognisers")
    tts: TimesTaken = Field(description="Of voices, for what was not made before")
    llm: TimesTaken = Field(description="Of language models")


class MinuteFigures(Timed):
    """One minute: what was counted in it, and the highest of what goes up and down. `ended` is by cause,
    `refused` by reason."""

    at: datetime
    began: int
    answered: int
    ended: dict[str, int]
    refused: dict[str, int]
    calls: int
    lateness_ms: float
    cpu: float


class Now(BaseModel):
    """As it is, at most two seconds old."""

    calls: int
    by_state: dict[str, int]
    by_flow: dict[str, int]
    by_trunk: dict[str, int]
    lateness_ms: float = Field(description="How late the media were at worst within the last seconds")
    cpu: float = Field(description="Share of a core that this process takes")
    memory_mb: float
    store_backlog: int = Field(description="Writes that are not committed yet")
    followers: int = Field(description="Who follows the events")


class Totals(BaseModel):
    """Since the start."""

    began: int
    answered: int
    ended: dict[str, int]
    refused: dict[str, int]


class Figures(BaseModel):
    """What the server does and did. `hour` is the last hour as a whole, `minutes` its minutes, oldest first;
    the last one is not over yet."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    at: datetime
    started_at: datetime
    now: Now
    totals: Totals
    hour: Timed
    minutes: list[MinuteFigures]
    engines: list[Engine]


def routes(gateway: Gateway, store: Store, keys: Keys) -> APIRouter:
    router = APIRouter(prefix="/admin", tags=["operation"])
    process = psutil.Process()

    @router.get(
        "/metrics",
        response_model=Figures,
        dependencies=[Depends(keys.needs("metrics:read"))],
        responses=errors(),
        summary="Figures as JSON: now, since the start, the last hour by the minute",
    )
    async def figures() -> Figures:
        """From memory, without Prometheus; what that wants is at `/metrics`."""
        overview, now = gateway.overview, time.time()
        hour, load = overview.hour, overview.load
        return Figures(
            at=utc(now),
            started_at=utc(overview.since),
            now=Now(
                calls=len(overview.calls),
                by_state=overview.calls.by("state"),
                by_flow=overview.calls.by("flow"),
                by_trunk=overview.calls.by("trunk"),
                lateness_ms=load.lateness_ms,
                cpu=load.cpu,
                memory_mb=round(process.memory_info().rss / 2**20, 1),
                store_backlog=store.backlog,
                followers=overview.followers,
            ),
            totals=Totals(
                began=hour.totals["began"],
                answered=hour.totals["answered"],
                ended=_of("ended", hour.totals),
                refused=_of("refused", hour.totals),
            ),
            hour=Timed(**{what: _shown(hour.took(what, now)) for what in TIMES}),
            minutes=[_minute(minute) for minute in hour.minutes(now)],
            engines=[engine_shown(status) for status in gateway.engines()],
        )

    return router


def _minute(minute: Minute) -> MinuteFigures:
    return MinuteFigures(
        at=utc(minute.at),
        began=minute.counts["began"],
        answered=minute.counts["answered"],
        ended=_of("ended", minute.counts),
        refused=_of("refused", minute.counts),
        calls=int(minute.most.get("calls", 0)),
        lateness_ms=minute.most.get("lateness_ms", 0.0),
        cpu=minute.most.get("cpu", 0.0),
        **{what: _shown(minute.took(what)) for what in TIMES},
    )


def _of(what: str, counts: dict[str, int]) -> dict[str, int]:
    """Those whose names begin so, without that."""
    return {
        name.removeprefix(f"{what}."): count for name, count in counts.items() if name.startswith(f"{what}.")
    }


def _shown(times: Times) -> TimesTaken:
    return TimesTaken(count=times.count, p50_ms=times.p50_ms, p95_ms=times.p95_ms)
