"""How long to wait before the next attempt."""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass(slots=True)
class Backoff:
    """Doubles from `first_s` up to `most_s`; each wait is shortened by a random share of at most `jitter`.

    The jitter keeps workers that died together from starting together.
    """

    first_s: float
    most_s: float
    jitter: float = 0.3
    draw: random.Random = field(default_factory=random.Random)
    _next_s: float = field(init=False)

    def __post_init__(self) -> None:
        self._next_s = self.first_s

    def next(self) -> float:
        """Seconds to wait now."""
        wait_s = self._next_s
        self._next_s = min(self.most_s, wait_s * 2)
        return wait_s * (1 - self.jitter * self.draw.random())

    def reset(self) -> None:
        """All is well again."""
        self._next_s = self.first_s
