"""How words are said: names that an engine would read wrongly, written as they sound.

    Respelling({"Mangwale": "मंगवाले"})("Mangwale में आपका स्वागत है")  ->  "मंगवाले में आपका स्वागत है"

Whole words only, in any script and in capitals or not; where two begin at one place the longer is taken. What
has been put in is not looked at again.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import cached_property

_WORD = r"[\w\u0900-\u0963\u0966-\u0DFF\u200C\u200D]"
"""What belongs to a word. Vowel signs of Indic scripts are no letters to `re`; the danda (U+0964) ends a
sentence."""


class Respelling:
    """The words of one language, as they are written and as they are to be said. Immutable."""

    def __init__(self, words: Mapping[str, str]) -> None:
        self._words = dict(words)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Respelling) and self._words == other._words

    def __hash__(self) -> int:
        return hash(frozenset(self._words.items()))

    def __call__(self, text: str) -> str:
        """The text with each of the words as it is to be said."""
        said = self._said
        return self._pattern.sub(lambda found: said.get(_key(found[0]), found[0]), _composed(text))

    @cached_property
    def _said(self) -> dict[str, str]:
        return {_key(written): said for written, said in self._words.items()}

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        longest_first = sorted(map(_composed, self._words), key=len, reverse=True)
        words = "|".join(r"\s+".join(map(re.escape, written.split())) for written in longest_first)
        return re.compile(rf"(?<!{_WORD})(?:{words})(?!{_WORD})", re.IGNORECASE)

    def __getstate__(self) -> dict[str, dict[str, str]]:
        return {"_words": self._words}


def _key(written: str) -> str:
    return " ".join(_composed(written).casefold().split())


def _composed(text: str) -> str:
    """One spelling of letters that Unicode can write in two ways."""
    return unicodedata.normalize("NFC", text)
