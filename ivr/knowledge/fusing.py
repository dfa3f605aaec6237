"""Several rankings as one. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

RANK_CONSTANT: Final = 60
"""Of reciprocal rank fusion (Cormack, Clarke and Büttcher, 2009)."""


def fuse(rankings: Iterable[Sequence[int]]) -> list[tuple[int, float]]:
    """Ids with their scores, the best first: the sum of 1 / (60 + rank) over the rankings that have them. Of
    equals, the one that came first stays first."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, id in enumerate(ranking, 1):
            scores[id] = scores.get(id, 0.0) + 1 / (RANK_CONSTANT + rank)
    return sorted(scores.items(), key=lambda item: -item[1])
