"""SIP over a stream: messages, keep-alives and garbage, in pieces of any size."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.framer import Framer, Keepalive
from sip.message import ParseError, Request, Response, parse, response_to

INVITE = b"""INVITE sip:1001@192.0.2.5 SIP/2.0\r
Via: SIP/2.0/TCP 192.0.2.4;branch=z9hG4bK776\r
From: <sip:a@192.0.2.4>;tag=19283\r
To: <sip:1001@192.0.2.5>\r
Call-ID: a84b4c76e66710@192.0.2.4\r
CSeq: 314159 INVITE\r
Content-Length: 5\r
\r
v=0\r
"""


def invite() -> Request:
    message = parse(INVITE)
    assert isinstance(message, Request)
    return message


def edited(old: bytes, new: bytes) -> bytes:
    assert old in INVITE
    return INVITE.replace(old, new)


def test_a_stream_is_cut_into_messages_however_it_arrives() -> None:
    stream = INVITE + b"\r\n\r\n" + INVITE + response_to(invite(), 200).to_bytes() + b"\r\n"
    for step in (1, 7, 100, len(stream)):
        framer = Framer()
        found = [item for at in range(0, len(stream), step) for item in framer.feed(stream[at : at + step])]
        assert [type(item) for item in found] == [Request, Keepalive, Request, Response]


def test_a_bad_message_in_a_stream_does_not_hide_the_next() -> None:
    bad, good = Framer().feed(edited(b"CSeq: 314159 INVITE", b"CSeq: x") + INVITE)
    assert isinstance(bad, ParseError)
    assert bad.request is not None
    assert isinstance(good, Request)


@pytest.mark.parametrize(
    ("data", "status", "answerable"),
    [
        (edited(b"Content-Length: 5", b"Content-Length: five"), 400, True),
        (edited(b"Content-Length: 5", b"Content-Length: 5\r\nContent-Length: 6"), 400, True),
        (edited(b"Content-Length: 5", b"Content-Length: 70000"), 513, True),
        (edited(b"INVITE", b"ACK").replace(b"Content-Length: 5", b"Content-Length: 70000"), 513, False),
        (b"SIP/2.0 200 OK\r\nContent-Length: -1\r\n\r\n", 400, False),
        (b"x" * 70000, 513, False),
    ],
)
def test_a_stream_that_cannot_be_cut_is_given_up(data: bytes, status: int, answerable: bool) -> None:
    """Where a request can be answered, it still comes out, with what it is to be told."""
    framer = Framer()
    assert framer.feed(data) == ([framer.lost] if answerable else [])
    assert framer.lost is not None
    assert (framer.lost.status, framer.lost.request is not None) == (status, answerable)
    assert framer.feed(INVITE) == []


@pytest.mark.parametrize("step", [1, 2, 3, 100])
def test_line_ends_of_both_kinds_end_a_head_where_the_first_empty_line_is(step: int) -> None:
    framer, stream = Framer(), b"NONSENSE\n\n\r\n\r\nX"
    found = [item for at in range(0, len(stream), step) for item in framer.feed(stream[at : at + step])]
    assert [type(item) for item in found] == [ParseError, Keepalive]


def test_what_came_before_is_not_lost_with_the_stream() -> None:
    framer = Framer()
    broken = edited(b"Content-Length: 5", b"Content-Length: five")
    first, second = framer.feed(INVITE + broken)
    assert isinstance(first, Request)
    assert second is framer.lost is not None


@given(st.binary(max_size=300), st.integers(1, 40))
def test_the_framer_survives_any_stream(data: bytes, step: int) -> None:
    framer = Framer()
    for at in range(0, len(data), step):
        framer.feed(data[at : at + step])


def test_the_answer_to_a_ping_is_a_single_line_end() -> None:
    framer = Framer()
    assert framer.feed(b"\r\n") == []
    assert framer.take_pong()
    assert not framer.take_pong()
    assert framer.feed(b"\r\n\r\n") == [Keepalive()]
    assert not framer.take_pong()
    framer.feed(b"\r\nOPTIONS")
    assert not framer.take_pong()  # a message has begun
