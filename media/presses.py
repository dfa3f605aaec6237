"""A key that the far end tells in more than one way (SIP INFO and the audio, say) is one press. Pure."""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import Final

TOGETHER_S: Final = 2.0
"""A key told in another way so soon after is the same press, if that way has told fewer of them."""


class Way(Enum):
    MEDIA = "media"
    SIGNALLING = "signalling"


class Presses:
    """The keys of one leg. Each way may tell a press once; the first to do so is believed."""

    __slots__ = ("_told",)

    def __init__(self) -> None:
        self._told: deque[tuple[str, Way, float]] = deque()

    def is_new(self, key: str, way: Way, now: float) -> bool:
        """Whether nobody has told this press before; asked once for each key that comes."""
        told = self._told
        while told and now - told[0][2] > TOGETHER_S:
            told.popleft()
        for index, (other, by, _) in enumerate(told):
            if other == key and by is not way:
                del told[index]
                return False
        told.append((key, way, now))
        return True
