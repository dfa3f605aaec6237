"""Why calls end: statuses, causes of the telephone network, and Reason headers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.leg import Cause
from sip.causes import Reason, cause_of, cause_of_bye, cause_of_cancel, reason, reason_in
from tests.sip.sip_parts import request


def q850(cause: int) -> Reason:
    return Reason("Q.850", cause)


@pytest.mark.parametrize(
    ("status", "cause", "meaning"),
    [
        (486, 16, Cause.BUSY),
        (480, 17, Cause.BUSY),
        (480, 18, Cause.NO_ANSWER),
        (480, 19, Cause.NO_ANSWER),
        (480, 20, Cause.UNAVAILABLE),
        (503, 34, Cause.NO_CAPACITY),
        (500, 38, Cause.NO_CAPACITY),
        (503, 41, Cause.NO_CAPACITY),
        (503, 42, Cause.NO_CAPACITY),
        (603, 1, Cause.NOT_FOUND),
        (404, 34, Cause.NOT_FOUND),
        (503, 127, Cause.UNAVAILABLE),
        (480, 31, Cause.NO_ANSWER),
    ],
)
def test_a_refusal_with_a_cause_of_the_telephone_network(status: int, cause: int, meaning: Cause) -> None:
    assert cause_of(status, q850(cause)) is meaning


def test_the_reason_of_a_message_prefers_the_telephone_network() -> None:
    message = request(extra='Reason: SIP;cause=480 , Q.850 ;cause=18;text="No user, responding"\r\n')
    found = reason_in(message)
    assert found == Reason("Q.850", 18, "No user, responding")
    assert str(found) == "Q.850;cause=18 No user, responding"


@pytest.mark.parametrize(
    "value", ["", "Q.850", "Q.850;cause=x", ";cause=16", "Q.850;cause=99999", 'SIP;text="a']
)
def test_a_reason_that_cannot_be_read_is_none(value: str) -> None:
    assert reason_in(request(extra=f"Reason: {value}\r\n")) is None
    assert reason_in(None) is None


def test_the_text_of_a_reason_is_bounded_and_printable() -> None:
    found = Reason.parse(f'SIP;cause=200;text="a\x07{"b" * 500}"')
    assert len(found.text) == 80
    assert found.text.startswith("ab")


def test_a_bye_and_a_cancel() -> None:
    assert cause_of_bye(None) is Cause.NORMAL
    assert cause_of_bye(q850(16)) is Cause.NORMAL
    assert cause_of_bye(q850(38)) is Cause.NO_CAPACITY
    assert cause_of_bye(Reason("SIP", 200)) is Cause.NORMAL
    assert cause_of_bye(Reason("SIP", 408, "Session expired")) is Cause.FAILED
    assert cause_of_bye(Reason("X.int", 5)) is Cause.NORMAL
    assert cause_of_cancel(None) is Cause.CANCELLED
    assert cause_of_cancel(Reason("SIP", 200, "Call completed elsewhere")) is Cause.NORMAL
    assert cause_of_cancel(q850(16)) is Cause.CANCELLED


@pytest.mark.parametrize("cause", list(Cause))
def test_what_we_say_can_be_read(cause: Cause) -> None:
    assert reason_in(request(extra=f"Reason: {reason(cause)}\r\n")) is not None


@given(st.text(st.sampled_from('SIPQ.850;cause=16 "text\\,\x00\u00e9')))
def test_whatever_a_reason_holds_it_is_read_or_refused(value: str) -> None:
    try:
        found = Reason.parse(value)
    except ValueError:
        return
    assert 0 <= found.cause <= 9999
    assert Reason.parse(found.written).cause == found.cause
