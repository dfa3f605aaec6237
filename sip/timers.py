"""One heap of timers for everything that waits in the SIP layers, with the time as an argument."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count

Action = Callable[[float], None]
"""What a timer does; takes the time it is run at."""


@dataclass(frozen=True, slots=True)
class Timing:
    """The base values of RFC 3261 17.1.1.1, in seconds. Every other timer is made from them."""

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0

    @property
    def timeout(self) -> float:
        """64*T1 (32 s): timers B, F, H, J, L, M, D, and the wait for the ACK of a 2xx."""
        return 64 * self.t1


class Timer:
    """A handle to something due; done or cancelled when `action` is None."""

    __slots__ = ("action", "at")

    def __init__(self, at: float, action: Action) -> None:
        self.at = at
        self.action: Action | None = action


class TimerHeap:
    """Timers ordered by time. A cancelled one lets go of its action at once, of its place in time."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = count()
        self._live = 0

    def __len__(self) -> int:
        """How many timers are still to run."""
        return self._live

    def set(self, at: float, action: Action) -> Timer:
        timer = Timer(at, action)
        heappush(self._heap, (at, next(self._order), timer))
        self._live += 1
        return timer

    def cancel(self, timer: Timer | None) -> None:
        """Also takes None and timers that are over."""
        if timer is not None and timer.action is not None:
            timer.action = None
            self._live -= 1

    @property
    def due(self) -> float | None:
        """When the next timer runs."""
        heap = self._heap
        while heap and heap[0][2].action is None:
            heappop(heap)
        return heap[0][0] if heap else None

    def run(self, now: float) -> None:
        """Runs all timers due at `now`, in order of their time."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            timer = heappop(heap)[2]
            action = timer.action
            if action is not None:
                timer.action = None
                self._live -= 1
                action(now)
