"""What is said digit by digit and letter by letter: digits, phone numbers, order ids."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from ivr.flow.hearing.fold import fold
from ivr.flow.hearing.numbers import read_numbers
from ivr.flow.hearing.vocabulary import Vocabulary

_MAX: Final = 64
_PHONE: Final = range(3, 16)
"""Digits of a phone number, short codes such as 112 included."""

_PLUS: Final = re.compile(r"\+\s*\d")
_TOKEN: Final = re.compile(r"[A-Za-z0-9]+(?:[-/_.#][A-Za-z0-9]+)*")
_LETTERS: Final = re.compile(r"[a-z]+")
_SEPARATORS: Final = frozenset(fold("dash hyphen slash minus डैश डॅश हाइफ़न हायफन स्लैश स्लॅश").split())
_AS_IN: Final = frozenset(fold("for as फॉर").split())
""" "B for Bombay": the word after it is no part of the id, unless it is one by itself."""


def read_digits(words: Sequence[str], known: Vocabulary) -> str | None:
    """Figures as they are written (leading zeros count), numbers as they were said, "double" before a
    digit.
    """
    digits = ""
    times = 1
    run: list[str] = []
    for word in [*words, ""]:
        if word == "o":
            word = "oh"
        if word in known.numbers and not word[:1].isdecimal():
            run.append(word)
            continue
        spoken = _digits_of(run, known)
        if spoken is None:
            return None
        digits += spoken[:1] * (times - 1) + spoken
        times = times if not run else 1
        run = []
        if word[:1].isdecimal():
            figures = re.sub(r"\D", "", word)
            digits += figures[:1] * (times - 1) + figures
            times = 1
        times = known.repeats.get(word, times)
    return digits if 0 < len(digits) <= _MAX else None


def read_phone(text: str, words: Sequence[str], known: Vocabulary) -> str | None:
    """As digits, with "+" where it was said or stands before the first digit of `text`."""
    digits = read_digits(words, known)
    if digits is None or len(digits) not in _PHONE:
        return None
    plus = _PLUS.search(text) is not None or any(word in known.plus for word in words)
    return f"+{digits}" if plus else digits


def read_order_id(text: str, words: Sequence[str], known: Vocabulary) -> str | None:
    """Letters (in capitals) and digits without anything between them: "ओ आर डी चार आठ", "O R D double 4", "B
    for Bombay twelve", "ORD-48213".

    The words around it do not count; two runs that could both be it are in doubt.
    """
    runs = list(_runs(words, _written(text), known))
    numbered = [run for run in runs if any(map(str.isdecimal, run))]
    found = numbered or [run for run in runs if len(run) > 1]
    return found[0] if len(found) == 1 and len(found[0]) <= _MAX else None


def _digits_of(run: Sequence[str], known: Vocabulary) -> str | None:
    """The digits of number words that stand together."""
    values = [span.value for span in read_numbers(run, known.numbers)]
    if any(value.denominator != 1 for value in values):
        return None
    return "".join(str(value) for value in values)


def _written(text: str) -> frozenset[str]:
    """Folded words that a transcript shows to be letters: "ORD", or what is joined to figures."""
    found: set[str] = set()
    for token in _TOKEN.findall(text):
        joined = not token.isalpha() and any(map(str.isdecimal, token))
        if joined or (token.isupper() and not text.isupper()):
            found.update(_LETTERS.findall(token.lower()))
    return frozenset(found)


def _runs(words: Sequence[str], written: frozenset[str], known: Vocabulary) -> Iterator[str]:
    """What is spelled without other words in between."""
    run, times, at = "", 1, 0
    while at < len(words):
        word = words[at]
        spelled, after = _spelled(words, at, written, known)
        if spelled:
            run += spelled[0] * (times - 1) + spelled
            times = 1
        elif word in known.repeats:
            times = known.repeats[word]
        elif word in _AS_IN and run[-1:].isalpha() and times == 1:
            after = at + 2
        elif word not in _SEPARATORS:
            if run:
                yield run
            run, times = "", 1
        at = after
    if run:
        yield run


def _spelled(words: Sequence[str], at: int, written: frozenset[str], known: Vocabulary) -> tuple[str, int]:
    """The letters or digits that begin at a word ("" for none), and where the next word is."""
    word = words[at]
    if word[0].isdecimal():
        return re.sub(r"\D", "", word), at + 1
    if letter := known.letters.get(word):
        return letter, at + 1
    if word in written:
        return word.upper(), at + 1
    end = at
    while end < len(words) and words[end] in known.numbers and words[end] not in known.letters:
        end += 1
    if end == at or (
        word in _AS_IN and at and words[at - 1] in known.letters and _is_example(words, end, known)
    ):
        return "", at + 1
    return _digits_of(words[at:end], known) or "", end


def _is_example(words: Sequence[str], at: int, known: Vocabulary) -> bool:
    """Whether a word that is no part of an id stands here: then "फ़ोर" before it was "for", and not four."""
    return at < len(words) and not (
        words[at] in known.letters or words[at] in known.repeats or words[at][0].isdecimal()
    )
