"""The numbers that a conversation stands on: what was given, said or looked up, in whatever form.

"₹1,250.50", "एक हज़ार दो सौ पचास रुपये पचास पैसे" and "1250.5" are one number, and "48213" is what "four eight
two one three" says. Languages are mixed as callers mix them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from ivr.flow.hearing.fold import fold
from ivr.flow.hearing.numbers import Span, read_numbers
from ivr.flow.hearing.vocabulary import HEARD, Unit, vocabulary

LONG: Final = 7
"""A string of so many digits is something to call or to look up, not an amount."""

_CLOCK: Final = re.compile(r"(?<!\d)(\d{1,2}):(\d{2})(?::\d{2})?(?!\d)")
_COMMAS: Final = re.compile(r"\d{1,3}(?:,\d{2,3})+")
_DIGITS: Final = re.compile(r"\d+")
_BETWEEN: Final = re.compile(r"(?<=\d)[\s()-]+(?=\d)")
_SPELLED_FROM: Final = 3
"""So many single digits side by side are one string: that each of them was there before says nothing."""

_ARTICLES: Final = frozenset(map(fold, ("one", "a", "एक", "एका", "ek")))
"""Words that count nothing by themselves: "one moment", "एक मिनट". Of money they do."""

_ALIKE: Final = frozenset(map(fold, ("oh", "अशी", "सह", "शे", "टू", "फोर", "फ़ॉर", "वन", "एट")))
"""Words that mean something else unless they count something: "अशी" is "such" as well as 80."""

_GIVE: Final = fold("दो")
"""Two, or at the end of a sentence: "बता दो"."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number in a text: its `values` (one, or the several that stand side by side), and the `digits` that
    they make when they are read as a string."""

    values: tuple[Fraction, ...]
    digits: str
    words: str
    grouped: bool = False
    """It stands as an amount does: with words or commas for its thousands, not as a string of figures."""

    @property
    def long(self) -> bool:
        return len(self.digits) >= LONG


def numbers_in(text: str, language: str) -> list[Number]:
    """All numbers of a text in order, in figures or words; numbers side by side are one string."""
    commas = {figures.replace(",", "") for figures in _COMMAS.findall(text)}
    text = _CLOCK.sub(r"\1 : \2", text)
    words = fold(text).split()
    known = vocabulary(language if language in HEARD else "en")
    found: list[Number] = []
    run: list[Span] = []
    for span in [*read_numbers(words, known.numbers), None]:
        if run and (span is None or span.start != run[-1].end):
            unit = known.units.get(words[run[-1].end]) if run[-1].end < len(words) else None
            counted = [run.pop()] if unit is not None and len(run) > 1 else []  # "48213, 25 minutes"
            parts = filter(None, (run, counted))
            found += [_number(one, words, commas) for one in parts if not _is_word(one, words, unit)]
            run = []
        if span is not None:
            run.append(span)
    return found


def _is_word(run: list[Span], words: list[str], unit: Unit | None) -> bool:
    """Whether what reads as a number is none."""
    start, end = run[0].start, run[-1].end
    word = words[start]
    if end - start > 1:
        return False
    if word in _ARTICLES:
        return unit not in (Unit.RUPEE, Unit.PAISA)
    return unit is None and (word in _ALIKE or (word == _GIVE and end == len(words) and start > 0))


def _number(run: list[Span], words: list[str], commas: set[str]) -> Number:
    figures = ""
    for span in run:
        said = words[span.start : span.end]
        # Zeros in front count in a string: "007", not 7.
        written = len(said) == 1 and said[0].isdecimal()
        figures += said[0] if written else str(span.value) if span.value.denominator == 1 else ""
    said = words[run[0].start : run[-1].end]
    grouped = len(run) == 1 and (figures in commas or not any(word[0].isdecimal() for word in said))
    return Number(tuple(span.value for span in run), figures, " ".join(said), grouped)


class Grounds:
    """What numbers may be said. It grows with the conversation."""

    def __init__(self) -> None:
        self._values: set[Fraction] = set()
        self._digits: set[str] = set()
        self._open: set[str] = set()

    def add(self, text: str, language: str, *, open: bool = False) -> None:
        """Numbers of a text of ours, of the caller or of a tool. `open`: long strings in it are no secret to
        the caller."""
        strings: set[str] = set()
        for match in _CLOCK.finditer(text):
            self._add_time(int(match[1]), int(match[2]), strings)
        text = _CLOCK.sub(" . ", text)
        for number in numbers_in(text, language):
            strings.add(number.digits)
            for value in number.values:
                self._values.add(value)
                if value.denominator != 1:  # rupees and paise
                    self._values |= {Fraction(int(value)), (value - int(value)) * 100}
        strings |= set(_DIGITS.findall(fold(text)))
        strings |= {digits for digits in _DIGITS.findall(_BETWEEN.sub("", text)) if len(digits) >= LONG}
        self._digits |= strings
        if open:
            self._open |= {string for string in strings if len(string) >= LONG}

    def _add_time(self, hour: int, minute: int, strings: set[str]) -> None:
        """As it may be said: 17:45, 5:45, पौने छह (5 3/4)."""
        for said in (hour, hour % 12 or 12):
            strings.add(f"{said}{minute:02}")
            self._values |= {Fraction(said), said + Fraction(minute, 60)}

    def hold(self, number: Number) -> bool:
        """Whether it was there before."""
        if number.digits and number.digits in self._digits:
            return True
        if number.long and any(known.endswith(number.digits) for known in self._digits):
            return True  # without the code of the country
        if len(number.values) >= _SPELLED_FROM and all(value < 10 for value in number.values):
            return False
        return all(value in self._values for value in number.values)

    def tells(self, number: Number) -> bool:
        """Whether a long string is the caller's own, or one that the conversation is about."""
        return any(number.digits in known or known in number.digits for known in self._open)
