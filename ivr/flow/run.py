"""What a step sees of a running call: values, prompts, the typed-ahead keys, and the commands it gives.

A flow within a flow has a run of its own; the `Line` to the caller is one for all flows of a call.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from types import MappingProxyType
from typing import Any, Final, Protocol, runtime_checkable

from ivr.flow.expressions import EvaluationError
from ivr.flow.model import Assignment, Flow, Prompt, Step, Target
from ivr.flow.phrases import OPERATOR
from ivr.flow.protocol import (
    AudioFile,
    BargeIn,
    BeginWaiting,
    Command,
    Commit,
    EndWaiting,
    Enter,
    Event,
    Listen,
    Outcome,
    Say,
    SpeechSpec,
    SpokenSoFar,
    StopListening,
    StopSaying,
    StopTransfer,
    Transfer,
    Utterance,
    WaitingSound,
)
from ivr.flow.sayas import say
from ivr.flow.types import Value, ValueType, to_json

MAX_TYPED_AHEAD = 32
"""Keys kept for later steps; what is typed beyond is dropped."""


class Activity(Protocol):
    """A step under way. It ends by calling `Run.leave`, `Run.fail` or `Run.end`."""

    @property
    def due(self) -> float | None:
        """When it wants a `Tick`."""

    def handle(self, event: Event, now: float) -> None:
        """Takes one event."""


_UNNOTICED: Final = (Enter, Outcome, StopSaying, StopListening, EndWaiting, StopTransfer)
"""Commands that may come before a changed result is stored."""


@dataclass(slots=True)
class Line:
    """What the flows of one call share: the commands given, what is said and listened for, the keys typed
    ahead, and the signals that no step has waited for yet."""

    commands: list[Command] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    stray: str | None = None
    changed: bool = False
    """The result of the call is not committed as it stands."""
    saying: str | None = None
    likely: tuple[Utterance, ...] = ()
    """What may be said next, beside what steps say."""
    spoken: SpokenSoFar | None = None
    """How much of a prompt is out, as was told last."""
    listening: SpeechSpec | None = None
    waiting: bool = False
    signals: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    transferring: bool = False
    ids: int = 0
    messages: set[str] = field(default_factory=set)
    """The names of those that were left."""
    secretive: bool = False
    """A secret step may come: keys that are typed ahead may be for it."""
    entries: int = 0
    """How many steps were entered, of all flows."""
    lost: str | None = None
    """Why nobody is on the line any more: only silent steps run, until `silent_until`."""
    silent_until: float = 0.0
    taken_at: float | None = None
    """Since when somebody else speaks with the caller."""
    parting: str | None = None
    """Why a step wants the call to be hung up."""


@dataclass(frozen=True, slots=True)
class Outer:
    """The run and the step that a flow was entered from; `fills` are values of that run, by the field of the
    result that they follow."""

    run: Run
    step: Step
    fills: Mapping[str, tuple[tuple[str, ValueType], ...]]


@runtime_checkable
class Interruptible(Protocol):
    """An activity with something to bring to an end when it is not to go on."""

    def interrupt(self, now: float) -> None:
        """The caller has gone, or the call has failed; no event comes any more. It gives commands and values,
        no verdict."""


@dataclass(frozen=True, slots=True)
class Leave:
    """The step is over by one of its outcomes."""

    outcome: str
    target: Target
    via: str
    silently: bool = False


@dataclass(frozen=True, slots=True)
class Fail:
    """The step cannot go on; the flow's failure event decides."""

    reason: str


@dataclass(frozen=True, slots=True)
class End:
    """The flow ends here, and with it the call when it was not entered from another."""

    cause: str


