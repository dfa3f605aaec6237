"""Reading an agent step: its instructions, slots, tools, and bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import yaml

from ivr.flow.agent_protocol import READABLE, Bounds
from ivr.flow.compiling import compile_text
from ivr.flow.declarations import read_field
from ivr.flow.expressions import ExpressionError, Template
from ivr.flow.model import Reference
from ivr.flow.nodes import Entry, Fields, has_braces, place_of
from ivr.flow.problems import Rule, did_you_mean
from ivr.flow.reading import StepReader
from ivr.flow.types import ValueType

Method = Literal["GET", "POST", "PUT"]
_METHODS: Mapping[str, Method] = {"get": "GET", "post": "POST", "put": "PUT"}

Action = Literal["transfer", "end"]
ACTIONS: tuple[Action, ...] = ("transfer", "end")

BOUNDS = Bounds(20, 180.0)
"""What bounds a conversation where the flow does not say."""

TIMEOUT_S = 3.0
MAX_SLOTS = 20
MAX_TOOLS = 20

FILL = "fill"
"""The tool by which every agent gives values back."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A value to find out, with what it is."""

    name: str
    type: ValueType
    about: str
    required: bool


@dataclass(frozen=True, slots=True)
class AgentTool:
    """A request to an endpoint, or without one an action that leaves the step."""

    name: str
    about: str
    endpoint: Reference | None
    method: Method
    parameters: Mapping[str, ValueType]
    timeout_s: float
    action: Action


def read_instructions(step: StepReader, fields: Fields) -> Mapping[str, Template] | None:
    """One text for all languages, or one for each."""
    node = fields.need("instructions", Rule.PROMPTS, "say what the agent is for")
    if node is None:
        return None
    languages = step.flow.languages
    if not isinstance(node, yaml.MappingNode) or has_braces(node):
        text = _template(step, node, f"instructions of {step.what}")
        return None if text is None else dict.fromkeys(languages, text)
    found: dict[str, Template] = {}
    entries = {entry.key: entry for entry in step.reader.entries(node, f"instructions of {step.what}")}
    for key, entry in entries.items():
        what = f"instructions of {step.what} in {key}"
        if key not in languages:
            hint = did_you_mean(key, languages)
            message = f'instructions of {step.what}: "{key}" is not a language of this flow'
            step.reader.problem(entry.key_place, Rule.PROMPTS, message, hint)
        elif (template := _template(step, entry.node, what)) is not None:
            found[key] = template
    missing = [language for language in languages if language not in entries]
    if missing:
        message = f"instructions of {step.what} are missing in {', '.join(missing)}"
        step.reader.problem(node, Rule.PROMPTS, message, "write them in every language, or one text for all")
    return found if len(found) == len(languages) else None


def _template(step: StepReader, node: yaml.Node, what: str) -> Template | None:
    text = step.reader.text(node, what)
    if text is None:
        return None
    if not text.strip():
        step.reader.problem(node, Rule.PROMPTS, f"{what} say nothing", "say what the agent is for")
        return None
    try:
        return compile_text(text, step.flow.scope, str)
    except ExpressionError as error:
        step.reader.problem(node, Rule.PROMPTS, f"{what}: {error}", error.hint)
        return None


def read_slots(step: StepReader, fields: Fields) -> tuple[Wanted, ...]:
    node = fields.take("slots")
    entries = [] if node is None else step.reader.entries(node, f"slots of {step.what}")
    if len(entries) > MAX_SLOTS and node is not None:
        step.reader.problem(node, Rule.YAML, f"{step.what} has more than {MAX_SLOTS} slots")
    found = [_read_slot(step, entry) for entry in entries]
    return tuple(slot for slot in found if slot is not None)


def _read_slot(step: StepReader, entry: Entry) -> Wanted | None:
    what = f"slot {entry.key} of {step.what}"
    declared = step.flow.declared(entry.key, entry.key_place, f"slots of {step.what}")
    required = True
    if isinstance(entry.node, yaml.MappingNode):
        fields = step.reader.fields(entry.node, what)
        about_node = fields.need("about", Rule.PROMPTS, "say what it is: about: ...")
        about = None if about_node is None else step.reader.text(about_node, f"about of {what}")
        required = fields.read("required", step.reader.flag, True)
        fields.finish()
    else:
        about = step.reader.text(entry.node, what)
    if declared is None or about is None:
        return None
    return Wanted(entry.key, declared, about, required)


def read_tools(step: StepReader, fields: Fields) -> tuple[AgentTool, ...]:
    node = fields.take("tools")
    entries = [] if node is None else step.reader.entries(node, f"tools of {step.what}")
    if len(entries) > MAX_TOOLS and node is not None:
        step.reader.problem(node, Rule.YAML, f"{step.what} has more than {MAX_TOOLS} tools")
    found = [_read_tool(step, entry) for entry in entries]
    return tuple(tool for tool in found if tool is not None)


