"""A flow as a picture to be laid out: boxes for steps and events, arrows for outcomes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from ivr.flow.coverage import outcomes_of
from ivr.flow.facts import facts_of
from ivr.flow.model import Flow, Step
from ivr.flow.verbs.branch import Branch
from ivr.flow.verbs.menu import Menu

MAX_LABEL: Final = 32
"""Longest label of one outcome, in characters."""

_CONDITIONS: Final = re.compile(r"\{%.*?%\}", re.DOTALL)
"""What of a text is said now and then; a picture shows all of it."""

_DETAILS: Final = (
    "endpoint",
    "publishes to",
    "to",
    "goes on at the signal",
    "wait",
    "sets",
    "ends with",
    "enters",
    "finds out",
)
"""Facts that say what a step without a prompt is about, the first that it has."""


class Kind(Enum):
    """How a box looks."""

    STEP = "step"
    FLOW = "flow"
    END = "end"
    EVENT = "event"


@dataclass(frozen=True, slots=True)
class Box:
    """A step, or an event of the flow. `text` is what is said or done in it; `visits` None: not counted;
    `lost` are callers who hung up in it, of those visits."""

    id: str
    kind: Kind
    title: str
    subtitle: str
    text: str = ""
    visits: int | None = None
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Arrow:
    """All outcomes of a box that lead to another (or to itself), with how often they were taken."""

    source: str
    target: str
    labels: tuple[str, ...]
    visits: int | None = None


@dataclass(frozen=True, slots=True)
class Visits:
    """How past calls went: entries of each step, and of each (step, outcome, next step); `lost` is how many
    callers hung up in a step, where that was counted."""

    calls: int = 0
    steps: Mapping[str, int] = field(default_factory=dict)
    outcomes: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    lost: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Drawing:
    """The first box is where a call begins."""

    title: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


def draw(flow: Flow, language: str | None = None, visits: Visits | None = None) -> Drawing:
    """`language` is that of the prompts shown, the flow's first without one."""
    spoken = language if language in flow.languages else flow.languages[0]
    first = flow.steps[flow.start.step]
    steps = [first, *(step for step in flow.steps.values() if step is not first)]
    boxes = [_box(step, spoken, visits) for step in steps]
    arrows = [arrow for step in steps for arrow in _arrows(step, visits)]
    for name, target in (
        ("hangup", flow.events.hangup),
        ("failure", flow.events.failure),
        ("operator", flow.events.operator),
    ):
        if target is not None:
            taken = None if visits is None else _taken(visits, name, target.step)
            boxes.append(Box(f"on {name}", Kind.EVENT, f"on {name}", "", visits=taken))
            arrows.append(Arrow(f"on {name}", target.step, (), taken))
    calls = "" if visits is None else f" · {visits.calls} call{'' if visits.calls == 1 else 's'}"
    return Drawing(f"{flow.name}{calls}", tuple(boxes), tuple(arrows))


def _taken(visits: Visits, event: str, target: str) -> int:
    return sum(
        count
        for (_, outcome, following), count in visits.outcomes.items()
        if outcome == event and following == target
    )


def _box(step: Step, language: str, visits: Visits | None) -> Box:
    kind = Kind.END if step.ends else Kind.STEP if step.enters() is None else Kind.FLOW
    count = None if visits is None else visits.steps.get(step.name, 0)
    # Who hangs up while he is bidden goodbye is not lost.
    lost = 0 if visits is None or step.ends else visits.lost.get(step.name, 0)
    return Box(step.name, kind, step.name, step.verb, _about(step, language), count, lost)


def _about(step: Step, language: str) -> str:
    for prompt in step.prompts()[:1]:
        wording = prompt.wordings.get(language)
        if wording is not None:
            return _CONDITIONS.sub("", wording.text.source) if wording.text else f"[{wording.audio}]"
    facts = facts_of(step)
    return next((facts[fact] for fact in _DETAILS if fact in facts), "")


def _arrows(step: Step, visits: Visits | None) -> Iterator[Arrow]:
    possible = outcomes_of(step)
    labels: dict[str, list[str]] = {}
    counts: dict[str, int] = {}
    for way in step.exits():
        if way.outcome not in possible:
            continue
        target = way.target.step
        labels.setdefault(target, []).append(_short(_label(step, way.outcome)))
        if visits is not None:
            taken = visits.outcomes.get((step.name, way.outcome, target), 0)
            counts[target] = counts.get(target, 0) + taken
    for target, names in labels.items():
        alone = names == ["next"] and len(labels) == 1
        yield Arrow(step.name, target, () if alone else tuple(names), counts.get(target))


def _label(step: Step, outcome: str) -> str:
    """A choice with its key, a case of a branch with its condition."""
    if isinstance(step, Menu):
        key = next((choice.key for choice in step.choices if choice.name == outcome), None)
        return outcome if key is None else f"{outcome} ({key})"
    if isinstance(step, Branch) and outcome.startswith("case "):
        return step.cases[int(outcome.removeprefix("case ")) - 1].condition.source
    return outcome


def _short(text: str) -> str:
    return text if len(text) <= MAX_LABEL else text[: MAX_LABEL - 1] + "…"
