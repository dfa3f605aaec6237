"""Keeps the library true to its folder while calls run: looks, takes over what is good, tells of what is not,
and puts what the API sends in place. A call keeps the version it began with, whatever comes after."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engines.contract import EngineError
from ivr.flow.composing import MAX_BYTES
from ivr.flow.problems import START, Place, Problem, Rule
from ivr.flow.scenarios import SUFFIX
from ivr.library import Change, Entry, FlowLibrary
from ivr.metrics import Metrics
from ivr.shelf.reader import START_AGAIN_S, FlowReader
from ivr.shelf.version import Seen
from ivr.shelf.writing import replace_file
from ivr.store import FlowVersion, Store, StoreError

log = logging.getLogger(__name__)

LOOK_S: Final = 0.5
"""Between two looks; a change that lasts over two of them counts."""

FILE: Final = "file"
"""Who put a version that came with a change of the folder."""


class FlowRefused(Exception):
    """The text cannot be used; `problems` are all of them, in files of `folder`."""

    def __init__(self, problems: Sequence[Problem], folder: Path) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = list(problems)
        self.folder = str(folder)


class FlowChanged(Exception):
    """The flow is not what the client took it for; `etag` is that of its text now, None: there is none."""

    def __init__(self, etag: str | None) -> None:
        super().__init__("the flow has changed meanwhile" if etag else "there is no such flow")
        self.etag = etag


class FileTaken(Exception):
    """The file that a new flow would get holds something else."""

    def __init__(self, file: str) -> None:
        super().__init__(f"the file {file} holds another flow")


class FlowNotWritten(Exception):
    """The folder takes no file."""


@dataclass(frozen=True, slots=True)
class Text:
    """The text of a flow's file as it is now, and what tells it from any other."""

    data: bytes
    etag: str

    @classmethod
    def of(cls, data: bytes) -> Text:
        return cls(data, hashlib.sha256(data).hexdigest()[:32])


@dataclass(frozen=True, slots=True)
class Put:
    """What became of a text: `entry` as it is now, or was before when it was but tried."""

    created: bool
    entry: Entry | None
    hash: str
    etag: str


Expected = Callable[[str | None], bool]
"""Whether a text with this tag (None: no file) is what the client took the flow for."""


