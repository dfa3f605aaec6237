"""The words of a language as they are heard, beside those that say-as speaks: spellings, halves, units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction


class DayPart(Enum):
    """What a caller may say with an hour of twelve."""

    MORNING = "morning"
    NOON = "noon"
    EVENING = "evening"
    NIGHT = "night"


@dataclass(frozen=True, slots=True, eq=False)
class HeardWords:
    """One language. Words of several spellings are separated by spaces; a phrase cannot be one of them.

    `spellings`: number -> other spellings of it. `roman`: 0 to 99 as they are written in Latin letters.
    `tens_then_units`: "twenty five" is one number, not two. `shifts`: words that move the number after them
    by a part ("साढ़े" + 1/2). `standing`: words that are a number of their own ("डेढ़"). `joined_hundred`: the
    endings that make hundreds of a number ("शे"). `joined_shifts`: whether a shift is written as one word
    with its number ("साडेनऊ"). `common`: words that another language's meaning is not read into (Hindi "में"
    sounds like Marathi "मे", May). `letters`: letter -> other names of it. `days`: number of days -> words
    for so long a time; `later`: words that count it from today ("बाद"). `past`, `to`: the words of "ten past
    nine" and "ten to nine"; `until` follows the hour that is still to come ("दस बजने में पाँच मिनट").
    `clock`: words beside an hour ("बजे").
    """

    spellings: Mapping[int, str]
    hundred: str
    scales: Mapping[int, str]
    point: str
    minute: str
    hour: str
    rupee: str
    paisa: str
    day_parts: Mapping[DayPart, str]
    months: tuple[str, ...]
    weekdays: tuple[str, ...]
    relative_days: Mapping[int, str]
    languages: Mapping[str, str]
    standing: Mapping[str, Fraction] = field(default_factory=dict)
    shifts: Mapping[str, Fraction] = field(default_factory=dict)
    bridges: str = ""
    joined_hundred: str = ""
    joined_shifts: bool = False
    tens_then_units: bool = False
    common: str = ""
    repeats: Mapping[int, str] = field(default_factory=dict)
    past: str = ""
    to: str = ""
    until: str = ""
    clock: str = ""
    later: str = ""
    day_of_month: str = ""
    days: Mapping[int, str] = field(default_factory=dict)
    letters: Mapping[str, str] = field(default_factory=dict)
    roman: tuple[str, ...] = ()
