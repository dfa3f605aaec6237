"""Spoken times and dates."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from ivr.flow.hearing.fold import fold
from ivr.flow.hearing.numbers import Span, read_numbers
from ivr.flow.hearing.vocabulary import Role, Vocabulary
from ivr.flow.hearing.words import DayPart

_HOURS_OF_WORK = range(7, 12)
"""An hour said without a part of the day is of the morning when it is one of these, else of noon or later."""

_AT = frozenset(("at", "by"))

_FARTHEST = 366
"""Most days or weeks that are counted from today ("in three days")."""

_ORDINAL_MARKS = frozenset(("st", "nd", "rd", "th"))

_FIXED = {
    "midnight": dt.time(0, 0),
    fold("मध्यरात्री"): dt.time(0, 0),
    fold("आधी"): dt.time(0, 0),
    "noon": dt.time(12, 0),
}
"""What is a time by itself, with the part of the day that it names ("आधी रात")."""


def read_time(words: Sequence[str], vocabulary: Vocabulary) -> dt.time | None:
    """ "साढ़े नौ बजे सुबह", "दुपारी सव्वा तीन", "quarter to six in the evening", "18:30", "nine thirty pm".

    Without a part of the day seven to eleven are of the morning, the rest is noon to half past six; an hour
    over twelve is of the 24-hour clock.
    """
    words = _join_am_pm(words)
    if any(word in vocabulary.months for word in words):
        words = _plain(words, vocabulary)
    part = next((vocabulary.day_parts[word] for word in words if word in vocabulary.day_parts), None)
    clock = next((word for word in words if ":" in word), None)
    spans = _of_the_time(words, vocabulary)
    if clock is not None:
        return None if spans else _of_figures(clock, part)
    if not spans:
        return next((_FIXED[word] for word in words if word in _FIXED and part is not None), None)
    return _of_spans(words, spans, part, vocabulary)


def _of_the_time(words: Sequence[str], vocabulary: Vocabulary) -> list[Span]:
    """The numbers without those of a date beside it ("5 march at 6 pm")."""
    spans = read_numbers(words, vocabulary.numbers)
    dated: list[Span] = []
    for span, timed in zip(spans, _timed(words, spans, vocabulary), strict=True):
        before, after = words[max(span.start - 1, 0) : span.start], words[span.end : span.end + 2]
        beside = any(word in vocabulary.months for word in (*before, *after))
        beside = beside or any(word in vocabulary.day_of_month for word in after[:1])
        if not timed and (beside or (dated and dated[-1].end == span.start)):
            dated.append(span)
    return [span for span in spans if span not in dated]


def _timed(words: Sequence[str], spans: Sequence[Span], vocabulary: Vocabulary) -> list[bool]:
    """Of each number, whether it surely belongs to a time: "शाम छह बजे", "at six thirty", "ten past nine"."""
    known = vocabulary
    beside = (known.clock, known.past, known.to, known.until)
    starts = {span.start for span in spans}
    found: list[bool] = []
    for index, span in enumerate(spans):
        before = words[max(span.start - 2, 0) : span.start]
        after = words[span.end] if span.end < len(words) else ""
        if after in known.months or after in known.day_of_month or after in known.days:
            found.append(False)
            continue
        # "दो हज़ार रात बारह", "two thousand midnight": what leads to the next number is not of this one.
        leads = after in known.day_parts and span.end + 1 in starts
        leads = leads or (after in _FIXED and span.value != 12)
        near = {*before[-1:], *(() if leads else (after,))}
        cued = any(word in known.day_parts for word in before) or not _AT.isdisjoint(before[-1:])
        cued = cued or any(word in table for word in near for table in beside)
        cued = cued or (not leads and (after in known.units or after in known.day_parts))
        found.append(cued or (index > 0 and found[-1] and spans[index - 1].end == span.start))
    return found


def _of_figures(clock: str, part: DayPart | None) -> dt.time | None:
    """ "9:30" may be morning or evening, "09:30" and "00:05" are of the 24-hour clock."""
    hour, _, minute = clock.partition(":")
    if not minute.isdecimal():
        return None
    if part is None and hour.startswith("0"):
        return dt.time(int(hour), int(minute)) if int(hour) < 24 and int(minute) < 60 else None
    return _time(int(hour), int(minute), part)


def _of_spans(
    words: Sequence[str], spans: Sequence[Span], part: DayPart | None, vocabulary: Vocabulary
) -> dt.time | None:
    values = [span.value for span in spans]
    if len(values) == 3 and values[1] == 0:  # nine oh five
        values = [values[0], values[2]]
    if len(values) == 1:
        lasts = any(word in vocabulary.units for word in words[spans[0].end : spans[0].end + 1])
        return None if lasts else _quarter(values[0], part)  # "in ten minutes" is no time of day
    if len(values) != 2 or any(value < 0 for value in values):
        return None
    first, second = values
    between = words[spans[0].end : spans[1].start]
    minutes = first * 60 if first < 1 else first
    if any(word in vocabulary.until for word in between):  # दस बजने में पाँच मिनट
        hour, minute = first - 1, 60 - second
    elif any(word in vocabulary.past for word in between):  # ten past nine, half past nine
        hour, minute = second, minutes
    elif spans[0].start < spans[1].start and any(word in vocabulary.to for word in between):  # quarter to ten
        hour, minute = second - 1, 60 - minutes
    else:
        hour, minute = first, second
    if hour.denominator != 1 or minute.denominator != 1:
        return None
    return _time(int(hour), int(minute), part)


def _quarter(value: Fraction, part: DayPart | None) -> dt.time | None:
    """An hour with its quarters in one number: "साढ़े नौ" is 9 1/2."""
    if value < 0 or value.denominator not in (1, 2, 4):
        return None
    hour, rest = divmod(value, 1)
    return _time(int(hour), int(rest * 60), part)


def _time(hour: int, minute: int, part: DayPart | None) -> dt.time | None:
    if not 0 <= hour < 24 or not 0 <= minute < 60:
        return None
    if hour <= 12:
        hour = _of_twelve(hour % 12, part) if hour or minute or part else 0
    return dt.time(hour, minute)


def _of_twelve(hour: int, part: DayPart | None) -> int:
    """0-11 ("twelve" is 0) with a part of the day to 0-23."""
    match part:
        case DayPart.MORNING:
            after_noon = False
        case DayPart.NOON:
            after_noon = hour < 10
        case DayPart.EVENING:
            after_noon = True
        case DayPart.NIGHT:
            after_noon = hour >= 6
        case None:
            after_noon = hour not in _HOURS_OF_WORK
    return hour + 12 if after_noon else hour


def _join_am_pm(words: Sequence[str]) -> list[str]:
    joined: list[str] = []
    for word in words:
        if word == "m" and joined and joined[-1] in ("a", "p"):
            joined[-1] += "m"
        else:
            joined.append(word)
    return joined


def read_date(words: Sequence[str], vocabulary: Vocabulary, today: dt.date | None) -> dt.date | None:
    """ "इकतीस दिसंबर दो हज़ार छब्बीस", "5 march", "31/12/2026", "उद्या", "next friday", "दस तारीख".

    What is said without a year, or relative to today, is the next such day from `today` on; without `today`
    it is not understood.
    """
    month = next((vocabulary.months[word] for word in words if word in vocabulary.months), None)
    numbers = _numbers(words, vocabulary)
    if month is None and today is not None and not (len(numbers) == 1 and _names_a_day(words, vocabulary)):
        named = _relative(words, vocabulary, today)
        if named is not None:
            return named
    if month is not None:
        if not numbers:
            return None
        day, *rest = numbers
        year = _year(rest)
        return _next(today, month, day) if not rest else _valid(year, month, day)
    if len(numbers) == 3:
        first, second, third = numbers
        return _valid(first, second, third) if first > 31 else _valid(_year([third]), second, first)
    if len(numbers) == len(words) == 2 and all(map(str.isdecimal, words)):  # 25/12
        return _next(today, numbers[1], numbers[0])
    if len(numbers) == 1 and today is not None and _names_a_day(words, vocabulary):
        return _next(today, None, numbers[0])
    return None


def _names_a_day(words: Sequence[str], vocabulary: Vocabulary) -> bool:
    """Whether the only number is a day of the month: "दस तारीख", "the 21st"."""
    if any(word in vocabulary.day_of_month for word in words):
        return True
    return any(one[0].isdecimal() and other in _ORDINAL_MARKS for one, other in pairwise(words))


def _numbers(words: Sequence[str], vocabulary: Vocabulary) -> list[int]:
    """The whole numbers in order, ordinals among them, without those of a time."""
    plain = _plain(words, vocabulary)
    spans = read_numbers(plain, vocabulary.numbers)
    timed = _timed(plain, spans, vocabulary)
    values = [span.value for span, of_time in zip(spans, timed, strict=True) if not of_time]
    return [int(value) for value in values if value.denominator == 1]


def _plain(words: Sequence[str], vocabulary: Vocabulary) -> list[str]:
    """Ordinals ("thirty first", "पहली") as figures."""
    plain: list[str] = []
    for word in words:
        day = vocabulary.ordinals.get(word)
        if day is None:
            plain.append(word)
        elif day < 10 and plain and (tens := vocabulary.numbers.get(plain[-1])) and tens.role is Role.TENS:
            plain[-1] = str(int(tens.value) + day)
        else:
            plain.append(str(day))
    return plain


def _year(numbers: Sequence[int]) -> int:
    """2026 of [2026], [26] or [20, 26], 1905 of [19, 0, 5]; 0 when it is none."""
    match numbers:
        case [century, 0, year] if 11 <= century <= 20 and year < 10:
            return century * 100 + year
        case [century, year] if 11 <= century <= 20 and 10 <= year < 100:
            return century * 100 + year
        case [year]:
            return year + 2000 if year < 100 else year
        case _:
            return 0


def _relative(words: Sequence[str], vocabulary: Vocabulary, today: dt.date) -> dt.date | None:
    if (ahead := _days_ahead(words, vocabulary)) is not None:
        return today + dt.timedelta(days=ahead)
    days = {vocabulary.relative_days[word] for word in words if word in vocabulary.relative_days}
    if days:
        extra = 1 if "after" in words and "day" in words else 0
        return today + dt.timedelta(days=days.pop() + extra) if len(days) == 1 else None
    weekdays = {vocabulary.weekdays[word] for word in words if word in vocabulary.weekdays}
    if len(weekdays) != 1:
        return None
    return today + dt.timedelta(days=(weekdays.pop() - today.weekday() - 1) % 7 + 1)


def _days_ahead(words: Sequence[str], vocabulary: Vocabulary) -> int | None:
    """ "in three days", "दो दिन बाद", "a week from today"."""
    if not any(word in vocabulary.later for word in words):
        return None
    spans = read_numbers(words, vocabulary.numbers)
    counted = [span for span, timed in zip(spans, _timed(words, spans, vocabulary), strict=True) if not timed]
    if not counted:
        units = [unit for one, unit in pairwise(words) if one == "a" and unit in vocabulary.days]
        return vocabulary.days[units[0]] if units else None
    value, unit = counted[0].value, words[counted[0].end : counted[0].end + 1]
    fits = len(counted) == 1 and value.denominator == 1 and value <= _FARTHEST
    return int(value) * vocabulary.days[unit[0]] if fits and unit and unit[0] in vocabulary.days else None


def _next(today: dt.date | None, month: int | None, day: int) -> dt.date | None:
    """The next such day from today on; the month is any when it is None."""
    if today is None:
        return None
    for ahead in range(49):  # four years, for a 29 February
        year, index = divmod(today.year * 12 + today.month - 1 + ahead, 12)
        if month in (None, index + 1) and (found := _valid(year, index + 1, day)) and found >= today:
            return found
    return None


def _valid(year: int, month: int, day: int) -> dt.date | None:
    try:
        return dt.date(year, month, day)
    except (ValueError, OverflowError):
        return None
