"""When somebody may be called, by the clock where he is. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

DAYS: Final[tuple[Day, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_HORIZON_DAYS: Final = 400
"""How far ahead an opening is looked for: whoever has a holiday every day of a year is not called."""


@dataclass(frozen=True, slots=True)
class Window:
    """Hours of the days on which they begin: `closes` at or before `opens` is on the day after. On `holidays`
    none begin."""

    opens: time = time(9)
    closes: time = time(21)
    days: tuple[Day, ...] = DAYS
    holidays: tuple[date, ...] = ()

    def covers(self, other: Window) -> bool:
        """Whether these hours, on whatever day, hold all of the other's."""
        begin, end = _minutes(self)
        first, last = _minutes(other)
        if end - begin >= _DAY:
            return True
        return any(begin <= first + shift and last + shift <= end for shift in (0, _DAY))

    def next_open(self, zone: ZoneInfo, now: float) -> float | None:
        """The first moment, from `now` on, that is within the hours; None when there is none in a year.

        Where clocks are put back or forward the shorter reading counts: never too early, never too late.
        """
        today = datetime.fromtimestamp(now, zone).date()
        # What began yesterday may last until this morning.
        for ahead in range(-1, _HORIZON_DAYS):
            day = today + timedelta(days=ahead)
            if DAYS[day.weekday()] not in self.days or day in self.holidays:
                continue
            begin = max(_moments(day, self.opens, zone))
            last = day + timedelta(days=self.closes <= self.opens)
            if now < min(_moments(last, self.closes, zone)):
                return max(now, begin)
        return None


ALWAYS: Final = Window(time(0), time(0))


def next_open(windows: tuple[Window, ...], zone: str, now: float) -> float | None:
    """The first moment, from `now` on, that is within all of the windows; None when there is none."""
    where, at = zone_of(zone), now
    # Each turn goes on to the next opening of some window: a week of the one against the days of the other.
    for _ in range(_HORIZON_DAYS):
        openings = [window.next_open(where, at) for window in windows]
        latest = at
        for opening in openings:
            if opening is None:
                return None
            latest = max(latest, opening)
        if latest == at:
            return at
        at = latest
    return None


@lru_cache(maxsize=256)
def zone_of(name: str) -> ZoneInfo:
    """The time zone of a name as `Asia/Kolkata`; raises ValueError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is not a time zone: write it as Asia/Kolkata") from None


_DAY: Final = 24 * 60


def _minutes(window: Window) -> tuple[float, float]:
    """Opening and closing in minutes, the latter beyond a day where it is on the next one."""
    begin, end = (each.hour * 60 + each.minute + each.second / 60 for each in (window.opens, window.closes))
    return begin, end if end > begin else end + _DAY


def _moments(day: date, clock: time, zone: ZoneInfo) -> tuple[float, float]:
    """When the clocks show this: twice where they are put back; around the gap where they are put forward."""
    local = datetime.combine(day, clock, zone)
    return local.timestamp(), local.replace(fold=1).timestamp()
