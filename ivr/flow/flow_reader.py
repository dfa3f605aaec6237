"""Reading a flow: what its head declares, then its prompts, then its steps."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from ivr.flow.children import Around, EndlessError
from ivr.flow.composing import children, place_of
from ivr.flow.declarations import read_field
from ivr.flow.graph import edges_of, reached_from
from ivr.flow.manner import Words, read_manner
from ivr.flow.model import Events, Flow, Limits, Step, Target
from ivr.flow.nodes import Entry, Fields, Reader
from ivr.flow.phrases import read_phrases
from ivr.flow.problems import START, Rule, did_you_mean
from ivr.flow.reading import FlowScope, StepReader
from ivr.flow.recordings import Recordings
from ivr.flow.sayas import known_languages
from ivr.flow.types import ValueType
from ivr.flow.understanding import PHRASES_ALONE, read_understanding
from ivr.flow.verbs import VERBS

_STEP_FIELDS = ("next", "otherwise", "operator")
_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Loaded:
    """`unread`: names of steps that stand in the file and could not be understood; `endless`: the flows that
    it enters never end."""

    flow: Flow
    unread: frozenset[str]
    endless: EndlessError | None = None


class FlowReader:
    """Makes a flow of the nodes of a file. Problems go to the reader's report."""

    def __init__(self, reader: Reader, folder: Path, around: Around, say_as: Words | None = None) -> None:
        """`say_as` is a dictionary that holds for every flow."""
        self._reader = reader
        self._folder = folder
        self._around = around
        self._say_as = say_as or {}

    def read(self, root: yaml.MappingNode) -> Loaded:
        reader = self._reader
        fields = reader.fields(root, "the flow")
        name_node = fields.take("flow")
        if name_node is None:
            reader.problem(fields.place, Rule.YAML, "the flow has no name", "a flow begins with: flow: NAME")
        name = (None if name_node is None else reader.name(name_node, "the name of the flow")) or ""
        languages = self._languages(fields)
        params = {e.key: self._type(e, languages) for e in self._declared(fields, "params")}
        result = {e.key: read_field(reader, e, languages) for e in self._declared(fields, "result")}
        variables = {e.key: read_field(reader, e, languages) for e in self._declared(fields, "variables")}
        self._once(fields)
        scope = {
            **params,
            **{n: f.type for n, f in variables.items()},
            **{n: f.type for n, f in result.items()},
        }
        limits = self._limits(fields)
        events = self._events(fields)
        start_node = fields.need("start", Rule.OUTCOMES, "name the first step: start: STEP")
        start = None if start_node is None else reader.text(start_node, "start of the flow")
        around = self._around.within(name, operator=events.operator is not None)
        manner = read_manner(reader, fields, languages, self._say_as)
        recordings = Recordings(self._folder)
        flow_scope = FlowScope(reader, languages, scope, {}, around, manner, recordings)
        flow_scope.understanding = read_understanding(reader, fields, PHRASES_ALONE)
        intents_node = fields.take("intents")
        if intents_node is not None:
            flow_scope.intents = {
                entry.key: read_phrases(flow_scope, entry.node, f"intent {entry.key}")
                for entry in reader.entries(intents_node, "intents")
            }
        steps_node = fields.need("steps", Rule.OUTCOMES)
        prompts_node = fields.take("prompts")
        if prompts_node is not None:
            for entry in reader.entries(prompts_node, "prompts"):
                flow_scope.prompts[entry.key] = replace(
                    flow_scope.prompt(entry.key, entry.node), place=entry.key_place
                )
        steps, unread = self._steps(flow_scope, steps_node)
        fields.finish()
        flow = Flow(
            name=name,
            hash=_content_hash(root, recordings, steps.values()),
            folder=self._folder,
            languages=languages,
            params=params,
            result=result,
            variables=variables,
            limits=limits,
            events=events,
            start=Target(start or "", START if start_node is None else place_of(start_node)),
            steps=steps,
            prompts=flow_scope.prompts,
            manner=manner,
        )
        hangup = () if events.hangup is None else (events.hangup.step,)
        silenced = frozenset(reached_from(edges_of(flow), hangup))
        return Loaded(replace(flow, silenced=silenced), unread, flow_scope.endless)

    # --- the head

    def _languages(self, fields: Fields) -> tuple[str, ...]:
        node = fields.need("languages", Rule.PROMPTS, "such as languages: [hi, mr, en]")
        if node is None:
            return ("en",)
        known = known_languages()
        found: list[str] = []
        for item in self._reader.items(node, "languages"):
            language = self._reader.text(item, "a language")
            if language is None:
                continue
            if language not in known:
                hint = did_you_mean(language, known)
                self._reader.problem(item, Rule.PROMPTS, f'the language "{language}" is not known', hint)
            elif language in found:
                self._reader.problem(item, Rule.PROMPTS, f'the language "{language}" stands twice')
            else:
                found.append(language)
        if isinstance(node, yaml.SequenceNode) and not node.value:
            self._reader.problem(node, Rule.PROMPTS, "languages is empty", "such as languages: [hi, mr, en]")
        return tuple(found) or ("en",)

    def _declared(self, fields: Fields, section: str) -> Iterator[Entry]:
        node = fields.take(section)
        for entry in [] if node is None else self._reader.entries(node, section):
            if not entry.key.isidentifier() or not entry.key.isascii():
                self._reader.problem(
                    entry.key_place,
                    Rule.PROMPTS,
                    f'"{entry.key}" cannot name a value',
                    "use letters, digits and _",
                )
                continue
            yield entry

    def _once(self, fields: Fields) -> None:
        """A name is declared in one section only."""
        seen: dict[str, str] = {}
        for section in ("params", "result", "variables"):
            node = fields.take(section)
            for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
                first = seen.setdefault(key.value, section) if isinstance(key, yaml.ScalarNode) else section
                if first != section:
                    self._reader.problem(
                        key, Rule.RESULT, f'"{key.value}" is declared in {first} and in {section}'
                    )

    def _type(self, entry: Entry, languages: tuple[str, ...]) -> ValueType:
        return read_field(self._reader, entry, languages, default=False).type

    def _limits(self, fields: Fields) -> Limits:
        node = fields.take("limits")
        if node is None:
            return Limits()
        inner = self._reader.fields(node, "limits")
        call_s = inner.read(
            "call", lambda n, what: self._reader.seconds(n, what, 5.0, 7200.0), _LIMITS.call_s
        )
        visits = inner.read("visits", lambda n, what: self._reader.whole(n, what, 1, 100), _LIMITS.visits)
        inner.finish()
        return Limits(call_s, visits, place_of(node))

    def _events(self, fields: Fields) -> Events:
        node = fields.take("events")
        if node is None:
            return Events()
        inner = self._reader.fields(node, "events")
        targets: dict[str, Target | None] = {}
        for event in ("hangup", "failure", "operator"):
            target = inner.take(event)
            text = None if target is None else self._reader.text(target, f"event {event}")
            targets[event] = None if target is None or text is None else Target(text, place_of(target))
        inner.finish()
        return Events(**targets)

    # --- the steps

    def _steps(self, flow: FlowScope, node: yaml.Node | None) -> tuple[dict[str, Step], frozenset[str]]:
        steps: dict[str, Step] = {}
        unread: set[str] = set()
        entries = [] if node is None else self._reader.entries(node, "steps")
        for entry in entries:
            self._check_name(entry)
            step = self._step(flow, entry)
            if step is None:
                unread.add(entry.key)
            else:
                steps[entry.key] = step
        return steps, frozenset(unread)

    def _check_name(self, entry: Entry) -> None:
        if not entry.key or len(entry.key) > 60 or not entry.key.replace("-", "_").isidentifier():
            self._reader.problem(
                entry.key_place,
                Rule.YAML,
                f'"{entry.key}" cannot name a step',
                "use letters, digits, - and _",
            )

    def _step(self, flow: FlowScope, entry: Entry) -> Step | None:
        what = f"step {entry.key}"
        if isinstance(entry.node, yaml.ScalarNode) and not self._reader.is_null(entry.node):
            hint = f"such as {entry.key}: {{say: PROMPT, next: STEP}}"
            self._reader.problem(entry.key_place, Rule.OUTCOMES, f"{what} has no verb", hint)
            return None
        fields = self._reader.fields(entry.node, what)
        fields.place = entry.key_place
        verbs = [key for key in fields.keys if key in VERBS]
        if not fields.keys:
            if isinstance(entry.node, yaml.MappingNode) and not entry.node.value:
                self._not_one_verb(fields, entry, verbs)
            return None
        if len(verbs) != 1:
            self._not_one_verb(fields, entry, verbs)
            return None
        verb = verbs[0]
        node = fields.take(verb)
        if node is None:
            return None
        step = VERBS[verb].read(StepReader(flow, entry.key, verb, fields, node))
        fields.finish()
        return step

    def _not_one_verb(self, fields: Fields, entry: Entry, verbs: list[str]) -> None:
        what = f"step {entry.key}"
        if verbs:
            message, hint = f"{what} has {len(verbs)} verbs: {', '.join(verbs)}", "make a step of each"
        else:
            others = [key for key in fields.keys if key not in _STEP_FIELDS]
            message = f'{what}: "{others[0]}" is not a verb' if others else f"{what} has no verb"
            hint = did_you_mean(others[0] if others else "", VERBS)
        self._reader.problem(entry.key_place, Rule.OUTCOMES, message, hint)


def _content_hash(root: yaml.Node, recordings: Recordings, steps: Iterable[Step]) -> str:
    """SHA-256 over what the file says (not its comments and layout), the audio files it names, and the flows
    that it enters."""
    parts: list[str] = []
    _digested(root, parts)
    for name, digest in recordings.digests.items():
        parts += (name, digest)
    entered = {child.name: child.hash for step in steps if (child := step.enters()) is not None}
    for name in sorted(entered):
        parts += (name, entered[name])
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _digested(node: yaml.Node, parts: list[str]) -> None:
    if isinstance(node, yaml.ScalarNode):
        parts += ('"' if node.style else "'", node.value)
        return
    parts.append("{" if isinstance(node, yaml.MappingNode) else "[")
    for child in children(node):
        _digested(child, parts)
    parts.append("}")
