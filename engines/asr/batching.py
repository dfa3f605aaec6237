"""Which pieces of audio a model decodes next, together: finals first, then what is likely to become one, then
first partials, then the others. Pure.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Generic, TypeVar

Job = TypeVar("Job")


class Priority(IntEnum):
    """The smaller, the sooner."""

    FINAL = 0
    """Somebody waits for it in silence."""
    SPECULATIVE = 1
    """The caller pauses: it is the final, if they say no more."""
    FIRST = 2
    """The first words of an utterance."""
    PARTIAL = 3


@dataclass(frozen=True, slots=True)
class Want(Generic[Job]):
    """A piece that a job wants decoded. Pieces of equal `shape` can be in one batch; `since` is when the want
    arose, in any unit that grows."""

    job: Job
    priority: Priority
    since: float
    shape: Hashable


def choose(wants: Iterable[Want[Job]], most: int) -> list[Want[Job]]:
    """The next batch: what is most urgent and oldest, and whatever fits beside it, up to `most`."""
    ordered = sorted(wants, key=lambda want: (want.priority, want.since))
    if not ordered:
        return []
    shape = ordered[0].shape
    return [want for want in ordered if want.shape == shape][:most]
