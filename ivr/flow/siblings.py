"""The flows of a folder, found by name and read when another enters them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ivr.flow.children import MAX_DEPTH, Around, ChildError, EndlessError, unusable
from ivr.flow.composing import MAX_BYTES
from ivr.flow.model import Flow
from ivr.flow.problems import Problem, did_you_mean

_NAME = re.compile(rb"""^\{?[ \t]*["']?flow["']?[ \t]*:[ \t]*["']?([A-Za-z][A-Za-z0-9_-]*)""", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Read:
    """What became of a flow's file; `endless` is set when it leads back to itself, or too deep."""

    flow: Flow | None
    problems: tuple[Problem, ...]
    endless: EndlessError | None = None


ReadFile = Callable[[Path, Around], Read]


class Siblings:
    """All flow files of a folder and below it. Each is read once; made anew, it sees what has changed."""

    def __init__(self, folder: Path, read: ReadFile) -> None:
        self._folder = folder
        self._read = read
        self._known: dict[tuple[str, bool], Read] = {}

    def get(self, name: str, way: Sequence[str], operator: bool) -> Flow:
        """As `Children.get`."""
        if name in way:
            raise EndlessError(way[way.index(name) :], circle=True)
        if len(way) >= MAX_DEPTH:
            raise EndlessError((*way, name), circle=False)
        read = self._known.get((name, operator))
        if read is None:
            read = self._read(self._path(name, way), Around(self, tuple(way), operator))
            # What is too deep from here may be fine from a flow further in.
            if read.endless is None or read.endless.circle:
                self._known[name, operator] = read
        if read.endless is not None:
            raise read.endless
        if read.flow is None or read.problems:
            # Not where the folder lies: over the API that is nobody's business.
            raise unusable(name, read.problems, str(self._path(name, way).relative_to(self._folder)))
        return read.flow

    def _path(self, name: str, way: Sequence[str]) -> Path:
        found = self._paths.get(name, ())
        if not found:
            hint = did_you_mean(name, set(self._paths) - set(way))
            hint = hint or "flows are looked for in this folder and below it"
            raise ChildError(f'there is no flow "{name}"', hint)
        if len(found) > 1:
            listed = ", ".join(str(path.relative_to(self._folder)) for path in found)
            raise ChildError(
                f'there are {len(found)} flows "{name}": {listed}', "give one of them another name"
            )
        return found[0]

    @cached_property
    def _paths(self) -> dict[str, tuple[Path, ...]]:
        found: dict[str, tuple[Path, ...]] = {}
        for path in sorted(self._folder.rglob("*.yaml")):
            if (name := name_in(path)) is not None:
                found[name] = (*found.get(name, ()), path)
        return found


def file_of(flow: Flow) -> Path | None:
    """The file of a flow that was read from its folder; None when it is not there any more."""
    return next((path for path in sorted(flow.folder.glob("*.yaml")) if name_in(path) == flow.name), None)


def name_in(path: Path) -> str | None:
    """The name of the flow in a file, without reading all of it; None when it seems to hold none."""
    if path.name.endswith(".scenarios.yaml"):
        return None
    try:
        with path.open("rb") as file:
            match = _NAME.search(file.read(MAX_BYTES))
    except OSError:
        return None
    return None if match is None else match[1].decode()
