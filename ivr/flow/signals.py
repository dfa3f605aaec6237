"""Signals: what happens outside and a call waits for, with values that fit what its flow declares.

A flow knows the signals that some step of it waits for (`until`). One that comes early is kept until that
step is entered; a later one of the same name takes its place, so that what is kept is bounded by the flow.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any

from ivr.flow.model import Flow
from ivr.flow.problems import ParamError, did_you_mean
from ivr.flow.protocol import Signal
from ivr.flow.types import Mismatch, ValueType
from ivr.flow.verbs.wait import Wait

Expected = Mapping[str, frozenset[ValueType]]
"""The values that a signal brings, by name, with the types that the steps that take them want."""


class UnknownSignal(Exception):
    """No step of the flow waits for a signal of this name; `known` are those that some step waits for."""

    def __init__(self, flow: str, name: str, known: tuple[str, ...]) -> None:
        hint = did_you_mean(name, known)
        super().__init__(f'no step of {flow} waits for a signal "{name}"' + (f" ({hint})" if hint else ""))
        self.known = known


def signals_of(flow: Flow) -> dict[str, Expected]:
    """Every signal that a step waits for, of flows within too. Where several do, it brings the values of all
    of them."""
    found: dict[str, dict[str, frozenset[ValueType]]] = {}
    for step in chain.from_iterable(one.steps.values() for one in flow.family.values()):
        if isinstance(step, Wait) and step.until is not None:
            brings = found.setdefault(step.until, {})
            for value in step.values:
                brings[value.name] = brings.get(value.name, frozenset()) | {value.type}
    return dict(found)


def bind_signal(flow: Flow, name: str, values: Mapping[str, Any]) -> Signal:
    """A signal of raw JSON or YAML values. Raises `UnknownSignal`, and `ParamError` that names every bad
    value; one that is left out is None where its type is optional."""
    known = signals_of(flow)
    if name not in known:
        raise UnknownSignal(flow.name, name, tuple(sorted(known)))
    wrong: dict[str, str] = {}
    for value, types in known[name].items():
        for type_ in types:
            try:
                type_.accept(values.get(value))
            except Mismatch as error:
                wrong[value] = str(error)
    for value in values:
        if value not in known[name]:
            hint = did_you_mean(str(value), known[name])
            wrong[str(value)] = f"is not a value of the signal {name}" + (f" ({hint})" if hint else "")
    if wrong:
        raise ParamError(wrong)
    return Signal(name, {value: values.get(value) for value in known[name]})