def _read_tool(step: StepReader, entry: Entry) -> AgentTool | None:
    reader, what = step.reader, f"tool {entry.key} of {step.what}"
    if entry.key == FILL:
        message = f"{what}: every agent has one of that name, for its slots"
        reader.problem(entry.key_place, Rule.YAML, message, "call it otherwise")
    fields = reader.fields(entry.node, what)
    about_node = fields.need("about", Rule.PROMPTS, "say when the agent is to use it: about: ...")
    about = None if about_node is None else reader.text(about_node, f"about of {what}")
    does = [key for key in ("get", "post", "put", "action") if key in fields]
    nodes = {key: fields.take(key) for key in does}
    parameters_node = fields.take("parameters")
    parameters = {} if parameters_node is None else _read_parameters(step, parameters_node, what)
    timeout_s = step.seconds(fields, "timeout", TIMEOUT_S, 0.1, 30.0)
    fields.finish()
    if len(does) != 1:
        message = f"{what} needs one of get, post, put, action"
        reader.problem(entry.key_place, Rule.OUTCOMES, message, "such as get: ENDPOINT, or action: transfer")
        return None
    node = nodes[does[0]]
    if node is None or about is None:
        return None
    if does[0] == "action":
        if parameters_node is not None:
            message = f"{what} is an action, which takes no parameters"
            reader.problem(parameters_node, Rule.OUTCOMES, message, "take them out")
        named = reader.one_of(node, f"action of {what}", ACTIONS)
        action = next((known for known in ACTIONS if known == named), None)
        if action is None:
            return None
        return AgentTool(entry.key, about, None, "POST", {}, timeout_s, action)
    name = reader.name(node, f"{does[0]} of {what}")
    if name is None:
        return None
    endpoint = Reference("endpoints", name, place_of(node))
    return AgentTool(entry.key, about, endpoint, _METHODS[does[0]], parameters, timeout_s, "end")


def _read_parameters(step: StepReader, node: yaml.Node, what: str) -> dict[str, ValueType]:
    found: dict[str, ValueType] = {}
    for entry in step.reader.entries(node, f"parameters of {what}"):
        found[entry.key] = read_field(step.reader, entry, step.flow.languages, default=False).type
    return found


def read_knowledge(step: StepReader, fields: Fields) -> tuple[Reference, ...]:
    node = fields.take("knowledge")
    items = [] if node is None else step.reader.items(node, f"knowledge of {step.what}")
    found: dict[str, Reference] = {}
    for item in items:
        name = step.reader.name(item, f"a name in knowledge of {step.what}")
        if name is not None:
            found.setdefault(name, Reference("knowledge", name, place_of(item)))
    return tuple(found.values())


def read_reads_out(step: StepReader, fields: Fields) -> tuple[str, ...]:
    node = fields.take("reads_out")
    items = [] if node is None else step.reader.items(node, f"reads_out of {step.what}")
    kinds = (step.reader.one_of(item, f"a kind in reads_out of {step.what}", READABLE) for item in items)
    return tuple(dict.fromkeys(kind for kind in kinds if kind is not None))


def read_summary(step: StepReader, fields: Fields) -> str | None:
    return _read_told(step, fields, "summary", "text", '{type: text, default: ""}')


def read_transcript(step: StepReader, fields: Fields) -> str | None:
    return _read_told(step, fields, "transcript", "list", "{type: list, default: []}")


def _read_told(step: StepReader, fields: Fields, field: str, kind: str, example: str) -> str | None:
    """The name of a value of that kind."""
    what = f"{field} of {step.what}"
    node = fields.take(field)
    name = None if node is None else step.reader.text(node, what)
    if node is None or name is None:
        return None
    declared = step.flow.declared(name, node, what)
    if declared is None:
        return None
    if declared.kind != kind:
        message = f'{what}: "{name}" is {declared}, and a {field} is a {kind}'
        step.reader.problem(node, Rule.PROMPTS, message, f"write {name}: {example}")
        return None
    return name


def read_bounds(step: StepReader, fields: Fields) -> Bounds:
    node = fields.take("limits")
    if node is None:
        return BOUNDS
    inner = step.reader.fields(node, f"limits of {fields.what}")
    turns = inner.read("turns", lambda n, what: step.reader.whole(n, what, 1, 100), BOUNDS.turns)
    time_s = step.seconds(inner, "time", BOUNDS.time_s, 5.0, 1800.0)
    cost = inner.read("cost", lambda n, what: _cost(step, n, what), None)
    inner.finish()
    return Bounds(turns, time_s, cost)


def _cost(step: StepReader, node: yaml.Node, what: str) -> float | None:
    cost = step.reader.plain(node, what)
    if isinstance(cost, bool) or not isinstance(cost, int | float) or cost <= 0:
        step.reader.problem(node, Rule.YAML, f"{what} must be a number above 0", "such as cost: 5")
        return None
    return float(cost)
