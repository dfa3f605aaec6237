"""The automaton of a blind transfer, and keys in INFO."""

from __future__ import annotations

from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.leg import TransferOutcome
from sip.info import PLAIN, RELAY, key_of
from sip.transfer import Transfer, TransferState

DONE, BUSY, NO_ANSWER, FAILED = (
    TransferOutcome.DONE,
    TransferOutcome.BUSY,
    TransferOutcome.NO_ANSWER,
    TransferOutcome.FAILED,
)


@pytest.mark.parametrize(
    ("final", "outcome"),
    [(b"200 OK", DONE), (b"486 Busy Here", BUSY), (b"480 Gone", NO_ANSWER), (b"503 Never", FAILED)],
)
def test_the_notifies_tell_how_it_went(final: bytes, outcome: TransferOutcome) -> None:
    transfer = Transfer()
    transfer.responded(100)
    transfer.responded(202)
    transfer.notified(b"SIP/2.0 100 Trying\r\n", "active;expires=60")
    transfer.notified(b"SIP/2.0 180 Ringing\r\n", "active")
    assert transfer.outcome is None
    transfer.notified(b"SIP/2.0 " + final, "terminated;reason=noresource")
    assert transfer.outcome is outcome
    transfer.left()
    transfer.expired()
    assert transfer.outcome is outcome


def test_a_refused_refer() -> None:
    transfer = Transfer()
    transfer.responded(603)
    assert transfer.outcome is FAILED


def test_a_notify_may_overtake_the_202() -> None:
    transfer = Transfer()
    transfer.notified(b"SIP/2.0 200 OK", "terminated")
    transfer.responded(202)
    assert transfer.outcome is DONE


def test_a_subscription_that_ends_without_a_result_has_failed() -> None:
    transfer = Transfer()
    transfer.responded(202)
    transfer.notified(b"nonsense", "Terminated;reason=timeout")
    assert transfer.outcome is FAILED


def test_a_bye_after_the_202_means_that_the_far_end_has_gone_over() -> None:
    transfer = Transfer()
    transfer.responded(202)
    transfer.left()
    assert transfer.outcome is DONE
    early = Transfer()
    early.left()
    assert early.outcome is FAILED


def test_a_far_end_that_promises_no_news_is_believed() -> None:
    transfer = Transfer()
    transfer.responded(202, notified=False)
    assert transfer.outcome is DONE
    refused = Transfer()
    refused.responded(486, notified=False)
    assert refused.outcome is BUSY


_NEWS = st.one_of(
    st.sampled_from([100, 202, 200, 401, 481, 603]).map(lambda status: ("responded", status)),
    st.tuples(
        st.sampled_from(
            [b"SIP/2.0 100 Trying", b"SIP/2.0 180", b"SIP/2.0 200 OK", b"SIP/2.0 486", b"", b"x"]
        ),
        st.sampled_from(["active;expires=60", "pending", "terminated;reason=noresource", "Terminated", ""]),
    ),
    st.sampled_from(["left", "expired"]),
)


@given(st.lists(_NEWS, max_size=12))
def test_news_in_any_order_ends_once(news: list[tuple[object, object] | str]) -> None:
    transfer = Transfer()
    first = None
    for item in news:
        if item == "left":
            transfer.left()
        elif item == "expired":
            transfer.expired()
        elif item[0] == "responded":
            transfer.responded(cast(int, item[1]))
        else:
            transfer.notified(cast(bytes, item[0]), cast(str, item[1]))
        assert first is None or transfer.outcome is first
        first = transfer.outcome
        assert (first is not None) == (transfer.state is TransferState.OVER)
        assert transfer.accepted == (first is DONE or transfer.state is TransferState.ACCEPTED)
    transfer.expired()
    assert transfer.outcome is not None


def test_no_more_news_in_time() -> None:
    transfer = Transfer()
    transfer.responded(202)
    transfer.expired()
    assert transfer.outcome is NO_ANSWER
    silent = Transfer()
    silent.expired()
    assert silent.outcome is FAILED


@pytest.mark.parametrize(
    ("kind", "body", "key"),
    [
        (RELAY, b"Signal=5\r\nDuration=160\r\n", "5"),
        (RELAY, b"Duration=160\nsignal = *\n", "*"),
        (RELAY, b"Signal=11\r\n", "#"),
        (RELAY, b"Signal=d\r\n", "D"),
        (PLAIN, b"7\r\n", "7"),
        (PLAIN, b"flash", None),
        (RELAY, b"Signal=\r\n", None),
        (RELAY, b"\xff\xfe", None),
        (PLAIN, b"", None),
    ],
)
def test_keys_in_info(kind: str, body: bytes, key: str | None) -> None:
    assert key_of(kind, body) == key