@dataclass(frozen=True, slots=True)
class Escalate:
    """The operator was asked for, and only a flow around this one has one."""

    via: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The caller hung up in the step, which has done what it still had to do."""


Verdict = Leave | Fail | End | Escalate | Lost


class Run:
    """The state of one flow in a call. Steps give commands through it, and a verdict for the machine."""

    def __init__(
        self,
        flow: Flow,
        values: Mapping[str, Value],
        language: str | None,
        today: date | None,
        outer: Outer | None = None,
    ) -> None:
        self.flow = flow
        self.today = today
        self.line: Line = Line(secretive=flow.secretive) if outer is None else outer.run.line
        self.outer = outer
        """Where it was entered from; None: it is the call's own flow."""
        self._values: dict[str, Value] = dict.fromkeys(flow.scope)
        for name, declared in (*flow.result.items(), *flow.variables.items()):
            self._values[name] = declared.default
        self._values.update(values)
        self._language_name = flow.language_name
        if language is not None and language in flow.languages and self._language_name is not None:
            self._values[self._language_name] = language
        self._language = language if language in flow.languages else flow.languages[0]
        self.values: Mapping[str, Value] = MappingProxyType(self._values)
        self.verdict: Verdict | None = None
        self._visits: dict[str, int] = {}

    # --- what is known

    def visits(self, step: str) -> int:
        """How often the step has been entered, this time included."""
        return self._visits.get(step, 0)

    def count_visit(self, step: str) -> int:
        self._visits[step] = self._visits.get(step, 0) + 1
        return self._visits[step]

    @property
    def language(self) -> str:
        return self.language_of(self._values)

    def language_of(self, values: Mapping[str, Value]) -> str:
        """The language that these values ask for."""
        chosen = None if self._language_name is None else values[self._language_name]
        return chosen if isinstance(chosen, str) else self._language

    @property
    def result(self) -> dict[str, Any]:
        """The result as it stands, complete, as JSON values."""
        return {name: to_json(self._values[name]) for name in self.flow.result}

    def speak(self, value: Value, kind: str) -> str:
        return say(value, kind, self.language)

    def render(self, prompt: Prompt) -> tuple[Utterance, ...]:
        """Raises `EvaluationError`."""
        return self.placed(prompt.utterances(self.values, self.language, self.speak))

    def placed(self, utterances: tuple[Utterance, ...]) -> tuple[Utterance, ...]:
        """Audio files lie in the folder of the flow that plays them; it is named when it is not the call's
        own."""
        if self.outer is None or not any(isinstance(spoken, AudioFile) for spoken in utterances):
            return utterances
        folder = str(self.flow.folder)
        return tuple(replace(s, folder=folder) if isinstance(s, AudioFile) else s for s in utterances)

    @property
    def within(self) -> str:
        """The name of the flow when it was entered from another, else nothing."""
        return "" if self.outer is None else self.flow.name

    @property
    def has_operator(self) -> bool:
        """Whether this flow, or one around it, has an operator event."""
        if self.flow.events.operator is not None:
            return True
        return self.outer is not None and self.outer.run.has_operator

    # --- commands

    def emit(self, command: Command) -> None:
        """A changed result is committed before anything the caller or the world could notice."""
        if self.line.changed and not isinstance(command, _UNNOTICED):
            self._commit()
        self.line.commands.append(command)

    def take_commands(self) -> list[Command]:
        if self.line.changed:
            self._commit()
        commands, self.line.commands = self.line.commands, []
        return commands

    def _commit(self) -> None:
        """The result of a call is that of its outermost flow."""
        run = self
        while run.outer is not None:
            run = run.outer.run
        self.line.changed = False
        self.line.commands.append(Commit(run.result))

    def next_id(self, prefix: str) -> str:
        self.line.ids += 1
        return f"{prefix}{self.line.ids}"

    def name_message(self, step: str) -> str:
        """A name for the message of a step, unique in the call."""
        name = first = f"{self.within}.{step}" if self.within else step
        count = 1
        while name in self.line.messages:
            count += 1
            name = f"{first}-{count}"
        self.line.messages.add(name)
        return name

    def say(self, prompt: Prompt, barge_in: BargeIn) -> bool:
        """Speaks a prompt; False if it has no words, or cannot be rendered (then the step has failed)."""
        try:
            utterances = self.render(prompt)
        except EvaluationError as error:
            self.fail(f"prompt {prompt.name}: {error}")
            return False
        if not utterances:
            return False
        self.utter(utterances, barge_in)
        return True

    def utter(self, utterances: tuple[Utterance, ...], barge_in: BargeIn) -> None:
        """Speaks what is rendered already."""
        self.line.saying = self.next_id("say")
        self.emit(Say(self.line.saying, utterances, barge_in))

    def is_said(self, id: str) -> bool:
        """Whether this `PromptDone` ends what is being said."""
        if id != self.line.saying:
            return False
        self.line.saying = None
        self.line.stray = None
        return True

    def words_out(self, id: str) -> str | None:
        """What was heard of the prompt with this id, as far as anybody knows."""
        spoken = self.line.spoken
        return spoken.words if spoken is not None and spoken.id == id else None

    def stop_saying(self) -> None:
        if self.line.saying is not None:
            self.line.saying = None
            self.emit(StopSaying())

    def listen(self, spec: SpeechSpec) -> None:
        if spec != self.line.listening:
            self.line.listening = spec
            self.emit(Listen(spec))

    def stop_listening(self) -> None:
        if self.line.listening is not None:
            self.line.listening = None
            self.emit(StopListening())

    def begin_waiting(self, sound: WaitingSound) -> None:
        self.line.waiting = True
        self.emit(BeginWaiting(sound))

    def end_waiting(self) -> None:
        if self.line.waiting:
            self.line.waiting = False
            self.emit(EndWaiting())

    def transfer(self, command: Transfer) -> None:
        self.line.transferring = True
        self.emit(command)

    def transferred(self) -> None:
        """The transfer has come to its end by itself."""
        self.line.transferring = False

    def stop_transfer(self) -> None:
        if self.line.transferring:
            self.line.transferring = False
            self.emit(StopTransfer())

    def forget_caller(self) -> None:
        """Nobody hears or speaks any more; there is nothing left to stop but the search for an agent."""
        self.stop_transfer()
        self.line.saying = None
        self.line.waiting = False
        self.line.listening = None
        self.drop_keys()

    @property
    def listening(self) -> bool:
        return self.line.listening is not None

    # --- values

    def assign(self, changes: Iterable[tuple[str, Value]]) -> None:
        for name, value in changes:
            if self._values[name] != value:
                self._values[name] = value
                if name in self.flow.result:
                    self._result_changed(name)

    def _result_changed(self, name: str) -> None:
        """The values that a flow around this one takes from its result follow at once: what is announced has
        been committed."""
        if self.outer is None:
            self.line.changed = True
            return
        value = self._values[name]
        fills = self.outer.fills.get(name, ())
        self.outer.run.assign((mine, type_.accept(to_json(value))) for mine, type_ in fills)

    def give_back(self) -> None:
        """Fills the values of the flow around this one, those that never changed included."""
        for name in self.flow.result:
            self._result_changed(name)

    def carry_out(self, assignments: Iterable[Assignment]) -> bool:
        """Evaluates and assigns, in order; False if one cannot be evaluated (then the step has failed)."""
        for assignment in assignments:
            try:
                self.assign(((assignment.name, assignment.evaluate(self.values)),))
            except EvaluationError as error:
                self.fail(f"set {assignment.name}: {error}")
                return False
        return True

    # --- keys typed ahead

    def keep(self, key: str) -> None:
        """Keeps a key for a later step."""
        stray, self.line.stray = self.line.stray, None
        if key != stray and len(self.line.keys) < MAX_TYPED_AHEAD:
            self.line.keys.append(key)

    def take_key(self) -> str | None:
        return self.line.keys.pop(0) if self.line.keys else None

    def take_key_if(self, key: str | None) -> bool:
        """Takes the next kept key if it is this one."""
        if not self.line.keys or self.line.keys[0] != key:
            return False
        del self.line.keys[0]
        return True

    def drop_keys(self) -> None:
        self.line.keys.clear()
        self.line.stray = None

    @property
    def typed_ahead(self) -> bool:
        return bool(self.line.keys)

    def expect_stray(self, key: str | None) -> None:
        """The next key, if it is this one, still belongs to the input that was complete without it."""
        self.line.stray = key
        if self.line.keys and self.line.keys[0] == key:
            del self.line.keys[0]
            self.line.stray = None

    def is_stray(self, key: str) -> bool:
        stray, self.line.stray = self.line.stray, None
        return key == stray

    # --- signals from outside

    def keep_signal(self, name: str, values: Mapping[str, Any]) -> None:
        """Kept until a step waits for it; a later one of the same name takes its place."""
        self.line.signals[name] = values

    def take_signal(self, name: str) -> Mapping[str, Any] | None:
        return self.line.signals.pop(name, None)

    # --- verdicts

    def take_verdict(self) -> Verdict | None:
        verdict, self.verdict = self.verdict, None
        return verdict

    def leave(self, outcome: str, target: Target, via: str = "", *, silently: bool = False) -> None:
        self.verdict = self.verdict or Leave(outcome, target, via, silently)

    def call_operator(self, via: str) -> None:
        """Leaves the step for the operator, of this flow or of one around it (see `has_operator`)."""
        operator = self.flow.events.operator
        if operator is not None:
            self.leave(OPERATOR, operator, via)
        else:
            self.verdict = self.verdict or Escalate(via)

    def lose(self) -> None:
        self.verdict = self.verdict or Lost()

    def hang_up(self, cause: str) -> None:
        """Ends the call as if the caller had hung up: the flow's `hangup` steps run."""
        self.line.parting = cause

    def fail(self, reason: str) -> None:
        self.verdict = self.verdict or Fail(reason)

    def end(self, cause: str) -> None:
        self.verdict = self.verdict or End(cause)
