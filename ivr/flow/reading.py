"""Reading one step: the fields of a verb, with everything the flow declares at hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import yaml

from ivr.flow.children import MAX_DEPTH, Around, ChildError, EndlessError
from ivr.flow.compiling import compiler_of, is_simple
from ivr.flow.expressions import Expression, ExpressionError
from ivr.flow.manner import PLAIN, Manner
from ivr.flow.model import Assignment, Flow, Phrases, Prompt, Target, Wording
from ivr.flow.nodes import Fields, Reader, has_braces, place_of
from ivr.flow.problems import Place, Rule, did_you_mean
from ivr.flow.protocol import BargeIn, EndSilence
from ivr.flow.recordings import NO_RECORDING, Recordings
from ivr.flow.respelling import Respelling
from ivr.flow.sayas import normalise
from ivr.flow.types import Family, Mismatch, Value, ValueType
from ivr.flow.understanding import PHRASES_ALONE

MAX_EXPRESSIONS = 80_000
"""Characters of texts with expressions that a flow may have; those of conditions count twice. What a large
flow needs is a fifth of it; what is more takes seconds to compile."""

_normalised = lru_cache(maxsize=8192)(normalise)
"""Prompts share much of their wording, and a flow that is read again nearly all of it."""


@dataclass(frozen=True, slots=True)
class _Worded:
    """Puts the fixed part of a text of one language into words."""

    language: str
    respell: Respelling | None = None

    def __call__(self, fixed: str) -> str:
        return _normalised(fixed if self.respell is None else self.respell(fixed), self.language)


class FlowScope:
    """What the head of a flow declares; steps are read against it."""

    def __init__(
        self,
        reader: Reader,
        languages: tuple[str, ...],
        scope: Mapping[str, ValueType],
        intents: Mapping[str, Mapping[str, tuple[str, ...]]],
        around: Around,
        manner: Manner = PLAIN,
        recordings: Recordings | None = None,
    ) -> None:
        """`around` is what is around the flows that this one enters; `manner` is how it is spoken;
        `recordings` are the audio files that its prompts name."""
        self.reader = reader
        self.languages = languages
        self.scope = scope
        self._compiler = compiler_of(tuple(scope.items()))
        self.intents = intents
        self.operator = around.operator
        self.understanding = PHRASES_ALONE
        """Who is asked what a caller means, in steps that do not say so themselves."""
        self.manner = manner
        self._plain = {each: _Worded(each, manner.say_as.get(each)) for each in languages}
        self._recordings = recordings or Recordings(Path())
        self.prompts: dict[str, Prompt] = {}
        self._spent = 0
        self.phrases: dict[tuple[str, ...], Phrases] = {}
        """Phrases of intents that many menus share."""
        self.endless: EndlessError | None = None
        """A step enters flows without an end."""
        self._around = around

    def child(self, name: str, node: yaml.Node, what: str) -> Flow | None:
        """The flow that a step enters; it speaks every language of this one."""
        try:
            child = self._around.child(name)
        except ChildError as error:
            self.reader.problem(node, Rule.NAMES, f"{what}: {error}", error.hint)
            return None
        except EndlessError as error:
            self.endless = error
            self._endless(error, node, what, name)
            return None
        missing = [language for language in self.languages if language not in child.languages]
        if missing:
            message = f"{what}: the flow {name} does not speak {', '.join(missing)}, as this one does"
            self.reader.problem(node, Rule.PROMPTS, message, f"add it to the languages of {name}")
        return child

    def _endless(self, error: EndlessError, node: yaml.Node, what: str, name: str) -> None:
        if not error.circle:
            message = f"{what}: more than {MAX_DEPTH} flows within each other: {error}"
            self.reader.problem(
                node, Rule.LOOPS, message, "a call would not find its way back: join some of them"
            )
        elif self._around.way[-1] in error.way:
            message = f"{what}: the flow leads back to itself: {error.seen_from(self._around.way[-1])}"
            self.reader.problem(node, Rule.LOOPS, message, "let one of them end instead: its caller goes on")
        else:
            message = f"{what}: the flow {name} leads back to itself: {error.seen_from(name)}"
            self.reader.problem(node, Rule.LOOPS, message, f"mend {name} first")

    def prompt(self, name: str, node: yaml.Node) -> Prompt:
        """A prompt from its mapping of languages; rule 3 is proved here."""
        reader = self.reader
        wordings: dict[str, Wording] = {}
        if isinstance(node, yaml.ScalarNode) and not reader.is_null(node):
            hint = f"write {{{', '.join(f'{language}: ...' for language in self.languages)}}}"
            reader.problem(node, Rule.PROMPTS, f"prompt {name} must have a text in each language", hint)
            return Prompt(name, place_of(node), dict.fromkeys(self.languages, Wording(None, None)))
        for entry in reader.entries(node, f"prompt {name}"):
            if entry.key not in self.languages:
                hint = did_you_mean(entry.key, self.languages)
                reader.problem(
                    entry.key_place,
                    Rule.PROMPTS,
                    f'prompt {name}: "{entry.key}" is not a language of this flow',
                    hint,
                )
                continue
            # One that cannot be read is there all the same, so that it is not reported as missing too.
            unread = Wording(None, None, entry.place)
            wordings[entry.key] = self._wording(name, entry.key, entry.node) or unread
        return Prompt(name, place_of(node), wordings)

    def _wording(self, name: str, language: str, node: yaml.Node) -> Wording | None:
        what = f"prompt {name} in {language}"
        if not isinstance(node, yaml.MappingNode) or has_braces(node):
            text = self.reader.words(node, what)
            return None if text is None else self._worded(text, None, what, node, language)
        fields = self.reader.fields(node, what)
        audio = fields.read("audio", self.reader.text, None)
        text_node = fields.take("text")
        text = None if text_node is None else self.reader.words(text_node, f"text of {what}")
        fields.finish()
        if audio is None and text is None:
            self.reader.problem(node, Rule.PROMPTS, f"{what} has neither text nor audio")
            return None
        return self._worded(text, audio, what, node if text_node is None else text_node, language)

    def _worded(
        self, text: str | None, audio: str | None, what: str, node: yaml.Node, language: str
    ) -> Wording | None:
        manner = self.manner
        spoken = partial(
            Wording,
            audio=audio,
            place=place_of(node),
            voice=manner.voice(language),
            rate=manner.rate,
            recording=NO_RECORDING if audio is None else self._recordings.look(audio),
        )
        if text is None:
            return spoken(None)
        if not is_simple(text) and not self._afford(len(text), node):
            return None
        try:
            plain = self._plain[language]
            template = self._compiler.text(text, plain, plain.respell)
        except ExpressionError as error:
            self.reader.problem(node, Rule.PROMPTS, f"{what}: {error}", error.hint)
            return None
        return spoken(template)

    def expression(self, node: yaml.Node, what: str) -> Expression | None:
        text = self.reader.text(node, what)
        return None if text is None else self.compile(text, node, what)

    def condition(self, node: yaml.Node, what: str) -> Expression | None:
        """An expression that holds or does not."""
        found = self.expression(node, what)
        if found is not None and found.shape.family is not Family.TRUTH:
            hint = f'compare it, such as "{found.source} == ..."'
            if found.shape.family is Family.LIST:
                hint = f"write: 'text' in {found.source}, or {found.source} | length > 0"
            self.reader.problem(node, Rule.PROMPTS, f'{what}: "{found.source}" is not a condition', hint)
            return None
        return found

    def compile(self, text: str, node: yaml.Node, what: str) -> Expression | None:
        if not self._afford(2 * len(text), node):
            return None
        try:
            return self._compiler.condition(text)
        except ExpressionError as error:
            self.reader.problem(node, Rule.PROMPTS, f"{what}: {error}", error.hint)
            return None

    def _afford(self, cost: int, node: yaml.Node) -> bool:
        """Whether there is room for one more expression; the first that is too much is reported."""
        before, self._spent = self._spent, self._spent + cost
        if self._spent <= MAX_EXPRESSIONS:
            return True
        if before <= MAX_EXPRESSIONS:
            hint = "split the flow, or compute in the backend what is spoken"
            self.reader.problem(node, Rule.PROMPTS, "too many expressions from here on", hint)
        return False

    def declared(self, name: str, at: yaml.Node | Place, what: str) -> ValueType | None:
        """The type of a value that is to be filled; that there is no such value is reported."""
        found = self.scope.get(name)
        if found is None:
            hint = did_you_mean(name, self.scope) or "declare it in result or variables"
            self.reader.problem(at, Rule.PROMPTS, f'{what}: "{name}" is not declared', hint)
        return found

    def assignments(self, node: yaml.Node, what: str) -> tuple[Assignment, ...]:
        """`{name: constant, name: "{{ expression }}"}`."""
        found: list[Assignment] = []
        for entry in self.reader.entries(node, what):
            declared = self.declared(entry.key, entry.key_place, what)
            if declared is None:
                continue
            label = f"{entry.key} in {what}"
            source = self.source(entry.node, label, declared)
            found.append(Assignment(entry.key, declared, source, entry.place))
        return tuple(found)

    def source(self, node: yaml.Node, what: str, type_: ValueType) -> Value | Expression:
        """A constant, or an expression when the whole text is `{{ ... }}`."""
        inner = expression_in(node)
        if inner is None:
            return read_constant(self.reader, node, what, type_)
        expression = self.compile(inner, node, what)
        if expression is not None and expression.shape.family is not type_.family:
            self.reader.problem(
                node,
                Rule.PROMPTS,
                f"{what} is {type_}, and the expression gives {expression.shape.family.value}",
            )
            return None
        return expression


def read_constant(
    reader: Reader, node: yaml.Node, what: str, type_: ValueType, rule: Rule = Rule.PROMPTS
) -> Value:
    """A literal fitted to a type."""
    if reader.is_null(node) and getattr(node, "value", "") in ("null", "~"):
        raw: Any = None
    elif type_.kind == "list":
        raw = [reader.text(item, f"a text of {what}") for item in reader.items(node, what)]
        if None in raw:
            return None
    else:
        raw = reader.plain(node, what)
        if raw is None:
            return None
    try:
        return type_.accept(raw)
    except Mismatch as error:
        hint = did_you_mean(str(raw), type_.options) if type_.options else ""
        if isinstance(raw, int | float) and type_.kind in ("text", "digits"):
            hint = f'quote it: "{node.value}"'
        reader.problem(node, rule, f"{what} {error}", hint)
        return None


def expression_in(node: yaml.Node) -> str | None:
    """What stands between the braces when a scalar is one expression as a whole."""
    if not isinstance(node, yaml.ScalarNode):
        return None
    text = node.value.strip()
    if not (text.startswith("{{") and text.endswith("}}")) or "{{" in text[2:]:
        return None
    return str(text[2:-2].strip())


class StepReader:
    """The node of one step. A verb reads its own value and the fields beside it (`next`, `otherwise`)."""

    def __init__(self, flow: FlowScope, name: str, verb: str, fields: Fields, node: yaml.Node) -> None:
        self.flow = flow
        self.reader = flow.reader
        self.name = name
        self.verb = verb
        self.fields = fields
        self.node = node
        """The value of the verb's key."""
        self.place: Place = fields.place
        self.what = f"step {name}"

    def body(self, short: str = "") -> Fields:
        """The verb's value as a mapping; `short` as for `Reader.fields`."""
        return self.reader.fields(self.node, f"{self.verb} of {self.what}", short)

    def target(self, fields: Fields, key: str, *, required: bool = True) -> Target | None:
        """The step an outcome leads to."""
        node = fields.take(key)
        if node is None:
            if required:
                self.reader.problem(
                    fields.place,
                    Rule.OUTCOMES,
                    f"{fields.what} has no {key}",
                    f"every outcome needs a step: {key}: STEP",
                )
            return None
        return self.target_at(node, f"{key} of {fields.what}")

    def target_at(self, node: yaml.Node, what: str) -> Target | None:
        text = self.reader.text(node, what)
        return None if text is None else Target(text, place_of(node))

    def prompt(self, fields: Fields, key: str) -> Prompt | None:
        node = fields.need(key, Rule.PROMPTS)
        return None if node is None else self.prompt_at(node, f"{self.name}.{key}")

    def prompt_at(self, node: yaml.Node, inline_name: str) -> Prompt | None:
        """A prompt by its name, or written in place as a mapping of languages."""
        if isinstance(node, yaml.MappingNode):
            prompt = self.flow.prompt(inline_name, node)
            self.flow.prompts[inline_name] = prompt
            return prompt
        name = self.reader.text(node, f"prompt of {self.what}")
        if name is None:
            return None
        found = self.flow.prompts.get(name)
        if found is None:
            hint = did_you_mean(name, self.flow.prompts) or "write it under prompts"
            self.reader.problem(node, Rule.PROMPTS, f'there is no prompt "{name}"', hint)
        return found

    def barge_in(self, fields: Fields, default: BargeIn = BargeIn.ANY) -> BargeIn:
        options = tuple(kind.value for kind in BargeIn)

        def read(node: yaml.Node, what: str) -> str | None:
            return self.reader.one_of(node, what, options)

        return BargeIn(fields.read("barge_in", read, default.value))

    def seconds(self, fields: Fields, key: str, default: float, low: float, high: float) -> float:
        return fields.read(key, lambda node, what: self.reader.seconds(node, what, low, high), default)

    def end_silence(self, fields: Fields) -> EndSilence:
        """The silence that ends what the caller says."""
        read = fields.read("end_silence", lambda node, what: self.reader.span(node, what, 0.2, 5.0), None)
        return EndSilence() if read is None else EndSilence(*read)
