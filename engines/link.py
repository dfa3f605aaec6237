"""The parent's end of a worker's socket, on the event loop: jobs by number, each with its own queue of
answers.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Final, cast

from engines.contract import EngineDown, EngineError, EngineTimeout, EngineUnavailable
from engines.wire import Fields, Frame, FrameReader, Kind, WireError, encode

_MOST_UNSENT_BYTES: Final = 4 * 1024 * 1024
"""A worker that leaves so much unread takes no more input."""

_CHUNK_BYTES: Final = 128 * 1024
_DRAIN_S: Final = 0.005


class RemoteJob:
    """One piece of work in a worker. Used from the event loop; whoever opened it ends it with `cancel`."""

    def __init__(self, link: WorkerLink, number: int) -> None:
        self._link: WorkerLink | None = link
        self._number = number
        self._answers: deque[Frame] = deque()
        self._failure: EngineError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._asked_at: float | None = time.perf_counter()

    def write(self, data: bytes) -> None:
        """Sends input; never blocks, and does nothing when the job is over."""
        if self._link:
            self._link.send(Kind.INPUT, self._number, data=data)

    async def write_all(self, data: bytes, deadline: float) -> None:
        """Sends much input, no faster than the worker takes it; `deadline` is a time of the loop's clock.

        Raises `EngineTimeout` past the deadline. When the job is over, `receive` will say why.
        """
        for at in range(0, len(data), _CHUNK_BYTES):
            while self._link and self._link.full:
                await self._link.drained(deadline)
            self.write(data[at : at + _CHUNK_BYTES])

    def finish(self) -> None:
        """No more input comes."""
        if self._link:
            self._asked_at = time.perf_counter()
            self._link.send(Kind.FINISH, self._number)

    def cancel(self) -> None:
        """Gives up the job, wherever it stands; its place in the worker is freed at once."""
        if self._link:
            self._link.send(Kind.CANCEL, self._number)
            self._link.forget(self._number)
            self._end(EngineUnavailable("the job was cancelled"))

    async def receive(self, deadline: float) -> Frame | None:
        """The next OUTPUT frame, or None after the last; `deadline` is a time of the loop's clock.

        Raises `EngineTimeout` past the deadline, `EngineUnavailable` when the worker is gone or the job was
        cancelled, `EngineError` when the worker refused or failed the job. One task may wait at a time.
        """
        loop = asyncio.get_running_loop()
        while not self._answers:
            if self._failure:
                raise self._failure
            self._waiter = loop.create_future()
            try:
                async with asyncio.timeout_at(deadline):
                    await self._waiter
            except TimeoutError:
                raise EngineTimeout("no answer from the worker before the deadline") from None
            finally:
                self._waiter = None
        frame = self._answers[0]
        if frame.kind is Kind.DONE:
            return None
        return self._answers.popleft()

    def take(self, frame: Frame) -> float | None:
        """For the link: an answer came. Returns the seconds since the question when it is the first one to
        it.
        """
        latency_s = None
        if self._link and self._asked_at is not None:
            latency_s = time.perf_counter() - self._asked_at
            self._asked_at = None
        if frame.kind is Kind.FAILED:
            self._end(EngineError(str(frame.fields.get("error", "unknown failure"))))
        else:
            self._answers.append(frame)
            if frame.kind is Kind.DONE:
                self._link = None
            self._wake()
        return latency_s

    def lose(self, reason: str) -> None:
        """For the link: the worker is gone. What had arrived is dropped, since it cannot be completed."""
        self._answers.clear()
        self._end(EngineUnavailable(reason))

    def _end(self, failure: EngineError) -> None:
        self._link = None
        self._failure = failure
        self._wake()

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)


class WorkerLink(asyncio.Protocol):
    """Carries frames; knows nothing of processes. `lost` is done when the connection has ended."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.ready: asyncio.Future[Fields] = loop.create_future()
        self.lost: asyncio.Future[None] = loop.create_future()
        self.last_latency_s: float | None = None
        self._reader = FrameReader()
        self._jobs: dict[int, RemoteJob] = {}
        self._pings: dict[int, asyncio.Future[Fields]] = {}
        self._transport: asyncio.Transport | None = None
        self._next_number = 1

    @property
    def jobs(self) -> int:
        """How many jobs are open."""
        return len(self._jobs)

    @property
    def full(self) -> bool:
        """Whether bulk input should wait, so that there is room for what streams in."""
        transport = self._transport
        return transport is not None and transport.get_write_buffer_size() > _MOST_UNSENT_BYTES // 4

    async def drained(self, deadline: float) -> None:
        """Until the worker has read some of what waits; raises `EngineTimeout`."""
        if self.loop.time() > deadline:
            raise EngineTimeout("the worker does not take its input")
        await asyncio.sleep(_DRAIN_S)

    def open(self, request: Fields) -> RemoteJob:
        """Starts a job; raises `EngineUnavailable` when the connection is gone or chokes, `EngineError` on a
        request that is too long.
        """
        transport = self._transport
        if transport is None or transport.is_closing():
            raise EngineDown("the worker is gone")
        if transport.get_write_buffer_size() > _MOST_UNSENT_BYTES:
            raise EngineUnavailable("the worker does not keep up with its input")
        number = self._take_number()
        job = RemoteJob(self, number)
        self._jobs[number] = job
        try:
            self.send(Kind.OPEN, number, request)
        except WireError as error:
            del self._jobs[number]
            raise EngineError(str(error)) from error
        return job

    async def ping(self, wait_s: float) -> Fields:
        """What the worker says of itself; raises `EngineTimeout` or `EngineUnavailable`."""
        number = self._take_number()
        pong: asyncio.Future[Fields] = self.loop.create_future()
        self._pings[number] = pong
        self.send(Kind.PING, number)
        try:
            async with asyncio.timeout(wait_s):
                return await pong
        except TimeoutError:
            raise EngineTimeout(f"no answer to a ping in {wait_s:g} s") from None
        finally:
            del self._pings[number]

    def close(self) -> None:
        """The worker ends when it sees this."""
        if self._transport:
            self._transport.abort()

    def send(self, kind: Kind, job: int, fields: Fields | None = None, data: bytes = b"") -> None:
        """For jobs: one frame, dropped when the connection is gone or does not drain."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if kind is Kind.INPUT and transport.get_write_buffer_size() > _MOST_UNSENT_BYTES:
            return
        transport.write(encode(kind, job, fields, data))

    def forget(self, number: int) -> None:
        """For jobs: answers that are still on their way are dropped."""
        self._jobs.pop(number, None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            frames = self._reader.feed(data)
        except WireError as error:
            self._lose(f"the worker sent nonsense: {error}")
            self.close()
            return
        for frame in frames:
            self._dispatch(frame)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose("the worker died")
        self._transport = None
        if not self.lost.done():
            self.lost.set_result(None)

    def _dispatch(self, frame: Frame) -> None:
        if frame.kind in (Kind.OUTPUT, Kind.DONE, Kind.FAILED):
            job = self._jobs.get(frame.job)
            if job is None:
                return  # cancelled meanwhile
            if frame.kind is not Kind.OUTPUT:
                del self._jobs[frame.job]
            latency_s = job.take(frame)
            if latency_s is not None:
                self.last_latency_s = latency_s
        elif frame.kind is Kind.PONG:
            pong = self._pings.get(frame.job)
            if pong and not pong.done():
                pong.set_result(frame.fields)
        elif frame.kind is Kind.READY and not self.ready.done():
            self.ready.set_result(frame.fields)

    def _lose(self, reason: str) -> None:
        jobs, self._jobs = self._jobs, {}
        for job in jobs.values():
            job.lose(reason)
        for pending in (self.ready, *self._pings.values()):
            if not pending.done():
                pending.set_exception(EngineUnavailable(reason))
                pending.exception()  # whether or not somebody waits for it

    def _take_number(self) -> int:
        number = self._next_number
        self._next_number = number % 0xFFFFFFFF + 1
        return number
