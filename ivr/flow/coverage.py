"""Which steps and outcomes of a flow its scenarios have tried."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ivr.flow.model import Flow, Step
from ivr.flow.rehearsal import Played
from ivr.flow.verbs.request import Request


class Way(NamedTuple):
    """One outcome of a step."""

    step: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """What there is to try in a flow, and what of it was never tried, in the order of the file."""

    flow: str
    steps: int
    outcomes: int
    missed_steps: tuple[str, ...]
    missed_outcomes: tuple[Way, ...]

    @property
    def percent(self) -> float:
        """Of steps and outcomes together; 0 to 100."""
        missed = len(self.missed_steps) + len(self.missed_outcomes)
        return 100.0 * (1 - missed / (self.steps + self.outcomes))


def coverage_of(flow: Flow, played: Iterable[Played], around: Iterable[Played] = ()) -> Coverage:
    """Outcomes are those of the steps themselves: a hang-up or a call for the operator can come anywhere.
    `around` were played in other flows, which may have entered this one."""
    entered: set[str] = set()
    left: set[Way] = set()
    for one in played:
        entered.update(one.path)
        left.update(Way(by.step, by.outcome) for by in one.outcomes if not by.flow)
    for one in around:
        within = f"{flow.name}/"
        entered.update(path.removeprefix(within) for path in one.path if path.startswith(within))
        left.update(Way(by.step, by.outcome) for by in one.outcomes if by.flow == flow.name)
    ways = [Way(name, outcome) for name, step in flow.steps.items() for outcome in outcomes_of(step)]
    return Coverage(
        flow.name,
        len(flow.steps),
        len(ways),
        tuple(name for name in flow.steps if name not in entered),
        tuple(way for way in ways if way not in left),
    )


def outcomes_of(step: Step) -> tuple[str, ...]:
    """The outcomes that a call can take."""
    if isinstance(step, Request) and step.background:
        return ("next",)  # nobody waits to see whether it is delivered
    return tuple(way.outcome for way in step.exits())


def told(coverages: Iterable[Coverage]) -> Iterator[str]:
    """For people: a line for each flow, and one for each step with something untried."""
    for one in coverages:
        steps, outcomes = one.steps - len(one.missed_steps), one.outcomes - len(one.missed_outcomes)
        yield (
            f"{one.flow}: {steps} of {one.steps} steps, {outcomes} of {one.outcomes} outcomes"
            f" ({one.percent:.1f} %)"
        )
        for step, untried in _by_step(one).items():
            yield f"    {step}: {untried}"


def _by_step(coverage: Coverage) -> Mapping[str, str]:
    never = dict.fromkeys(coverage.missed_steps, "never entered")
    untried: dict[str, list[str]] = {}
    for step, outcome in coverage.missed_outcomes:
        if step not in never:
            untried.setdefault(step, []).append(outcome)
    return {**never, **{step: f"never left by {', '.join(names)}" for step, names in untried.items()}}
