"""A screening frame by frame, and a live call that begins with one."""

from __future__ import annotations

import pytest

from ivr.api.gateway import CallRequest
from ivr.api.models import AnsweringMachine
from ivr.screening import OnMachine, Screener, Screening
from media.amd import Answer, GreetingEnd, Reason, Timings, Who
from media.tones import Partial, silence, tone
from tests.fakes.speech import frames, spoken

RATE = 8000
MAILBOX = "You have reached the mail box of Sharma restaurant. Please leave a message after the tone."


def found(screening: Screening, pcm: bytes) -> list[Answer | GreetingEnd]:
    screener = Screener(screening, RATE)
    return [each for frame in frames(pcm) if (each := screener.take(frame)) is not None]


@pytest.mark.parametrize("action", [OnMachine.HANG_UP, OnMachine.CONTINUE])
def test_there_is_one_verdict_and_then_nothing(action):
    pcm = spoken(MAILBOX, "en") + silence(3000, RATE)
    (answer,) = found(Screening(action), pcm)
    assert isinstance(answer, Answer)
    assert answer.who is Who.MACHINE


def test_after_a_machine_the_end_of_its_greeting_is_told():
    beep = tone((Partial(1400, -15),), 250, RATE)
    pcm = spoken(MAILBOX, "en") + silence(500, RATE) + beep + silence(3000, RATE)
    answer, end = found(Screening(OnMachine.WAIT_FOR_BEEP), pcm)
    assert isinstance(answer, Answer)
    assert end is GreetingEnd.BEEP


def test_a_beep_that_gives_the_machine_away_is_the_one_that_is_awaited():
    beep = tone((Partial(1400, -15),), 250, RATE)
    pcm = spoken("Hello", "en") + silence(200, RATE) + beep + silence(1000, RATE)
    answer, end = found(Screening(OnMachine.WAIT_FOR_BEEP), pcm)
    assert isinstance(answer, Answer)
    assert answer.reason is Reason.BEEP
    assert end is GreetingEnd.BEEP


def test_a_person_is_not_kept_waiting_for_a_beep():
    (answer,) = found(Screening(OnMachine.WAIT_FOR_BEEP), spoken("Hello?", "en") + silence(3000, RATE))
    assert isinstance(answer, Answer)
    assert answer.who is Who.HUMAN


def test_a_key_ends_it_whatever_was_heard_before():
    screener = Screener(Screening(OnMachine.WAIT_FOR_BEEP), RATE)
    for frame in frames(spoken(MAILBOX, "en")):
        screener.take(frame)
    assert screener.key().who is Who.HUMAN
    assert all(screener.take(frame) is None for frame in frames(silence(4000, RATE)))


def test_where_no_frames_come_nobody_is_sure():
    assert Screener(Screening(OnMachine.HANG_UP), RATE).expired().who is Who.NOT_SURE


def test_the_api_says_what_the_detector_does_by_itself():
    assert AnsweringMachine(action=OnMachine.HANG_UP).screening() == Screening(OnMachine.HANG_UP)
    asked = AnsweringMachine(action=OnMachine.CONTINUE, greeting_ms=2000, maximum_words=5)
    assert asked.screening().timings == Timings(greeting_ms=2000, maximum_words=5)


def test_another_screening_is_another_request():
    plain = CallRequest("1", "f")
    screened = CallRequest("1", "f", screening=Screening(OnMachine.HANG_UP))
    other = CallRequest("1", "f", screening=Screening(OnMachine.CONTINUE))
    assert len({plain.fingerprint, screened.fingerprint, other.fingerprint}) == 3
