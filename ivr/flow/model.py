"""A flow as data: what a file says once it has been read and checked. Everything is frozen; calls share
it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ivr.flow.expressions import MAX_SPOKEN, EvaluationError, Expression, Speak, Template, Values, joined
from ivr.flow.manner import PLAIN, Manner
from ivr.flow.problems import START, ParamError, Place, Report, did_you_mean
from ivr.flow.protocol import AudioFile, Purpose, Text, Utterance
from ivr.flow.recordings import NO_RECORDING, Recording
from ivr.flow.stretches import fixed_stretches, stretches
from ivr.flow.types import Mismatch, Value, ValueType

if TYPE_CHECKING:
    from ivr.flow.reading import StepReader
    from ivr.flow.run import Activity, Run


@dataclass(frozen=True, slots=True)
class Target:
    """The name of a step, where it is written."""

    step: str
    place: Place = START


@dataclass(frozen=True, slots=True)
class Assignment:
    """`name` gets a constant or the value of an expression, fitted to its type."""

    name: str
    type: ValueType
    source: Value | Expression
    place: Place = START

    def evaluate(self, values: Values) -> Value:
        """Raises `EvaluationError`."""
        if not isinstance(self.source, Expression):
            return self.source
        try:
            return self.type.accept(self.source(values))
        except Mismatch as error:
            raise EvaluationError(f"{self.name} {error}") from error


@dataclass(frozen=True, slots=True)
class Exit:
    """One outcome of a step.

    `assigns` are carried out on the way. `fills` are names that get a value nobody knows before; `certain`
    those of them (and those a condition vouches for) that surely hold a value afterwards, `clears` those that
    may hold none afterwards, even where they held one before.
    """

    outcome: str
    target: Target
    assigns: tuple[Assignment, ...] = ()
    fills: frozenset[str] = frozenset()
    certain: frozenset[str] = frozenset()
    clears: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Wording:
    """What a prompt is in one language: a text, an audio file (relative to the flow's folder), or a file
    with the text that is spoken where the file cannot be read, by a voice and at a rate."""

    text: Template | None
    audio: str | None = None
    place: Place = START
    voice: str = ""
    rate: float = 1.0
    recording: Recording = NO_RECORDING
    """The audio file as it was when the flow was loaded."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt in every language of the flow."""

    name: str
    place: Place
    wordings: Mapping[str, Wording]

    @property
    def names(self) -> frozenset[str]:
        """Variables that any language speaks of."""
        return frozenset[str]().union(*(w.text.names for w in self.wordings.values() if w.text))

    @property
    def needs(self) -> frozenset[str]:
        """Variables that must hold a value before it is spoken."""
        return frozenset[str]().union(*(w.text.needs for w in self.wordings.values() if w.text))

    def utterances(self, values: Values, language: str, speak: Speak) -> tuple[Utterance, ...]:
        """Rendered for a call; raises `EvaluationError`."""
        wording = self.wordings.get(language)
        if wording is None:
            return ()
        text = None if wording.text is None else _text(wording, wording.text, values, language, speak)
        if wording.audio is not None:
            return (AudioFile(wording.audio, text, wording.recording.digest),)
        return () if text is None else (text,)

    def fixed(self, language: str) -> tuple[Text, ...]:
        """What of it is the same in every call: all of a text without values, else its sentences without
        any, as they stand among the `pieces` of what is spoken."""
        wording = self.wordings.get(language)
        if wording is None or wording.text is None or wording.audio is not None:
            return ()
        if wording.text.names:
            words = fixed_stretches(wording.text.fixed, language)
        else:
            words = (joined(wording.text.pieces, ()),)
        return tuple(Text(text, language, False, wording.voice, wording.rate) for text in words if text)


def _text(wording: Wording, template: Template, values: Values, language: str, speak: Speak) -> Text | None:
    """Rendered for a call; None where nothing is left to say."""
    spoken = template.spoken(values, speak)
    words = joined(template.pieces, spoken)
    if not words:
        return None
    purpose: Purpose = "number" if template.figures else "prompt"
    whole = Text(words, language, bool(template.names), wording.voice, wording.rate, purpose)
    if not whole.personal or len(words) >= MAX_SPOKEN:
        return whole
    cut = stretches(template.fixed, language, spoken)
    if all(stretch.personal for stretch in cut):
        return whole
    return replace(whole, pieces=tuple(replace(whole, text=one.text, personal=one.personal) for one in cut))


@dataclass(frozen=True, slots=True)
class Use:
    """A condition or value expression of a step, for the checker.

    `given` are names the step itself fills before; `bare`: a value that is not there does no harm.
    """

    expression: Expression
    place: Place
    given: frozenset[str] = frozenset()
    bare: bool = False


@dataclass(frozen=True, slots=True)
class Reference:
    """A name that the configuration must offer, in one of its sections (endpoints, queues, topics, ...)."""

    section: str
    name: str
    place: Place
    gives: frozenset[str] | None = None
    """Names of the values that go with it, for a section whose names want some; None: those of the result."""


@dataclass(frozen=True, kw_only=True)
class Step(ABC):
    """One verb with its fields. A verb is one subclass in one module of `ivr.flow.verbs`."""

    name: str
    place: Place

    verb: ClassVar[str]
    ends: ClassVar[bool] = False
    """Whether the call is over with it."""
    mute: ClassVar[bool] = False
    """Whether it may be left without its prompts having been spoken."""
    secret = False  # not annotated: it is a field of the verbs that can keep one
    """Whether what is typed and said in it stands in no record."""

    @property
    def leaves(self) -> bool:
        """Whether the caller is somebody else's after its `next`; a verb that hands over says
        `leaves = True`."""
        return False

    @property
    def silent(self) -> bool:
        """Whether it can run when nobody is on the line; a verb that cannot says `silent = False`."""
        return True

    @property
    def listens(self) -> bool:
        """Whether the caller may ask for the operator in it; a verb in which he may says `listens = True`."""
        return False

    @classmethod
    @abstractmethod
    def read(cls, step: StepReader) -> Step | None:
        """Reads the fields of one step; reports what is wrong, and gives None if it cannot be used."""

    @abstractmethod
    def exits(self) -> tuple[Exit, ...]:
        """Every outcome with its target."""

    @abstractmethod
    def begin(self, run: Run, now: float) -> Activity | None:
        """Enters the step: emits its first commands and gives what handles the events, or None when it has
        been left already (or waits for nothing)."""

    @abstractmethod
    def skip(self, run: Run, now: float) -> Activity | None:
        """Enters the step when nobody is on the line any more: it says nothing and asks nothing."""

    def prompts(self) -> tuple[Prompt, ...]:
        """What it may speak, in the order of the first time."""
        return ()

    def retries(self) -> tuple[Prompt, ...]:
        """What it may still speak once it has been entered."""
        return ()

    def filled_for(self, prompt: Prompt) -> frozenset[str]:
        """Names that the step itself fills before it speaks this prompt."""
        return frozenset()

    def uses(self) -> tuple[Use, ...]:
        """Expressions evaluated with the values it was entered with."""
        return ()

    def references(self) -> tuple[Reference, ...]:
        """Names it expects of the configuration."""
        return ()

    def enters(self) -> Flow | None:
        """The flow that runs within it."""
        return None

    def operator_exit(self, operator: Target) -> Exit:
        """The way to the operator, where it `listens`."""
        return Exit("operator", operator)

    def check(self, flow: Flow, report: Report) -> None:  # noqa: B027 - most verbs have nothing to add
        """Reports what is wrong with this step alone."""

    def seconds(self, speaking: Mapping[str, float]) -> float:
        """Longest time in it, given the seconds that each prompt takes by name."""
        return 0.0


@dataclass(frozen=True, slots=True)
class ResultField:
    type: ValueType
    default: Value = None
    place: Place = START


@dataclass(frozen=True, slots=True)
class Limits:
    """`call_s` bounds the whole call, `visits` how often any one step may be entered in it."""

    call_s: float = 600.0
    visits: int = 10
    place: Place = START


@dataclass(frozen=True, slots=True)
class Events:
    """Where a call goes when something happens outside the steps' own outcomes."""

    hangup: Target | None = None
    failure: Target | None = None
    operator: Target | None = None


Phrases = Mapping[str, Mapping[str, tuple[str, ...]]]
"""language -> intent -> phrases."""


@dataclass(frozen=True)
class Flow:
    """A flow. `hash` is that of its content and of the flows within it; `folder` is where its audio files
    lie."""

    name: str
    hash: str
    folder: Path
    languages: tuple[str, ...]
    params: Mapping[str, ValueType]
    result: Mapping[str, ResultField]
    variables: Mapping[str, ResultField]
    limits: Limits
    events: Events
    start: Target
    steps: Mapping[str, Step]
    prompts: Mapping[str, Prompt]
    silenced: frozenset[str] = field(default=frozenset())
    """Steps that can be reached after a hang-up; each runs once in a call."""
    manner: Manner = PLAIN
    """How it is spoken."""

    @cached_property
    def scope(self) -> Mapping[str, ValueType]:
        """Every declared name with its type."""
        return {
            **self.params,
            **{name: f.type for name, f in self.variables.items()},
            **{name: f.type for name, f in self.result.items()},
        }

    @cached_property
    def children(self) -> Mapping[str, Flow]:
        """The flows that its steps enter, by name."""
        entered = (step.enters() for step in self.steps.values())
        return {child.name: child for child in entered if child is not None}

    @cached_property
    def family(self) -> Mapping[str, Flow]:
        """The flow and all within it, by name, itself first."""
        found = {self.name: self}
        for child in self.children.values():
            found.update(child.family)
        return found

    @cached_property
    def secretive(self) -> bool:
        """Whether a step of it, or of a flow that it enters, keeps a secret."""
        return any(step.secret for flow in self.family.values() for step in flow.steps.values())

    @cached_property
    def depth(self) -> int:
        """How many flows deep it goes, itself included."""
        return 1 + max((child.depth for child in self.children.values()), default=0)

    @cached_property
    def language_name(self) -> str | None:
        """The value that holds the language of the call."""
        return next((name for name, type_ in self.scope.items() if type_.kind == "language"), None)

    def bind(self, values: Mapping[str, Any]) -> dict[str, Value]:
        """The parameters from raw JSON or YAML values; raises `ParamError` that names every bad one."""
        bound: dict[str, Value] = {}
        wrong: dict[str, str] = {}
        for name, type_ in self.params.items():
            try:
                bound[name] = type_.accept(values.get(name))
            except Mismatch as error:
                wrong[name] = str(error)
        for name in values:
            if name not in self.params:
                hint = did_you_mean(str(name), self.params)
                wrong[str(name)] = f"is not a parameter of {self.name}" + (f" ({hint})" if hint else "")
        if wrong:
            raise ParamError(wrong)
        return bound
