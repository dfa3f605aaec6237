"""Many jobs on one engine: a step of each in turn, cancellation seen in the middle of a step."""

from __future__ import annotations

import logging
import time
from collections import deque
from queue import SimpleQueue

from engines.wire import Fields, Frame, Kind
from engines.worker.connection import Connection
from engines.worker.engine import Engine, Job, JobError, Progress

_log = logging.getLogger(__name__)


class _Work:
    """A job with its way back. The listening thread sets `cancelled`; all else belongs to the working
    thread.
    """

    __slots__ = ("_connection", "_number", "cancelled", "job", "queued")

    def __init__(self, number: int, connection: Connection) -> None:
        self._number = number
        self._connection = connection
        self.cancelled = False
        self.queued = False
        self.job: Job

    def send(self, data: bytes, fields: Fields | None = None) -> None:
        if not self.cancelled:
            self._connection.send(Kind.OUTPUT, self._number, fields, data)


class Schedule:
    """Runs the jobs of one engine, round robin, save that a new job has its first step before others go on:
    the first audio is what somebody waits for.

    `listen` runs in a thread of its own, so that pings are answered and cancellations noticed while a step is
    under way; `run` does the work. A pong tells for how long the step under way has run: a worker that
    answers but does not work can be told from a healthy one.
    """

    def __init__(self, engine: Engine, connection: Connection) -> None:
        self._engine = engine
        self._connection = connection
        self._inbox: SimpleQueue[Frame] = SimpleQueue()
        self._works: dict[int, _Work] = {}
        self._fresh: deque[int] = deque()
        self._ready: deque[int] = deque()
        self._step_began: float | None = None

    def listen(self) -> None:
        """Takes the parent's frames until it closes the connection."""
        for frame in self._connection.frames():
            if frame.kind is Kind.PING:
                began = self._step_began
                busy_s = 0.0 if began is None else time.monotonic() - began
                self._connection.send(Kind.PONG, frame.job, {"busy_s": round(busy_s, 3)})
                continue
            if frame.kind is Kind.OPEN:
                self._works[frame.job] = _Work(frame.job, self._connection)
            elif frame.kind is Kind.CANCEL and (work := self._works.get(frame.job)):
                work.cancelled = True
            self._inbox.put(frame)

    def run(self) -> None:
        """Works for ever; the process ends by `listen`."""
        while True:
            while not self._inbox.empty() or not (self._fresh or self._ready):
                self._take(self._inbox.get())
            number = (self._fresh or self._ready).popleft()
            if work := self._works.get(number):
                self._step(number, work)

    def _take(self, frame: Frame) -> None:
        number = frame.job
        work = self._works.get(number)
        if work is None:
            return  # late input of a job that has ended
        if frame.kind is Kind.CANCEL:
            self._end(number, work)
            return
        try:
            if frame.kind is Kind.OPEN:
                self._open(number, work, frame.fields)
            elif frame.kind is Kind.INPUT:
                work.job.feed(frame.data)
            elif frame.kind is Kind.FINISH:
                work.job.finish()
        except Exception as error:
            self._fail(number, work, error)
            return
        self._enqueue(number, work, self._fresh if frame.kind is Kind.OPEN else self._ready)

    def _open(self, number: int, work: _Work, request: Fields) -> None:
        try:
            work.job = self._engine.open(request, work)
        except Exception as error:
            del self._works[number]
            self._report(number, error)

    def _step(self, number: int, work: _Work) -> None:
        work.queued = False
        if work.cancelled:
            return  # its CANCEL is in the inbox
        self._step_began = time.monotonic()
        try:
            progress = work.job.step()
        except Exception as error:
            self._fail(number, work, error)
            return
        finally:
            self._step_began = None
        if progress is Progress.DONE:
            if not work.cancelled:
                self._connection.send(Kind.DONE, number)
            self._end(number, work)
        elif progress is Progress.MORE:
            self._enqueue(number, work, self._ready)

    def _enqueue(self, number: int, work: _Work, queue: deque[int]) -> None:
        if not work.queued and number in self._works:
            work.queued = True
            queue.append(number)

    def _fail(self, number: int, work: _Work, error: Exception) -> None:
        self._end(number, work)
        self._report(number, error)

    def _report(self, number: int, error: Exception) -> None:
        if not isinstance(error, JobError):
            _log.exception("job %d failed", number, exc_info=error)
        self._connection.send(Kind.FAILED, number, {"error": str(error) or type(error).__name__})

    def _end(self, number: int, work: _Work) -> None:
        del self._works[number]
        try:
            work.job.close()
        except Exception:
            _log.exception("job %d could not be closed", number)
