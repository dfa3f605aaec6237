"""The knowledge of a running server: its index is kept up to date beside live calls, and asked within them.

Files are looked at every few seconds; when one has changed, a process of its own brings the index up to date.
Questions are answered by one thread (SQLite lets go of the interpreter while it searches), from the index as
it was until the new one is whole.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from ivr.knowledge.builder import Job, Report, run_beside
from ivr.knowledge.contract import DEADLINE_S, MOST_PASSAGES, Passage
from ivr.knowledge.embedding import EmbeddingError, Vector
from ivr.knowledge.folder import Found, listing
from ivr.knowledge.meaning import Meaning, Source, meaning_of
from ivr.knowledge.searching import Searcher

log = logging.getLogger(__name__)

LOOK_S: Final = 5.0
AGAIN_S: Final = 60.0
"""Until a build that failed, or a model of meaning that was away, is tried again."""

_COMPLAIN_S: Final = 60.0

Build = Callable[[Job], Awaitable[Report]]
_State = tuple[bool, list[tuple[str, tuple[Found, ...], tuple[tuple[str, str], ...]]]]


class KnowledgeBase:
    """See `Knowledge`. `collections` are folders or files by name, `index` the file that is kept of them."""

    def __init__(
        self,
        collections: Mapping[str, Path],
        index: Path,
        source: Source | None = None,
        *,
        look_s: float = LOOK_S,
        build: Build = run_beside,
    ) -> None:
        self._collections = dict(collections)
        self._source = source
        self._job = Job(index, self._collections, source)
        self._look_s = look_s
        self._build = build
        self._searcher = Searcher(index)
        self._thread = ThreadPoolExecutor(1, "knowledge")
        self._meaning = None if source is None else meaning_of(source)
        self._tasks: list[asyncio.Task[None]] = []
        self._complained_at = -_COMPLAIN_S
        self._built = asyncio.Event()
        self.report = Report()
        """Of the last build."""

    async def start(self) -> None:
        """Returns at once; what an earlier run has built is there already."""
        if self._meaning is not None:
            await self._in_thread(self._load)
            self._tasks.append(asyncio.create_task(self._open(self._meaning), name="knowledge, its meaning"))
        self._tasks.append(asyncio.create_task(self._watch(), name="knowledge"))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._searcher.interrupt()
        if self._meaning is not None:
            await self._meaning.close()
        await asyncio.to_thread(self._thread.shutdown)
        self._searcher.close()

    async def built(self) -> Report:
        """Waits for the first build."""
        await self._built.wait()
        return self.report

    async def find(
        self,
        collections: tuple[str, ...],
        question: str,
        *,
        most: int = MOST_PASSAGES,
        deadline_s: float = DEADLINE_S,
    ) -> tuple[Passage, ...]:
        """See `Knowledge`."""
        known = tuple(name for name in collections if name in self._collections)
        if not known or not question.strip():
            return ()
        loop = asyncio.get_running_loop()
        until = loop.time() + deadline_s
        vector = await self._vector(question, deadline_s)

        def search() -> tuple[Passage, ...]:
            return self._searcher.find(known, question, vector, most=most)

        try:
            async with asyncio.timeout_at(until):
                return await loop.run_in_executor(self._thread, search)
        except TimeoutError:
            self._searcher.interrupt()
            self._complain(f"nothing was found within {deadline_s:g} s")
        except sqlite3.Error as error:
            self._complain(str(error))
        return ()

    async def _open(self, meaning: Meaning) -> None:
        """Calls are taken meanwhile, and have the words."""
        while True:
            try:
                await meaning.start()
            except EmbeddingError as error:
                log.error("knowledge: words alone count, for now: %s", error)
                await asyncio.sleep(AGAIN_S)
            else:
                return

    async def _vector(self, question: str, deadline_s: float) -> Vector | None:
        """The question's vector, while half of the time for all is not over."""
        source, meaning = self._source, self._meaning
        if source is None or meaning is None:
            return None
        within_s = min(source.deadline_s, deadline_s / 2)
        try:
            async with asyncio.timeout(within_s):
                return await meaning.question(question, within_s)
        except TimeoutError:
            self._complain(f"{source.model}: no vector within {within_s:g} s")
        except EmbeddingError as error:
            self._complain(str(error))
        return None

    def _complain(self, what: str) -> None:
        """Not for every question, and never with it: it is what a caller said."""
        now = time.monotonic()
        if now - self._complained_at >= _COMPLAIN_S:
            self._complained_at = now
            log.warning("knowledge: %s", what)

    # --- keeping the index

    async def _watch(self) -> None:
        before: _State | None = None
        again_at = 0.0
        while True:
            now = await asyncio.to_thread(self._state)
            if now != before or (again_at and time.monotonic() >= again_at):
                report = await self._build(self._job)
                if self._source is not None:
                    await self._in_thread(self._load)
                again_at = time.monotonic() + AGAIN_S if report.failure or report.without_vectors else 0.0
                before = now if report.failure else (True, now[1])
                self._tell(report)
                self.report = report
                self._built.set()
            await asyncio.sleep(self._look_s)

    def _state(self) -> _State:
        """What a build depends on: that there is an index, and how the files stand."""
        found = [(name, listing(root)) for name, root in self._collections.items()]
        return self._job.index.exists(), [(name, one.files, one.faults) for name, one in found]

    def _load(self) -> None:
        assert self._source is not None
        with contextlib.suppress(sqlite3.Error):  # told when it is searched
            self._searcher.load_vectors(self._source.model)

    async def _in_thread(self, work: Callable[[], None]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _tell(self, report: Report) -> None:
        if report.failure:
            log.error("knowledge: %s; what is known stays as it was", report.failure)
            return
        for name, collection in report.collections.items():
            before = self.report.collections.get(name)
            for file, fault in collection.faults:
                if before is None or (file, fault) not in before.faults:
                    log.warning("knowledge %s: %s: %s", name, file, fault)
            if before != collection:
                log.info("knowledge %s: %d files, %d passages", name, collection.files, collection.pieces)
        if report.without_vectors:
            log.warning(
                "knowledge: %d passages have no vectors yet: %s",
                report.without_vectors,
                report.vectors_fault,
            )
