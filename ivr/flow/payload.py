"""What a flow sends elsewhere (a request's body, a transfer's context): the result, or a mapping of
values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from ivr.flow.expressions import Expression
from ivr.flow.model import Use
from ivr.flow.nodes import place_of
from ivr.flow.problems import Place
from ivr.flow.reading import FlowScope, expression_in
from ivr.flow.run import Run
from ivr.flow.types import to_json


@dataclass(frozen=True, slots=True)
class Computed:
    """A value known only in the call."""

    expression: Expression
    place: Place


@dataclass(frozen=True, slots=True)
class Payload:
    """`fields` None: the result as it stands. Else constants, computed values and mappings of them."""

    fields: Mapping[str, Any] | None

    def build(self, run: Run) -> dict[str, Any]:
        """JSON values; raises `EvaluationError`."""
        return run.result if self.fields is None else _built(self.fields, run)

    def uses(self) -> tuple[Use, ...]:
        return () if self.fields is None else tuple(_computed(self.fields))


def read_payload(flow: FlowScope, node: yaml.Node, what: str) -> Payload | None:
    """`result`, or `{key: constant, other: "{{ expression }}"}`."""
    if isinstance(node, yaml.ScalarNode):
        word = flow.reader.one_of(node, what, ("result",))
        return None if word is None else Payload(None)
    return Payload(_read_fields(flow, node, what))


def _read_fields(flow: FlowScope, node: yaml.Node, what: str) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for entry in flow.reader.entries(node, what):
        label = f"{entry.key} in {what}"
        if isinstance(entry.node, yaml.MappingNode):
            fields[entry.key] = _read_fields(flow, entry.node, label)
            continue
        inner = expression_in(entry.node)
        if inner is None:
            fields[entry.key] = flow.reader.plain(entry.node, label)
            continue
        expression = flow.compile(inner, entry.node, label)
        if expression is not None:
            fields[entry.key] = Computed(expression, place_of(entry.node))
    return fields


def _built(fields: Mapping[str, Any], run: Run) -> dict[str, Any]:
    built: dict[str, Any] = {}
    for key, value in fields.items():
        if isinstance(value, Computed):
            built[key] = to_json(value.expression(run.values))
        elif isinstance(value, Mapping):
            built[key] = _built(value, run)
        else:
            built[key] = value
    return built


def _computed(fields: Mapping[str, Any]) -> list[Use]:
    found: list[Use] = []
    for value in fields.values():
        if isinstance(value, Computed):
            # A value that is not there is sent as null.
            found.append(Use(value.expression, value.place, bare=True))
        elif isinstance(value, Mapping):
            found += _computed(value)
    return found
