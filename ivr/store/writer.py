"""Group commit: one task writes for all calls, many rows in one transaction.

A write that somebody waits for is committed at once, together with everything queued before it; one that
nobody waits for rides along, at the latest after `WINDOW_S`. The queue is first in, first out, so the order
within a call is kept.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError

from ivr.store.batch import Batcher, Write
from ivr.store.records import StoreError, StoreUnavailable

log = logging.getLogger(__name__)

WINDOW_S = 0.02
"""How long a write that nobody waits for may lie in memory."""

BATCH = 500
"""Most writes in one transaction."""

RETRY_S = (0.05, 0.2, 0.5, 1.0, 2.0)
"""Pauses between tries while the database refuses (disk full, locked, away); the last one repeats."""

Observer = Callable[[float, int], None]
"""Told of each commit: seconds it took, writes in it."""


class GroupWriter:
    """The only writer of a database, in a thread of its own; closes `engine` with itself.

    `capacity` bounds the writes that wait; past it `put` waits for room.
    """

    def __init__(
        self,
        engine: Engine,
        batcher: Batcher,
        *,
        capacity: int = 20_000,
        observer: Observer | None = None,
    ) -> None:
        self._engine = engine
        self._connection: Connection | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        self._batcher = batcher
        self._capacity = capacity
        self._observer = observer
        self._queue: deque[tuple[Write, asyncio.Future[Any] | None]] = deque()
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._timer: asyncio.TimerHandle | None = None
        self._closing = False
        self._failing: str | None = None
        self._task = asyncio.create_task(self._run(), name="store writer")

    @property
    def backlog(self) -> int:
        """Writes that are not committed yet."""
        return len(self._queue)

    @property
    def failing(self) -> str | None:
        """Why the database refuses writes at present; None when it takes them."""
        if self._task.done() and not self._closing:
            return "the writer has stopped"
        return self._failing

    async def put(self, write: Write) -> None:
        """Queues a write; returns at once unless the queue is full."""
        await self._wait_for_room()
        self._queue.append((write, None))
        self._wake_soon()

    async def commit(self, write: Write, deadline_s: float, *, at_once: bool = True) -> Any:
        """Queues a write and returns its outcome once it is durable; without `at_once` it rides along with
        others.

        Raises what the write was refused with, or `StoreUnavailable` after `deadline_s`; the write is then
        still queued, and is tried until it succeeds or the writer is closed.
        """
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(deadline_s):
                await self._wait_for_room()
                self._queue.append((write, done))
                if at_once:
                    self._wake.set()
                else:
                    self._wake_soon()
                return await done
        except TimeoutError as error:
            cause = self._failing or "slow"
            raise StoreUnavailable(f"not stored within {deadline_s:g} s: {cause}") from error

    async def close(self, deadline_s: float = 10.0) -> None:
        """Writes what is queued and stops; raises `StoreUnavailable` when that does not succeed in time."""
        self._closing = True
        self._wake.set()
        done, _ = await asyncio.wait([self._task], timeout=deadline_s)
        if not done:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._timer is not None:
            self._timer.cancel()
        if done:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._drop_connection)
        self._thread.shutdown(wait=False)
        self._engine.dispose()
        if done:
            self._task.result()
            return
        raise StoreUnavailable(f"{len(self._queue)} writes could not be stored: {self._failing or 'slow'}")

    def _wake_soon(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(WINDOW_S, self._wake.set)

    async def _wait_for_room(self) -> None:
        if self._closing:
            raise StoreError("the store is closed")
        while len(self._queue) >= self._capacity:
            self._room.clear()
            self._wake.set()
            await self._room.wait()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            while self._queue:
                count = min(len(self._queue), BATCH)
                batch = [self._queue[place] for place in range(count)]
                await self._write(batch)
                for _ in range(count):
                    self._queue.popleft()
                self._room.set()
            if self._closing:
                return

    async def _write(self, batch: list[tuple[Write, asyncio.Future[Any] | None]]) -> None:
        """Commits the batch; where one of its writes is impossible, each alone, so that it takes no other
        with it."""
        try:
            outcomes = await self._commit([write for write, _ in batch])
        except Exception as error:
            if len(batch) > 1:
                for single in batch:
                    await self._write([single])
                return
            log.error("a write was refused by the database: %s", reason(error))
            outcomes = [StoreError(reason(error))]
        for (_, done), outcome in zip(batch, outcomes, strict=True):
            if done is None or done.done():
                continue
            if isinstance(outcome, Exception):
                done.set_exception(outcome)
            else:
                done.set_result(outcome)

    async def _commit(self, writes: list[Write]) -> list[object]:
        """One transaction, repeated while the database is only out of order."""
        loop = asyncio.get_running_loop()
        attempt = 0
        while True:
            began = loop.time()
            try:
                outcomes = await loop.run_in_executor(self._thread, self._transaction, writes)
            except SQLAlchemyError as error:
                if not _passing(error):
                    raise
                pause = RETRY_S[min(attempt, len(RETRY_S) - 1)]
                attempt += 1
                self._failing = reason(error)
                log.warning("the store cannot be written (%s); next try in %g s", self._failing, pause)
                await asyncio.sleep(pause)
                continue
            self._failing = None
            if self._observer is not None:
                self._observer(loop.time() - began, len(writes))
            return outcomes

    def _transaction(self, writes: list[Write]) -> list[object]:
        """One try, in the writer's thread. The connection is kept: taking it from the pool is a third of the
        cost."""
        if self._connection is None:
            self._connection = self._engine.connect()
        try:
            with self._connection.begin():
                return self._batcher.apply(self._connection, writes)
        except SQLAlchemyError:
            self._drop_connection()
            raise

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError):
                connection.close()


def _passing(error: SQLAlchemyError) -> bool:
    """Whether the fault lies with the database as it is now, not with the write."""
    if not isinstance(error, DBAPIError):
        return False
    return error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)


def reason(error: Exception) -> str:
    """The driver's own words; SQLAlchemy's text would quote the row, with the caller's number in it."""
    return str(error.orig).strip() if isinstance(error, DBAPIError) else type(error).__name__
