"""What a text is encoded for, and how much goes into one request."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

MOST_TEXTS: Final = 256
MOST_BYTES: Final = 1024 * 1024
"""Of the texts as JSON."""


class Use(StrEnum):
    """A model may want to know which of the two it reads."""

    QUESTION = "question"
    PASSAGE = "passage"
