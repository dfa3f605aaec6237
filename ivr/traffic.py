"""How calls went through a flow, added up: entries of each step, the ways taken, and where callers hung up.

Pure: it is given the words of events and how many calls have each, and adds. What it holds names no person,
so that sums may be kept after the calls they came from are erased.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Way(NamedTuple):
    """Out of a step by one outcome to the next."""

    step: str
    outcome: str
    next: str


class Ending(NamedTuple):
    """How calls ended: the cause, and who hung up (`caller`, `callee`, `us`)."""

    cause: str
    by: str


@dataclass(slots=True)
class Traffic:
    """Sums over some calls of a flow.

    `entered` counts calls that came to a step, `visits` how often they did; `hung_up` the calls whose far end
    hung up, or vanished, in a step; `live` those that have not ended.
    """

    calls: int = 0
    live: int = 0
    entered: Counter[str] = field(default_factory=Counter)
    visits: Counter[str] = field(default_factory=Counter)
    ways: Counter[Way] = field(default_factory=Counter)
    hung_up: Counter[str] = field(default_factory=Counter)
    endings: Counter[Ending] = field(default_factory=Counter)

    def add(self, other: Traffic) -> None:
        self.calls += other.calls
        self.live += other.live
        for name in ("entered", "visits", "ways", "hung_up", "endings"):
            getattr(self, name).update(getattr(other, name))

    def mean_visits(self, step: str) -> float:
        """Of the calls that came to it; 0 where none did."""
        return self.visits[step] / self.entered[step] if self.entered[step] else 0.0


def add_events(traffic: Traffic, alike: Iterable[tuple[str, str, int]]) -> None:
    """Adds events of the kinds `step` and `outcome`: kind, data as JSON, and how many calls have it so.

    Those of a flow within are left out, which may have a step of the same name, and so are those of calls
    whose data was erased.
    """
    for kind, text, count in alike:
        data = _own(text)
        if data is None:
            continue
        if kind == "step":
            traffic.visits[data["step"]] += count
            if data.get("visit", 1) == 1:
                traffic.entered[data["step"]] += count
        elif "outcome" in data:
            traffic.ways[Way(data["step"], data["outcome"], data["next"])] += count


def add_last_steps(traffic: Traffic, alike: Iterable[tuple[str | None, int]]) -> None:
    """Adds calls whose far end hung up, by the data of the event that tells where: the outcome `hangup`, or
    without one the last step."""
    for text, count in alike:
        data = None if text is None else _own(text)
        if data is not None:
            traffic.hung_up[data["step"]] += count


def _own(text: str) -> Mapping[str, Any] | None:
    data: Mapping[str, Any] = json.loads(text)
    return None if "flow" in data or "step" not in data else data
