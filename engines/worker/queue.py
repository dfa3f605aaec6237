"""The queue of one model: whose work it does next, and what it does together. Pure.

A model does one thing at a time, and what it does in one go (a batch) may serve many. Whoever waits in
silence comes first: a caller who has said something, then one who waits for the first sound of an answer. But
nobody is passed for ever: a want is due at the moment it arose plus `aging_s` for each rank of its priority,
and the one that is due first is served first. So a partial is passed by finals for some seconds of overload,
and from then on by none that came later.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import count
from typing import Generic, TypeVar

Job = TypeVar("Job", bound=Hashable)


class Priority(IntEnum):
    """What a step of a job is for. The smaller, the sooner."""

    FINAL = 0
    """A caller has spoken, and waits for what comes of it."""
    PAUSE = 1
    """A caller pauses: it is the final, if nothing more is said."""
    FIRST_AUDIO = 2
    """Somebody waits for the first sound of a text."""
    REST = 3
    """More of a text: its listener still hears what is there already."""
    FIRST_PARTIAL = 4
    """The first words of an utterance."""
    PARTIAL = 5
    BULK = 6
    """Recordings: nobody waits for them in silence."""


@dataclass(frozen=True, slots=True)
class Want:
    """What a job needs of the model now. Wants of one `shape` can be served in one batch; without a shape it
    is served alone."""

    priority: Priority
    shape: Hashable = None


@dataclass(frozen=True, slots=True)
class Bounds:
    """How a model takes its work.

    Up to `jobs` are open at once; further ones are refused. `slots` of them are under way at once (None: any
    number): a job holds its slot from its first step to its end. `batch` wants are served together; for
    `window_s` the first one waits for others to come, unless nobody is left who could.
    """

    jobs: int = 1024
    slots: int | None = None
    batch: int = 1
    window_s: float = 0.0
    aging_s: float = 1.0


class QueueFull(Exception):
    """The model has as many jobs as it takes; the text says how many."""


@dataclass(slots=True)
class _Waiting(Generic[Job]):
    job: Job
    want: Want
    since: float
    due: float
    order: int = field(default=0)


class ModelQueue(Generic[Job]):
    """Times (`now`) are in seconds of any clock that grows."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._open: set[Job] = set()
        self._under_way: set[Job] = set()
        self._waiting: dict[Job, _Waiting[Job]] = {}
        self._order = count()

    def __len__(self) -> int:
        """How many jobs are open."""
        return len(self._open)

    def __contains__(self, job: object) -> bool:
        return job in self._open

    def open(self, job: Job) -> None:
        """Takes a job in, which wants nothing yet; raises `QueueFull`."""
        if len(self._open) >= self._bounds.jobs:
            raise QueueFull(f"the queue is full: {self._bounds.jobs} jobs are open")
        self._open.add(job)

    def close(self, job: Job) -> None:
        """The job has ended, or was cancelled: its place and its slot are free at once."""
        self._open.discard(job)
        self._under_way.discard(job)
        self._waiting.pop(job, None)

    def put(self, job: Job, want: Want | None, now: float) -> None:
        """What an open job wants from now on, in place of what it wanted before; None: nothing.

        What was wanted before keeps its age. A want that becomes more urgent is as old as its urgency, where
        that is sooner.
        """
        old = self._waiting.get(job)
        if want is None:
            self._waiting.pop(job, None)
        elif old is None:
            due = now + want.priority * self._bounds.aging_s
            self._waiting[job] = _Waiting(job, want, now, due, next(self._order))
        else:
            if want.priority < old.want.priority:
                old.due = min(old.due, now + want.priority * self._bounds.aging_s)
            elif want.priority > old.want.priority:
                old.due = old.since + want.priority * self._bounds.aging_s
            old.want = want

    def take(self, now: float) -> list[Job]:
        """The jobs that are served now, together, the most urgent first. They want nothing until they are put
        again. Empty: nobody can be served, or it is worth to wait for others (`wait_s`)."""
        first = self._first()
        if first is None or self._opens_at(first) > now:
            return []
        batch = [first, *self._beside(first)]
        for waiting in batch:
            del self._waiting[waiting.job]
            self._under_way.add(waiting.job)
        return [waiting.job for waiting in batch]

    def wait_s(self, now: float) -> float | None:
        """In how many seconds `take` will give something if nothing happens until then; None: never."""
        first = self._first()
        return None if first is None else max(0.0, self._opens_at(first) - now)

    def _first(self) -> _Waiting[Job] | None:
        return min(self._able(), key=_urgency, default=None)

    def _able(self) -> Iterator[_Waiting[Job]]:
        """Those that need no slot that is taken."""
        if self._free_slots() > 0:
            return iter(self._waiting.values())
        return (each for each in self._waiting.values() if each.job in self._under_way)

    def _free_slots(self) -> int:
        """As many as could be needed, where there is no bound."""
        slots = self._bounds.slots
        return len(self._open) if slots is None else slots - len(self._under_way)

    def _opens_at(self, first: _Waiting[Job]) -> float:
        """When nobody else is waited for any more."""
        bounds = self._bounds
        if first.want.shape is None or bounds.batch == 1 or len(self._waiting) == len(self._open):
            return first.since
        if 1 + len(self._beside(first)) == bounds.batch:
            return first.since
        return first.since + bounds.window_s

    def _beside(self, first: _Waiting[Job]) -> list[_Waiting[Job]]:
        """Who is served in the same go."""
        most = self._bounds.batch - 1
        if not most or first.want.shape is None:
            return []
        free = self._free_slots() - (first.job not in self._under_way)
        found: list[_Waiting[Job]] = []
        for waiting in sorted(self._waiting.values(), key=_urgency):
            if waiting is first or waiting.want.shape != first.want.shape:
                continue
            if waiting.job not in self._under_way:
                if free <= 0:
                    continue
                free -= 1
            found.append(waiting)
            if len(found) == most:
                break
        return found


def _urgency(waiting: _Waiting[Job]) -> tuple[float, int]:
    return waiting.due, waiting.order
