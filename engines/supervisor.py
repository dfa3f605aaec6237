"""Keeps one worker alive: starts it, pings it, weighs it, and starts it again when it fails."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from enum import Enum
from typing import Final

import psutil

from engines.backoff import Backoff
from engines.contract import EngineDown, EngineError, EngineUnavailable
from engines.launch import WorkerCommand, WorkerProcess, launch
from engines.link import RemoteJob
from engines.wire import Fields

_log = logging.getLogger(__name__)

_MB: Final = 1024 * 1024


class WorkerState(Enum):
    DOWN = "down"
    STARTING = "starting"
    UP = "up"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a worker may take before it is replaced. Times in seconds, memory (RSS) in bytes.

    `stuck_s` is the longest single step of work: a worker that still answers pings but has computed for
    longer hangs.
    """

    start_s: float = 10.0
    ping_every_s: float = 2.0
    ping_wait_s: float = 2.0
    stuck_s: float = 10.0
    memory_bytes: int = 512 * _MB
    backoff_first_s: float = 0.2
    backoff_most_s: float = 30.0
    stable_s: float = 30.0
    """After so long without trouble the back-off begins anew."""


@dataclass(frozen=True, slots=True)
class WorkerHealth:
    """For health checks and metrics. `last_latency_ms` is from the last question to its first answer."""

    name: str
    state: WorkerState
    restarts: int
    jobs: int
    pid: int | None
    rss_bytes: int | None
    last_latency_ms: float | None
    last_failure: str


class SupervisedWorker:
    """One worker process that is replaced whenever it dies, hangs or grows too large.

    Work that was pending then fails at once with `EngineUnavailable`, as does work that is asked for before
    the next worker is up: who asks has a fallback, and a caller should not wait for a restart.
    """

    def __init__(self, name: str, command: WorkerCommand, limits: Limits | None = None) -> None:
        self._name = name
        self._command = command
        self._limits = limits or Limits()
        self._backoff = Backoff(self._limits.backoff_first_s, self._limits.backoff_most_s)
        self._state = WorkerState.DOWN
        self._worker: WorkerProcess | None = None
        self._starts = 0
        self._rss_bytes: int | None = None
        self._last_failure = ""
        self._last_latency_s: float | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def health(self) -> WorkerHealth:
        link = self._worker.link if self._worker else None
        latency_s = link.last_latency_s if link and link.last_latency_s is not None else self._last_latency_s
        return WorkerHealth(
            name=self._name,
            state=self._state,
            restarts=max(0, self._starts - 1),
            jobs=link.jobs if link else 0,
            pid=self._worker.pid if self._worker else None,
            rss_bytes=self._rss_bytes,
            last_latency_ms=None if latency_s is None else latency_s * 1000,
            last_failure=self._last_failure,
        )

    async def start(self) -> Fields:
        """Starts the worker and gives what its engine says of itself.

        Raises `EngineUnavailable` or `EngineTimeout` when the first attempt fails; nothing runs then. From
        the first success on until `close` the worker is kept alive. Calling it twice is an error.
        """
        if self._task:
            raise RuntimeError(f"{self._name} was started before")
        loop = asyncio.get_running_loop()
        first: asyncio.Future[Fields] = loop.create_future()
        self._task = asyncio.create_task(self._keep_alive(first), name=f"{self._name} supervisor")
        try:
            return await asyncio.shield(first)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Ends the worker; pending work fails with `EngineUnavailable`. Allowed at any time, more than
        once.
        """
        task, self._task = self._task, None
        if task:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def open(self, request: Fields) -> RemoteJob:
        """Starts a job; raises `EngineDown` when the worker is not up."""
        if self._worker is None:
            reason = f" ({self._last_failure})" if self._last_failure else ""
            raise EngineDown(f"{self._name} is {self._state.value}{reason}")
        return self._worker.link.open(request)

    async def _keep_alive(self, first: asyncio.Future[Fields]) -> None:
        while True:
            await self._one_life(first)
            if not first.done():  # the first attempt failed
                first.set_exception(EngineUnavailable(self._last_failure))
                return
            wait_s = self._backoff.next()
            _log.error("%s: %s; next start in %.1f s", self._name, self._last_failure, wait_s)
            await asyncio.sleep(wait_s)

    async def _one_life(self, first: asyncio.Future[Fields]) -> None:
        self._state = WorkerState.STARTING
        self._starts += 1
        try:
            worker = await launch(self._name, self._command, self._limits.start_s)
        except EngineError as error:
            self._state = WorkerState.DOWN
            self._last_failure = str(error)
            return
        except BaseException:
            self._state = WorkerState.DOWN
            raise
        self._worker = worker
        self._state = WorkerState.UP
        if not first.done():
            first.set_result(worker.facts)
        failure = "closed"
        try:
            failure = await self._watch(worker)
            worker.kill()
        finally:
            self._state = WorkerState.DOWN
            self._last_latency_s = worker.link.last_latency_s
            self._worker = None
            self._rss_bytes = None
            ending = await worker.end()
            self._last_failure = f"{failure} ({ending})"

    async def _watch(self, worker: WorkerProcess) -> str:
        """Until the worker must be replaced; returns why."""
        limits = self._limits
        loop = asyncio.get_running_loop()
        up_since = loop.time()
        process = psutil.Process(worker.pid)
        while True:
            try:
                self._rss_bytes = process.memory_info().rss
                pong = await worker.link.ping(limits.ping_wait_s)
            except EngineError as error:
                return str(error)
            except psutil.Error:
                return "the worker died"
            busy_s = float(pong.get("busy_s", 0.0))
            if busy_s > limits.stuck_s:
                return f"the worker hangs: one step has taken {busy_s:.1f} s"
            if self._rss_bytes > limits.memory_bytes:
                return (
                    f"the worker takes {self._rss_bytes // _MB} MB of {limits.memory_bytes // _MB} MB allowed"
                )
            if loop.time() - up_since > limits.stable_s:
                self._backoff.reset()
            done, _ = await asyncio.wait({worker.link.lost}, timeout=limits.ping_every_s)
            if done:
                return "the worker died"
