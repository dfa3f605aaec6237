"""The ring that followers read from."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ivr.event_log import EventLog


def log_of(count: int, keep: int = 8) -> EventLog:
    log = EventLog("run", keep)
    for number in range(1, count + 1):
        log.add("call.event", f"c{number % 2}", {"at": float(number)})
    return log


def test_a_reader_gets_what_came_after_what_he_has() -> None:
    reading = log_of(5).read(3)
    assert [entry.number for entry in reading.entries] == [4, 5]
    assert (reading.missed, reading.upto) == (0, 5)
    assert log_of(5).read(5).entries == ()


def test_who_is_too_slow_is_told_how_many_are_gone() -> None:
    reading = log_of(20).read(3)
    assert [entry.number for entry in reading.entries] == list(range(13, 21))
    assert reading.missed == 9


def test_of_one_call_alone_and_no_more_than_can_be_taken() -> None:
    log = log_of(8)
    assert [entry.number for entry in log.read(0, "c0").entries] == [2, 4, 6, 8]
    part = log.read(0, "c0", most=2)
    assert ([entry.number for entry in part.entries], part.upto) == ([2, 4], 4)
    rest = log.read(part.upto, "c0", most=2)
    assert [entry.number for entry in rest.entries] == [6, 8]


def test_a_name_is_good_in_its_own_run_alone() -> None:
    log = log_of(5)
    assert log.place_of(log.name_of(3)) == 3
    for name in ("other-3", "run-6", "run-x", "run-", "", "3", "run-" + "9" * 4300, "run-٣"):
        assert log.place_of(name) in (None, 3), name
    assert log.place_of("other-3") is None
    assert log.place_of("run-6") is None


@given(st.integers(0, 40), st.integers(1, 10), st.integers(0, 45), st.integers(1, 7))
def test_read_in_parts_it_is_the_same(count: int, keep: int, after: int, most: int) -> None:
    log = log_of(count, keep)
    after = min(after, count)
    got, missed, at = [], 0, after
    while True:
        reading = log.read(at, most=most)
        missed += reading.missed
        got += [entry.number for entry in reading.entries]
        at = reading.upto
        if not reading.entries:
            break
    assert got == list(range(max(after, count - keep) + 1, count + 1))
    assert missed == max(0, count - keep - after)
