"""voicemail: finds out who answered, and what to do when it was a machine.

    who:
      voicemail:
        machine: leave_message           # or hang_up, go_on
        message: callback                # spoken after its beep; then the call ends
        into: answered_by                # a one_of of human, machine and unknown
        timings: {greeting: 2500ms, maximum_words: 6}
      next: thanks                       # a human, nobody is sure, or go_on

It stands before all that speaks: whoever answered is listened to, and not spoken to. After the message, or
where it hangs up, the flow's `hangup` steps run as after any hang-up. Nothing is found out twice: where the
call was screened already (docs/outbound.md), that is the answer, and a call that came in is from a human. A
key means a human, and is kept for the step after. The timings are those of docs/outbound.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

import yaml

from ivr.flow.graph import edges_of, reached_from
from ivr.flow.model import Exit, Flow, Prompt, Step, Target
from ivr.flow.nodes import Fields
from ivr.flow.problems import Report, Rule
from ivr.flow.protocol import AnsweredBy, AskWhoAnswered, BargeIn, Event, GreetingOver, Key, PromptDone, Tick
from ivr.flow.reading import StepReader
from ivr.flow.run import Run

ANSWERS: Final = ("human", "machine", "unknown")
TIMINGS: Final[Mapping[str, tuple[float, float]]] = {
    "total": (1.0, 20.0),
    "initial_silence": (0.5, 20.0),
    "greeting": (0.3, 20.0),
    "after_greeting_silence": (0.2, 5.0),
    "minimum_word": (0.02, 1.0),
    "between_words": (0.02, 1.0),
    "greeting_end": (0.5, 20.0),
    "beep_wait": (1.0, 120.0),
}
"""From and to, in seconds; what is not set is as in `media.amd`."""

MOST_WORDS: Final = 20
TOTAL_MS: Final = 5000
BEEP_WAIT_MS: Final = 30_000
"""What those two are where they are not set."""

SLACK_S: Final = 3.0
"""How much longer than that the driver's word is awaited."""

MACHINE: Final = "answering_machine"
"""The cause of a call that hung up on a machine; one that left its message ended normally."""


class OnMachine(Enum):
    HANG_UP = "hang_up"
    LEAVE_MESSAGE = "leave_message"
    GO_ON = "go_on"


@dataclass(frozen=True, kw_only=True)
class Voicemail(Step):
    verb = "voicemail"
    silent = False
    mute = True

    machine: OnMachine
    message: Prompt | None
    """With `LEAVE_MESSAGE`, and only then."""
    into: str | None
    timings: Mapping[str, int]
    """Milliseconds, but for `maximum_words`; what is not set is the driver's."""
    target: Target

    @classmethod
    def read(cls, step: StepReader) -> Voicemail | None:
        fields = step.body("machine")
        hint = ", ".join(kind.value for kind in OnMachine)
        node = fields.need("machine", Rule.OUTCOMES, hint)
        options = tuple(kind.value for kind in OnMachine)
        read = None if node is None else step.reader.one_of(node, f"machine of {step.what}", options)
        machine = None if read is None else OnMachine(read)
        message = _read_message(step, fields, machine)
        into = _read_into(step, fields)
        timings = _read_timings(step, fields)
        fields.finish()
        target = step.target(step.fields, "next")
        if machine is None or target is None or (machine is OnMachine.LEAVE_MESSAGE and message is None):
            return None
        return cls(
            name=step.name,
            place=step.place,
            machine=machine,
            message=message,
            into=into,
            timings=timings,
            target=target,
        )

    def exits(self) -> tuple[Exit, ...]:
        filled = frozenset(() if self.into is None else (self.into,))
        return (Exit("next", self.target, fills=filled, certain=filled),)

    def prompts(self) -> tuple[Prompt, ...]:
        return () if self.message is None else (self.message,)

    def retries(self) -> tuple[Prompt, ...]:
        """Who answers is found out first: the message comes later."""
        return self.prompts()

    def check(self, flow: Flow, report: Report) -> None:
        """Rule 1: it comes before all that speaks."""
        check_comes_first(self, flow, report)

    def seconds(self, speaking: Mapping[str, float]) -> float:
        if self.message is None:
            return self.answer_s
        return self.answer_s + self.greeting_s + speaking.get(self.message.name, 0.0)

    @property
    def answer_s(self) -> float:
        """When it is known who answered, at the latest."""
        return self.timings.get("total_ms", TOTAL_MS) / 1000 + SLACK_S

    @property
    def greeting_s(self) -> float:
        """How long the end of a machine's greeting is awaited, at the most."""
        return self.timings.get("beep_wait_ms", BEEP_WAIT_MS) / 1000 + SLACK_S

    def begin(self, run: Run, now: float) -> _Asking:
        run.emit(AskWhoAnswered(self.machine is OnMachine.LEAVE_MESSAGE, self.timings))
        return _Asking(run, self, now)

    def skip(self, run: Run, now: float) -> None:
        run.leave("next", self.target, "hangup")


