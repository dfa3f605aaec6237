"""The flows a server has, by name: which version of each answers calls, and what is wrong with its file.

It only keeps books: `ivr.shelf` looks at the files, and tells what it has seen. A version that has problems,
or does not fit the numbers that are configured for it, never takes the place of one that is good.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ivr.config import Broker, Config, InboundNumber
from ivr.flow.loader import Environment
from ivr.flow.model import Flow
from ivr.flow.problems import START, ParamError, Problem, Rule
from ivr.flow.protocol import SUPPRESS_CALLER
from ivr.known_voices import known_voices
from ivr.shelf.folder import flow_files
from ivr.shelf.version import Gone, Seen, Sighting, Version
from ivr.topics import Topic

__all__ = ["Change", "Entry", "FlowLibrary", "LibraryError", "environment_of", "flow_files"]

What = Literal["added", "replaced", "mended", "refused", "removed", "kept"]
"""What became of a sighting: `mended` is a file that is right again and says what already answers, `kept` one
that is gone and whose flow stays, because a number needs it."""


class LibraryError(Exception):
    """A flow that is needed cannot be used; the text holds every problem of every file."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A flow. `version` answers new calls, None: none does; since when (Unix seconds) and put by whom.
    `problems` are those of the file as it is now."""

    name: str
    file: str
    version: Version | None
    since: float
    by: str
    problems: tuple[Problem, ...] = ()
    gone: bool = False
    """Its file is not there any more."""

    @property
    def state(self) -> Literal["current", "behind", "broken"]:
        """Whether the file is what answers; `behind`: an older version does."""
        if not self.problems:
            return "current"
        return "broken" if self.version is None else "behind"


@dataclass(frozen=True, slots=True)
class Change:
    """What a sighting changed, for the log, the metrics and the history. `text` is that of a new version."""

    what: What
    entry: Entry
    text: bytes = b""


class FlowLibrary:
    """Flows by name. `numbers` are those that flows must fit."""

    def __init__(self, folder: Path, numbers: Mapping[str, InboundNumber]) -> None:
        self._folder = folder
        self._numbers = numbers
        self._entries: dict[str, Entry] = {}
        self._waiting: dict[str, tuple[Seen, Entry]] = {}
        """Files whose flow has the name of another file's; one takes over when that is gone."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of flows that take calls."""
        return tuple(sorted(name for name, entry in self._entries.items() if entry.version is not None))

    def get(self, name: str) -> Flow | None:
        """The flow as new calls get it."""
        entry = self._entries.get(name)
        return None if entry is None or entry.version is None else entry.version.flow

    def entry(self, name: str) -> Entry | None:
        return self._entries.get(name)

    def __iter__(self) -> Iterator[Entry]:
        """All of them, by name; files whose flow another file has already come last."""
        yield from (self._entries[name] for name in sorted(self._entries))
        yield from (self._waiting[file][1] for file in sorted(self._waiting))

    def take(self, sighting: Sighting, at: float, by: str) -> list[Change]:
        """What was seen of a file becomes what is known of it."""
        self._waiting.pop(sighting.file, None)
        held = next((e for e in self._entries.values() if e.file == sighting.file and not e.gone), None)
        if isinstance(sighting, Gone):
            return [] if held is None else self._lose(held, at)
        if held is not None and held.name != sighting.name:
            if sighting.version is not None:
                return self._lose(held, at) + self._take(sighting, at, by)
            # Whatever stands in it now: it is the file of that flow until it says otherwise, and is right.
            sighting = replace(sighting, name=held.name)
        return self._take(sighting, at, by)

    def date(self, name: str, since: float, by: str) -> None:
        """Since when the version that answers does, and who put it."""
        self._entries[name] = replace(self._entries[name], since=since, by=by)

    def restore(self, version: Version, file: str, at: float, by: str) -> Entry:
        """An older version answers, for want of a better one."""
        known = self._entries.get(version.name)
        if known is None:
            known = Entry(version.name, file, None, at, by, self._missing(version.name, file), gone=True)
        entry = replace(known, version=version, since=at, by=by)
        self._entries[version.name] = entry
        return entry

    def unfit(self, version: Version, file: str) -> tuple[Problem, ...]:
        """Why a version cannot serve the numbers that need its flow."""
        return tuple(
            self._problem(file, f"numbers: {number}: {param}: {why}")
            for number, inbound in self._numbers.items()
            if inbound.flow == version.name
            for param, why in _unfit(inbound, version.flow).items()
        )

    def lacking(self) -> list[str]:
        """Flows that no number can do without and that cannot answer, in words."""
        lines: list[str] = []
        for number, inbound in self._numbers.items():
            entry = self._entries.get(inbound.flow)
            if entry is None:
                lines.append(f"numbers: {number}: there is no flow {inbound.flow!r} in {self._folder}")
            elif entry.version is None:
                lines += map(str, entry.problems)
        return list(dict.fromkeys(lines))

    # --- inside

    def _take(self, seen: Seen, at: float, by: str) -> list[Change]:
        old = self._entries.get(seen.name)
        if old is not None and old.file != seen.file and not old.gone:
            second = self._problem(seen.file, f"the flow {seen.name!r} exists already, in {old.file}")
            entry = Entry(seen.name, seen.file, None, at, by, seen.problems or (second,))
            self._waiting[seen.file] = (seen, entry)
            return [Change("refused", entry)]
        version, problems = seen.version, seen.problems
        if version is not None:
            problems = self.unfit(version, seen.file)
        if version is None or problems:
            kept = old or Entry(seen.name, seen.file, None, at, by)
            return [self._put("refused", replace(kept, file=seen.file, problems=problems, gone=False))]
        if old is not None and old.version is not None and old.version.hash == version.hash:
            mended = replace(old, file=seen.file, problems=(), gone=False)
            return [self._put("mended", mended)] if mended != old else []
        entry = Entry(seen.name, seen.file, version, at, by)
        fresh = old is None or old.version is None
        return [self._put("added" if fresh else "replaced", entry, seen.text)]

    def _lose(self, entry: Entry, at: float) -> list[Change]:
        """Its file is gone, or holds another flow."""
        if entry.version is not None and self._needing(entry.name):
            kept = replace(entry, problems=self._missing(entry.name, entry.file), gone=True)
            changes = [self._put("kept", kept)]
        else:
            del self._entries[entry.name]
            changes = [Change("removed", entry)]
        heir = next((seen for seen, _ in self._waiting.values() if seen.name == entry.name), None)
        return changes if heir is None else changes + self.take(heir, at, "file")

    def _put(self, what: What, entry: Entry, text: bytes = b"") -> Change:
        self._entries[entry.name] = entry
        return Change(what, entry, text)

    def _needing(self, name: str) -> list[str]:
        return [number for number, inbound in self._numbers.items() if inbound.flow == name]

    def _missing(self, name: str, file: str) -> tuple[Problem, ...]:
        message = f"the flow {name!r} is gone, and number {', '.join(self._needing(name))} needs it"
        hint = "its last version keeps answering: put it back, or take the number out"
        return (self._problem(file, message, hint),)

    def _problem(self, file: str, message: str, hint: str = "") -> Problem:
        return Problem(str(self._folder / file), *START, Rule.NAMES, message, hint)


def environment_of(config: Config) -> Environment:
    """The names that a configuration offers to flows."""
    return Environment(
        endpoints=frozenset((*config.endpoints, SUPPRESS_CALLER)),
        queues=frozenset(config.queues),
        trunks=frozenset(config.trunks),
        classifiers=frozenset(config.classifiers),
        knowledge=frozenset(config.knowledge),
        topics=_topics(config.broker),
        voices=known_voices(config),
        say_as=config.say_as,
    )


def _topics(broker: Broker | None) -> dict[str, frozenset[str]]:
    return {} if broker is None else {name: Topic.parse(text).wants for name, text in broker.topics.items()}


def _unfit(number: InboundNumber, flow: Flow) -> dict[str, str]:
    """What is wrong with the parameters of a number, whatever the headers of its calls will say."""
    try:
        # A parameter with a header is not missed here; a value of its own must fit all the same.
        flow.bind({**dict.fromkeys(number.params_from_headers), **number.params})
    except ParamError as error:
        awaited = {name for name in number.params_from_headers if name in flow.params}
        return {name: why for name, why in error.fields.items() if name not in awaited - number.params.keys()}
    return {}
