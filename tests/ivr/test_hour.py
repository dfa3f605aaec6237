"""The last hour, minute by minute."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ivr.hour import MINUTE_S, MINUTES, Hour, Times

NOON = 1_700_000_040.0  # a whole minute


def test_what_is_counted_stands_in_its_minute_and_in_the_totals() -> None:
    hour = Hour()
    hour.count("began", NOON + 1)
    hour.count("began", NOON + 59, by=2)
    hour.count("began", NOON + 60)
    assert [(m.at, m.counts["began"]) for m in hour.minutes(NOON + 61)] == [(NOON, 3), (NOON + 60, 1)]
    assert hour.totals["began"] == 4


def test_a_minute_without_anything_is_there_too() -> None:
    hour = Hour()
    hour.count("began", NOON)
    assert [m.counts["began"] for m in hour.minutes(NOON + 3 * MINUTE_S)] == [1, 0, 0, 0]


def test_only_the_last_hour_is_kept_however_long_it_runs() -> None:
    hour = Hour()
    for minute in range(500):
        hour.count("began", NOON + minute * MINUTE_S)
    minutes = hour.minutes(NOON + 499 * MINUTE_S)
    assert len(minutes) == MINUTES
    assert minutes[0].at == NOON + (499 - MINUTES + 1) * MINUTE_S
    assert len(hour.minutes(NOON + 499 * MINUTE_S + 1e6)) == 1
    assert hour.totals["began"] == 500


def test_of_what_goes_up_and_down_the_highest_is_kept() -> None:
    hour = Hour()
    for value in (3.0, 9.0, 4.0):
        hour.level("calls", value, NOON)
    assert hour.minutes(NOON)[0].most == {"calls": 9.0}


def test_a_clock_that_is_set_back_loses_nothing() -> None:
    hour = Hour()
    hour.count("began", NOON + 600)
    hour.count("began", NOON)
    assert [m.counts["began"] for m in hour.minutes(NOON)] == [2]


def test_nothing_seen_has_no_percentile() -> None:
    assert Hour().took("turn", NOON) == Times(0)


@given(st.lists(st.floats(0.001, 60), min_size=1, max_size=200))
def test_a_percentile_is_right_within_five_percent(seconds: list[float]) -> None:
    hour = Hour()
    for index, took_s in enumerate(seconds):
        hour.observe("turn", took_s, NOON + index % 3 * MINUTE_S)
    times = hour.took("turn", NOON + 2 * MINUTE_S)
    assert times.count == len(seconds)
    for share, told in ((0.5, times.p50_ms), (0.95, times.p95_ms)):
        true_ms = 1000 * sorted(seconds)[rank(len(seconds), share)]
        assert told is not None
        assert abs(told - true_ms) <= true_ms * 0.051


def rank(count: int, share: float) -> int:
    """Nearest rank, from 0."""
    whole = count * share
    return int(whole) - (1 if whole == int(whole) else 0)
