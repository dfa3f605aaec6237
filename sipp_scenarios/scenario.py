"""What a scenario is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sipp_scenarios.stage import Stage


@dataclass(frozen=True, slots=True)
class Scenario:
    """`alone`: runs by itself, since it loads the machine. `slow`: only runs when asked for."""

    name: str
    play: Callable[[Stage], None]
    alone: bool = False
    slow: bool = False

    @property
    def about(self) -> str:
        return (self.play.__doc__ or "").strip().partition("\n")[0]
