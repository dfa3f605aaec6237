"""The types of values in a flow: what they accept from JSON and YAML, and how they go back to JSON.

| type | Python | from JSON or YAML |
|---|---|---|
| text | str | text |
| digits | str | text of digits (leading zeros count) |
| count, minutes | int | whole number |
| rupees, percent | Decimal | number or text such as "1250.50" |
| date, time | datetime.date, datetime.time | "2026-12-31", "18:30" |
| phone | str, "+919876543210" | text of 3 to 15 digits, "+" before them; spaces and other marks are dropped |
| order_id | str | text of letters, digits and marks between them |
| yes_no | bool | true, false, "yes", "no" |
| list | tuple of str | list of texts |
| language | str | one of the flow's languages |
| one_of | str | one of the options |
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any

Value = str | int | bool | Decimal | dt.date | dt.time | tuple[str, ...] | None
"""What a variable holds; None is an optional value that is not there."""

Json = str | int | float | bool | list[str] | None
"""A value as JSON has it."""

MAX_TEXT = 500
"""Longest text a value may be, in characters."""

MAX_DIGITS = 64
MAX_ITEMS = 50
"""Most texts of a list."""

MAX_NUMBER = 10**13
"""Largest amount that can be spoken."""


class Family(Enum):
    """What can be done with a value: only members of one family are compared or added."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    TIME = "time"
    TRUTH = "yes or no"
    LIST = "list"
    NOTHING = "nothing"


class Mismatch(ValueError):
    """A value does not fit its type; the text says what is wanted."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One type name: its family, how a raw value becomes a value (raising `Mismatch`), and what it is for."""

    name: str
    family: Family
    accept: Callable[[Any], Value]
    about: str


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


_PHONE = re.compile(r"\+?[0-9]{3,15}")
_PHONE_MARKS = str.maketrans("", "", " -.()\u00a0")
_ORDER_ID = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ./_#-]*[A-Za-z0-9])?")
_YES_NO = {"yes": True, "true": True, "no": False, "false": False}


def _phone(raw: Any) -> str:
    if isinstance(raw, int) and not isinstance(raw, bool):
        raise Mismatch('must be a phone number in quotes, such as "+919876543210"')
    number = raw.translate(_PHONE_MARKS) if isinstance(raw, str) else ""
    if not _PHONE.fullmatch(number):
        raise Mismatch('must be a phone number of 3 to 15 digits, such as "+919876543210"')
    return number


def _order_id(raw: Any) -> str:
    if isinstance(raw, int) and not isinstance(raw, bool):
        raise Mismatch("must be an order id in quotes (a number would lose leading zeros)")
    if not isinstance(raw, str) or len(raw) > MAX_DIGITS or not _ORDER_ID.fullmatch(raw):
        raise Mismatch(f'must be 1 to {MAX_DIGITS} letters and digits, such as "ORD-48213"')
    return raw


def _yes_no(raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    answer = _YES_NO.get(raw.casefold()) if isinstance(raw, str) else None
    if answer is None:
        raise Mismatch("must be true or false")
    return answer


def _list(raw: Any) -> tuple[str, ...]:
    if not isinstance(raw, list | tuple) or len(raw) > MAX_ITEMS:
        raise Mismatch(f"must be a list of at most {MAX_ITEMS} texts")
    try:
        return tuple(_text(item) for item in raw)
    except Mismatch as error:
        raise Mismatch(f"each text of it {error}") from None


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("text", Family.TEXT, _text, "Whatever is said or written, at most 500 characters."),
        Kind(
            "digits",
            Family.TEXT,
            _digits,
            "A number that is read digit by digit, such as an order number, in quotes.",
        ),
        Kind("count", Family.NUMBER, _whole, "A whole number."),
        Kind("rupees", Family.NUMBER, _rupees, "An amount of money, with paise."),
        Kind("percent", Family.NUMBER, _decimal, "A number in percent, with decimals."),
        Kind("minutes", Family.NUMBER, _minutes, "A length of time in whole minutes."),
        Kind("date", Family.DATE, _date, 'A day, written "2026-12-31".'),
        Kind("time", Family.TIME, _time, 'A time of day, written "18:30".'),
        Kind("phone", Family.TEXT, _phone, "A telephone number of 3 to 15 digits, in quotes."),
        Kind(
            "order_id",
            Family.TEXT,
            _order_id,
            'Letters and digits, such as "ORD-48213"; callers leave the marks out.',
        ),
        Kind("yes_no", Family.TRUTH, _yes_no, "True or false; it stands in conditions by itself."),
        Kind("list", Family.LIST, _list, "At most 50 texts, joined by and."),
        Kind("language", Family.TEXT, _text, "What the call is held in, of the flow's languages."),
        Kind("one_of", Family.TEXT, _text, "One of the texts that are listed: `{one_of: [a, b]}`."),
    )
}

SIMPLE_NAMES = tuple(name for name in KINDS if name != "one_of")
"""Type names that stand alone; `one_of` needs its options."""

ASKED_NAMES = tuple(name for name in KINDS if name != "list")
"""Types that a caller can give in one answer."""


_TAKEN: Mapping[str, tuple[str, ...]] = {
    "text": tuple(kind.name for kind in KINDS.values() if kind.family is Family.TEXT),
    "count": ("count", "minutes"),
    "rupees": ("rupees", "count", "minutes"),
    "percent": ("percent", "rupees", "count", "minutes"),
}
"""The kinds whose values are values of a kind as well; of others only its own."""


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

    def takes(self, other: ValueType) -> bool:
        """Whether every value of the other type fits this one."""
        if other.optional and not self.optional:
            return False
        if self.options:
            return bool(other.options) and set(other.options) <= set(self.options)
        return other.kind in _TAKEN.get(self.kind, (self.kind,))

    def required(self) -> ValueType:
        return replace(self, optional=False)

    def __str__(self) -> str:
        text = f"{{one_of: [{', '.join(self.options)}]}}" if self.kind == "one_of" else self.kind
        return f"optional {text}" if self.optional else text


_SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    "text": {"type": "string", "maxLength": MAX_TEXT},
    "digits": {"type": "string", "pattern": "^[0-9]{1,64}$"},
    "count": {"type": "integer"},
    "rupees": {"type": "number", "description": "rupees, with paise as decimals"},
    "percent": {"type": "number"},
    "minutes": {"type": "integer", "minimum": 0},
    "date": {"type": "string", "format": "date"},
    "time": {"type": "string", "pattern": "^[0-2][0-9]:[0-5][0-9]$"},
    "phone": {"type": "string", "pattern": r"^\+?[0-9]{3,15}$"},
    "order_id": {"type": "string", "maxLength": MAX_DIGITS},
    "yes_no": {"type": "boolean"},
    "list": {"type": "array", "items": {"type": "string"}, "maxItems": MAX_ITEMS},
}


def json_schema(type_: ValueType) -> dict[str, Any]:
    """The JSON Schema of the values that a type accepts, for others to fill."""
    schema = {"enum": list(type_.options)} if type_.options else dict(_SCHEMAS[type_.kind])
    return {"anyOf": [schema, {"type": "null"}]} if type_.optional else schema


def to_json(value: Value) -> Json:
    """A value as JSON has it: decimals as numbers, dates and times as ISO 8601 text."""
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, dt.time):
        return value.isoformat("minutes" if not (value.second or value.microsecond) else "auto")
    return value
