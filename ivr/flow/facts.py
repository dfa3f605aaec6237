"""What a step does, as short facts in words: `label -> text`. Two steps with the same facts do the same for
callers, wherever they stand in their files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, Final

from ivr.flow.expressions import Expression, Template
from ivr.flow.model import Assignment, Flow, Prompt, Reference, ResultField, Step, Target
from ivr.flow.payload import Computed, Payload
from ivr.flow.problems import Place
from ivr.flow.types import Value, ValueType, to_json
from ivr.flow.understanding import Understanding
from ivr.flow.verbs.agent_reading import AgentTool, Wanted
from ivr.flow.verbs.branch import Case
from ivr.flow.verbs.consent import Purpose
from ivr.flow.verbs.flow import Fill
from ivr.flow.verbs.menu import Choice, Menu
from ivr.flow.verbs.request import Answer
from ivr.flow.verbs.wait import Brought

Facts = dict[str, str]

LABELS: Final[Mapping[str, str]] = {
    "prompt": "says",
    "target": "next leads to",
    "otherwise": "otherwise leads to",
    "retry wait_s": "waits for input",
    "retry prompts": "asks again with",
    "barge_in": "the prompt may be cut by",
    "assigns": "sets",
    "cause": "ends with",
    "child": "enters",
    "gives": "gives",
    "fills": "takes",
    "into": "fills",
    "keys low": "fewest digits",
    "keys high": "most digits",
    "keys end": "key that ends the digits",
    "keys gap_s": "waits for the next digit",
    "speech slot": "listens for",
    "speech max_s": "longest answer",
    "speech end_silence floor_s": "shortest pause that ends an answer",
    "speech end_silence ceiling_s": "longest pause within an answer",
    "end_silence floor_s": "shortest pause that ends a turn",
    "end_silence ceiling_s": "longest pause within a turn",
    "understanding by": "asks what is meant",
    "understanding within_s": "waits so long for who is asked",
    "greeting": "greets with",
    "slots": "finds out",
    "tools": "may use",
    "operator": "operator leads to",
    "reads_out": "may read out",
    "summary": "puts a summary into",
    "transcript": "puts what was said into",
    "bounds turns": "most turns",
    "bounds time_s": "longest conversation",
    "bounds cost": "highest cost",
    "timeout_s": "timeout",
    "wait_s": "wait",
    "topic": "publishes to",
    "sound": "the caller hears",
    "until": "goes on at the signal",
    "values": "filled by the signal",
    "key": "goes on at the key",
    "mode": "hands over",
    "whisper": "tells the agent",
    "queued prompt": "tells the place with",
    "queued into": "puts the place into",
    "queued every_s": "tells the place again after",
}

_DERIVED: Final = frozenset(("name", "phrases", "accept_place", "to_place"))
"""Fields that say nothing of their own; phrases are compared one by one."""


def facts_of(step: Step) -> Facts:
    found = {"verb": step.verb}
    for field in fields(step):
        if field.name not in _DERIVED and not (isinstance(step, Menu) and field.name in _MENU):
            found.update(_walk(getattr(step, field.name), field.name))
    if isinstance(step, Menu):
        for choice in step.choices:
            found.update(_choice(choice))
    return found


_MENU: Final = frozenset(("choices", "keys", "intents"))


def _choice(choice: Choice) -> Iterator[tuple[str, str]]:
    does = f"{choice.name}, leads to {choice.target.step}"
    if choice.key is not None:
        yield f"key {choice.key}", does
    if choice.intent is not None:
        yield f"intent {choice.intent}", does
    if choice.assigns:
        yield f"{choice.name} sets", ", ".join(map(_scalar, choice.assigns))


def _walk(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """The facts of a field, with those of what it holds."""
    if value is None or isinstance(value, Place):
        return
    if isinstance(value, Flow):
        # What it does is compared by itself.
        value = value.name
    if isinstance(value, Understanding) and not value.by:
        return
    if isinstance(value, Payload):
        yield from _walk("the result" if value.fields is None else value.fields, path)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _walk("null" if inner is None else inner, f"{path} {key}")
    elif isinstance(value, tuple):
        if value:
            yield _label(path), ", ".join(map(_scalar, value))
    elif is_dataclass(value) and not isinstance(value, _SCALARS):
        for field in fields(value):
            yield from _walk(getattr(value, field.name), f"{path} {field.name}")
    elif isinstance(value, float) and path.endswith("_s"):
        yield _label(path), f"{value:g} s"
    else:
        yield _label(path), _scalar(value)


_SCALARS: Final = (Target, Prompt, Expression, Template, Reference, Assignment, ValueType, Computed, Purpose)


def _scalar(value: Any) -> str:
    match value:
        case Target(step=step):
            return step
        case Prompt(name=name) | Reference(name=name):
            return name
        case Expression(source=source) | Template(source=source):
            return source
        case Computed(expression=expression):
            return f"{{{{ {expression.source} }}}}"
        case Assignment(name=name, source=source):
            shown = source.source if isinstance(source, Expression) else _constant(source)
            return f"{name} = {shown}"
        case Case(condition=condition, target=target):
            return f"{condition.source}: to {target.step}"
        case Brought(name=name):
            return name
        case Wanted(name=name, required=required):
            return name if required else f"{name} (not required)"
        case AgentTool(name=name, endpoint=endpoint, action=action):
            return f"{name}: {action if endpoint is None else endpoint.name}"
        case Fill(mine=mine, theirs=theirs):
            return f"{mine} from {theirs}"
        case Answer(name=name, path=path):
            return f"{name} from {'.'.join(path)}"
        case Enum():
            return str(value.value)
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)


def _constant(value: Value) -> str:
    """As it stands in a flow."""
    shown = to_json(value)
    if shown is None:
        return "nothing"
    return str(shown).lower() if isinstance(shown, bool) else str(shown)


def _label(path: str) -> str:
    return LABELS.get(path, path.removesuffix("_s").replace("_", " "))


def declared(field: ResultField | ValueType) -> str:
    """A declaration as it would be written in a line."""
    if isinstance(field, ValueType):
        return str(field)
    default = to_json(field.default)
    return str(field.type) if default is None else f"{field.type}, default {default}"
