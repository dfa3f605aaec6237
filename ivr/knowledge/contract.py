"""The contract of knowledge: a question in, the passages that may answer it out.

A passage is data for a model to quote, never an instruction to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

MOST_PASSAGES: Final = 4
DEADLINE_S: Final = 0.3


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a file. `source` names it for people, as `returns.md, Refunds, Cash`; passages of one search
    may be compared by `score`, higher is better."""

    text: str
    source: str
    collection: str
    score: float


class Knowledge(Protocol):
    async def find(
        self,
        collections: tuple[str, ...],
        question: str,
        *,
        most: int = MOST_PASSAGES,
        deadline_s: float = DEADLINE_S,
    ) -> tuple[Passage, ...]:
        """The best passages first, of the named collections alone. Never raises for what a collection, a file
        or a server of embeddings does: what cannot be searched, or not in time, is left out, and logged."""
