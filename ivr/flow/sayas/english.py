"""English as it is spoken in India: lakh and crore, "and" before the last group."""

from __future__ import annotations

from datetime import date

from ivr.flow.sayas.language import Language, Noun, words
from ivr.flow.sayas.numbers import indian

_TO_NINETEEN = words(
    """
    zero one two three four five six seven eight nine
    ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen
    """
)
_TENS = words("twenty thirty forty fifty sixty seventy eighty ninety")
NUMBERS = _TO_NINETEEN + tuple(
    ten if unit == 0 else f"{ten}-{_TO_NINETEEN[unit]}" for ten in _TENS for unit in range(10)
)
MONTHS = words(
    """
    January February March April May June July August September October
    November December
    """
)
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}


def _below_thousand(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    if not hundreds:
        return NUMBERS[rest]
    return f"{NUMBERS[hundreds]} hundred and {NUMBERS[rest]}" if rest else f"{NUMBERS[hundreds]} hundred"


_cardinal = indian(_below_thousand, NUMBERS[0], "thousand", "lakh", "crore", bridge="and")


def _ordinal(number: int) -> str:
    head, hyphen, last = NUMBERS[number].rpartition("-")
    regular = f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th"
    return head + hyphen + _ORDINALS.get(last, regular)


def _year(year: int) -> str:
    century, rest = divmod(year, 100)
    if not (1100 <= year < 2000 or 2010 <= year < 2100):
        return _cardinal(year)
    if rest == 0:
        return f"{NUMBERS[century]} hundred"
    return f"{NUMBERS[century]} oh {NUMBERS[rest]}" if rest < 10 else f"{NUMBERS[century]} {NUMBERS[rest]}"


def _date(day: date) -> str:
    return f"the {_ordinal(day.day)} of {MONTHS[day.month - 1]} {_year(day.year)}"


def _part_of_day(hour: int) -> str:
    if 4 <= hour < 12:
        return "in the morning"
    if 12 <= hour < 17:
        return "in the afternoon"
    return "in the evening" if 17 <= hour < 21 else "at night"


def _clock(hour: int, minute: int) -> str:
    if minute == 0 and hour % 12 == 0:
        return "twelve noon" if hour else "midnight"
    name = NUMBERS[hour % 12 or 12]
    if minute == 0:
        spoken = f"{name} o'clock"
    elif minute < 10:
        spoken = f"{name} oh {NUMBERS[minute]}"
    else:
        spoken = f"{name} {NUMBERS[minute]}"
    return f"{spoken} {_part_of_day(hour)}"


ENGLISH = Language(
    code="en",
    digits=NUMBERS[:10],
    cardinal=_cardinal,
    ordinal=_ordinal,
    clock=_clock,
    date=_date,
    minus="minus",
    point="point",
    rupee=Noun("rupee", "rupees"),
    paisa=Noun("paisa", "paise"),
    percent=Noun("percent", "percent"),
    minute=Noun("minute", "minutes"),
    hour=Noun("hour", "hours"),
    and_=" and ",
    conjunction="and",
    through="to",
    yes="yes",
    no="no",
    languages={"hi": "Hindi", "mr": "Marathi", "en": "English"},
    letters={letter: letter for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"},
    signs={
        "₹": "rupees",
        "%": "percent",
        "&": "and",
        "+": "plus",
        "=": "equals",
        "#": "hash",
        "*": "star",
        "@": "at",
    },
    scales=("thousand", "lakh", "crore", "million", "billion"),
    ordinal_marks=("st", "nd", "rd", "th"),
    at_clock=("o'clock",),
)
