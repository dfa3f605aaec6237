"""The lines of a simulated call, told apart for a page; and the values that it begins with. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ivr.flow.facts import declared
from ivr.flow.model import Flow

Kind = Literal["caller", "server", "step", "way", "value", "world", "hint", "over"]

_KEYS = frozenset("0123456789*#")
_WORLD = ("request ", "publish ", "transfer ", "consent ", "to the agent", "an agent talks", "waits, ")


@dataclass(frozen=True, slots=True)
class Said:
    """One line of the call; `text` is without what only tells its kind."""

    kind: Kind
    text: str


def told(lines: Iterable[str]) -> Iterator[Said]:
    """What `Simulation` gives, by kind."""
    for line in lines:
        text = line.strip()
        if line.startswith("server: "):
            yield Said("server", line.removeprefix("server: "))
        elif line.startswith("[") and line.endswith("]"):
            yield Said("step", line[1:-1])
        elif line.startswith(("call over: ", "result: ")):
            yield Said("over", line)
        elif line.startswith("        "):
            yield Said("value", text)
        elif line.startswith("    "):
            yield Said("world" if text.startswith(_WORLD) else "way", text)
        elif text:
            yield Said("hint", text.strip("()"))


def typed(line: str) -> Said:
    """What somebody typed, as what it means to the call."""
    text = line.strip()
    if text in ("", "."):
        return Said("caller", "says nothing")
    if text.startswith("/"):
        return Said("hint", text)
    if _KEYS.issuperset(text):
        return Said("caller", f"presses {text}")
    return Said("caller", f"“{text}”")


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter of the flow as a field of a form."""

    name: str
    what: str
    value: str
    whole: bool


def fields(flow: Flow, samples: Mapping[str, Any]) -> list[Field]:
    """The parameters, with the values of the scenarios where they have some; not the language, which is
    chosen apart."""
    found = []
    for name, type_ in flow.params.items():
        if type_.kind == "language":
            continue
        value = samples.get(name)
        text = "" if value is None else str(value)
        found.append(Field(name, declared(type_), text, type_.kind in ("count", "minutes")))
    return found


def language_param(flow: Flow) -> str | None:
    """The parameter that the language of the call comes from, where there is one."""
    return next((name for name, type_ in flow.params.items() if type_.kind == "language"), None)


def values(typed_in: Iterable[tuple[Field, str]]) -> dict[str, Any]:
    """What a form holds, as the flow takes it; empty fields are left out."""
    found: dict[str, Any] = {}
    for field, text in typed_in:
        text = text.strip()
        if text:
            found[field.name] = int(text) if field.whole and text.lstrip("-").isdecimal() else text
    return found
