"""Percentiles, and what one run of the generator measured. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Samples:
    """Everything measured from outside; times in nanoseconds."""

    setup: list[int] = field(default_factory=list)
    key_to_prompt: list[int] = field(default_factory=list)
    spacing: list[int] = field(default_factory=list)
    lateness: list[int] = field(default_factory=list)
    lost: int = 0
    failures: list[str] = field(default_factory=list)


def percentile(ordered: Sequence[int], share: float) -> int:
    """Nearest rank of an ascending sequence; `share` between 0 and 1. Raises ValueError for an empty one."""
    if not ordered:
        raise ValueError("nothing was measured")
    rank = -int(-share * len(ordered) // 1)
    return ordered[max(0, min(len(ordered), rank) - 1)]


def in_ms(samples: Sequence[int], *shares: str) -> dict[str, float | None]:
    """`p50`, `p95`, `p99`, `max` of nanoseconds, in milliseconds; None where nothing was measured."""
    ordered = sorted(samples)
    wanted = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {name: round(percentile(ordered, wanted[name]) / 1e6, 3) if ordered else None for name in shares}
