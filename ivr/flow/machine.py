"""The flow machine: events and the time in, commands out. It has no clock and does no I/O.

    machine = FlowMachine(flow, flow.bind(params))
    commands = machine.start(now)
    commands = machine.handle(event, now)      # at the latest at machine.due, then with Tick()

What happens from step to step is a `Course`; the machine holds what there is once in a call: its start, the
hang-up, and the end (`HangUp` where somebody is still there, and `Finish`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from ivr.flow.course import FAILED, FAREWELL_S, HUNG_UP, SILENT_S, TRANSFERRED, Course, lose_caller, quieten
from ivr.flow.lookahead import first_prompts, next_prompts
from ivr.flow.model import Flow
from ivr.flow.protocol import (
    Command,
    Event,
    Finish,
    GivenBack,
    HangUp,
    HungUpEvent,
    Signal,
    SpokenSoFar,
    TakenOver,
    Utterance,
    Yield,
)
from ivr.flow.run import Run
from ivr.flow.types import Value

__all__ = ["FAILED", "FAREWELL_S", "HUNG_UP", "SILENT_S", "TRANSFERRED", "FlowMachine"]


class FlowMachine:
    """One call in a flow. Events in any order are allowed; what makes no sense any more is ignored."""

    def __init__(
        self,
        flow: Flow,
        values: Mapping[str, Value],
        language: str | None = None,
        today: date | None = None,
    ) -> None:
        """`values` are those of `flow.bind`; `language` overrides the session language they name; `today` is
        what "tomorrow" and a date without a year count from (None: they are not understood)."""
        self.flow = flow
        self._run = Run(flow, values, language, today)
        self._line = self._run.line
        self._course = Course(self._run)
        self._ahead: tuple[int, tuple[Utterance, ...]] | None = None
        """What was looked ahead, and how many steps had been entered then."""

    # --- what can be seen

    @property
    def due(self) -> float | None:
        """When it wants a `Tick`, or None."""
        return self._course.due

    @property
    def started(self) -> bool:
        return self._course.begun

    @property
    def finished(self) -> bool:
        return self._course.over

    @property
    def taken_over(self) -> bool:
        """Whether somebody else speaks with the caller now."""
        return self._line.taken_at is not None

    @property
    def step(self) -> str:
        """The name of the step it is in (the last one, once it is over); of a flow within, as FLOW/STEP."""
        inner = self._course.innermost
        return f"{inner.run.within}/{inner.step.name}" if inner.run.within else inner.step.name

    @property
    def verb(self) -> str:
        """What that step does."""
        return self._course.innermost.step.verb

    @property
    def language(self) -> str:
        """What is spoken now."""
        return self._course.innermost.run.language

    @property
    def result(self) -> dict[str, Any]:
        """The result as it stands: complete, as JSON values."""
        return self._run.result

    @property
    def values(self) -> Mapping[str, Value]:
        """The values of the call's own flow, and after them those of the flows within it that are under way,
        as FLOW/NAME."""
        run = self._course.innermost.run
        within: dict[str, Value] = {}
        while run.outer is not None:
            within = {f"{run.flow.name}/{name}": value for name, value in run.values.items()} | within
            run = run.outer.run
        return {**self._run.values, **within} if within else self._run.values

    def lookahead(self) -> tuple[Utterance, ...]:
        """What may have to be spoken next: what an agent prepares, the prompts of every step that one outcome
        leads to, and the retries of this one, as far as their values are known. Before `start`: the first
        step's. Cheap to ask again."""
        if self._line.lost is not None or self.taken_over or self._course.over:
            return ()
        if self._ahead is None or self._ahead[0] != self._line.entries:
            inner = self._course.innermost
            look = next_prompts if inner.begun else first_prompts
            self._ahead = (self._line.entries, look(inner.run, inner.step))
        return (*self._line.likely, *self._ahead[1])

    # --- what happens

    def start(self, now: float) -> list[Command]:
        """Enters the first step; the call begins to count."""
        if self._course.begun:
            return []
        self._course.begin(now)
        self._part(now)
        return self._told()

    def handle(self, event: Event, now: float) -> list[Command]:
        """Before the start a `Signal` is kept, and all else ignored."""
        if isinstance(event, Signal):
            self._run.keep_signal(event.name, event.values)
        if not self._course.begun or self._course.over:
            return []
        if isinstance(event, SpokenSoFar):
            self._line.spoken = event
            return []
        if isinstance(event, TakenOver | GivenBack):
            self._change_hands(event, now)
        elif not isinstance(event, HungUpEvent):
            self._course.handle(event, now)
        elif self._line.lost is None:
            self._line.taken_at = None
            self._run.forget_caller()
            lose_caller(self._run, HUNG_UP, now)
            self._course.hang_up(now)
        self._part(now)
        return self._told()

    def _change_hands(self, event: TakenOver | GivenBack, now: float) -> None:
        """Somebody else has the caller, or the flow has him again."""
        if isinstance(event, GivenBack):
            if self.taken_over:
                self._course.give_back(now)
        elif self._line.lost is None and not self.taken_over:
            self._course.take_over(now)
            self._run.emit(Yield())

    def _part(self, now: float) -> None:
        """Hangs up where a step wants that."""
        cause, self._line.parting = self._line.parting, None
        if cause is not None and self._line.lost is None and not self._course.over:
            quieten(self._run)
            self._run.emit(HangUp(cause))
            lose_caller(self._run, cause, now)
            self._course.hang_up(now)

    def _told(self) -> list[Command]:
        """The commands; the last ones of a call hang up first where the caller is still there."""
        if self._course.over:
            lost = self._line.lost
            if lost is None:
                quieten(self._run)
                self._run.emit(HangUp(self._course.cause))
            self._run.emit(Finish(self._run.result, lost or self._course.cause))
        return self._run.take_commands()
