"""How long packets must wait so that nearly all of them have come: the target of the jitter buffer. Pure.

The jitter of RFC 3550 is a mean, and says little about the tail that is heard. What counts is how much later
than the fastest of late a packet comes (its relative delay), and of that a high quantile, as in the delay
manager of WebRTC's NetEq. The fastest of a window of a few seconds is the reference, so that clocks may drift
apart. The target goes up at once and comes down slowly: the next spike is likelier after one.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

LEAST_MS: Final = 20
MOST_MS: Final = 200
MARGIN_MS: Final = 5
"""A packet that comes while the buffer is read waits for the next time."""

DOWN_MS: Final = 10
"""What the target comes down by in a second."""

_BLOCKS: Final = 5
_ALLOWED: Final = 100
"""One packet in so many may be slower than the target."""

_KEPT: Final = 3


@dataclass(frozen=True, slots=True)
class _Block:
    fastest: float
    slowest: list[float]
    count: int


class DelayTarget:
    """Told the transit of each packet: when it came less its timestamp, in units of the RTP clock.

    `transits.append` takes one; `settle` is to be called once a second, and when a packet was late. `target`
    and `fastest` are in units of the clock; `fastest` is None before the first packet.
    """

    __slots__ = ("_blocks", "_down", "_least", "_margin", "_most", "fastest", "target", "transits")

    def __init__(self, clock_rate: int, start_ms: int, least_ms: int, most_ms: int) -> None:
        self._least = clock_rate * least_ms // 1000
        self._most = clock_rate * most_ms // 1000
        self._margin = clock_rate * MARGIN_MS // 1000
        self._down = clock_rate * DOWN_MS // 1000
        self._blocks: deque[_Block] = deque(maxlen=_BLOCKS)
        self.target = clock_rate * start_ms // 1000
        self.fastest: float | None = None
        self.transits: list[float] = []

    def forget(self) -> None:
        """Another sender, or another clock; the network is the same, so the target stays."""
        self._blocks.clear()
        self.transits.clear()
        self.fastest = None

    def settle(self, *, late: bool = False) -> None:
        """Takes the packets since the last time into account; `late`: only to see whether more is needed."""
        block = self._summed_up()
        blocks = [*self._blocks, block] if block is not None else list(self._blocks)
        if not blocks:
            return
        self.fastest = min(b.fastest for b in blocks)
        count = sum(b.count for b in blocks)
        slowest = sorted((t for b in blocks for t in b.slowest), reverse=True)
        relative = slowest[min(count // _ALLOWED, len(slowest) - 1)] - self.fastest
        wanted = min(max(int(relative) + self._margin, self._least), self._most)
        if wanted > self.target:
            self.target = wanted
        if late:
            return
        self.target = max(wanted, self.target - self._down)
        if block is not None:
            self._blocks.append(block)
            self.transits.clear()

    def _summed_up(self) -> _Block | None:
        if not self.transits:
            return None
        ordered = sorted(self.transits)
        return _Block(ordered[0], ordered[-_KEPT:], len(ordered))
