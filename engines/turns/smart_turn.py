"""smart-turn v3 as an advice on whether a turn is over: asked at a pause, answered in time or not at all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Final

from engines.contract import EngineError, EngineUnavailable
from engines.launch import WorkerCommand
from engines.supervisor import Limits, SupervisedWorker, WorkerHealth
from engines.turns.features import SECONDS

log = logging.getLogger(__name__)

DEADLINE_S: Final = 0.3
"""After so long a pause is over, or the turn is."""

_MOST_ASKED: Final = 8
"""More at a time would all come too late."""

_ENGINE: Final = "engines.turns.smart_turn_worker:SmartTurnEngine"
_DISTRIBUTION: Final = "pipecat-ai"
_FILES: Final = "smart-turn-v3*.onnx"
_MB: Final = 1024 * 1024


def installed_model() -> Path:
    """The model's file inside the wheel of pipecat-ai, which is not imported; the newest, where it has more.

    Raises `EngineUnavailable` when it is not there.
    """
    advice = "name the file of the model, or install the wheel: pip install --no-deps pipecat-ai"
    try:
        files = metadata.files(_DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        raise EngineUnavailable(f"the package {_DISTRIBUTION} is not installed; {advice}") from None
    found = sorted(Path(str(file.locate())) for file in files if file.match(_FILES))
    if not found or not found[-1].is_file():
        raise EngineUnavailable(f"the package {_DISTRIBUTION} has no file {_FILES}; {advice}")
    return found[-1]


class SmartTurn:
    """Asked from the event loop; the model is in a process of its own."""

    name: Final = "smart-turn"

    def __init__(self, model: Path, limits: Limits | None = None) -> None:
        command = WorkerCommand(_ENGINE, settings={"model": str(model)})
        self._worker = SupervisedWorker(self.name, command, limits or Limits(memory_bytes=400 * _MB))
        self._asked: set[asyncio.Task[None]] = set()

    @property
    def health(self) -> WorkerHealth:
        return self._worker.health

    async def start(self) -> None:
        """Raises `EngineUnavailable` or `EngineTimeout`."""
        await self._worker.start()

    async def close(self) -> None:
        for task in self._asked:
            task.cancel()
        await asyncio.gather(*self._asked, return_exceptions=True)
        await self._worker.close()

    def ask(self, pcm: bytes, rate: int, answer: Callable[[float], None]) -> None:
        """`pcm` is 16-bit PCM of all that was said. Returns at once; `answer` is called on the loop with how
        likely the turn is over, or never: a model that is late, down or overrun costs nobody anything."""
        if len(self._asked) < _MOST_ASKED:
            task = asyncio.create_task(self._ask(pcm[-2 * rate * SECONDS :], rate, answer))
            self._asked.add(task)
            task.add_done_callback(self._asked.discard)

    async def _ask(self, pcm: bytes, rate: int, answer: Callable[[float], None]) -> None:
        try:
            job = self._worker.open({"rate": rate})
            try:
                job.write(pcm)
                job.finish()
                frame = await job.receive(asyncio.get_running_loop().time() + DEADLINE_S)
            finally:
                job.cancel()
        except EngineError as error:
            log.debug("no advice on the end of a turn: %s", error)
            return
        if frame is not None:
            answer(float(frame.fields["probability"]))
