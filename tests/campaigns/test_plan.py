"""What a campaign does next, decided without a clock, a store or a telephone."""

from __future__ import annotations

from dataclasses import replace
from datetime import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.campaigns.hours import ALWAYS, Window
from ivr.campaigns.model import ContactState, Miss, Pace, Retries, Spec, State
from ivr.campaigns.plan import FULL_S, MOST_SPARED, SPARED_S, Decision, Standing, judge, plan
from tests.campaigns.test_hours import KOLKATA, NEW_YORK, at

SPEC = Spec("campaign", "exotel", pace=Pace(at_once=5, per_minute=60))
NOON = at("2026-12-01 12:00", KOLKATA)
RUNNING = Standing(State.RUNNING, earliest={KOLKATA: 0.0})


def decided(
    standing: Standing = RUNNING,
    spec: Spec = SPEC,
    *,
    room: int = 100,
    now: float = NOON,
    allowed: Window = ALWAYS,
) -> Decision:
    return plan(spec, standing, room, allowed, now)


@pytest.mark.parametrize("state", [State.DRAFT, State.PAUSED, State.DONE, State.CANCELLED])
def test_who_is_not_active_calls_nobody(state: State) -> None:
    assert decided(replace(RUNNING, state=state)) == Decision(state)


def test_a_start_that_is_to_come_is_waited_for() -> None:
    later = replace(SPEC, starts_at=NOON + 60)
    waiting = decided(replace(RUNNING, state=State.SCHEDULED), later)
    assert (waiting.state, waiting.take, waiting.wake_at) == (State.SCHEDULED, 0, NOON + 60)
    begun = decided(replace(RUNNING, state=State.SCHEDULED), later, now=NOON + 60)
    assert (begun.state, begun.take) == (State.RUNNING, 1)


def test_calls_are_spread_over_the_minute() -> None:
    """Sixty a minute: one each second, none made up for."""
    standing, times, now = RUNNING, [], NOON
    while now < NOON + 10:
        step = decided(standing, now=now)
        times += [now] * step.take
        if step.take:
            standing = replace(standing, next_call_at=step.paced_from + step.take * step.interval_s)
        assert step.wake_at is not None
        now = max(step.wake_at, now)
    assert times == [NOON + n for n in range(10)]
    idle = decided(replace(standing, next_call_at=NOON + 10), now=NOON + 3600)
    assert idle.take == 1, "an hour without calls is not made up for"


def test_a_fast_pace_begins_a_seconds_worth_at_a_time() -> None:
    fast = replace(SPEC, pace=Pace(at_once=1000, per_minute=1200))
    assert decided(spec=fast).take == 20
    assert decided(replace(RUNNING, next_call_at=NOON), fast).take == 1
    assert decided(replace(RUNNING, next_call_at=NOON - 0.1), fast).take == 3


def test_no_more_at_once_than_was_said() -> None:
    full = decided(replace(RUNNING, calling=5))
    assert (full.take, full.wake_at) == (0, None), "the end of a call is what is waited for"
    assert decided(replace(RUNNING, calling=7)).take == 0
    assert decided(replace(RUNNING, calling=4), replace(SPEC, pace=Pace(5, 6000))).take == 1


def test_lines_that_are_all_in_use_are_looked_at_again_soon() -> None:
    for room in (0, -3):
        full = decided(room=room)
        assert (full.take, full.wake_at) == (0, NOON + FULL_S)
    assert decided(spec=replace(SPEC, pace=Pace(100, 6000)), room=3).take == 3


def test_each_is_called_by_his_own_clock() -> None:
    two = replace(RUNNING, earliest={NEW_YORK: 0.0, KOLKATA: 0.0})
    step = decided(two)
    assert step.zones == (KOLKATA,)
    asleep = decided(replace(RUNNING, earliest={NEW_YORK: 0.0}))
    assert (asleep.take, asleep.wake_at) == (0, at("2026-12-01 09:00", NEW_YORK))


def test_what_is_allowed_goes_before_what_a_campaign_wants() -> None:
    all_day = replace(SPEC, window=ALWAYS)
    evening = at("2026-12-01 21:00", KOLKATA)
    step = decided(spec=all_day, now=evening, allowed=Window())
    assert (step.take, step.wake_at) == (0, at("2026-12-02 09:00", KOLKATA))


