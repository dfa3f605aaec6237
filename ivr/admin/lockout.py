"""How long somebody must wait before the next try to log in. Pure: the time is an argument.

Three things are counted: a name tried from one address (a person who has forgotten), an address (one who
tries many names), and a name from anywhere (many who try one). The last is generous: else anybody could lock
somebody out.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

FREE_PAIR: Final = 5
FREE_ADDRESS: Final = 20
FREE_NAME: Final = 100
FIRST_WAIT_S: Final = 2.0
LONGEST_WAIT_S: Final = 900.0
FORGOTTEN_S: Final = 3600.0
"""After so long without a failure all is forgotten."""
_MOST: Final = 20_000


@dataclass(slots=True)
class _Tries:
    failures: int
    last: float


class Lockout:
    """Bounded: of too many it forgets those that failed longest ago."""

    def __init__(self) -> None:
        self._tries: OrderedDict[tuple[str, str], _Tries] = OrderedDict()

    def wait_s(self, name: str, address: str, now: float) -> float:
        """Seconds from now until a try is looked at; 0: at once."""
        return max(self._wait_s(key, free, now) for key, free in _keys(name, address))

    def failed(self, name: str, address: str, now: float) -> None:
        for key, _ in _keys(name, address):
            tries = self._tries.get(key)
            if tries is None or now - tries.last > FORGOTTEN_S:
                tries = self._tries[key] = _Tries(0, now)
            tries.failures += 1
            tries.last = now
            self._tries.move_to_end(key)
        while len(self._tries) > _MOST:
            self._tries.popitem(last=False)

    def succeeded(self, name: str, address: str) -> None:
        """The last try, which was counted when it began, was none; what that person failed at before is
        forgotten, what others did from the address is not."""
        for key, _ in _keys(name, address):
            if (tries := self._tries.get(key)) is not None:
                tries.failures -= 1
        self._tries.pop((name, address), None)

    def _wait_s(self, key: tuple[str, str], free: int, now: float) -> float:
        tries = self._tries.get(key)
        if tries is None or tries.failures < free or now - tries.last > FORGOTTEN_S:
            return 0.0
        wait_s = FIRST_WAIT_S * float(1 << min(tries.failures - free, 20))
        return max(0.0, tries.last + min(LONGEST_WAIT_S, wait_s) - now)


def _keys(name: str, address: str) -> tuple[tuple[tuple[str, str], int], ...]:
    return ((name, address), FREE_PAIR), (("", address), FREE_ADDRESS), ((name, ""), FREE_NAME)
