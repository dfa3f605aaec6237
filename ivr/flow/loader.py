"""From a file to a checked flow. All mistakes of a file are found in one go, each with its place."""

from __future__ import annotations

import gc
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from ivr.flow.checker import check_flow, voices_of
from ivr.flow.children import Around, Children
from ivr.flow.composing import MAX_BYTES, compose
from ivr.flow.flow_reader import FlowReader
from ivr.flow.manner import Words
from ivr.flow.model import Flow
from ivr.flow.nodes import Reader
from ivr.flow.problems import START, FlowError, Place, Problem, Report, Rule
from ivr.flow.siblings import Read, Siblings


@dataclass(frozen=True, slots=True)
class Environment:
    """The names that the configuration offers to flows, the voices of its engines by language, and the
    dictionary that holds for all flows."""

    endpoints: frozenset[str] = frozenset()
    queues: frozenset[str] = frozenset()
    trunks: frozenset[str] = frozenset()
    topics: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Topics of the broker, each with the values that an event's body must have for it."""
    classifiers: frozenset[str] = frozenset()
    knowledge: frozenset[str] = frozenset()
    flows: frozenset[str] = frozenset()
    voices: Mapping[str, frozenset[str]] = field(default_factory=dict)
    say_as: Words = field(default_factory=dict)

    def sections(self) -> dict[str, Collection[str]]:
        return {
            **{voices_of(language): names for language, names in self.voices.items()},
            "endpoints": self.endpoints,
            "queues": self.queues,
            "trunks": self.trunks,
            "topics": self.topics,
            "classifiers": self.classifiers,
            "knowledge": self.knowledge,
            "flows": self.flows,
        }


def load_flow(path: Path, environment: Environment | None = None, children: Children | None = None) -> Flow:
    """The flow of a file, read and checked; raises `FlowError`. Without an environment the names of
    endpoints and queues are not checked (rule 8). `children` are the flows that it may enter, those of its
    folder without any."""
    read = _read(path, environment, Around(children or flows_of(path.parent, environment)))
    if read.flow is None or read.problems:
        raise FlowError(read.problems)
    return read.flow


def check_file(
    path: Path, environment: Environment | None = None, children: Children | None = None
) -> list[Problem]:
    """What is wrong with a file, sorted by place; empty when it can be used."""
    read = _read(path, environment, Around(children or flows_of(path.parent, environment)))
    return list(read.problems)


def flows_of(
    folder: Path, environment: Environment | None = None, texts: Mapping[Path, bytes] = MappingProxyType({})
) -> Siblings:
    """The flows of a folder, for others to enter: each is read when one wants it, and then known. `texts`
    stand in place of what is in the files."""

    def read(path: Path, around: Around) -> Read:
        text = texts.get(path)
        return (
            _read(path, environment, around) if text is None else _read_data(path, text, environment, around)
        )

    return Siblings(folder, read)


def read_text(
    path: Path, data: bytes, environment: Environment | None = None, children: Children | None = None
) -> Read:
    """What a file would be with this content, and what is wrong with it; with problems the flow is not to be
    used. `children` as for `load_flow`."""
    return _read_data(path, data, environment, Around(children or flows_of(path.parent, environment)))


def _read(path: Path, environment: Environment | None, around: Around) -> Read:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        problem = Problem(str(path), *START, Rule.YAML, f"the file cannot be read: {error.strerror}")
        return Read(None, (problem,))
    return _read_data(path, data, environment, around)


def _read_data(path: Path, data: bytes, environment: Environment | None, around: Around) -> Read:
    report = Report(str(path))
    text = _decoded(data, report)
    if text is None:
        return Read(None, tuple(report.sorted()))
    with collector_at_rest():
        root = compose(text, report)
        if root is None:
            return Read(None, tuple(report.sorted()))
        say_as = None if environment is None else environment.say_as
        loaded = FlowReader(Reader(report, text), path.parent, around, say_as).read(root)
        offered = None if environment is None else environment.sections()
        check_flow(loaded.flow, report, unread=loaded.unread, offered=offered)
        return Read(loaded.flow, tuple(report.sorted()), loaded.endless)


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """A large flow is many small objects, none of them garbage: looking for cycles among them would take
    half of the time."""
    active = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if active:
            gc.enable()


def _decoded(data: bytes, report: Report) -> str | None:
    if len(data) > MAX_BYTES:
        report.add(
            START,
            Rule.YAML,
            f"the file is larger than {MAX_BYTES // 1024} KiB",
            "split it into several flows",
        )
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        report.add(Place(line, 1), Rule.YAML, "the file is not UTF-8", "save it as UTF-8")
        return None
