"""What `GET /admin/gpu/status` answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from engines.gpu.budget import CardBudget
from engines.gpu.cards import Card, Cards, read_cards

_MB: Final = 1024 * 1024

_EXAMPLE: Final[dict[str, Any]] = {
    "gpus": [
        {
            "index": 0,
            "name": "NVIDIA GeForce RTX 3060",
            "memory_total_mb": 12288,
            "memory_used_mb": 5230,
            "utilisation_percent": 37,
            "temperature_c": 61,
            "processes": [{"pid": 4711, "engine": "faster-whisper", "memory_mb": 2010}],
        }
    ],
    "reason": None,
    "budget": [
        {
            "card": 0,
            "total_gb": 12.0,
            "needed_gb": 3.0,
            "free_gb": 9.0,
            "fits": True,
            "shares": [
                {"name": "faster-whisper", "gb": 2.0, "part": "engine"},
                {"name": "CUDA", "gb": 1.0, "part": "cuda"},
            ],
        }
    ],
}


class GpuProcess(BaseModel):
    """`engine` is null for a process that is none of ours."""

    pid: int
    engine: str | None
    memory_mb: int | None = Field(description="null where the driver does not tell, as in a container")


class Gpu(BaseModel):
    index: int
    name: str
    memory_total_mb: int
    memory_used_mb: int
    utilisation_percent: int | None
    temperature_c: int | None
    processes: list[GpuProcess]


class BudgetShare(BaseModel):
    name: str
    gb: float | None = Field(description="null: it was never measured")
    part: Literal["engine", "reserved", "other", "cuda"]


class Budget(BaseModel):
    """What is meant for one card, in GB of 2^30 bytes."""

    card: int
    total_gb: float
    needed_gb: float
    free_gb: float
    fits: bool
    shares: list[BudgetShare]


class GpuStatus(BaseModel):
    """The cards of this machine, and what they are meant for."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    gpus: list[Gpu]
    reason: str | None = Field(description="Why there are none, in words")
    budget: list[Budget]


class GpuMonitor:
    """Asks the driver, in a thread. `pids` are our engines' processes by the engine's name; `budgets` those
    that hold now."""

    def __init__(
        self,
        pids: Callable[[], Mapping[str, int | None]],
        budgets: Callable[[], Iterable[CardBudget]],
        read: Callable[[], Cards] = read_cards,
    ) -> None:
        self._pids = pids
        self._budgets = budgets
        self._read = read

    async def status(self) -> GpuStatus:
        cards = await asyncio.to_thread(self._read)
        engines = {pid: name for name, pid in self._pids().items() if pid is not None}
        return GpuStatus(
            gpus=gpus(cards, engines),
            reason=cards.reason or None,
            budget=[shown(budget) for budget in self._budgets()],
        )


def gpus(cards: Cards, engines: Mapping[int, str]) -> list[Gpu]:
    """`engines` are the names of ours by their process."""
    return [_gpu(card, engines) for card in cards.cards]


def shown(budget: CardBudget) -> Budget:
    return Budget(
        card=budget.index,
        total_gb=budget.total_gb,
        needed_gb=budget.needed_gb,
        free_gb=budget.free_gb,
        fits=not budget.refusal(),
        shares=[BudgetShare(name=share.name, gb=share.gb, part=share.part.value) for share in budget.shares],
    )


def _gpu(card: Card, engines: Mapping[int, str]) -> Gpu:
    return Gpu(
        index=card.index,
        name=card.name,
        memory_total_mb=card.total_bytes // _MB,
        memory_used_mb=card.used_bytes // _MB,
        utilisation_percent=card.utilisation_percent,
        temperature_c=card.temperature_c,
        processes=[
            GpuProcess(
                pid=each.pid,
                engine=engines.get(each.pid),
                memory_mb=None if each.memory_bytes is None else each.memory_bytes // _MB,
            )
            for each in card.processes
        ],
    )
