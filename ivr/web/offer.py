"""What the phone page offers: flows, their languages, the values they begin with, and samples of these."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field

from ivr.flow.model import Flow
from ivr.flow.scenarios import SUFFIX
from ivr.flow.types import Json, Mismatch, ValueType, to_json
from ivr.library import FlowLibrary

KEPT_S: Final = 2.0
"""What is offered is put together anew after so long: who asks again and again makes no work."""

_MOST_BYTES: Final = 64 * 1024
_EXAMPLE: Final[dict[str, Any]] = {
    "flow": "vendor-order",
    "languages": ["hi", "mr", "en"],
    "params": [
        {"name": "vendor", "kind": "text", "optional": False, "options": [], "sample": "शर्मा भोजनालय"},
        {"name": "amount", "kind": "rupees", "optional": False, "options": [], "sample": 1250.5},
    ],
    "result": {"decision": "one_of", "eta": "minutes"},
}


class OfferedParam(BaseModel):
    """A value that a flow begins with."""

    name: str
    kind: str = Field(description="As in a flow's file: text, digits, count, rupees, ...")
    optional: bool
    options: list[str] = Field(description="What may be chosen (one_of, language); empty: anything")
    sample: Any = Field(description="What the flow's scenarios begin with; null without one")


class OfferedFlow(BaseModel):
    """A flow that the page may call."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    flow: str
    languages: list[str] = Field(description="The first is the flow's own")
    params: list[OfferedParam]
    result: dict[str, str] = Field(description="The kinds of the values that the call brings, by name")


class Offers:
    """The flows that a page may call, of those in a folder; `allowed` says which by their names."""

    def __init__(self, library: FlowLibrary, folder: Path, allowed: Callable[[str], bool]) -> None:
        self._library = library
        self._folder = folder
        self._allowed = allowed
        self._kept: list[OfferedFlow] = []
        self._until = float("-inf")
        self._making = asyncio.Lock()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name in self._library.names if self._allowed(name))

    def flow(self, name: str) -> Flow | None:
        """As new calls get it; None when it is not offered."""
        return self._library.get(name) if self._allowed(name) else None

    async def all(self, now: float) -> list[OfferedFlow]:
        """As forms want them; `now` in seconds of any clock."""
        async with self._making:
            if now >= self._until:
                self._kept = [flow async for flow in self._made()]
                self._until = now + KEPT_S
            return self._kept

    async def _made(self) -> AsyncIterator[OfferedFlow]:
        for name in self.names:
            entry, flow = self._library.entry(name), self._library.get(name)
            if entry is not None and flow is not None:  # the folder may change meanwhile
                yield offered(flow, await asyncio.to_thread(samples_beside, self._folder / entry.file))


def offered(flow: Flow, samples: dict[str, Any]) -> OfferedFlow:
    """The flow as a form wants it. Samples that do not fit their types are left out."""
    return OfferedFlow(
        flow=flow.name,
        languages=list(flow.languages),
        params=[
            OfferedParam(
                name=name,
                kind=type_.kind,
                optional=type_.optional,
                options=list(type_.options),
                sample=_fitting(type_, samples.get(name)),
            )
            for name, type_ in flow.params.items()
        ],
        result={name: field.type.kind for name, field in flow.result.items()},
    )


def samples_beside(file: Path) -> dict[str, Any]:
    """The `with` of the scenarios that lie beside a flow's file; empty without any. Only what stands before
    the scenarios is parsed: there may be hundreds of them, and calls are live meanwhile."""
    try:
        with file.with_name(file.stem + SUFFIX).open("rb") as scenarios:
            head = scenarios.read(_MOST_BYTES).partition(b"\nscenarios:")[0].decode("utf-8-sig")
        read = yaml.safe_load(head)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    values = read.get("with") if isinstance(read, dict) else None
    return values if isinstance(values, dict) else {}


def _fitting(type_: ValueType, raw: Any) -> Json:
    try:
        return None if raw is None else to_json(type_.accept(raw))
    except Mismatch:
        return None
