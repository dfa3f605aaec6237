"""Values in words: one function per kind, found by the kind's name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from itertools import groupby
from typing import Any

from ivr.flow.sayas.language import Language, SayAsError, language_of
from ivr.flow.sayas.normalise import normalise
from ivr.flow.sayas.numbers import decimal, digit_by_digit, integer, rupees

Speaker = Callable[[Any, Language], str]
_MINUTES_ONLY = 90
"""Up to here a duration is spoken in minutes alone; from here on in hours and minutes."""


def say(value: Any, kind: str, language: str) -> str:
    """`value` in words of `language` (a code: hi, mr, en), without any figure or sign.

    Kinds and the values they take: text, one_of (str); digits, phone, order_id (str or int); count,
    minutes, percent, rupees (int, Decimal, finite float, or a str of one); date; time (seconds are not
    spoken); yes_no (bool); language (a code); list (a sequence of str). Raises `SayAsError` for an unknown
    kind or language and for a value that the kind does not take.
    """
    speaker = _SPEAKERS.get(kind)
    if speaker is None:
        raise SayAsError(f"nothing is spoken as {kind!r}; known: {', '.join(_SPEAKERS)}")
    return speaker(value, language_of(language))


def known_kinds() -> tuple[str, ...]:
    return tuple(_SPEAKERS)


def _refuse(value: object, kind: str) -> SayAsError:
    # The type only: the value may be a name or a number of a caller.
    return SayAsError(f"a value of type {type(value).__name__} cannot be spoken as {kind}")


def _number(value: Any, kind: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal, str)):
        raise _refuse(value, kind)
    try:
        number = Decimal(str(value).replace(",", "").strip())
    except ArithmeticError:
        raise SayAsError(f"this is not a number, so it cannot be spoken as {kind}") from None
    if not number.is_finite():
        raise SayAsError(f"{number} cannot be spoken as {kind}")
    return number


def _string(value: Any, kind: str) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise _refuse(value, kind)
    return unicodedata.normalize("NFKC", str(value)).strip()


def _text(value: Any, language: Language) -> str:
    if not isinstance(value, str):
        raise _refuse(value, "text")
    return normalise(value, language.code)


def _one_of(value: Any, language: Language) -> str:
    """An option as it is written, "extra_large" as two words."""
    if not isinstance(value, str):
        raise _refuse(value, "one_of")
    return _text(value.replace("_", " "), language)


def _count(value: Any, language: Language) -> str:
    return decimal(_number(value, "count"), language)


def _percent(value: Any, language: Language) -> str:
    number = _number(value, "percent")
    return f"{decimal(number, language)} {language.percent.after(number)}"


def _rupees(value: Any, language: Language) -> str:
    return rupees(_number(value, "rupees"), language)


def _minutes(value: Any, language: Language) -> str:
    number = _number(value, "minutes")
    if number != int(number) or not number > _MINUTES_ONLY:
        return f"{decimal(number, language)} {language.minute.after(number)}"
    hours, minutes = divmod(int(number), 60)
    parts = [f"{integer(hours, language)} {language.hour.after(hours)}"]
    if minutes:
        parts.append(f"{language.cardinal(minutes)} {language.minute.after(minutes)}")
    return language.and_.join(parts)


def _date(value: Any, language: Language) -> str:
    if not isinstance(value, date):
        raise _refuse(value, "date")
    return language.date(value)


def _time(value: Any, language: Language) -> str:
    if not isinstance(value, (time, datetime)):
        raise _refuse(value, "time")
    return language.clock(value.hour, value.minute)


def _characters(text: str, language: Language) -> str:
    """Digit by digit and letter by letter; separators are dropped, letters of other scripts stay."""
    words = []
    for character in text:
        if character.isdecimal():
            words.append(language.digits[int(character)])
        elif character in language.signs:
            words.append(language.signs[character])
        elif character.isalpha():
            words.append(language.letters.get(character.upper(), character))
    return " ".join(words)


def _digits(value: Any, language: Language) -> str:
    return _characters(_string(value, "digits"), language)


def _order_id(value: Any, language: Language) -> str:
    """Letters and digits apart, with a pause where one ends and the other begins."""
    runs = re.findall(r"\d+|[^\W\d_]+", _string(value, "order_id"))
    return ", ".join(_characters(run, language) for run in runs)


def _phone(value: Any, language: Language) -> str:
    """Digit by digit with pauses: a ten-digit number in two fives, its prefix before them."""
    text = _string(value, "phone")
    digits = "".join(filter(str.isdecimal, text))
    if len(digits) < 10:
        groups = ["".join(run) for decimals, run in groupby(text, str.isdecimal) if decimals]
    else:
        groups = [digits[:-10], digits[-10:-5], digits[-5:]]
    spoken = ", ".join(digit_by_digit(group, language) for group in groups if group)
    return f"{language.signs['+']} {spoken}" if text.startswith("+") else spoken


def _yes_no(value: Any, language: Language) -> str:
    if not isinstance(value, bool):
        raise _refuse(value, "yes_no")
    return language.yes if value else language.no


def _language(value: Any, language: Language) -> str:
    try:
        return language.languages[value]
    except (KeyError, TypeError):
        raise SayAsError(f"{language.code} has no name for this language") from None


def _list(value: Any, language: Language) -> str:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise _refuse(value, "list")
    items = [_text(item, language) for item in value]
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {language.conjunction} {items[-1]}"


_SPEAKERS: dict[str, Speaker] = {
    "text": _text,
    "digits": _digits,
    "count": _count,
    "rupees": _rupees,
    "percent": _percent,
    "minutes": _minutes,
    "date": _date,
    "time": _time,
    "phone": _phone,
    "order_id": _order_id,
    "one_of": _one_of,
    "yes_no": _yes_no,
    "language": _language,
    "list": _list,
}