def check_comes_first(step: Step, flow: Flow, report: Report) -> None:
    """Who answered is found out before anything is said."""
    edges = edges_of(flow)
    for other in flow.steps.values():
        if not other.silent and step.name in reached_from(edges, edges[other.name]):
            message = f"step {step.name} finds out who answered after step {other.name} ({other.verb})"
            hint = "who is spoken to cannot be told from a machine: let it come first"
            report.add(step.place, Rule.OUTCOMES, message, hint)
            return


class _Phase(Enum):
    ASKING = auto()
    GREETING = auto()
    LEAVING = auto()
    OVER = auto()


class _Asking:
    """ASKING -> OVER, or, where a machine is left a message, -> GREETING -> LEAVING -> OVER."""

    def __init__(self, run: Run, step: Voicemail, now: float) -> None:
        self._run = run
        self._step = step
        self._phase = _Phase.ASKING
        self.due: float | None = now + step.answer_s

    def handle(self, event: Event, now: float) -> None:
        if isinstance(event, Key):
            if self._phase in (_Phase.ASKING, _Phase.GREETING):
                self._run.keep(event.key)
        elif isinstance(event, AnsweredBy):
            self._answered(event.who, now)
        elif isinstance(event, GreetingOver):
            self._leave_message()
        elif isinstance(event, PromptDone):
            if self._run.is_said(event.id):
                self._hang_up("normal")
        elif isinstance(event, Tick) and self.due is not None and now >= self.due:
            self._late(now)

    def _answered(self, who: str, now: float) -> None:
        """A key may still tell a human while the greeting is listened to."""
        if self._phase is _Phase.ASKING and who == "machine":
            self._found(who)
            self._meet_machine(now)
        elif self._phase is _Phase.ASKING or (self._phase is _Phase.GREETING and who == "human"):
            self._found(who)
            self._leave(who)

    def _found(self, who: str) -> None:
        if self._step.into is not None:
            self._run.assign(((self._step.into, who),))

    def _meet_machine(self, now: float) -> None:
        if self._step.machine is OnMachine.HANG_UP:
            self._hang_up(MACHINE)
        elif self._step.machine is OnMachine.GO_ON:
            self._leave("machine")
        else:
            self._phase = _Phase.GREETING
            self.due = now + self._step.greeting_s

    def _leave_message(self) -> None:
        message = self._step.message
        if self._phase is not _Phase.GREETING or message is None:
            return
        self._phase = _Phase.LEAVING
        self.due = None
        self._run.drop_keys()
        if not self._run.say(message, BargeIn.NONE) and self._run.verdict is None:
            self._hang_up("normal")

    def _late(self, now: float) -> None:
        if self._phase is _Phase.ASKING:
            self._answered("unknown", now)
        else:
            self._leave_message()

    def _leave(self, via: str) -> None:
        self._phase, self.due = _Phase.OVER, None
        self._run.leave("next", self._step.target, via)

    def _hang_up(self, cause: str) -> None:
        self._phase, self.due = _Phase.OVER, None
        self._run.hang_up(cause)


def _read_message(step: StepReader, fields: Fields, machine: OnMachine | None) -> Prompt | None:
    node = fields.take("message")
    if node is None:
        if machine is OnMachine.LEAVE_MESSAGE:
            hint = "name the prompt: message: PROMPT"
            step.reader.problem(fields.place, Rule.PROMPTS, f"{fields.what} has no message to leave", hint)
        return None
    if machine is not None and machine is not OnMachine.LEAVE_MESSAGE:
        message = f"{fields.what} has a message, and leaves none"
        step.reader.problem(node, Rule.PROMPTS, message, "write machine: leave_message, or take it out")
    return step.prompt_at(node, f"{step.name}.message")


def _read_into(step: StepReader, fields: Fields) -> str | None:
    node = fields.take("into")
    name = None if node is None else step.reader.text(node, f"into of {step.what}")
    if node is None or name is None:
        return None
    declared = step.flow.declared(name, node, f"into of {step.what}")
    if declared is not None and not set(ANSWERS) <= set(declared.options):
        message = f'into of {step.what}: "{name}" must be a one_of of {", ".join(ANSWERS)}'
        hint = f"write {name}: {{one_of: [{', '.join(ANSWERS)}], default: unknown}}"
        step.reader.problem(node, Rule.PROMPTS, message, hint)
    return name


def _read_timings(step: StepReader, fields: Fields) -> dict[str, int]:
    node = fields.take("timings")
    if node is None:
        return {}
    inner = step.reader.fields(node, f"timings of {step.what}")
    found: dict[str, int] = {}
    for name, (low, high) in TIMINGS.items():

        def read(at: yaml.Node, what: str, low: float = low, high: float = high) -> float | None:
            return step.reader.seconds(at, what, low, high)

        if (seconds := inner.read(name, read, None)) is not None:
            found[f"{name}_ms"] = round(seconds * 1000)
    words = inner.read("maximum_words", lambda at, what: step.reader.whole(at, what, 1, MOST_WORDS), None)
    if words is not None:
        found["maximum_words"] = words
    inner.finish()
    return found
