"""Which neighbours failed lately. Pure: the time is an argument."""

from __future__ import annotations

from typing import Final

from sip.hop import Hop, Neighbour

DOWN_S: Final = 30.0
"""How long a neighbour that failed is tried only after the others."""
MAX_DOWN_S: Final = 300.0
_MAX: Final = 1024


class Health:
    """Neighbours that failed, and until when they count as down."""

    def __init__(self) -> None:
        self._down: dict[Neighbour, float] = {}

    def failed(self, hop: Hop, now: float, for_s: float = DOWN_S) -> None:
        """No answer, no connection, or a 503; `for_s` is at most 300 s."""
        if len(self._down) >= _MAX:
            self._down = {who: until for who, until in self._down.items() if until > now}
            if len(self._down) >= _MAX:
                self._down.clear()
        self._down[hop.neighbour] = now + min(for_s, MAX_DOWN_S)

    def worked(self, hop: Hop) -> None:
        self._down.pop(hop.neighbour, None)

    def down(self, hop: Hop, now: float) -> bool:
        return self._down.get(hop.neighbour, 0.0) > now

    def ordered(self, hops: list[Hop], now: float) -> list[Hop]:
        """The same, with those that are down last."""
        if not self._down or len(hops) < 2:
            return hops
        return sorted(hops, key=lambda hop: self.down(hop, now))
