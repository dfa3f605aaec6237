"""A folder of flows, looked at again and again: what has changed since the last look is read, the rest not.

A flow depends on its file, on the audio files it names and on the flows it enters; a change of any of them
makes it be read again. A file counts as changed by its time, size and inode first, then by its content. While
an editor or a copy still writes, two looks in a row differ: then nothing is read yet.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from ivr.flow.children import Children
from ivr.flow.composing import MAX_BYTES
from ivr.flow.loader import Environment, flows_of, read_text
from ivr.flow.model import Flow
from ivr.flow.problems import START, Problem, Rule
from ivr.flow.siblings import Siblings
from ivr.shelf.version import Gone, Seen, Sighting, Version

_FLOW: Final = ".yaml"
_SCENARIOS: Final = ".scenarios.yaml"

Stamp = tuple[int, int, int] | None
"""Time, size and inode of a file; None: it is not there."""

_NAME: Final = re.compile(r"""^\{?[ \t]*["']?flow["']?[ \t]*:[ \t]*["']?([A-Za-z][A-Za-z0-9_-]*)""", re.M)


class FolderUnreadable(Exception):
    """The folder is not there, or may not be read: nothing is known of its flows."""


def flow_files(folder: Path) -> list[Path]:
    """The flow files of a folder: every `*.yaml` that is not a scenario file."""
    return sorted(path for path in folder.rglob("*.yaml") if not path.name.endswith(".scenarios.yaml"))


@dataclass(frozen=True, slots=True)
class _Known:
    """A file as it was when it was read: its own stamp, those of its audio files, the digest of its text, the
    name of its flow, the flows that it enters, and whether it can be used."""

    stamp: Stamp
    audio: Mapping[str, Stamp]
    digest: bytes
    name: str
    enters: frozenset[str]
    good: bool


Memory = Mapping[str, _Known]
"""What a folder remembers of its files, so that another process can go on from there."""


class FlowFolder:
    """Looks at one folder. `look` gives what is new since the look before."""

    def __init__(self, folder: Path, environment: Environment | None, memory: Memory | None = None) -> None:
        self._folder = folder
        self._environment = environment
        self._known: dict[str, _Known] = dict(memory or {})
        self._unsettled: dict[str, object] = {}

    @property
    def memory(self) -> Memory:
        return dict(self._known)

    def look(self, *, settled: bool = True) -> Iterator[Sighting]:
        """What has changed, one file after the other: what is gone first, flows that enter others after them.
        With `settled` a change is told when two looks have seen the same of it. Raises `FolderUnreadable`."""
        stamps = self._stamps()
        changed = self._changed(stamps)
        if settled:
            before, self._unsettled = self._unsettled, changed
            changed = {f: state for f, state in changed.items() if f in before and before[f] == state}
        self._unsettled = {f: state for f, state in self._unsettled.items() if f not in changed}
        names: set[str] = set()
        for file in [file for file in changed if file not in stamps]:
            names.add(self._known.pop(file).name)
            yield Gone(file)
        siblings = flows_of(self._folder, self._environment)
        read = [file for file in changed if file in stamps]
        done = set(read)
        while read or self._enters(names) & stamps.keys() - done:
            for file in read:
                if (known := self._known.get(file)) is not None:
                    names.add(known.name)
                if (seen := self._read(file, stamps[file], siblings, anew=file not in changed)) is not None:
                    names.add(seen.name)
                    yield seen
            read = sorted(self._enters(names) & stamps.keys() - done)
            done.update(read)

    def check(self, file: str, text: bytes) -> list[Seen]:
        """What a file would be with another text; after it the flows that enter it, where they are good now
        and would not be then. Nothing of it is remembered."""
        siblings = flows_of(self._folder, self._environment, {self._folder / file: text})
        seen, _ = self._seen(file, text, siblings)
        found = [seen]
        for other in self._all_that_enter(seen.name, file):
            if self._known[other].good:
                there = _content(self._folder / other)
                would_be, _ = self._seen(other, there or b"", siblings)
                found += [] if would_be.version is not None else [would_be]
        return found

    # --- what has changed

    def _stamps(self) -> dict[str, Stamp]:
        """All flow files, by name. As `flow_files`, by fewer calls of the system: it is done all the time."""
        found: dict[str, Stamp] = {}
        below: list[tuple[str, Path | str]] = [("", self._folder)]
        try:
            while below:
                before, folder = below.pop()
                with os.scandir(folder) as entries:
                    for entry in entries:
                        name = before + entry.name
                        if entry.is_dir(follow_symlinks=False) and not entry.name.endswith(_FLOW):
                            below.append((name + "/", entry.path))
                        elif entry.name.endswith(_FLOW) and not entry.name.endswith(_SCENARIOS):
                            found[name] = _stamp(entry.path)
        except OSError as error:
            raise FolderUnreadable(f"{self._folder}: {error.strerror}") from error
        return {file: found[file] for file in sorted(found) if found[file] is not None}

    def _changed(self, stamps: Mapping[str, Stamp]) -> dict[str, object]:
        """Files to look into, each with the state it is in now."""
        changed: dict[str, object] = {}
        for file, stamp in stamps.items():
            known = self._known.get(file)
            if known is None:
                changed[file] = stamp
                continue
            audio = known.audio
            if audio:
                beside = (self._folder / file).parent
                audio = {name: _stamp(beside / name) for name in audio}
            if stamp != known.stamp or audio != known.audio:
                changed[file] = (stamp, audio)
        for file in self._known:
            if file not in stamps:
                changed[file] = None
        return changed

    # --- reading

    def _read(self, file: str, stamp: Stamp, siblings: Siblings, *, anew: bool) -> Seen | None:
        """The file as it is; None when only its time has changed, unless it is to be read `anew`."""
        path = self._folder / file
        text = _content(path)
        if text is None:
            problem = Problem(str(path), *START, Rule.YAML, "the file cannot be read")
            seen = Seen(file, _name(file, b""), b"", (problem,), None)
            self._known[file] = _Known(stamp, {}, b"", seen.name, frozenset(), False)
            return seen
        digest = hashlib.sha256(text).digest()
        known = self._known.get(file)
        if known is not None and not anew and digest == known.digest:
            audio = {name: _stamp(path.parent / name) for name in known.audio}
            if audio == known.audio:
                self._known[file] = replace(known, stamp=stamp)
                return None
        asked = _Asked(siblings)
        seen, audio = self._seen(file, text, asked)
        good = seen.version is not None
        self._known[file] = _Known(stamp, audio, digest, seen.name, frozenset(asked.names), good)
        return seen

    def _seen(self, file: str, text: bytes, children: Children) -> tuple[Seen, dict[str, Stamp]]:
        path = self._folder / file
        read = read_text(path, text, self._environment, children)
        flow, name = read.flow, _name(file, text)
        audio: dict[str, Stamp] = {}
        version = None
        if flow is not None:
            named = (w.audio for prompt in flow.prompts.values() for w in prompt.wordings.values())
            audio = {one: _stamp(path.parent / one) for one in named if one is not None}
            name = flow.name or name
            version = None if read.problems else Version.of(flow)
        return Seen(file, name, text, read.problems, version), audio

    def _enters(self, names: set[str]) -> set[str]:
        """Files whose flows enter one of these."""
        return {file for file, known in self._known.items() if known.enters & names}

    def _all_that_enter(self, name: str, file: str) -> list[str]:
        """Other files whose flows enter this one, or one that does."""
        names, found = {name}, set[str]()
        while more := self._enters(names) - found - {file}:
            found |= more
            names |= {self._known[each].name for each in more}
        return sorted(found)


class _Asked:
    """The flows of a folder, with those that one of them has asked for, there or not."""

    def __init__(self, siblings: Siblings) -> None:
        self._siblings = siblings
        self.names: set[str] = set()

    def get(self, name: str, way: Sequence[str], operator: bool) -> Flow:
        self.names.add(name)
        return self._siblings.get(name, way, operator)


def _content(path: Path) -> bytes | None:
    """What is in a file, a little more than it may be where it is too large; None when it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError:
        return None


def _stamp(path: Path | str) -> Stamp:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def _name(file: str, text: bytes) -> str:
    found = _NAME.search(text.decode(errors="replace"))
    return found[1] if found is not None else Path(file).stem
