"""A closed set of phrases as a finite-state grammar: each phrase a path of words from the start to the
end.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

Transition = tuple[int, int, float, str]
"""From state, to state, weight, word id."""

START: Final = 0
END: Final = 1


@dataclass(frozen=True, slots=True)
class Grammar:
    """`phrases` by their word ids, joined with blanks: what the decoder's hypothesis is looked up in."""

    transitions: tuple[Transition, ...]
    phrases: Mapping[str, str]


@dataclass(slots=True)
class Vocabulary:
    """The words so far, each with an id, safe in a decoder's dictionary, that begins with `prefix`.

    Words with the same pronunciations share an id: nobody can tell them apart by ear, and the phrase that
    stands first is heard. `add` puts a pronunciation into the dictionary; a second one has the id with "(2)"
    behind it.
    """

    prefix: str
    pronounce: Callable[[str], tuple[str, ...]]
    add: Callable[[str, str], None]
    _ids: dict[str, str] = field(default_factory=dict)
    _by_sound: dict[tuple[str, ...], str] = field(default_factory=dict)
    _phones: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._phones)

    def phones(self, word_id: str) -> int:
        """How many sounds the word has."""
        return self._phones[word_id]

    def word(self, text: str) -> str:
        """The id of a word; "" for one that has no sound."""
        known = self._ids.get(text)
        if known is None:
            sounds = self.pronounce(text)
            known = self._by_sound.get(sounds) if sounds else ""
            if known is None:
                known = self._add(sounds)
            self._ids[text] = known
        return known

    def _add(self, sounds: tuple[str, ...]) -> str:
        word_id = f"{self.prefix}{len(self._phones)}"
        for number, phones in enumerate(sounds, start=1):
            self.add(word_id if number == 1 else f"{word_id}({number})", phones)
        self._by_sound[sounds] = word_id
        self._phones[word_id] = len(sounds[0].split())
        return word_id


def build(phrases: tuple[str, ...], vocabulary: Vocabulary) -> Grammar:
    """All phrases weigh 1, so that a score does not depend on how many others there are; phrases that sound
    the same count once, silent ones not at all.
    """
    paths: dict[str, str] = {}
    for phrase in phrases:
        ids = [word_id for word in _words(phrase) if (word_id := vocabulary.word(word))]
        if ids:
            paths.setdefault(" ".join(ids), phrase)
    transitions: list[Transition] = []
    free = END + 1
    for path in paths:
        words = path.split()
        state = START
        for word_id in words[:-1]:
            transitions.append((state, free, 1.0, word_id))
            state, free = free, free + 1
        transitions.append((state, END, 1.0, words[-1]))
    return Grammar(tuple(transitions), paths)


def _words(phrase: str) -> list[str]:
    """Marks and signs go, letters of all scripts, their vowel signs and joiners stay."""
    kept = "".join(
        character if unicodedata.category(character)[0] in "LMN" or character in "\u200c\u200d'" else " "
        for character in unicodedata.normalize("NFC", phrase.lower())
    )
    return kept.split()
