"""The types of values in a flow: what they accept from JSON and YAML, and how they go back to JSON.

| type | Python | from JSON or YAML |
|---|---|---|
| text | str | text |
| digits | str | text of digits (leading zeros count) |
| count, minutes | int | whole number |
| rupees, percent | Decimal | number or text such as "1250.50" |
| date, time | datetime.date, datetime.time | "2026-12-31", "18:30" |
| language | str | one of the flow's languages |
| one_of | str | one of the options |
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any

Value = str | int | Decimal | dt.date | dt.time | None
"""What a variable holds; None is an optional value that is not there."""

MAX_TEXT = 500
"""Longest text a value may be, in characters."""

MAX_DIGITS = 64
MAX_NUMBER = 10**13
"""Largest amount that can be spoken."""


class Family(Enum):
    """What can be done with a value: only members of one family are compared or added."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    TIME = "time"
    TRUTH = "yes or no"
    NOTHING = "nothing"


class Mismatch(ValueError):
    """A value does not fit its type; the text says what is wanted."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One type name: its family and how a raw value becomes a value (raising `Mismatch`)."""

    name: str
    family: Family
    accept: Callable[[Any], Value]


def _text(raw: Any) -> str:
    if not isinstance(raw, str):
        raise Mismatch("must be a text, in quotes")
    if len(raw) > MAX_TEXT:
        raise Mismatch(f"must be at most {MAX_TEXT} characters")
    return raw


def _digits(raw: Any) -> str:
    if isinstance(raw, int) and not isinstance(raw, bool):
        raise Mismatch("must be digits in quotes (a number would lose leading zeros)")
    if not isinstance(raw, str) or not (raw.isascii() and raw.isdigit()) or len(raw) > MAX_DIGITS:
        raise Mismatch(f"must be 1 to {MAX_DIGITS} digits, in quotes")
    return raw


def _whole(raw: Any) -> int:
    if isinstance(raw, float) and raw.is_integer():
        raw = int(raw)
    if not isinstance(raw, int) or isinstance(raw, bool):
        raise Mismatch("must be a whole number")
    if abs(raw) >= MAX_NUMBER:
        raise Mismatch("is too large to be spoken")
    return raw


def _minutes(raw: Any) -> int:
    minutes = _whole(raw)
    if minutes < 0:
        raise Mismatch("must not be negative")
    return minutes


def _decimal(raw: Any) -> Decimal:
    if isinstance(raw, bool) or not isinstance(raw, int | float | Decimal | str):
        raise Mismatch("must be a number")
    try:
        number = Decimal(str(raw))
    except InvalidOperation:
        raise Mismatch("must be a number") from None
    if not number.is_finite():
        raise Mismatch("must be a number")
    if abs(number) >= MAX_NUMBER:
        raise Mismatch("is too large to be spoken")
    return number


def _rupees(raw: Any) -> Decimal:
    amount = _decimal(raw)
    if amount != round(amount, 2):
        raise Mismatch("must have at most two decimals (paise)")
    return amount


def _date(raw: Any) -> dt.date:
    if isinstance(raw, dt.date) and not isinstance(raw, dt.datetime):
        return raw
    try:
        return dt.date.fromisoformat(raw)
    except (TypeError, ValueError):
        raise Mismatch('must be a date such as "2026-12-31"') from None


def _time(raw: Any) -> dt.time:
    if isinstance(raw, dt.time):
        return raw
    try:
        return dt.time.fromisoformat(raw)
    except (TypeError, ValueError):
        raise Mismatch('must be a time such as "18:30", in quotes') from None


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("text", Family.TEXT, _text),
        Kind("digits", Family.TEXT, _digits),
        Kind("count", Family.NUMBER, _whole),
        Kind("rupees", Family.NUMBER, _rupees),
        Kind("percent", Family.NUMBER, _decimal),
        Kind("minutes", Family.NUMBER, _minutes),
        Kind("date", Family.DATE, _date),
        Kind("time", Family.TIME, _time),
        Kind("language", Family.TEXT, _text),
        Kind("one_of", Family.TEXT, _text),
    )
}

SIMPLE_NAMES = tuple(name for name in KINDS if name != "one_of")
"""Type names that stand alone; `one_of` needs its options."""


@dataclass(frozen=True, slots=True)
class ValueType:
    """A declared type. `options` are the texts allowed (one_of, language); empty: any."""

    kind: str
    options: tuple[str, ...] = ()
    optional: bool = False

    @property
    def family(self) -> Family:
        return KINDS[self.kind].family

    def accept(self, raw: Any) -> Value:
        """The value for a raw JSON or YAML value; raises `Mismatch`."""
        if raw is None:
            if self.optional:
                return None
            raise Mismatch("is missing")
        value = KINDS[self.kind].accept(raw)
        if self.options and value not in self.options:
            raise Mismatch(f"must be one of {', '.join(self.options)}")
        return value

    def required(self) -> ValueType:
        return replace(self, optional=False)

    def __str__(self) -> str:
        text = f"{{one_of: [{', '.join(self.options)}]}}" if self.kind == "one_of" else self.kind
        return f"optional {text}" if self.optional else text


def to_json(value: Value) -> str | int | float | None:
    """A value as JSON has it: decimals as numbers, dates and times as ISO 8601 text."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, dt.time):
        return value.isoformat("minutes" if not (value.second or value.microsecond) else "auto")
    return value
