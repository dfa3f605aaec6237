"""A stand-in for the module `pynvml`: cards as a test describes them, and a driver that may be away."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Final

GB: Final = 1024**3


@dataclass
class FakeCard:
    """`processes`: bytes by process id. What is in `silent` the driver does not tell of this card."""

    name: Any = "NVIDIA GeForce RTX 3060"
    total: int = 12 * GB
    used: int = 2 * GB
    utilisation: int = 37
    temperature: int = 61
    processes: dict[int, int | None] = field(default_factory=dict)
    silent: frozenset[str] = frozenset()


class FakeNvml:
    class NVMLError(Exception):
        pass

    class NVMLError_LibraryNotFound(NVMLError):
        pass

    class NVMLError_DriverNotLoaded(NVMLError):
        pass

    NVML_TEMPERATURE_GPU = 0

    def __init__(self, *cards: FakeCard, failure: Exception | None = None) -> None:
        """`failure` is raised when it is asked for the first time."""
        self.cards = cards
        self.failure = failure
        self.open = 0

    def nvmlInit(self) -> None:
        if self.failure:
            raise self.failure
        self.open += 1

    def nvmlShutdown(self) -> None:
        self.open -= 1

    def nvmlDeviceGetCount(self) -> int:
        return len(self.cards)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> FakeCard:
        return self.cards[index]

    def nvmlDeviceGetName(self, card: FakeCard) -> Any:
        return card.name

    def nvmlDeviceGetMemoryInfo(self, card: FakeCard) -> Any:
        return SimpleNamespace(total=card.total, used=card.used, free=card.total - card.used)

    def nvmlDeviceGetUtilizationRates(self, card: FakeCard) -> Any:
        self._unless_silent(card, "utilisation")
        return SimpleNamespace(gpu=card.utilisation, memory=0)

    def nvmlDeviceGetTemperature(self, card: FakeCard, sensor: int) -> int:
        self._unless_silent(card, "temperature")
        return card.temperature

    def nvmlDeviceGetComputeRunningProcesses(self, card: FakeCard) -> list[Any]:
        self._unless_silent(card, "processes")
        return [SimpleNamespace(pid=pid, usedGpuMemory=used) for pid, used in card.processes.items()]

    def _unless_silent(self, card: FakeCard, what: str) -> None:
        if what in card.silent:
            raise self.NVMLError("Not Supported")
