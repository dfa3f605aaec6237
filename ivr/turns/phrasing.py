"""What words tell about a turn: whether they take one at all, and how likely it is over. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import Enum, auto
from functools import lru_cache
from typing import Final

from ivr.flow.hearing.fold import fold
from ivr.flow.hearing.vocabulary import vocabulary
from ivr.turns.listening_words import (
    BACKCHANNELS,
    CONNECTIVES,
    DANGLING,
    EXPECTANT_NUMBERS,
    HESITATIONS,
    MURMURS,
    ONLY_IN,
)

IsAnswer = Callable[[str], bool]
"""Whether a text is, for certain, one of the few things that may be answered here."""

MOST_BACKCHANNEL_WORDS: Final = 4

COMPLETE: Final = 1.0
LIKELY: Final = 0.75
NUMBER: Final = 0.35
"""A number may always go on, and callers draw breath between its groups."""
OPEN: Final = 0.0

_FULL_STOP: Final = re.compile(r"[.?!।॥]['\"”’)]*$")
_MORE_COMES: Final = re.compile(r"(\.\.\.|…|[,;:\-–—])$")


class Weight(Enum):
    """What is in some words."""

    NOTHING = auto()
    """Silence, or sounds that say nothing."""
    BACKCHANNEL = auto()
    """They follow what is being said, and ask for no turn."""
    WORDS = auto()
    ANSWER = auto()
    """All that may be answered here; nothing more is needed."""


def weigh(text: str, language: str, is_answer: IsAnswer | None = None) -> Weight:
    """What a caller's words are worth; "हाँ" is an answer where yes and no are asked for, and else the sign
    of a listener."""
    words = fold(text).split()
    if all(word in _words(HESITATIONS, language) for word in words):
        return Weight.NOTHING
    if is_answer is not None and is_answer(text):
        return Weight.ANSWER
    listening = _words(BACKCHANNELS, language) | _words(HESITATIONS, language)
    if len(words) <= MOST_BACKCHANNEL_WORDS and all(word in listening for word in words):
        return Weight.BACKCHANNEL
    return Weight.WORDS


def murmurs(language: str) -> tuple[str, ...]:
    """What a listener may murmur, for who has to tell it from answers by its sound."""
    return tuple(MURMURS.get(language.partition("-")[0], "").split())


def completeness(text: str, language: str) -> float | None:
    """How likely a turn is over that says this so far, from `OPEN` to `COMPLETE`; None where nothing is known
    of its words."""
    said = text.strip()
    words = fold(said).split()
    if not words:
        return None
    last = words[-1]
    joining = last in _words(CONNECTIVES, language) or last in _words(HESITATIONS, language)
    if joining or last in _expectant() or _MORE_COMES.search(said):
        return OPEN
    if _FULL_STOP.search(said):
        return COMPLETE
    if last in _words(DANGLING, language):
        return OPEN
    known = vocabulary(language)
    if last.isdecimal() or last in known.numbers:
        return NUMBER
    return LIKELY


@lru_cache(maxsize=64)
def _expectant() -> frozenset[str]:
    return frozenset(fold(EXPECTANT_NUMBERS).split())


def _words(lists: Mapping[str, str], language: str) -> frozenset[str]:
    return _folded(tuple(lists.items()), language.partition("-")[0])


@lru_cache(maxsize=64)
def _folded(lists: tuple[tuple[str, str], ...], language: str) -> frozenset[str]:
    only = {fold(word): code for word, code in ONLY_IN.items()}
    return frozenset(
        word
        for words in (words for _, words in lists)
        for word in fold(words).split()
        if only.get(word, language) == language
    )
