"""understanding: who else is asked what the caller means, where the phrases alone leave a doubt.

    understanding: [nlu, llm]                        # classifiers of the configuration, one after the other
    understanding: {by: [nlu], within: 1200ms}       # how long the caller waits for them at most
    understanding: []                                # nobody: the phrases decide

At the top of a flow it holds for every menu, and for what a collect asks for as yes_no or one_of; in a step
it holds for that step. What the phrases decide for certain is asked of nobody, and where nobody answers in
time they decide alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import yaml

from ivr.flow.model import Reference
from ivr.flow.nodes import Fields, Reader, place_of
from ivr.flow.problems import Rule

WITHIN_S = 1.5

CERTAIN_SCORE = 0.9
"""From this score on, and this margin, what the phrases say is certain (`ivr.flow.intents`)."""

CERTAIN_MARGIN = 0.2

MAX_EXAMPLES = 12
"""Phrases that a classifier is told of each option."""


@dataclass(frozen=True, slots=True)
class Understanding:
    """Who is asked, in this order, and for how long altogether; nobody when `by` is empty."""

    by: tuple[Reference, ...] = ()
    within_s: float = WITHIN_S

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(reference.name for reference in self.by)


PHRASES_ALONE = Understanding()


def read_understanding(reader: Reader, fields: Fields, default: Understanding) -> Understanding:
    """The field `understanding` of a flow or a step."""
    node = fields.take("understanding")
    if node is None:
        return default
    what = f"understanding of {fields.what}"
    if not isinstance(node, yaml.MappingNode):
        return Understanding(_read_names(reader, node, what))
    inner = reader.fields(node, what)
    listed = inner.need("by", Rule.NAMES, "name the classifiers: by: [NAME]")
    within_s = inner.read("within", lambda n, told: reader.seconds(n, told, 0.1, 5.0), WITHIN_S)
    inner.finish()
    return Understanding(() if listed is None else _read_names(reader, listed, what), within_s)


def _read_names(reader: Reader, node: yaml.Node, what: str) -> tuple[Reference, ...]:
    found: dict[str, Reference] = {}
    for item in reader.items(node, what):
        name = reader.name(item, f"a classifier in {what}")
        if name is None:
            continue
        if name in found:
            reader.problem(item, Rule.NAMES, f'{what}: "{name}" stands there twice', "one asks each but once")
        found[name] = Reference("classifiers", name, place_of(item))
    return tuple(found.values())