def test_a_second_try_is_due_within_the_hours() -> None:
    late = at("2026-12-01 20:50", KOLKATA)
    step = decided(replace(RUNNING, earliest={KOLKATA: late + 1800}), now=late)
    assert (step.take, step.wake_at) == (0, at("2026-12-02 09:00", KOLKATA))


def test_it_is_done_when_nobody_is_left() -> None:
    last = Standing(State.RUNNING, calling=1)
    assert decided(last).state is State.RUNNING
    assert decided(replace(last, calling=0)).state is State.DONE


def test_it_ends_at_its_end_whoever_is_left() -> None:
    short = replace(SPEC, ends_at=NOON + 5)
    assert decided(replace(RUNNING, calling=5), short).wake_at == NOON + 5
    assert decided(spec=short, now=NOON + 5) == Decision(State.DONE)


def test_somebody_who_can_never_be_called_keeps_it_from_nothing() -> None:
    never = replace(SPEC, window=Window(time(22), time(23)))
    step = decided(spec=never, allowed=Window())
    assert (step.state, step.take, step.wake_at) == (State.RUNNING, 0, None)


@given(
    calling=st.integers(0, 50),
    room=st.integers(-5, 50),
    per_minute=st.floats(0.1, 6000),
    at_once=st.integers(1, 40),
    paced=st.integers(-100, 100),
    due=st.integers(-100_000, 100_000),
    hour=st.integers(0, 23),
)
def test_whatever_stands_there_no_bound_is_passed(
    calling: int, room: int, per_minute: float, at_once: int, paced: int, due: int, hour: int
) -> None:
    now = at(f"2026-12-01 {hour:02}:00", KOLKATA)
    spec = replace(SPEC, pace=Pace(at_once, per_minute))
    standing = Standing(State.RUNNING, calling, now + paced, {KOLKATA: now + due})
    step = plan(spec, standing, room, Window(), now)
    assert 0 <= step.take <= max(0, min(room, at_once - calling))
    if step.take:
        assert 9 <= hour < 21
        assert due <= 0
        assert paced <= 0
        assert step.take <= max(1, per_minute / 60 + 1)
    if step.wake_at is not None:
        assert step.wake_at > now, "it would turn round and round"


RETRIES = Retries(times=2, after_s=600)


@pytest.mark.parametrize("cause", ["busy", "no_answer", "unavailable", "failed", "interrupted", "cancelled"])
def test_who_was_missed_is_called_again(cause: str) -> None:
    verdict = judge(cause, False, 1, 0, RETRIES, 100.0)
    assert (verdict.state, verdict.due_at) == (ContactState.WAITING, 700.0)
    assert judge(cause, False, 2, 0, RETRIES, 100.0).state is ContactState.WAITING
    assert judge(cause, False, 3, 0, RETRIES, 100.0).state is ContactState.UNREACHED


@pytest.mark.parametrize("cause", ["rejected", "not_found", "a cause of tomorrow"])
def test_who_declines_or_is_not_there_is_not_called_again(cause: str) -> None:
    assert judge(cause, False, 1, 0, RETRIES, 0.0).state is ContactState.UNREACHED


@pytest.mark.parametrize("cause", ["normal", "media_timeout", "interrupted", "failed", "busy"])
def test_whoever_answered_is_never_called_again(cause: str) -> None:
    assert judge(cause, True, 1, 0, RETRIES, 0.0).state is ContactState.ANSWERED


def test_a_machine_is_nobody() -> None:
    assert judge("answering_machine", True, 1, 0, RETRIES, 0.0).state is ContactState.UNREACHED
    again = replace(RETRIES, on=(Miss.ANSWERING_MACHINE,))
    assert judge("answering_machine", True, 1, 0, again, 0.0).state is ContactState.WAITING
    assert judge("busy", False, 1, 0, again, 0.0).state is ContactState.UNREACHED


def test_a_call_that_found_no_line_does_not_count() -> None:
    spared = judge("no_capacity", False, 3, 2, RETRIES, 100.0)
    assert (spared.state, spared.due_at, spared.spared) == (ContactState.WAITING, 100.0 + SPARED_S, True)
    assert judge("busy", False, 3, 2, RETRIES, 0.0).state is ContactState.WAITING, "one of three counted"
    often = judge("no_capacity", False, MOST_SPARED + 3, MOST_SPARED, RETRIES, 0.0)
    assert often.state is ContactState.UNREACHED, "not for ever"
