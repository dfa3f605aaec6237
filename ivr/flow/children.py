"""The flows that the steps of a flow enter: how they are found, and why one cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ivr.flow.model import Flow
from ivr.flow.problems import Problem

MAX_DEPTH = 8
"""How many flows deep a call may be."""


class ChildError(Exception):
    """There is no such flow, or it has problems of its own; `hint` says what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class EndlessError(Exception):
    """Flows that enter each other without an end, or too deep: `way` names them. Of a circle the last leads
    to the first again."""

    def __init__(self, way: Sequence[str], *, circle: bool) -> None:
        super().__init__(" -> ".join(way))
        self.way = tuple(way)
        self.circle = circle

    def seen_from(self, name: str) -> EndlessError:
        """The circle as it is walked from this flow on."""
        if not self.circle or name not in self.way:
            return self
        at = self.way.index(name)
        return EndlessError((*self.way[at:], *self.way[:at]), circle=True)

    def __str__(self) -> str:
        return " -> ".join((*self.way, self.way[0]) if self.circle else self.way)


class Children(Protocol):
    """Where the flows are that a flow may enter."""

    def get(self, name: str, way: Sequence[str], operator: bool) -> Flow:
        """The flow of this name, read and checked. `way` are the flows that it is entered through, the
        outermost first; with `operator` one of them has an operator event.

        Raises `ChildError`, `EndlessError`."""


@dataclass(frozen=True, slots=True)
class Around:
    """What is around a flow: where its children are, and `way`, the flows that it is entered through. With
    `operator` one of them has an operator event."""

    children: Children
    way: tuple[str, ...] = ()
    operator: bool = False

    def within(self, name: str, *, operator: bool) -> Around:
        """The same for the flows that the flow of this name enters."""
        return Around(self.children, (*self.way, name), self.operator or operator)

    def child(self, name: str) -> Flow:
        """Raises `ChildError`, `EndlessError`."""
        return self.children.get(name, self.way, self.operator)


def unusable(name: str, problems: Sequence[Problem], file: str) -> ChildError:
    """A flow that is there, and has problems; `file` is where it lies in the folder."""
    first = min(problems)
    more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
    return ChildError(
        f"the flow {name} cannot be used: {first.message}{more}",
        f"see {file}:{first.line}:{first.column}",
    )
