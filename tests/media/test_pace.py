"""When packets leave, with an event loop that is punctual, late, or stood still."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from media.pace import CLOSEST_S, FRAME_S, GIVE_UP_S, Lateness, Pace

SLOT_S = 0.005


def run(wakes: list[float], first: float = 0.0) -> tuple[list[float], int]:
    """When packets were sent by a loop that woke at these times, and how many ticks were left out."""
    pace, sent, skipped = Pace(first), [], 0
    for now in wakes:
        if pace.ready(now):
            skipped += pace.advance(now)
            sent.append(now)
    return sent, skipped


def every_slot(start: float, end: float) -> list[float]:
    return [start + SLOT_S * i for i in range(round((end - start) / SLOT_S))]


def test_a_punctual_loop_sends_every_20_ms():
    sent, skipped = run(every_slot(0.0, 1.0))
    assert [round(t, 6) for t in sent] == [round(0.02 * i, 6) for i in range(50)]
    assert skipped == 0


def test_a_little_lateness_does_not_move_the_schedule():
    sent, _ = run([0.0, 0.027, 0.041, 0.060])
    assert sent == [0.0, 0.027, 0.041, 0.060]


def test_after_a_short_stall_the_missing_packets_follow_at_twice_the_pace():
    sent, skipped = run([0.0, *every_slot(0.085, 0.3)])
    gaps = [round(after - before, 6) for before, after in pairwise(sent)]
    assert skipped == 0
    assert len([t for t in sent if t < 0.2]) == 10
    assert gaps[:4] == [0.085, 0.01, 0.01, 0.01]
    assert gaps[-1] == 0.02


def test_after_a_long_stall_the_missing_packets_are_left_out():
    sent, skipped = run([0.0, *every_slot(1.0, 1.2)])
    assert skipped == 49  # those due from 0.02 to 0.98
    assert [round(t, 6) for t in sent[:4]] == [0.0, 1.0, 1.02, 1.04]


@given(st.lists(st.floats(0.0001, 0.3), min_size=1, max_size=200))
def test_however_late_the_loop_is_no_burst_leaves_and_no_time_is_lost(steps):
    wakes, now = [], 0.0
    for step in steps:
        now += step
        wakes.append(now)
    sent, skipped = run(wakes)
    gaps = [after - before for before, after in pairwise(sent)]
    assert all(gap >= CLOSEST_S - 0.001 - 1e-9 for gap in gaps)
    if sent:
        media_clock = (len(sent) + skipped) * FRAME_S
        assert media_clock <= sent[-1] + FRAME_S + 0.001 + 1e-6
        assert media_clock >= sent[-1] - GIVE_UP_S - 1e-6


def test_the_worst_lateness_is_remembered_for_seconds_and_then_forgotten():
    lateness = Lateness()
    lateness.note(0.050, 10.0)
    lateness.note(0.001, 11.0)
    assert lateness.worst_s == 0.050
    lateness.note(0.002, 12.5)
    assert lateness.worst_s == 0.050
    lateness.note(0.001, 14.6)
    assert lateness.worst_s == 0.002
