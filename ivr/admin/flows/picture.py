"""A flow's graph with its traffic in it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ivr.api.traffic import FlowTraffic
from ivr.flow.drawing import Visits, draw
from ivr.flow.model import Flow, Step
from ivr.flow.svg import svg

MOST_AT_ONCE: Final = 150
"""Steps of a graph that is drawn without being asked for: a larger one takes seconds."""


def visits_of(traffic: FlowTraffic) -> Visits:
    return Visits(
        traffic.calls,
        {each.step: each.visits for each in traffic.steps},
        {(way.step, way.outcome, way.next): way.count for way in traffic.ways},
        {each.step: each.hung_up for each in traffic.steps},
    )


def picture(flow: Flow, traffic: FlowTraffic | None, language: str | None = None) -> str:
    """As SVG; a box names its step in `data-step`. Computes."""
    return svg(draw(flow, language, None if traffic is None else visits_of(traffic)))


@dataclass(frozen=True, slots=True)
class Row:
    """One step of the table beside the graph; without traffic the counts are 0."""

    step: str
    verb: str
    calls: int
    mean_visits: float
    hung_up: int
    share: float
    """Of the calls that came to it, how many hung up there; 0 to 1. Of a step that ends the call: 0."""


def rows(flow: Flow, traffic: FlowTraffic | None) -> list[Row]:
    """Every step of the flow, those first in which most hung up, and behind them those of most calls."""
    counted = {} if traffic is None else {each.step: each for each in traffic.steps}
    found = []
    for name, step in flow.steps.items():
        each = counted.get(name)
        if each is None:
            found.append(Row(name, step.verb, 0, 0.0, 0, 0.0))
            continue
        lost = 0 if step.ends else each.hung_up
        share = lost / each.calls if each.calls else 0.0
        found.append(Row(name, step.verb, each.calls, each.mean_visits, lost, share))
    return sorted(found, key=lambda row: (-row.hung_up, -row.calls))


def gone_steps(flow: Flow, traffic: FlowTraffic) -> list[str]:
    """Steps of older versions that calls went through, and this one lacks."""
    return [each.step for each in traffic.steps if each.step not in flow.steps]


@dataclass(frozen=True, slots=True)
class Ways:
    outcome: str
    next: str
    count: int


def ways_of(step: Step, traffic: FlowTraffic | None) -> list[Ways]:
    """Every way out of a step with how often it was taken."""
    counts: Mapping[tuple[str, str], int] = (
        {}
        if traffic is None
        else {(way.outcome, way.next): way.count for way in traffic.ways if way.step == step.name}
    )
    ways = {(way.outcome, way.target.step) for way in step.exits()} | set(counts)
    found = [Ways(outcome, following, counts.get((outcome, following), 0)) for outcome, following in ways]
    return sorted(found, key=lambda way: (-way.count, way.outcome))


def prompts_of(step: Step) -> Iterator[tuple[str, str, str]]:
    """Name, language and words of everything that a step says."""
    seen = set()
    for prompt in step.prompts():
        if prompt.name in seen:
            continue
        seen.add(prompt.name)
        for language, wording in prompt.wordings.items():
            words = wording.text.source if wording.text else f"[{wording.audio}]"
            yield prompt.name, language, words
