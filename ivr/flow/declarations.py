"""Declarations of values: their types, and what they begin with."""

from __future__ import annotations

from dataclasses import replace

import yaml

from ivr.flow.model import ResultField
from ivr.flow.nodes import Entry, Reader
from ivr.flow.problems import Rule, did_you_mean
from ivr.flow.reading import read_constant
from ivr.flow.types import KINDS, SIMPLE_NAMES, Value, ValueType


def read_field(
    reader: Reader, entry: Entry, languages: tuple[str, ...], *, default: bool = True
) -> ResultField:
    """`minutes`, `optional minutes`, `{one_of: [a, b], default: a}`, `{type: count, default: 0}`."""
    fallback = ResultField(ValueType("text"), "", entry.key_place)
    if not isinstance(entry.node, yaml.MappingNode):
        type_ = read_named_type(reader, entry.node, entry.key, languages)
        return fallback if type_ is None else ResultField(type_, None, entry.key_place)
    fields = reader.fields(entry.node, entry.key)
    named, listed = fields.take("type"), fields.take("one_of")
    optional = fields.read("optional", reader.flag, False)
    type_ = None
    if (named is None) == (listed is None):
        reader.problem(
            entry.node, Rule.PROMPTS, f"{entry.key} needs a type", "write type: ... or one_of: [...]"
        )
    elif listed is not None:
        type_ = _one_of(reader, listed, entry.key)
    elif named is not None:
        type_ = read_named_type(reader, named, entry.key, languages)
    if type_ is not None and optional:
        type_ = replace(type_, optional=True)
    value: Value = None
    if default:
        default_node = fields.take("default")
        if default_node is not None and type_ is not None:
            what = f"default of {entry.key}"
            value = read_constant(reader, default_node, what, type_, Rule.RESULT)
            if value is None:
                return fallback
    fields.finish()
    return fallback if type_ is None else ResultField(type_, value, entry.key_place)


def read_named_type(
    reader: Reader, node: yaml.Node, name: str, languages: tuple[str, ...]
) -> ValueType | None:
    text = reader.text(node, f"type of {name}")
    if text is None:
        return None
    kind = text.removeprefix("optional ").strip()
    optional = kind != text
    if kind == "one_of":
        reader.problem(node, Rule.PROMPTS, f"{name}: one_of needs options", "write {one_of: [a, b]}")
        return None
    if kind not in KINDS:
        hint = did_you_mean(kind, SIMPLE_NAMES)
        reader.problem(node, Rule.PROMPTS, f'{name}: there is no type "{kind}"', hint)
        return None
    return ValueType(kind, languages if kind == "language" else (), optional)


def _one_of(reader: Reader, node: yaml.Node, name: str) -> ValueType | None:
    options: list[str] = []
    for item in reader.items(node, f"one_of of {name}"):
        option = reader.text(item, f"an option of {name}")
        if option in options:
            reader.problem(item, Rule.PROMPTS, f'the option "{option}" of {name} stands twice')
        elif option is not None:
            options.append(option)
    if not options:
        if isinstance(node, yaml.SequenceNode) and not node.value:
            reader.problem(node, Rule.PROMPTS, f"one_of of {name} has no options")
        return None
    return ValueType("one_of", tuple(options))
