"""Values out of what a caller says or types. What cannot be understood is None, never an exception.

| kind | value | said | typed |
|---|---|---|---|
| text | str | as it was said | - |
| digits | str | digit by digit, in pairs, "double five" | as typed |
| phone | str | as digits, "plus" before them | as typed |
| order_id | str, no marks | letters and digits, "B for Bombay" | as typed |
| count, number | int | "एक सौ बीस" | as typed |
| minutes | int | "बीस मिनट", "डेढ़ घंटा", "दस-पंद्रह मिनट" (15) | as typed |
| rupees, percent | Decimal | "ढाई हज़ार रुपये" | 1250*50 is 1250.50 |
| date | date | "इकतीस दिसंबर", "tomorrow" | DDMMYYYY, DDMMYY, DDMM |
| time | time | "सुबह साढ़े नौ बजे" | HHMM, 24 hours |
| yes_no | bool | affirm or deny | 1, 2 |
| language | str, its code | "मराठी" | 1.. among the options |
| one_of | str, the option | the option | 1.. among the options |
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from math import ceil
from typing import Final

from ivr.flow.hearing.durations import read_minutes
from ivr.flow.hearing.fold import fold
from ivr.flow.hearing.numbers import Span, read_numbers
from ivr.flow.hearing.phrases import ASKING, BESIDE_A_KEY, FILLERS, HOLD, NOT
from ivr.flow.hearing.spelled import read_digits, read_order_id, read_phone
from ivr.flow.hearing.vocabulary import Unit, Vocabulary, vocabulary
from ivr.flow.hearing.when import read_date, read_time
from ivr.flow.intents import Match, match_intent

SlotValue = str | int | bool | Decimal | dt.date | dt.time

Phrases = Mapping[str, tuple[str, ...]]
_NO_PHRASES: Final[Phrases] = {}

MAX_TEXT: Final = 500
MAX_DIGITS: Final = 64
MAX_NUMBER: Final = 10**13
_SIGNED: Final = frozenset(("count", "number", "rupees", "percent"))
_THOUSANDS: Final = re.compile(r"(?<=\d)\s?k\b", re.IGNORECASE)
_MINUS_SIGN: Final = re.compile(r"(?<!\w)[-\u2212](?=[\d\u20b9])")


def parse_slot(
    kind: str,
    text: str,
    language: str,
    options: Sequence[str] = (),
    today: dt.date | None = None,
    phrases: Phrases = _NO_PHRASES,
) -> SlotValue | None:
    """What `text` says of a `kind`, heard in a session of `language`; None when it says nothing clear.

    `options` are what may be chosen (one_of, language), `phrases` what may be said for an option. `today` is
    needed for dates without a year and for "tomorrow".
    """
    text = text.strip()[:MAX_TEXT]
    if kind == "text":
        return text or None
    if kind == "yes_no":
        return _yes_no(text, language)
    if kind == "one_of":
        return _one_of(text, language, options, phrases)
    if kind in _SIGNED:
        text = _THOUSANDS.sub(" thousand", _MINUS_SIGN.sub(" minus ", text))
    words = _without_requests(fold(text).split())
    if not _hold().isdisjoint(words):
        return None
    known = vocabulary(language)
    if kind == "date":
        return read_date(words, known, today)
    if kind == "language":
        return _language(words, known, options)
    if kind == "phone":
        return read_phone(text, words, known)
    if kind == "order_id":
        return read_order_id(text, words, known)
    reader = _READERS.get(kind)
    return reader(words, known) if reader else None


def match_option(
    kind: str, text: str, language: str, options: Sequence[str] = (), phrases: Phrases = _NO_PHRASES
) -> Match | None:
    """As `parse_slot` for yes_no (`yes` and `no`) and one_of, with how sure it is."""
    if kind == "yes_no":
        match = match_intent(text, language, {"affirm": (), "deny": ()})
        return None if match is None else replace(match, name="yes" if match.name == "affirm" else "no")
    said = {option: (option, option.replace("_", " "), *phrases.get(option, ())) for option in options}
    return match_intent(text, language, said)


def parse_keys(
    kind: str, keys: str, options: Sequence[str] = (), today: dt.date | None = None
) -> SlotValue | None:
    """What the typed `keys` (0-9 * #, without the key that ends them) say of a `kind`; None when nothing
    clear.
    """
    keys = keys[:MAX_DIGITS]
    if kind in ("rupees", "percent"):
        return Decimal(keys.replace("*", ".")) if re.fullmatch(r"[0-9]{1,13}(\*[0-9]{1,2})?", keys) else None
    if not (keys.isascii() and keys.isdigit()):
        return None
    match kind:
        case "digits" | "order_id" | "text":
            return keys
        case "phone":
            return keys if 3 <= len(keys) <= 15 else None
        case "count" | "number" | "minutes":
            return int(keys) if int(keys) < MAX_NUMBER else None
        case "yes_no":
            return {"1": True, "2": False}.get(keys)
        case "one_of" | "language":
            return options[int(keys) - 1] if 1 <= int(keys) <= len(options) else None
        case "date":
            return _typed_date(keys, today)
        case "time":
            return _typed_time(keys)
        case _:
            return None


def spoken_key(text: str, language: str) -> str | None:
    """The telephone key 0-9 that is named, and nothing else: "एक", "press two", "तीन नंबर"."""
    words = [word for word in fold(text).split() if word not in _beside_a_key()]
    numbers = vocabulary(language).numbers
    if not all(word[0].isdecimal() or word in numbers for word in words):
        return None
    number = _only(words, vocabulary(language))
    return str(number) if number is not None and number in range(10) else None


@lru_cache(maxsize=1)
def _beside_a_key() -> frozenset[str]:
    return frozenset(fold(f"{BESIDE_A_KEY} {FILLERS}").split())


def _without_requests(words: Sequence[str]) -> list[str]:
    """ "दो" left out where it is no number."""
    give, asking = _requests()
    if give.isdisjoint(words):
        return list(words)
    return [word for before, word in pairwise(("", *words)) if not (word in give and before in asking)]


@lru_cache(maxsize=1)
def _requests() -> tuple[frozenset[str], frozenset[str]]:
    return frozenset((fold("दो"), "do")), frozenset(fold(ASKING).split())


@lru_cache(maxsize=1)
def _not() -> frozenset[str]:
    return frozenset(fold(NOT).split())


@lru_cache(maxsize=1)
def _hold() -> frozenset[str]:
    return frozenset(fold(HOLD).split())


def _yes_no(text: str, language: str) -> bool | None:
    match = match_option("yes_no", text, language)
    return None if match is None else match.name == "yes"


def _one_of(text: str, language: str, options: Sequence[str], phrases: Phrases) -> str | None:
    match = match_option("one_of", text, language, options, phrases)
    return None if match is None else match.name


def _language(words: Sequence[str], known: Vocabulary, options: Sequence[str]) -> str | None:
    named = {known.languages[word] for word in words if word in known.languages}
    if options:
        named &= set(options)
    return named.pop() if len(named) == 1 else None


def _whole(value: Fraction | None) -> int | None:
    return int(value) if value is not None and value.denominator == 1 and abs(value) < MAX_NUMBER else None


def _only(words: Sequence[str], known: Vocabulary) -> Fraction | None:
    """The number of an utterance that holds exactly one; two are a correction or a list, so neither is
    sure.
    """
    spans = read_numbers(words, known.numbers)
    if len(spans) != 1 or not _not().isdisjoint(words[spans[0].end :]):
        return None
    if spans[0].start and words[spans[0].start - 1] in known.repeats:  # digits, and no count
        return None
    return -spans[0].value if _is_negative(words, spans[0], known) else spans[0].value


def _is_negative(words: Sequence[str], span: Span, known: Vocabulary) -> bool:
    return span.start > 0 and words[span.start - 1] in known.minus


def _count(words: Sequence[str], known: Vocabulary) -> int | None:
    return _whole(_only(words, known))


def _minutes(words: Sequence[str], known: Vocabulary) -> int | None:
    minutes = None if not known.minus.keys().isdisjoint(words) else read_minutes(words, known)
    return _whole(None if minutes is None else Fraction(ceil(minutes)))


def _decimal(value: Fraction | None) -> Decimal | None:
    fits = value is not None and abs(value) < MAX_NUMBER
    return Decimal(value.numerator) / value.denominator if value is not None and fits else None


def _percent(words: Sequence[str], known: Vocabulary) -> Decimal | None:
    return _decimal(_only(words, known))


def _rupees(words: Sequence[str], known: Vocabulary) -> Decimal | None:
    """Rupees and paise; a number without a unit is rupees."""
    amount = Fraction(0)
    spans = read_numbers(words, known.numbers)
    seen = set()
    for index, span in enumerate(spans):
        end = spans[index + 1].start if index + 1 < len(spans) else len(words)
        units = [known.units[word] for word in words[span.end : end] if word in known.units]
        if not units and len(spans) == 1:
            units = [known.units[word] for word in words[: span.start] if word in known.units]
        unit = Unit.PAISA if Unit.PAISA in units else Unit.RUPEE
        if unit in seen or (unit is Unit.PAISA and span.value >= 100):
            return None
        seen.add(unit)
        amount += span.value / 100 if unit is Unit.PAISA else span.value
    negative = bool(spans) and _is_negative(words, spans[0], known)
    return _decimal(-amount if negative else amount) if seen else None


def _typed_time(keys: str) -> dt.time | None:
    if len(keys) != 4 or int(keys[:2]) > 23 or int(keys[2:]) > 59:
        return None
    return dt.time(int(keys[:2]), int(keys[2:]))


def _typed_date(keys: str, today: dt.date | None) -> dt.date | None:
    match len(keys):
        case 4 if today is not None:
            return _day_month(keys, today)
        case 6:
            parts = keys[:2], keys[2:4], f"20{keys[4:]}"
        case 8:
            parts = keys[:2], keys[2:4], keys[4:]
        case _:
            return None
    return read_date(parts, vocabulary("en"), today)


def _day_month(keys: str, today: dt.date) -> dt.date | None:
    """The next such day from today on."""
    for year in range(today.year, today.year + 9):
        try:
            day = dt.date(year, int(keys[2:]), int(keys[:2]))
        except ValueError:
            continue
        if day >= today:
            return day
    return None


_READERS: dict[str, Callable[[Sequence[str], Vocabulary], SlotValue | None]] = {
    "digits": read_digits,
    "count": _count,
    "number": _count,
    "minutes": _minutes,
    "rupees": _rupees,
    "percent": _percent,
    "time": read_time,
}
