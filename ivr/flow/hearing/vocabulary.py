"""What each folded word means. Callers mix languages: the session's words come first, the others' after."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from enum import Enum
from fractions import Fraction
from functools import lru_cache
from typing import Any, TypeVar

from ivr.flow.hearing.english import ENGLISH
from ivr.flow.hearing.fold import fold
from ivr.flow.hearing.hindi import HINDI
from ivr.flow.hearing.marathi import MARATHI
from ivr.flow.hearing.words import DayPart, HeardWords
from ivr.flow.sayas import language_of

_Meaning = TypeVar("_Meaning")

HEARD: dict[str, HeardWords] = {"hi": HINDI, "en": ENGLISH, "mr": MARATHI}
"""Per language code; in the order in which they help out another language."""


class Role(Enum):
    """What a word does in a number."""

    NUMBER = "number"
    TENS = "tens"
    HUNDREDS = "hundreds"
    HUNDRED = "hundred"
    SCALE = "scale"
    SHIFT = "shift"
    POINT = "point"
    BRIDGE = "bridge"


@dataclass(frozen=True, slots=True)
class Piece:
    role: Role
    value: Fraction = Fraction(0)


class Unit(Enum):
    MINUTE = "minute"
    HOUR = "hour"
    RUPEE = "rupee"
    PAISA = "paisa"


@dataclass(frozen=True, slots=True, eq=False)
class Vocabulary:
    """Folded word -> meaning. `ordinals` are days of a month; months and weekdays count from 1 and 0
    (Monday); `days` are lengths in days (a week is 7).
    """

    numbers: dict[str, Piece] = field(default_factory=dict)
    units: dict[str, Unit] = field(default_factory=dict)
    day_parts: dict[str, DayPart] = field(default_factory=dict)
    months: dict[str, int] = field(default_factory=dict)
    weekdays: dict[str, int] = field(default_factory=dict)
    relative_days: dict[str, int] = field(default_factory=dict)
    languages: dict[str, str] = field(default_factory=dict)
    repeats: dict[str, int] = field(default_factory=dict)
    ordinals: dict[str, int] = field(default_factory=dict)
    past: dict[str, bool] = field(default_factory=dict)
    to: dict[str, bool] = field(default_factory=dict)
    day_of_month: dict[str, bool] = field(default_factory=dict)
    days: dict[str, int] = field(default_factory=dict)
    letters: dict[str, str] = field(default_factory=dict)
    plus: dict[str, bool] = field(default_factory=dict)
    minus: dict[str, bool] = field(default_factory=dict)
    until: dict[str, bool] = field(default_factory=dict)
    clock: dict[str, bool] = field(default_factory=dict)
    later: dict[str, bool] = field(default_factory=dict)


@lru_cache(maxsize=16)
def vocabulary(language: str) -> Vocabulary:
    """The words heard in a session of `language`: its own first, then those of the other languages that are
    known.
    """
    joined = Vocabulary()
    common = {fold(word) for word in HEARD[language].common.split()} if language in HEARD else set()
    for code in sorted(HEARD, key=lambda code: code != language):
        own = code == language
        for table, words in zip(_tables(joined), _tables(_words_of(code)), strict=True):
            for word, meaning in words.items():
                # Romanised words would be mistaken for English ones ("do" is two in Hindi).
                if own or not (word in common or (language == "en" and word.isascii())):
                    table.setdefault(word, meaning)
    return joined


def _tables(vocabulary: Vocabulary) -> list[dict[str, Any]]:
    return [getattr(vocabulary, table.name) for table in fields(vocabulary)]


def _words_of(code: str) -> Vocabulary:
    heard = HEARD[code]
    found = Vocabulary()
    _add_numbers(found.numbers, code, heard)
    for unit in Unit:
        _put(found.units, getattr(heard, unit.value), unit)
    for part, spellings in heard.day_parts.items():
        _put(found.day_parts, spellings, part)
    for number, spellings in enumerate(heard.months, start=1):
        _put(found.months, spellings, number)
    for number, spellings in enumerate(heard.weekdays):
        _put(found.weekdays, spellings, number)
    for days, spellings in heard.relative_days.items():
        _put(found.relative_days, spellings, days)
    for name, spellings in heard.languages.items():
        _put(found.languages, spellings, name)
    for times, spellings in heard.repeats.items():
        _put(found.repeats, spellings, times)
    for days, spellings in heard.days.items():
        _put(found.days, spellings, days)
    for letter, name in language_of(code).letters.items():
        _put(found.letters, (letter, name, *heard.letters.get(letter, "").split()), letter)
    _put(found.plus, [language_of(code).signs.get("+", "plus")], True)
    _put(found.minus, [language_of(code).minus], True)
    for day in range(1, 32):
        _put(found.ordinals, _inflected(fold(language_of(code).ordinal(day))), day)
    _put(found.until, heard.until, True)
    _put(found.clock, (*language_of(code).at_clock, *heard.clock.split()), True)
    _put(found.later, heard.later, True)
    _put(found.past, heard.past, True)
    _put(found.to, heard.to, True)
    _put(found.day_of_month, heard.day_of_month, True)
    return found


def _inflected(ordinal: str) -> list[str]:
    """A folded ordinal with its forms for other genders and cases: पहला, पहली, पहले, पहिल्या."""
    stem = ordinal.removesuffix("ा")
    return [ordinal] if stem == ordinal else [ordinal, *(stem + ending for ending in ("ि", "े", "्या"))]


def _add_numbers(numbers: dict[str, Piece], code: str, heard: HeardWords) -> None:
    names = _names(code, heard)
    for number, spellings in names.items():
        tens = heard.tens_then_units and number in range(20, 100, 10)
        _put(numbers, spellings, Piece(Role.TENS if tens else Role.NUMBER, Fraction(number)))
    for word, value in heard.standing.items():
        _put(numbers, [word], Piece(Role.NUMBER, value))
        _put(numbers, _joined([word], heard.joined_hundred), Piece(Role.HUNDREDS, value * 100))
    for word, shift in heard.shifts.items():
        _put(numbers, [word], Piece(Role.SHIFT, shift))
        if heard.joined_shifts:
            _add_joined_shifts(numbers, word, shift, names, heard.joined_hundred)
    if heard.joined_hundred:
        for number in range(1, 100):
            hundreds = _joined(names[number], heard.joined_hundred)
            _put(numbers, hundreds, Piece(Role.HUNDREDS, Fraction(number * 100)))
        _put(numbers, [language_of(code).cardinal(100)], Piece(Role.HUNDREDS, Fraction(100)))
    _put(numbers, heard.hundred, Piece(Role.HUNDRED, Fraction(100)))
    for scale, scale_words in heard.scales.items():
        _put(numbers, scale_words, Piece(Role.SCALE, Fraction(scale)))
    _put(numbers, heard.point, Piece(Role.POINT))
    _put(numbers, heard.bridges, Piece(Role.BRIDGE))


def _joined(words: Iterable[str], endings: str) -> list[str]:
    """The words with each ending of their script."""
    return [
        word + ending for word in words for ending in endings.split() if word.isascii() == ending.isascii()
    ]


def _add_joined_shifts(
    numbers: dict[str, Piece], shifting: str, shift: Fraction, names: Mapping[int, list[str]], hundred: str
) -> None:
    """साडेनऊ is 9 1/2, साडेतीनशे 350, सव्वाशे 125."""
    for number in range(1, 100):
        value = number + shift
        words = [shifting + name for name in names[number] if name.isascii() == shifting.isascii()]
        _put(numbers, words, Piece(Role.NUMBER, value))
        _put(numbers, _joined(words, hundred), Piece(Role.HUNDREDS, value * 100))
    _put(numbers, _joined([shifting], hundred), Piece(Role.HUNDREDS, (1 + shift) * 100))


def _names(code: str, heard: HeardWords) -> Mapping[int, list[str]]:
    """0 to 99 with all their spellings; compounds that are several words are left to the grammar."""
    cardinal = language_of(code).cardinal
    names = {}
    for number in range(100):
        spellings = [cardinal(number), *heard.roman[number : number + 1]]
        spellings += heard.spellings.get(number, "").split()
        names[number] = [word for word in spellings if " " not in fold(word)]
    return names


def _put(table: dict[str, _Meaning], spellings: str | Iterable[str], meaning: _Meaning) -> None:
    """The first meaning of a word stays."""
    for word in spellings.split() if isinstance(spellings, str) else spellings:
        table.setdefault(fold(word), meaning)
