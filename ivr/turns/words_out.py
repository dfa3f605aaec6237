"""Which words of a text are out when a part of its sound is. Pure."""

from __future__ import annotations

import re
from typing import Final

_WORD: Final = re.compile(r"\S+")


def words_out(text: str, share: float) -> str:
    """The whole words of a text of whose sound that share, of 0 to 1, was played. Words are taken to last as
    long as they are written, which is right to a word or two within a sentence."""
    until = share * len(text)
    ends = [word.end() for word in _WORD.finditer(text) if word.end() <= until + 1e-6]
    return text[: ends[-1]].strip() if ends else ""
