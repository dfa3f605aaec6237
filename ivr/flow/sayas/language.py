"""What a language must know to speak values, and the register of languages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date


class SayAsError(ValueError):
    """A value that cannot be spoken as asked: unknown kind or language, or a value of another type."""


@dataclass(frozen=True, slots=True)
class Noun:
    """A counted thing: the form after one, and the form after anything else."""

    one: str
    many: str

    def after(self, count: object) -> str:
        return self.one if count == 1 else self.many


@dataclass(frozen=True, slots=True, eq=False)
class Language:
    """The words and rules of one language; every text it makes is words only, without figures or signs.

    `cardinal` takes an int >= 0, `ordinal` an int from 1 to 99, `clock` an hour (0-23) and a minute (0-59).
    `and_` joins the greater and the lesser part of an amount or a duration (" and " or just " "), `through`
    the ends of a range. `scales` are words that multiply an amount before them ("₹5 lakh"), `ordinal_marks`
    the endings that make an ordinal of figures ("21st"), `at_clock` words that follow a time in figures and
    that `clock` already speaks.
    """

    code: str
    digits: tuple[str, ...]
    cardinal: Callable[[int], str]
    ordinal: Callable[[int], str]
    clock: Callable[[int, int], str]
    date: Callable[[date], str]
    minus: str
    point: str
    rupee: Noun
    paisa: Noun
    percent: Noun
    minute: Noun
    hour: Noun
    and_: str
    conjunction: str
    through: str
    yes: str
    no: str
    languages: Mapping[str, str]
    letters: Mapping[str, str]
    signs: Mapping[str, str]
    scales: tuple[str, ...]
    ordinal_marks: tuple[str, ...] = ()
    at_clock: tuple[str, ...] = ()


def words(text: str) -> tuple[str, ...]:
    """A table of words written as running text."""
    return tuple(text.split())


_languages: dict[str, Language] = {}


def register(language: Language) -> None:
    """Adds a language, or replaces the one of the same code."""
    _languages[language.code] = language


def language_of(code: str) -> Language:
    """The language of a code such as `hi`; raises `SayAsError`."""
    try:
        return _languages[code]
    except KeyError:
        raise SayAsError(f"no words for language {code!r}; known: {', '.join(sorted(_languages))}") from None


def known_languages() -> tuple[str, ...]:
    return tuple(_languages)