class FlowKeeper:
    """The one that changes the library. Close it before the store."""

    def __init__(
        self,
        folder: Path,
        reader: FlowReader,
        library: FlowLibrary,
        store: Store,
        metrics: Metrics,
    ) -> None:
        """`reader` goes on from what was known of the folder when the library was filled."""
        self.folder = folder
        self.library = library
        self._store = store
        self._metrics = metrics
        self._reader = reader
        self._lock = asyncio.Lock()
        self._trouble = ""
        self._task: asyncio.Task[None] | None = None
        self._show()

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="flow keeper")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._reader.close()

    # --- the folder

    async def look(self, *, settled: bool = True) -> list[Change]:
        """Takes over what has changed in the folder; at once, unless it has to be `settled`. Raises
        `EngineError` when the files cannot be read now."""
        async with self._lock:
            return await self._look(settled=settled)

    async def reload(self) -> None:
        """The same at once, for an operator; what came of it is in the log."""
        try:
            changes = await self.look(settled=False)
            counts = Counter(change.what for change in changes)
            told = ", ".join(f"{count} {what}" for what, count in counts.items())
            log.info("flows: %s", told or "nothing has changed")
        except EngineError as error:
            log.error("the flows cannot be read now: %s", error)

    async def _run(self) -> None:
        while True:
            try:
                await self._reader.start()
                break
            except EngineError as error:
                self._warn(str(error))
                await asyncio.sleep(START_AGAIN_S)
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look()
                self._trouble = ""
            except EngineError as error:
                self._warn(str(error))
            except Exception:
                log.exception("a look at the flows failed")

    async def _look(self, *, settled: bool) -> list[Change]:
        found: list[Change] = []
        try:
            async with aclosing(self._reader.look(settled=settled)) as sightings:
                async for sighting in sightings:
                    changes = self.library.take(sighting, time.time(), FILE)
                    self._tell(changes)
                    found += changes
                    await asyncio.sleep(0)  # many that come at once must not hold up live calls
        finally:
            await self._keep(found)
        return found

    def _warn(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            log.error("changes of flows are not seen: %s", trouble)

    # --- the API

    async def text(self, entry: Entry) -> Text | None:
        """The text of a flow's file; of one that is gone that of the version which answers."""
        data = await asyncio.to_thread(_content, self.folder / entry.file)
        if data is None and entry.version is not None:
            kept = await self._store.flow_version(entry.name, entry.version.hash)
            data = None if kept is None else kept.text.encode()
        return None if data is None else Text.of(data)

    async def scenarios(self, entry: Entry) -> Text | None:
        """The text of the scenarios that lie beside a flow's file; None where there are none."""
        path = self.folder / entry.file
        data = await asyncio.to_thread(_content, path.with_name(path.stem + SUFFIX))
        return None if data is None else Text.of(data)

    async def put(self, name: str, text: bytes, by: str, expected: Expected, *, dry_run: bool = False) -> Put:
        """Checks a text and puts it in place of the flow's file, or as a new file; with `dry_run` it is only
        checked. Raises `FlowRefused`, `FlowChanged`, `FileTaken`, `FlowNotWritten`, `EngineError`."""
        async with self._lock:
            entry = self.library.entry(name)
            file = f"{name}.yaml" if entry is None else entry.file
            path = self.folder / file
            there = Text.of(data) if (data := await asyncio.to_thread(_content, path)) is not None else None
            if entry is not None and there is None:
                there = await self.text(entry)  # what is told of a flow whose file is gone
            before = None if there is None else there.etag
            if not expected(before):
                raise FlowChanged(before)
            if entry is None and there is not None:
                raise FileTaken(file)
            seen, *others = await self._reader.check(file, text)
            problems = [*self._faults(name, seen), *(p for other in others for p in other.problems)]
            if problems or seen.version is None:
                raise FlowRefused(problems, self.folder)
            put = Put(entry is None, entry, seen.version.hash, Text.of(text).etag)
            if dry_run:
                return put
            try:
                await asyncio.to_thread(replace_file, path, text)
            except OSError as error:
                raise FlowNotWritten(f"{path}: {error.strerror}") from error
            changes = self.library.take(seen, time.time(), by)
            self._tell(changes)
            await self._keep(changes)
            # Flows that enter this one are made anew; a failure of this costs but the next look.
            try:
                await self._look(settled=False)
            except EngineError as error:
                self._warn(str(error))
            return Put(put.created, self.library.entry(name), put.hash, put.etag)

    def _faults(self, name: str, seen: Seen) -> list[Problem]:
        if seen.version is None:
            return list(seen.problems)
        path = str(self.folder / seen.file)
        if seen.version.name != name:
            place = _place_of_name(seen.text)
            message = f'the flow is named "{seen.version.name}", and is put as "{name}"'
            return [Problem(path, *place, Rule.NAMES, message, f"write flow: {name}")]
        return list(self.library.unfit(seen.version, seen.file))

    # --- what is told of it

    def _tell(self, changes: Sequence[Change]) -> None:
        for change in changes:
            entry = change.entry
            self._metrics.flow_changed(change.what)
            if change.what in ("added", "replaced") and entry.version is not None:
                answers = f"version {entry.version.hash} answers from here on"
                log.info("flow %s: %s (%s)", entry.name, answers, entry.by)
            elif change.what == "removed":
                log.warning("flow %s: %s is gone; it answers no new calls", entry.name, entry.file)
            elif change.what == "mended":
                log.info("flow %s: %s is right again", entry.name, entry.file)
            else:
                _complain(entry)

    async def _keep(self, changes: Sequence[Change]) -> None:
        """All that a look has changed goes into the history and the figures at once: one write, not many."""
        if not changes:
            return
        self._show()
        put = [c for c in changes if c.what in ("added", "replaced") and c.entry.version is not None]
        try:
            if put:
                await self._store.keep_flow_versions([version_of(c.entry, c.text) for c in put])
        except StoreError as error:
            log.error("the history of flows lacks %d versions: %s", len(put), error)

    def _show(self) -> None:
        self._metrics.know_flows(self.library.names)
        self._metrics.flow_states(
            {(entry.name, entry.file): (entry.state, len(entry.problems)) for entry in self.library}
        )


def version_of(entry: Entry, text: bytes) -> FlowVersion:
    """What the history keeps of a version that has been put in place."""
    assert entry.version is not None
    return FlowVersion(
        entry.name, entry.since, entry.version.hash, entry.file, entry.by, text.decode(errors="replace")
    )


def _complain(entry: Entry) -> None:
    answers = "no version" if entry.version is None else f"version {entry.version.hash}"
    problems = "".join(f"\n{problem}" for problem in entry.problems)
    log.error("flow %s: %s cannot be used, %s answers:%s", entry.name, entry.file, answers, problems)


def _content(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError:
        return None


def _place_of_name(text: bytes) -> Place:
    found = re.search(r"^\s*flow\s*:\s*", text.decode(errors="replace"), re.M)
    if found is None:
        return START
    lines = found[0].rpartition("\n")
    before = text.decode(errors="replace")[: found.end()]
    return Place(before.count("\n") + 1, len(lines[2]) + 1)
