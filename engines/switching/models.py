"""What goes over the wire about switches: of the services' API and of the gateway's."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from engines.switching.switcher import Order, Place, Standing, Switcher

_ORDER: Final[dict[str, Any]] = {"engine": "faster-whisper", "weights": "whisper-hindi-2026-11"}
_STANDING: Final[dict[str, Any]] = {
    "engine": "faster-whisper",
    "to": "faster-whisper",
    "weights": "whisper-hindi-2026-11",
    "unload_first": False,
    "by": "ops",
    "stage": "draining",
    "reason": None,
    "before": "faster-whisper faster-whisper-large-v3-turbo-1",
    "after": None,
    "began_at": "2026-11-22T09:30:00.120000Z",
    "ended_at": None,
    "cut_off": 0,
}
_MODELS: Final[dict[str, Any]] = {
    "places": [
        {
            "place": "faster-whisper",
            "engine": "faster-whisper",
            "version": "faster-whisper-large-v3-turbo-1",
            "state": "up",
        }
    ],
    "switches": [_STANDING],
}

_NAME: Final = r"^[a-z0-9][a-z0-9-]{0,63}$"
_FOLDER: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"


class SwitchBody(BaseModel):
    """Another model for a place."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_ORDER]})

    engine: Annotated[str, Field(pattern=_NAME)] = Field(
        description="Whose place it is: the engine's name in the configuration, or of the one that has it now"
    )
    to: Annotated[str, Field(pattern=_NAME)] | None = Field(
        default=None, description="Another engine for the place; without it, another model of the same one"
    )
    weights: Annotated[str, Field(pattern=_FOLDER)] | None = Field(
        default=None,
        description="The name of a folder beside that of the engine's weights; without it, its own weights",
    )
    vram_gb: float | None = Field(
        default=None, gt=0, le=1000, description="What the model takes of the card, where that is not known"
    )
    unload_first: bool = Field(
        default=False,
        description="Where both do not fit on the card: the old model goes first, and the next engine of the "
        "chain serves until the new one is loaded",
    )

    def order(self) -> Order:
        return Order(
            self.engine,
            self.to or self.engine,
            self.weights,
            self.vram_gb,
            self.unload_first,
        )


class SwitchStanding(BaseModel):
    """How a switch stands."""

    model_config = ConfigDict(json_schema_extra={"examples": [_STANDING]})

    engine: str
    to: str
    weights: str | None
    unload_first: bool
    by: str = Field(description="The holder of the key that asked for it")
    stage: Literal["loading", "warming", "draining", "unloading", "abandoning", "restoring", "done", "failed"]
    reason: str | None = Field(description="Why it failed")
    before: str = Field(description="Engine and version that had the place")
    after: str | None = Field(description="Those that have it at the end")
    began_at: datetime
    ended_at: datetime | None
    cut_off: int = Field(
        description="What was still under way with the old model when its time was over; 0 as a rule"
    )


class PlaceStanding(BaseModel):
    """A place whose model can be switched: the engine that the configuration has there, and the one that has
    it now."""

    place: str
    engine: str
    version: str
    state: Literal["up", "starting", "down"]


class Models(BaseModel):
    """Places, and the last switches, the latest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [_MODELS]})

    places: list[PlaceStanding]
    switches: list[SwitchStanding]


def shown(standing: Standing) -> SwitchStanding:
    order = standing.order
    return SwitchStanding(
        engine=order.engine,
        to=order.to,
        weights=order.weights,
        unload_first=order.unload_first,
        by=standing.by,
        stage=standing.stage.value,
        reason=standing.reason or None,
        before=standing.before,
        after=standing.after or None,
        began_at=datetime.fromtimestamp(standing.began_at, UTC),
        ended_at=None if standing.ended_at is None else datetime.fromtimestamp(standing.ended_at, UTC),
        cut_off=standing.cut_off,
    )


def models_of(switcher: Switcher) -> Models:
    return Models(
        places=[_place(name, place) for name, place in switcher.places.items()],
        switches=[shown(standing) for standing in switcher.standings],
    )


def _place(name: str, place: Place) -> PlaceStanding:
    return PlaceStanding(place=name, engine=place.name, version=place.version, state=place.health.state.value)
