"""What a step sees of a running call: values, prompts, the typed-ahead keys, and the commands it gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any, Protocol

from ivr.flow.expressions import EvaluationError
from ivr.flow.model import Assignment, Flow, Prompt, Target
from ivr.flow.protocol import (
    BargeIn,
    Command,
    Commit,
    Enter,
    Event,
    Listen,
    Outcome,
    Say,
    SpeechSpec,
    StopListening,
    StopSaying,
    Utterance,
)
from ivr.flow.sayas import say
from ivr.flow.types import Value, to_json

MAX_TYPED_AHEAD = 32
"""Keys kept for later steps; what is typed beyond is dropped."""


class Activity(Protocol):
    """A step under way. It ends by calling `Run.leave`, `Run.fail` or `Run.end`."""

    @property
    def due(self) -> float | None:
        """When it wants a `Tick`."""

    def handle(self, event: Event, now: float) -> None:
        """Takes one event."""


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
    """The call ends here."""

    cause: str


Verdict = Leave | Fail | End


class Run:
    """The state of one call in a flow. Steps give commands through it, and a verdict for the machine."""

    def __init__(
        self, flow: Flow, values: Mapping[str, Value], language: str | None, today: date | None
    ) -> None:
        self.flow = flow
        self.today = today
        self._values: dict[str, Value] = dict.fromkeys(flow.scope)
        for name, field in (*flow.result.items(), *flow.variables.items()):
            self._values[name] = field.default
        self._values.update(values)
        self._language_name = flow.language_name
        if language is not None and language in flow.languages and self._language_name is not None:
            self._values[self._language_name] = language
        self._language = language if language in flow.languages else flow.languages[0]
        self.values: Mapping[str, Value] = MappingProxyType(self._values)
        self.verdict: Verdict | None = None
        self._commands: list[Command] = []
        self._keys: list[str] = []
        self._stray: str | None = None
        self._changed = False
        self._saying: str | None = None
        self._listening: SpeechSpec | None = None
        self._count = 0
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
        return prompt.utterances(self.values, self.language, self.speak)

    # --- commands

    def emit(self, command: Command) -> None:
        """A changed result is committed before anything the caller or the world could notice."""
        if self._changed and not isinstance(command, Enter | Outcome | StopSaying | StopListening):
            self._changed = False
            self._commands.append(Commit(self.result))
        self._commands.append(command)

    def take_commands(self) -> list[Command]:
        if self._changed:
            self._changed = False
            self._commands.append(Commit(self.result))
        commands, self._commands = self._commands, []
        return commands

    def next_id(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}{self._count}"

    def say(self, prompt: Prompt, barge_in: BargeIn) -> bool:
        """Speaks a prompt; False if it has no words, or cannot be rendered (then the step has failed)."""
        try:
            utterances = self.render(prompt)
        except EvaluationError as error:
            self.fail(f"prompt {prompt.name}: {error}")
            return False
        if not utterances:
            return False
        self._saying = self.next_id("say")
        self.emit(Say(self._saying, utterances, barge_in))
        return True

    def is_said(self, id: str) -> bool:
        """Whether this `PromptDone` ends what is being said."""
        if id != self._saying:
            return False
        self._saying = None
        self._stray = None
        return True

    def stop_saying(self) -> None:
        if self._saying is not None:
            self._saying = None
            self.emit(StopSaying())

    def listen(self, spec: SpeechSpec) -> None:
        if spec != self._listening:
            self._listening = spec
            self.emit(Listen(spec))

    def stop_listening(self) -> None:
        if self._listening is not None:
            self._listening = None
            self.emit(StopListening())

    def forget_caller(self) -> None:
        """Nobody hears or speaks any more; there is nothing left to stop."""
        self._saying = None
        self._listening = None
        self.drop_keys()

    @property
    def listening(self) -> bool:
        return self._listening is not None

    # --- values

    def assign(self, changes: Iterable[tuple[str, Value]]) -> None:
        for name, value in changes:
            if self._values[name] != value:
                self._values[name] = value
                self._changed = self._changed or name in self.flow.result

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
        stray, self._stray = self._stray, None
        if key != stray and len(self._keys) < MAX_TYPED_AHEAD:
            self._keys.append(key)

    def take_key(self) -> str | None:
        return self._keys.pop(0) if self._keys else None

    def drop_keys(self) -> None:
        self._keys.clear()
        self._stray = None

    @property
    def typed_ahead(self) -> bool:
        return bool(self._keys)

    def expect_stray(self, key: str | None) -> None:
        """The next key, if it is this one, still belongs to the input that was complete without it."""
        self._stray = key
        if self._keys and self._keys[0] == key:
            del self._keys[0]
            self._stray = None

    def is_stray(self, key: str) -> bool:
        stray, self._stray = self._stray, None
        return key == stray

    # --- verdicts

    def take_verdict(self) -> Verdict | None:
        verdict, self.verdict = self.verdict, None
        return verdict

    def leave(self, outcome: str, target: Target, via: str = "", *, silently: bool = False) -> None:
        self.verdict = self.verdict or Leave(outcome, target, via, silently)

    def fail(self, reason: str) -> None:
        self.verdict = self.verdict or Fail(reason)

    def end(self, cause: str) -> None:
        self.verdict = self.verdict or End(cause)
