"""Hours by the clock of the callee: over midnight, over a change of clocks, around holidays."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import pytest

from ivr.campaigns.hours import ALWAYS, DAYS, Window, next_open, zone_of

KOLKATA, BERLIN, NEW_YORK = "Asia/Kolkata", "Europe/Berlin", "America/New_York"


def at(text: str, zone: str) -> float:
    """The moment at which the clocks there show this."""
    return datetime.fromisoformat(text).replace(tzinfo=zone_of(zone)).timestamp()


def shown(moment: float | None, zone: str) -> str:
    assert moment is not None
    return datetime.fromtimestamp(moment, zone_of(zone)).strftime("%a %d %H:%M")


def opens(window: Window, zone: str, now: str) -> str:
    return shown(next_open((window,), zone, at(now, zone)), zone)


@pytest.mark.parametrize(
    ("now", "opening"),
    [
        ("2026-12-01 08:59", "Tue 01 09:00"),
        ("2026-12-01 09:00", "Tue 01 09:00"),
        ("2026-12-01 20:59", "Tue 01 20:59"),
        ("2026-12-01 21:00", "Wed 02 09:00"),
        ("2026-12-01 23:59", "Wed 02 09:00"),
    ],
)
def test_the_hours_of_india(now: str, opening: str) -> None:
    assert opens(Window(), KOLKATA, now) == opening


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    night = Window(time(22), time(6), days=("fri",))
    assert opens(night, KOLKATA, "2026-12-04 21:00") == "Fri 04 22:00"
    assert opens(night, KOLKATA, "2026-12-05 05:59") == "Sat 05 05:59"
    assert opens(night, KOLKATA, "2026-12-05 06:00") == "Fri 11 22:00"
    assert opens(night, KOLKATA, "2026-12-05 22:30") == "Fri 11 22:00", "Saturday is none of its days"


def test_days_and_holidays() -> None:
    office = Window(time(10), time(18), days=DAYS[:5], holidays=(date(2026, 12, 25),))
    assert opens(office, KOLKATA, "2026-12-24 18:00") == "Mon 28 10:00"


def test_somebody_whose_days_are_all_holidays_is_never_called() -> None:
    holidays = tuple(date.fromordinal(date(2026, 12, 1).toordinal() + n) for n in range(500))
    assert next_open((Window(holidays=holidays),), KOLKATA, at("2026-12-02 10:00", KOLKATA)) is None


def test_clocks_are_the_callees() -> None:
    now = at("2026-12-01 12:00", KOLKATA)
    assert next_open((Window(),), KOLKATA, now) == now
    assert shown(next_open((Window(),), NEW_YORK, now), NEW_YORK) == "Tue 01 09:00", (
        "it is half past one there"
    )


def test_clocks_that_are_put_forward_make_the_window_shorter() -> None:
    # On 2027-03-28 there is no 02:30 in Berlin.
    early = Window(time(2, 30), time(4))
    opening = next_open((early,), BERLIN, at("2027-03-28 00:30", BERLIN))
    assert shown(opening, BERLIN) == "Sun 28 03:30"


def test_clocks_that_are_put_back_never_make_it_longer() -> None:
    # On 2026-10-25 the clocks of Berlin show 02:30 twice.
    before = next_open((Window(time(2, 30), time(4)),), BERLIN, at("2026-10-25 01:00", BERLIN))
    assert before == datetime(2026, 10, 25, 1, 30, tzinfo=UTC).timestamp(), "the later one opens"
    last = Window(time(1), time(2, 30))
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC).timestamp()
    assert next_open((last,), BERLIN, first - 1) == first - 1
    assert shown(next_open((last,), BERLIN, first), BERLIN) == "Mon 26 01:00", "the earlier one closes"


def test_two_windows_hold_both() -> None:
    evening, allowed = Window(time(18), time(23), days=("sat",)), Window(time(9), time(21))
    now = at("2026-12-05 21:30", KOLKATA)
    assert shown(next_open((evening, allowed), KOLKATA, now), KOLKATA) == "Sat 12 18:00"
    assert next_open((evening, Window(time(9), time(12))), KOLKATA, now) is None
    assert next_open((evening, ALWAYS), KOLKATA, now) == now


@pytest.mark.parametrize(
    ("inner", "within"),
    [
        (Window(), True),
        (Window(time(10), time(20, 59)), True),
        (Window(time(8, 59), time(12)), False),
        (Window(time(20), time(21, 1)), False),
        (Window(time(20), time(10)), False),
        (ALWAYS, False),
    ],
)
def test_what_the_hours_of_india_hold(inner: Window, within: bool) -> None:
    assert Window().covers(inner) is within
    assert ALWAYS.covers(inner)


def test_hours_over_midnight_hold_what_is_after_it() -> None:
    night = Window(time(20), time(8))
    assert night.covers(Window(time(2), time(6)))
    assert night.covers(Window(time(23), time(1)))
    assert not night.covers(Window(time(7), time(9)))


def test_a_zone_that_is_none() -> None:
    for name in ("Asia/Calcuta", "", "../etc/passwd", "a\0b"):
        with pytest.raises(ValueError, match="write it as Asia/Kolkata"):
            zone_of(name)
