"""What is left of figures and signs in a text becomes words: engines drop ₹ and read dates as "slash"."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import lru_cache
from itertools import chain

from ivr.flow.sayas.language import Language, known_languages, language_of
from ivr.flow.sayas.numbers import decimal, digit_by_digit, integer, rupees

_NUMBER = r"(?:\d{1,3}(?:,\d{2,3})+|\d+)(?:\.\d+)?"
_SPELLED_FROM = 7
"""A figure of so many digits without commas is a number to write down (phone, order), not an amount."""

_OTHER_DIGITS = frozenset(
    chr(code)
    for code in chain(range(0xB2, 0x2800), range(0x10A00, 0x11080), range(0x1F100, 0x1F110))
    if chr(code).isdigit() and not chr(code).isdecimal()
)
"""Digits that are no figures of a script: superscripts, circled ones and their like."""


def normalise(text: str, language: str) -> str:
    """`text` with figures, ₹, %, times, dates and other signs as words of `language`; the rest stays.

    "1 दबाएँ" -> "एक दबाएँ"; "₹1,250.50" -> "एक हज़ार दो सौ पचास रुपये पचास पैसे".
    Raises `SayAsError` for an unknown language.
    """
    spoken = language_of(language)
    if not _OTHER_DIGITS.isdisjoint(text):
        text = "".join(str(unicodedata.digit(c)) if c in _OTHER_DIGITS else c for c in text)
    return _pattern(spoken).sub(lambda match: _replace(match, spoken), text)


@lru_cache(maxsize=64)
def _pattern(language: Language) -> re.Pattern[str]:
    signs = "".join(map(re.escape, language.signs))
    marks = "|".join(map(re.escape, language.ordinal_marks))
    # A prompt may mix languages: "₹5 lakh" within Hindi.
    scales = "|".join(re.escape(word) for code in known_languages() for word in language_of(code).scales)
    at_clock = "|".join(map(re.escape, language.at_clock))
    return re.compile(
        rf"""
        (?=[\d₹RrIiर\-−–/:{signs}])(?:
          (?<!\d)(?P<iso>\d{{4}}-\d{{2}}-\d{{2}})(?!\d)
        | (?<!\d)(?P<dmy>\d{{1,2}}(?P<sep>[/.-])\d{{1,2}}(?P=sep)\d{{4}})(?!\d)
        | (?<!\d)(?P<clock>\d{{1,2}}:\d{{2}})(?![\d:])
            (?:\s*(?P<half>[ap]\.m\.|[ap]m\b))?(?:\s*(?:{at_clock}))?
        | (?:₹|\bRs\.?|\bINR\b|रु\.?)\s*(?P<money>{_NUMBER})(?:/-)?(?:\s*(?P<scale>{scales}))?
        | (?P<money_before>{_NUMBER})\s*₹
        | (?P<percent>{_NUMBER})\s*%
        | (?<![\d-])(?P<low>\d{{1,4}})\s?[-–]\s?(?P<high>\d{{1,4}})(?![\d-])
        | (?<!\d)(?P<ordinal>[1-9]\d?)(?:{marks})(?!\w)
        | (?P<between>(?<=\d)[-–/:](?=\d))
        | (?P<minus>(?<![^\s(])[-−])?(?P<number>{_NUMBER})
        | (?P<sign>[{signs}])
        )
        """,
        re.VERBOSE | re.IGNORECASE,
    )


def _replace(match: re.Match[str], language: Language) -> str:
    kind = match.lastgroup or ""
    text, start, end = match.string, match.start(), match.end()
    words = _READERS[_FIRST.get(kind, kind)](match, language)
    before = " " if start and _touches(text[start - 1], kind) else ""
    after = " " if end < len(text) and _touches(text[end], kind) else ""
    return f"{before}{words}{after}"


def _touches(neighbour: str, kind: str) -> bool:
    """Whether a space must keep the words apart from this neighbour."""
    if kind == "between":
        return False
    if kind == "sign":
        return not neighbour.isspace()
    return unicodedata.category(neighbour)[0] in "LMN"


def _plain(figures: str) -> Decimal:
    return Decimal(figures.replace(",", ""))


def _read_figures(figures: str, language: Language) -> str:
    whole, point, fraction = figures.partition(".")
    if "," not in whole and (len(whole) >= _SPELLED_FROM or (len(whole) > 1 and int(whole[0]) == 0)):
        words = digit_by_digit(whole, language)
    else:
        words = integer(int(whole.replace(",", "")), language)
    return f"{words} {language.point} {digit_by_digit(fraction, language)}" if point else words


def _money(number: Decimal, scale: str | None, language: Language) -> str:
    return f"{decimal(number, language)} {scale} {language.rupee.many}" if scale else rupees(number, language)


def _read_day(year_month_day: list[str], language: Language) -> str:
    year, month, day = year_month_day
    try:
        return language.date(date(int(year), int(month), int(day)))
    except ValueError:
        return " ".join(language.cardinal(int(figures)) for figures in (day, month, year))


def _read_clock(match: re.Match[str], language: Language) -> str:
    hour, minute = map(int, match["clock"].split(":"))
    half = (match["half"] or "").lower()
    if hour > 23 or minute > 59 or (half and not 1 <= hour <= 12):
        return f"{language.cardinal(hour)} {language.cardinal(minute)}"
    if half:
        hour = hour % 12 + (12 if half[0] == "p" else 0)
    return language.clock(hour, minute)


def _read_range(match: re.Match[str], language: Language) -> str:
    low, high = match["low"], match["high"]
    rising = int(low) < int(high) and not (len(low) > 1 and low[0] == "0")
    between = f" {language.through} " if rising else " "
    return between.join(_read_figures(figures, language) for figures in (low, high))


def _read_number(match: re.Match[str], language: Language) -> str:
    words = _read_figures(match["number"], language)
    return f"{language.minus} {words}" if match["minus"] else words


_READERS: dict[str, Callable[[re.Match[str], Language], str]] = {
    "iso": lambda m, x: _read_day(m["iso"].split("-"), x),
    "dmy": lambda m, x: _read_day(re.split(r"\D", m["dmy"])[::-1], x),
    "clock": _read_clock,
    "money": lambda m, x: _money(_plain(m["money"]), m["scale"], x),
    "money_before": lambda m, x: _money(_plain(m["money_before"]), None, x),
    "percent": lambda m, x: f"{decimal(_plain(m['percent']), x)} {x.percent.after(_plain(m['percent']))}",
    "range": _read_range,
    "ordinal": lambda m, x: x.ordinal(int(m["ordinal"])),
    "between": lambda m, x: " ",
    "number": _read_number,
    "sign": lambda m, x: x.signs[m["sign"]],
}
# The last group of an alternative, where it is not the one the reader is named after.
_FIRST = {"half": "clock", "scale": "money", "high": "range"}
