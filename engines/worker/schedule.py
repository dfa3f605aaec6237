"""Many jobs on one engine: the steps that its queue chooses, cancellation seen in the middle of a step."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from queue import Empty, SimpleQueue

from engines.wire import Fields, Frame, Kind
from engines.worker.connection import Connection
from engines.worker.engine import BatchEngine, Engine, Job, JobError, Progress
from engines.worker.queue import ModelQueue, QueueFull

_log = logging.getLogger(__name__)


class _Work:
    """A job with its way back. The listening thread sets `cancelled`; all else belongs to the working
    thread.
    """

    __slots__ = ("_connection", "_number", "cancelled", "job")

    def __init__(self, number: int, connection: Connection) -> None:
        self._number = number
        self._connection = connection
        self.cancelled = False
        self.job: Job

    def send(self, data: bytes, fields: Fields | None = None) -> None:
        if not self.cancelled:
            self._connection.send(Kind.OUTPUT, self._number, fields, data)


class Schedule:
    """Runs the jobs of one engine, a step of each as its queue has them (`engines.worker.queue`).

    `listen` runs in a thread of its own, so that pings are answered and cancellations noticed while a step is
    under way; `run` does the work. A pong tells for how long the step under way has run: a worker that
    answers but does not work can be told from a healthy one.
    """

    def __init__(self, engine: Engine, connection: Connection) -> None:
        self._engine = engine
        self._together = engine if isinstance(engine, BatchEngine) else None
        self._connection = connection
        self._inbox: SimpleQueue[Frame] = SimpleQueue()
        self._works: dict[int, _Work] = {}
        self._queue: ModelQueue[int] = ModelQueue(engine.bounds)
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
            self._take_all()
            if numbers := self._queue.take(time.monotonic()):
                self._step(numbers)

    def _take_all(self) -> None:
        """All frames that are there; waits for one when nothing can be done before it comes."""
        while True:
            wait_s = self._queue.wait_s(time.monotonic()) if self._inbox.empty() else None
            if wait_s == 0:
                return
            try:
                self._take(self._inbox.get(timeout=wait_s))
            except Empty:
                return

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
            self._ask(number, work)
        except Exception as error:
            self._fail(number, work, error)

    def _open(self, number: int, work: _Work, request: Fields) -> None:
        try:
            self._queue.open(number)
            work.job = self._engine.open(request, work)
        except Exception as error:
            del self._works[number]
            self._queue.close(number)
            self._report(number, error)

    def _ask(self, number: int, work: _Work) -> None:
        """What the job wants now."""
        if number in self._works:
            self._queue.put(number, work.job.want(), time.monotonic())

    def _step(self, numbers: Sequence[int]) -> None:
        # Of those that are cancelled, the CANCEL is in the inbox.
        works = {number: work for number in numbers if not (work := self._works[number]).cancelled}
        if not works:
            return
        if self._together is not None and len(works) > 1 and self._step_together(self._together, works):
            return
        for number, work in works.items():
            self._step_began = time.monotonic()
            try:
                progress = work.job.step()
            except Exception as error:
                self._fail(number, work, error)
            else:
                self._after(number, work, progress)
            finally:
                self._step_began = None

    def _step_together(self, engine: BatchEngine, works: Mapping[int, _Work]) -> bool:
        """False when the batch failed: whose fault it is, is seen when each has a step of its own. What is
        too much for the memory together may fit one by one."""
        self._step_began = time.monotonic()
        try:
            progress = engine.step_together([work.job for work in works.values()])
        except Exception as error:
            _log.warning("a batch of %d failed, each is tried alone: %s", len(works), error)
            return False
        finally:
            self._step_began = None
        for (number, work), how in zip(works.items(), progress, strict=True):
            self._after(number, work, how)
        return True

    def _after(self, number: int, work: _Work, progress: Progress) -> None:
        if progress is Progress.DONE:
            if not work.cancelled:
                self._connection.send(Kind.DONE, number)
            self._end(number, work)
            return
        try:
            self._ask(number, work)
        except Exception as error:
            self._fail(number, work, error)

    def _fail(self, number: int, work: _Work, error: Exception) -> None:
        self._end(number, work)
        self._report(number, error)

    def _report(self, number: int, error: Exception) -> None:
        if not isinstance(error, JobError | QueueFull):
            _log.exception("job %d failed", number, exc_info=error)
        self._connection.send(Kind.FAILED, number, {"error": str(error) or type(error).__name__})

    def _end(self, number: int, work: _Work) -> None:
        del self._works[number]
        self._queue.close(number)
        try:
            work.job.close()
        except Exception:
            _log.exception("job %d could not be closed", number)
