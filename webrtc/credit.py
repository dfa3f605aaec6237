"""How much audio a far end may send: as much as time has passed, and a little more. Pure."""

from __future__ import annotations

from typing import Final

AHEAD_S: Final = 2.0
"""What a network that stood still may deliver at once."""

_ROUNDING_S: Final = 1e-9
"""What sums of parts of a second may lack."""


class Credit:
    """A bucket of seconds that fills as fast as time passes."""

    __slots__ = ("_ahead_s", "_at", "_left_s")

    def __init__(self, now: float, ahead_s: float = AHEAD_S) -> None:
        self._ahead_s = self._left_s = ahead_s
        self._at = now

    def take(self, seconds: float, now: float) -> bool:
        """Whether so much audio may come now; what may not costs nothing."""
        self._left_s = min(self._ahead_s, self._left_s + max(0.0, now - self._at))
        self._at = max(now, self._at)
        if seconds > self._left_s + _ROUNDING_S:
            return False
        self._left_s -= seconds
        return True
