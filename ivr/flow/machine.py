"""The flow machine: events and the time in, commands out. It has no clock and does no I/O.

    machine = FlowMachine(flow, flow.bind(params))
    commands = machine.start(now)
    commands = machine.handle(event, now)      # at the latest at machine.due, then with Tick()

Each step is an activity of its own (`ivr.flow.verbs`); the machine holds what is above the steps: which step
runs, the events of the flow, the bounds, and the end. Its stages follow each other and never go back:

    NEW -> TALKING -> FAILED  (the flow's failure event was taken, the caller is still there)
                   -> SILENT  (hung up or handed over: only silent steps, from TALKING or FAILED)
                   -> OVER    (after `Finish`, from any of them)
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from enum import Enum, auto
from typing import Any

from ivr.flow.lookahead import first_prompts, next_prompts
from ivr.flow.model import Flow, Step
from ivr.flow.protocol import (
    Command,
    Enter,
    Event,
    Failure,
    Finish,
    HangUp,
    HungUpEvent,
    Outcome,
    Tick,
    Utterance,
)
from ivr.flow.run import Activity, End, Fail, Leave, Run
from ivr.flow.types import Value

FAREWELL_S = 30.0
"""How long the way from a failure to the end may take."""

SILENT_S = 60.0
"""How long silent steps may go on once nobody is on the line."""

FAILED = "failed"
HUNG_UP = "hangup"
TRANSFERRED = "transferred"


class _Stage(Enum):
    NEW = auto()
    TALKING = auto()
    FAILED = auto()
    SILENT = auto()
    OVER = auto()


_ON_THE_LINE = (_Stage.TALKING, _Stage.FAILED)


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
        self._step: Step = flow.steps[flow.start.step]
        self._activity: Activity | None = None
        self._stage = _Stage.NEW
        self._cause = FAILED
        self._bound: float | None = None
        self._ahead: tuple[Utterance, ...] | None = None

    # --- what can be seen

    @property
    def due(self) -> float | None:
        """When it wants a `Tick`, or None."""
        if self._stage is _Stage.OVER or self._bound is None:
            return None
        waiting = None if self._activity is None else self._activity.due
        return self._bound if waiting is None else min(waiting, self._bound)

    @property
    def finished(self) -> bool:
        return self._stage is _Stage.OVER

    @property
    def step(self) -> str:
        """The name of the step it is in (the last one, once it is over)."""
        return self._step.name

    @property
    def language(self) -> str:
        return self._run.language

    @property
    def result(self) -> dict[str, Any]:
        """The result as it stands: complete, as JSON values."""
        return self._run.result

    @property
    def values(self) -> Mapping[str, Value]:
        return self._run.values

    def lookahead(self) -> tuple[Utterance, ...]:
        """What may have to be spoken next: the prompts of every step that one outcome leads to, and the
        retries of this one, as far as their values are known. Before `start`: the first step's. Cheap to ask
        again."""
        if self._stage in (_Stage.SILENT, _Stage.OVER):
            return ()
        if self._ahead is None:
            look = first_prompts if self._stage is _Stage.NEW else next_prompts
            self._ahead = look(self._run, self._step)
        return self._ahead

    # --- what happens

    def start(self, now: float) -> list[Command]:
        """Enters the first step; the call begins to count."""
        if self._stage is not _Stage.NEW:
            return []
        self._stage = _Stage.TALKING
        self._bound = now + self.flow.limits.call_s
        self._enter(self.flow.start.step, now)
        self._settle(now)
        return self._run.take_commands()

    def handle(self, event: Event, now: float) -> list[Command]:
        if self._stage in (_Stage.NEW, _Stage.OVER):
            return []
        if isinstance(event, HungUpEvent):
            self._hung_up(now)
        elif isinstance(event, Failure):
            if self._stage in _ON_THE_LINE:
                self._run.fail(event.reason)
        elif isinstance(event, Tick) and self._bound is not None and now >= self._bound:
            self._run.fail("the call took too long")
        elif self._activity is not None:
            self._activity.handle(event, now)
        self._settle(now)
        return self._run.take_commands()

    # --- from step to step

    def _settle(self, now: float) -> None:
        """Acts on verdicts until a step waits for something. Ends, because every entry counts as a visit."""
        while (verdict := self._run.take_verdict()) is not None and self._stage is not _Stage.OVER:
            if isinstance(verdict, Leave):
                self._run.emit(Outcome(self._step.name, verdict.outcome, verdict.target.step, verdict.via))
                if verdict.silently:
                    self._fall_silent(TRANSFERRED, now)
                self._enter(verdict.target.step, now)
            elif isinstance(verdict, End):
                self._finish(verdict.cause)
            elif isinstance(verdict, Fail):
                self._fail(verdict, now)

    def _enter(self, name: str, now: float) -> None:
        if self._run.visits(name) >= self.flow.limits.visits:
            self._activity = None
            self._run.fail(f"step {name} was entered {self.flow.limits.visits} times")
            return
        self._step = self.flow.steps[name]
        self._ahead = None
        self._run.emit(Enter(name, self._run.count_visit(name)))
        enter = self._step.begin if self._stage in _ON_THE_LINE else self._step.skip
        self._activity = enter(self._run, now)

    def _fail(self, verdict: Fail, now: float) -> None:
        """Takes the flow's failure event once; a failure after that ends the call."""
        target = self.flow.events.failure
        if target is None or self._stage is not _Stage.TALKING:
            self._finish(FAILED)
            return
        self._stage = _Stage.FAILED
        self._bound = now + FAREWELL_S
        self._quieten()
        self._run.emit(Outcome(self._step.name, "failure", target.step, verdict.reason))
        self._enter(target.step, now)

    def _hung_up(self, now: float) -> None:
        """From here only silent steps run. One that is under way goes on: it runs once in a call."""
        if self._stage not in _ON_THE_LINE:
            return
        self._run.forget_caller()
        self._fall_silent(HUNG_UP, now)
        target = self.flow.events.hangup
        if target is None:
            self._finish(HUNG_UP)
        elif not (self._step.silent and self._step.name in self.flow.silenced):
            self._run.emit(Outcome(self._step.name, HUNG_UP, target.step, ""))
            self._enter(target.step, now)

    def _fall_silent(self, cause: str, now: float) -> None:
        self._stage = _Stage.SILENT
        self._cause = cause
        self._bound = now + SILENT_S

    def _quieten(self) -> None:
        self._activity = None
        self._run.stop_saying()
        self._run.stop_listening()
        self._run.drop_keys()

    def _finish(self, cause: str) -> None:
        """The last commands of a call; where the caller is still there, it is hung up first."""
        if self._stage in _ON_THE_LINE:
            self._quieten()
            self._run.emit(HangUp(cause))
        else:
            cause = self._cause
        self._activity = None
        self._stage = _Stage.OVER
        self._run.emit(Finish(self._run.result, cause))
