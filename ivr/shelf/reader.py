"""The process that reads flows, as the server sees it."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final, Protocol

from engines.contract import EngineUnavailable
from engines.launch import WorkerCommand
from engines.supervisor import Limits, SupervisedWorker
from ivr.flow.loader import Environment
from ivr.shelf.folder import Memory
from ivr.shelf.version import Seen, Sighting

_COMMAND: Final = WorkerCommand("ivr.shelf.worker:FlowEngine")
_LIMITS: Final = Limits(start_s=30.0, ping_every_s=5.0, ping_wait_s=10.0, stuck_s=60.0)
FILE_S: Final = 30.0
"""How long one file may take; a full machine serves live calls first."""

START_AGAIN_S: Final = 5.0

START_S: Final = 10.0
"""How long a request waits for the process to be up."""


class FlowReader(Protocol):
    """Reads the files of a folder, away from the event loop."""

    async def start(self) -> None:
        """Raises `EngineError`; may be tried again."""

    async def close(self) -> None: ...

    def look(self, *, settled: bool) -> AsyncGenerator[Sighting, None]:
        """What has changed since the last look, as `FlowFolder.look`. Raises `EngineError`."""

    async def check(self, file: str, text: bytes) -> list[Seen]:
        """What a file would be with another text, and after it what flows that enter it would be then. Raises
        `EngineError`."""


class FlowReaderProcess:
    """Reads files in a process of its own. It goes on from what was known at the start, also after a restart:
    then some files are told again."""

    def __init__(self, folder: Path, environment: Environment, memory: Memory) -> None:
        self._lesson = pickle.dumps((folder, environment, memory), pickle.HIGHEST_PROTOCOL)
        self._worker = SupervisedWorker("flows", _COMMAND, _LIMITS)
        self._taught: int | None = None

    async def start(self) -> None:
        await self._worker.start()

    async def close(self) -> None:
        await self._worker.close()

    async def look(self, *, settled: bool) -> AsyncGenerator[Sighting, None]:
        await self._teach()
        try:
            async with aclosing(self._ask({"do": "look", "settled": settled})) as answers:
                async for sighting in answers:
                    yield sighting
        except BaseException:
            self._taught = None  # some of it may be lost: the next look begins from the start
            raise

    async def check(self, file: str, text: bytes) -> list[Seen]:
        await self._teach()
        async with aclosing(self._ask({"do": "check", "file": file}, text)) as answers:
            return [seen async for seen in answers if isinstance(seen, Seen)]

    async def _teach(self) -> None:
        pid = await self._pid()
        if pid != self._taught:
            async with aclosing(self._ask({"do": "know"}, self._lesson)) as answers:
                async for _ in answers:
                    pass
            self._taught = pid

    async def _pid(self) -> int:
        """Of the process, once it is up: who asks while it starts need not ask again."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + START_S
        while (pid := self._worker.health.pid) is None:
            if clock() > deadline:
                why = self._worker.health.last_failure or "it takes long"
                raise EngineUnavailable(f"the flows' reader does not start: {why}")
            await asyncio.sleep(0.05)
        return pid

    async def _ask(self, request: Mapping[str, Any], data: bytes = b"") -> AsyncGenerator[Sighting, None]:
        clock = asyncio.get_running_loop().time
        job = self._worker.open(dict(request))
        try:
            if data:
                job.write(data)
            job.finish()
            while frame := await job.receive(clock() + FILE_S):
                yield pickle.loads(frame.data)  # from our own child
        finally:
            job.cancel()
