"""What voices in a worker process have in common."""

from __future__ import annotations

from engines.launch import WorkerCommand
from engines.supervisor import Limits, SupervisedWorker, WorkerHealth
from engines.wire import Fields


class WorkerVoice:
    """The part of a `Synthesizer` that is about its worker."""

    def __init__(self, name: str, command: WorkerCommand, limits: Limits, sample_rate: int) -> None:
        """`sample_rate` holds until the worker says its own."""
        self._name = name
        self._worker = SupervisedWorker(name, command, limits)
        self._version = "0"
        self._sample_rate = sample_rate

    @property
    def name(self) -> str:
        return self._name

    @property
    def version(self) -> str:
        return self._version

    @property
    def sample_rate(self) -> int:
        return self._sample_rate

    @property
    def health(self) -> WorkerHealth:
        return self._worker.health

    async def start(self) -> None:
        """Loads the engine; raises `EngineUnavailable` or `EngineTimeout`."""
        facts = await self._worker.start()
        self._sample_rate = int(facts["sample_rate"])
        self._version = f"{facts['version']}-1"
        self._learn(facts)

    async def close(self) -> None:
        await self._worker.close()

    def _learn(self, facts: Fields) -> None:
        """Takes what else the engine says of itself."""
