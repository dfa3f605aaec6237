"""Long speech cut into windows that a model takes, each cut where it is quietest. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_SMOOTH: int = 10
"""Blocks over which quiet is judged: a stop consonant is quiet, too, but not for 100 ms."""


def windows(levels: Sequence[float], longest: int, search: int) -> list[tuple[int, int]]:
    """(first, end) in blocks. Each window but the last has its end in the last `search` blocks of `longest`.

    What is appended to `levels` moves no window but the last.
    """
    found = []
    first = 0
    while len(levels) - first > longest:
        from_ = first + longest - search
        around = np.asarray(levels[from_ : first + longest])
        smooth = np.convolve(around, np.ones(_SMOOTH) / _SMOOTH, "same")
        # The edges see fewer blocks, which would look quiet.
        inner = smooth[_SMOOTH // 2 : -(_SMOOTH // 2)]
        end = from_ + _SMOOTH // 2 + int(inner.argmin())
        found.append((first, end))
        first = end
    found.append((first, len(levels)))
    return found
