"""An engine for the tests of the workers: it does whatever a job's request says, deterministically."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Sequence

from engines.wire import Fields
from engines.worker.engine import JobError, Progress, Reply
from engines.worker.queue import Bounds, Priority, Want


class SampleEngine:
    bounds = Bounds(jobs=100)

    def __init__(self) -> None:
        self.open_jobs = 0
        self.ballast: list[bytearray] = []

    def describe(self) -> Fields:
        return {"version": "sample 1", "pid": os.getpid()}

    def open(self, request: Fields, reply: Reply) -> SampleJob:
        if request.get("refuse"):
            raise JobError(str(request["refuse"]))
        return SampleJob(self, request, reply)


class SampleJob:
    """`parts`: so many answers of `size` bytes, each the job's `mark`; `echo`: gives back its input; `sleep`:
    seconds in C in one step; `spin`: computes until cancelled; `eat`: takes so many bytes of memory and keeps
    them; `fail`: raises; `count`: answers how many jobs are open.
    """

    def __init__(self, engine: SampleEngine, request: Fields, reply: Reply) -> None:
        self._engine = engine
        self._request = request
        self._reply = reply
        self._left = int(request.get("parts", 0))
        self._input: list[bytes] = []
        self._finished = False
        self._begun = False
        engine.open_jobs += 1

    def feed(self, data: bytes) -> None:
        self._input.append(data)

    def finish(self) -> None:
        self._finished = True

    def want(self) -> Want | None:
        if "echo" in self._request and not (self._input or self._finished):
            return None
        return Want(Priority.REST if self._begun else Priority.FIRST_AUDIO)

    def step(self) -> Progress:
        self._begun = True
        request = self._request
        if "sleep" in request:
            ctypes.CDLL(None).usleep(int(float(request["sleep"]) * 1e6))
        if "eat" in request:
            self._engine.ballast.append(bytearray(b"x" * int(request["eat"])))
        if "fail" in request:
            raise ValueError(request["fail"])
        if "count" in request:
            self._reply.send(b"", {"open": self._engine.open_jobs})
        if "spin" in request:
            self._reply.send(b"spinning")
            while not self._reply.cancelled:
                time.sleep(0.001)
        if "echo" in request:
            if self._input:
                self._reply.send(self._input.pop(0))
            return Progress.DONE if self._finished and not self._input else Progress.MORE
        if self._left:
            self._left -= 1
            self._reply.send(
                str(request["mark"]).encode() * int(request.get("size", 1)), {"left": self._left}
            )
        return Progress.MORE if self._left else Progress.DONE

    def close(self) -> None:
        self._engine.open_jobs -= 1


def broken() -> SampleEngine:
    raise RuntimeError("the weights are missing: run the installer")


def slow() -> SampleEngine:
    time.sleep(60)
    return SampleEngine()


class BatchEngine(SampleEngine):
    """Echoes in batches, and tells with how many. A `poison` spoils the batch, and then its own job."""

    bounds = Bounds(jobs=4, batch=4, window_s=5.0)

    def open(self, request: Fields, reply: Reply) -> BatchJob:
        return BatchJob(self, request, reply)

    def step_together(self, jobs: Sequence[BatchJob]) -> list[Progress]:
        if any(job.poisoned for job in jobs):
            raise MemoryError("too much for one batch")
        return [job.answer(len(jobs)) for job in jobs]


class BatchJob(SampleJob):
    def want(self) -> Want | None:
        return Want(Priority.FINAL, "one shape") if self._finished else None

    @property
    def poisoned(self) -> bool:
        return bool(self._request.get("poison"))

    def step(self) -> Progress:
        if self.poisoned:
            raise JobError("spoilt")
        return self.answer(1)

    def answer(self, together: int) -> Progress:
        self._reply.send(b"".join(self._input), {"together": together})
        return Progress.DONE
