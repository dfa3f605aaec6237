"""The course of one flow in a call: which step runs, the events of the flow, its bounds, and its end.

Each step is an activity of its own (`ivr.flow.verbs`). A flow that was entered from a step of another has a
course of its own within that of the other. Its stages follow each other and never go back:

    NEW -> GOING -> FAILED   (the flow's failure event was taken, the caller is still there)
                 -> OVER     (from any of them; `cause` says how)

Once nobody is on the line (`Line.lost`) only silent steps run, in whatever stage and flow. While somebody
else speaks with the caller (`Line.taken_at`) none is left or entered: a silent one goes on beneath, any other
is broken off and entered anew afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto

from ivr.flow.model import Step
from ivr.flow.phrases import OPERATOR
from ivr.flow.protocol import (
    Enter,
    Event,
    Failure,
    HungUpEvent,
    Outcome,
    Replied,
    RequestFailed,
    Signal,
    Tick,
)
from ivr.flow.run import Activity, End, Escalate, Fail, Interruptible, Leave, Lost, Run

FAREWELL_S = 30.0
"""How long the way from a failure to the end may take."""

SILENT_S = 60.0
"""How long silent steps may go on once nobody is on the line."""

NORMAL = "normal"
FAILED = "failed"
HUNG_UP = "hangup"
TRANSFERRED = "transferred"


_BENEATH = (Replied, RequestFailed, Signal, Tick)
"""What a silent step is told while somebody else speaks with the caller."""


class _Stage(Enum):
    NEW = auto()
    GOING = auto()
    FAILED = auto()
    OVER = auto()


class Course:
    """One flow under way. Events in any order are allowed; what makes no sense any more is ignored."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.step: Step = run.flow.steps[run.flow.start.step]
        self.cause = FAILED
        """How it ended, and `reason` why, when that is known."""
        self.reason = ""
        self._line = run.line
        self._activity: Activity | None = None
        self._stage = _Stage.NEW
        self._bound = 0.0

    # --- what can be seen

    @property
    def begun(self) -> bool:
        return self._stage is not _Stage.NEW

    @property
    def over(self) -> bool:
        return self._stage is _Stage.OVER

    @property
    def due(self) -> float | None:
        """When it wants a `Tick`, or None."""
        if self._stage in (_Stage.NEW, _Stage.OVER):
            return None
        if self._line.taken_at is not None:
            return self._due_beneath
        waiting = None if self._activity is None else self._activity.due
        return self._latest if waiting is None else min(waiting, self._latest)

    @property
    def innermost(self) -> Course:
        """The course of the flow that is entered deepest."""
        inner = self._inner
        return self if inner is None else inner.course.innermost

    @property
    def _inner(self) -> Nested | None:
        return self._activity if isinstance(self._activity, Nested) else None

    @property
    def _due_beneath(self) -> float | None:
        """The call's bounds do not count while somebody else has the caller."""
        if self._inner is not None or self._goes_on_beneath:
            assert self._activity is not None
            return self._activity.due
        return None

    @property
    def _goes_on_beneath(self) -> bool:
        """Whether a silent step waits for something, and is not done yet."""
        return self._activity is not None and self.step.silent and self.run.verdict is None

    @property
    def _latest(self) -> float:
        """When it has taken too long."""
        return self._bound if self._line.lost is None else self._line.silent_until

    # --- what happens

    def begin(self, now: float) -> None:
        """Enters the first step; its time begins to count."""
        self._stage = _Stage.GOING
        self._bound = now + self.run.flow.limits.call_s
        self._enter(self.run.flow.start.step, now)
        self._settle(now)

    def handle(self, event: Event, now: float) -> None:
        if self._line.taken_at is not None:
            self.innermost._handle_beneath(event, now)
            return
        if isinstance(event, Failure):
            self._break_off(event, now)
        elif isinstance(event, Tick) and now >= self._latest and (self._line.lost is None or not self._inner):
            # What nobody hears any more is too late from the inside out: a flow around it may still report.
            self.run.fail("the call took too long")
        elif self._activity is not None:
            self._activity.handle(event, now)
        self._settle(now)

    def hang_up(self, now: float) -> None:
        """The caller is gone. A silent step under way is told and goes on, for it runs once in a call; else
        the flow's hang-up event is taken, after that of a flow within."""
        if not (self.step.silent and self.step.name in self.run.flow.silenced):
            if self._inner is None:
                self.interrupt(now)
                self.run.lose()
            else:
                self._inner.hang_up(now)
        elif self._activity is not None:
            self._activity.handle(HungUpEvent(), now)
        self._settle(now)

    def take_over(self, now: float) -> None:
        """Somebody else speaks with the caller from now on."""
        inner = self.innermost
        if not inner.step.silent:
            inner.interrupt(now)
            inner._activity = None
        quieten(inner.run)
        self._line.taken_at = now

    def give_back(self, now: float) -> None:
        """The flow has the caller again; the time that it had not does not count."""
        taken_at, self._line.taken_at = self._line.taken_at, None
        if taken_at is not None:
            self.resume(now, now - taken_at)

    def resume(self, now: float, away_s: float) -> None:
        """A silent step is left if it is done, else goes on; any other is entered anew."""
        self._bound += away_s
        if self._inner is not None:
            self._inner.resume(now, away_s)
        elif self._activity is None and self.run.verdict is None:
            self._enter(self.step.name, now)
        self._settle(now)

    def _handle_beneath(self, event: Event, now: float) -> None:
        if self._goes_on_beneath and isinstance(event, _BENEATH):
            assert self._activity is not None
            self._activity.handle(event, now)

    def interrupt(self, now: float) -> None:
        """The step under way is not to go on."""
        if isinstance(self._activity, Interruptible):
            self._activity.interrupt(now)

    # --- from step to step

    def _settle(self, now: float) -> None:
        """Acts on verdicts until a step waits for something. Ends, because every entry counts as a visit."""
        while (verdict := self.run.take_verdict()) is not None and not self.over:
            match verdict:
                case Leave(outcome=outcome, target=target, via=via, silently=silently):
                    self._emit_outcome(outcome, target.step, via)
                    if silently:
                        lose_caller(self.run, TRANSFERRED, now)
                    self._enter(target.step, now)
                case Fail(reason=reason):
                    self._fail(reason, now)
                case End(cause=cause):
                    # After a failure nothing is normal, whatever the last step says.
                    self._end(FAILED if cause == NORMAL and self._nested_failed else cause)
                case Escalate(via=via):
                    self._emit_outcome(OPERATOR, "", via)
                    self._end(OPERATOR, via)
                case Lost():
                    self._take_hang_up(now)

    @property
    def _nested_failed(self) -> bool:
        return self._stage is _Stage.FAILED and self.run.outer is not None

    def _enter(self, name: str, now: float) -> None:
        run, flow = self.run, self.run.flow
        if run.visits(name) >= flow.limits.visits:
            self._activity = None
            run.fail(f"step {name} was entered {flow.limits.visits} times")
            return
        self.step = flow.steps[name]
        self._line.entries += 1
        secret = self.step.secret or (self._line.secretive and not self.step.listens)
        run.emit(Enter(name, run.count_visit(name), run.within, secret))
        enter = self.step.begin if self._line.lost is None else self.step.skip
        self._activity = None
        self._activity = enter(run, now)

    def _fail(self, reason: str, now: float) -> None:
        """Takes the flow's failure event once; a failure after that ends the flow."""
        target = self.run.flow.events.failure
        alone = self._line.lost is not None
        if not alone:
            self.interrupt(now)
            quieten(self.run)
        if target is None or alone or self._stage is not _Stage.GOING:
            self._end(FAILED, reason)
            return
        self._stage = _Stage.FAILED
        self._bound = now + FAREWELL_S
        self._emit_outcome("failure", target.step, reason)
        self._enter(target.step, now)

    def _break_off(self, event: Failure, now: float) -> None:
        """The call cannot go on as meant: the innermost flow that has a failure event takes it."""
        if self._line.lost is not None:
            return
        inner = self._inner
        if inner is not None and inner.course._takes_failure:
            inner.handle(event, now)
        else:
            self.run.fail(event.reason)

    @property
    def _takes_failure(self) -> bool:
        own = self._stage is _Stage.GOING and self.run.flow.events.failure is not None
        return own or (self._inner is not None and self._inner.course._takes_failure)

    def _take_hang_up(self, now: float) -> None:
        target = self.run.flow.events.hangup
        if target is None:
            self._end(HUNG_UP)
            return
        self._line.silent_until = now + SILENT_S
        self._emit_outcome(HUNG_UP, target.step, "")
        self._enter(target.step, now)

    def _end(self, cause: str, reason: str = "") -> None:
        self._activity = None
        self._stage = _Stage.OVER
        self.cause, self.reason = cause, reason

    def _emit_outcome(self, outcome: str, following: str, via: str) -> None:
        self.run.emit(Outcome(self.step.name, outcome, following, via, self.run.within))


