"""One version of a flow, and what was seen of a file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from ivr.flow.model import Flow
from ivr.flow.packing import pack, unpack
from ivr.flow.problems import Problem


@dataclass(frozen=True)
class Version:
    """A flow that has passed the check, known by the hash of its content. It is unpacked when a call first
    wants it: of many flows most wait long for one."""

    name: str
    hash: str
    languages: tuple[str, ...]
    steps: int
    packed: bytes

    @classmethod
    def of(cls, flow: Flow) -> Version:
        return cls(flow.name, flow.hash, flow.languages, len(flow.steps), pack(flow))

    @cached_property
    def flow(self) -> Flow:
        return unpack(self.packed)

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name != "flow"}


@dataclass(frozen=True, slots=True)
class Seen:
    """A file as it was read; `file` is relative to the folder. With problems it has no version. The name of a
    flow that cannot be read is what stands behind `flow:`, else that of the file."""

    file: str
    name: str
    text: bytes
    problems: tuple[Problem, ...]
    version: Version | None


@dataclass(frozen=True, slots=True)
class Gone:
    """A file that is no longer there."""

    file: str


Sighting = Seen | Gone
