"""Cuts a text where a speaker would breathe, so that many texts can share one synthesiser piece by piece."""

from __future__ import annotations

import re
from typing import Final

_SHORTEST: Final = 6
"""Characters. A shorter clause stays with the next: it may be an abbreviation, and a cut costs a little
melody.
"""

_LONGEST: Final = 160
"""Characters. A longer stretch without a mark is cut between two words."""

# A mark that ends a clause, with what closes after it, when blank space follows: "1.5" and "10:30" stay
# whole.
_END: Final = re.compile(r"[,;:.!?।॥…—][\"'”’)\]]*\s+")


def clauses(text: str) -> list[str]:
    """The text in order, without loss save for blanks at the cuts; empty for a text without anything to
    say.
    """
    pieces: list[str] = []
    start = 0
    for match in _END.finditer(text):
        if match.end() - start >= _SHORTEST:
            pieces += _short(text[start : match.end()])
            start = match.end()
    pieces += _short(text[start:])
    return pieces


def _short(piece: str) -> list[str]:
    piece = piece.strip()
    parts: list[str] = []
    while len(piece) > _LONGEST:
        cut = piece.rfind(" ", 1, _LONGEST)
        if cut < 0:
            cut = _LONGEST
        parts.append(piece[:cut])
        piece = piece[cut:].lstrip()
    if piece:
        parts.append(piece)
    return parts
