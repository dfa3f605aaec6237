"""An engine for the tests of the workers: it does whatever a job's request says, deterministically."""

from __future__ import annotations

import ctypes
import os
import time

from engines.wire import Fields
from engines.worker.engine import JobError, Progress, Reply


class SampleEngine:
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
        engine.open_jobs += 1

    def feed(self, data: bytes) -> None:
        self._input.append(data)

    def finish(self) -> None:
        self._finished = True

    def step(self) -> Progress:
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
            if self._input:
                return Progress.MORE
            return Progress.DONE if self._finished else Progress.WAITING
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