class Nested:
    """A step that is a flow of its own, under way."""

    def __init__(self, course: Course, on_over: Callable[[Course], None]) -> None:
        """`on_over` gets the course when it is over, unless the caller hung up in it."""
        self.course = course
        self._on_over = on_over
        self._hung_up = False

    @property
    def due(self) -> float | None:
        return self.course.due

    def begin(self, now: float) -> Nested | None:
        """Itself, or None when the flow is over already."""
        self.course.begin(now)
        return self if self._goes_on() else None

    def handle(self, event: Event, now: float) -> None:
        self.course.handle(event, now)
        self._goes_on()

    def interrupt(self, now: float) -> None:
        self.course.interrupt(now)

    def resume(self, now: float, away_s: float) -> None:
        self.course.resume(now, away_s)
        self._goes_on()

    def hang_up(self, now: float) -> None:
        self._hung_up = True
        self.course.hang_up(now)
        self._goes_on()

    def _goes_on(self) -> bool:
        if not self.course.over:
            return True
        self.course.run.give_back()
        outer = self.course.run.outer
        if self._hung_up and outer is not None:
            outer.run.lose()
        else:
            self._on_over(self.course)
        return False


def lose_caller(run: Run, cause: str, now: float) -> None:
    """Nobody is on the line from here on: hung up, or handed over."""
    run.line.lost = cause
    run.line.silent_until = now + SILENT_S


def quieten(run: Run) -> None:
    """Nothing is said, listened for or kept any more."""
    run.stop_transfer()
    run.stop_saying()
    run.stop_listening()
    run.end_waiting()
    run.drop_keys()
