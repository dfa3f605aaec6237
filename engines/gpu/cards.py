"""The cards of this machine as NVIDIA's driver tells of them (NVML, by nvidia-ml-py). Blocks for some
milliseconds: call it in a thread.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from engines.gpu.budget import GB

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CardProcess:
    """A process that has memory on a card; None: the driver does not tell how much (a container, WSL)."""

    pid: int
    memory_bytes: int | None


@dataclass(frozen=True, slots=True)
class Card:
    """What a driver does not tell is None."""

    index: int
    name: str
    total_bytes: int
    used_bytes: int
    utilisation_percent: int | None
    temperature_c: int | None
    processes: tuple[CardProcess, ...]


@dataclass(frozen=True, slots=True)
class Cards:
    """`reason` says in words why there are none; empty where there are."""

    cards: tuple[Card, ...]
    reason: str = ""


def read_cards(nvml: Any = None) -> Cards:
    """All cards, now; never raises. `nvml` is the module `pynvml`, or one like it."""
    if nvml is None:
        try:
            nvml = importlib.import_module("pynvml")
        except ImportError:
            return Cards((), "nvidia-ml-py is not installed")
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        return Cards((), _why(nvml, error))
    try:
        cards = tuple(_card(nvml, index) for index in range(nvml.nvmlDeviceGetCount()))
    except nvml.NVMLError as error:
        return Cards((), f"the NVIDIA driver does not answer: {error}")
    finally:
        nvml.nvmlShutdown()
    return Cards(cards, "" if cards else "the NVIDIA driver knows no card")


def memory_gb(cards: Cards, pid: int) -> float | None:
    """What a process has on all cards, in GB; None where the driver does not tell."""
    found = [
        each.memory_bytes
        for card in cards.cards
        for each in card.processes
        if each.pid == pid and each.memory_bytes is not None
    ]
    return round(sum(found) / GB, 2) if found else None


def _card(nvml: Any, index: int) -> Card:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    name = nvml.nvmlDeviceGetName(handle)
    rates = _told(nvml, lambda: nvml.nvmlDeviceGetUtilizationRates(handle))
    processes = _told(nvml, lambda: nvml.nvmlDeviceGetComputeRunningProcesses(handle))
    return Card(
        index,
        name.decode() if isinstance(name, bytes) else str(name),
        int(memory.total),
        int(memory.used),
        None if rates is None else int(rates.gpu),
        _told(nvml, lambda: int(nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU))),
        tuple(CardProcess(int(each.pid), each.usedGpuMemory) for each in processes or ()),
    )


def _told(nvml: Any, ask: Callable[[], T]) -> T | None:
    """None for what this card or its driver does not tell."""
    try:
        return ask()
    except nvml.NVMLError:
        return None


def _why(nvml: Any, error: Exception) -> str:
    if isinstance(error, nvml.NVMLError_LibraryNotFound):
        return "there is no NVIDIA driver on this machine (libnvidia-ml.so.1 is not there)"
    if isinstance(error, nvml.NVMLError_DriverNotLoaded):
        return "the NVIDIA driver is installed and not loaded"
    return f"the NVIDIA driver cannot be asked: {error}"
