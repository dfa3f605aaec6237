"""The session description inside a body of several parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.multipart import MultipartError, NoSdp, sdp_of

SDP = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n"
MIXED = 'multipart/mixed; boundary="b 1"'


def body(*parts: bytes, end: bytes = b"--b 1--\r\n") -> bytes:
    return b"".join(b"--b 1\r\n" + part + b"\r\n" for part in parts) + end


def test_sdp_is_found_behind_a_part_that_nobody_understands() -> None:
    isup = b"Content-Type: application/isup;version=nxv3\r\nContent-Disposition: signal\r\n\r\n\1\0\r\n-"
    sdp = b"Content-Type: Application/SDP \r\nContent-Disposition: session\r\n\r\n" + SDP
    assert sdp_of(MIXED, b"preamble\r\n" + body(isup, sdp) + b"epilogue") == SDP


@pytest.mark.parametrize(
    ("kind", "content"),
    [("application/sdp", SDP), ("application/sdp;charset=utf-8", SDP), (None, SDP), ("text/plain", b"")],
)
def test_a_body_of_one_part_stays_as_it_is(kind: str | None, content: bytes) -> None:
    assert sdp_of(kind, content) == content


def test_bare_line_feeds_and_a_compact_header_name() -> None:
    text = b"--x\nc: application/sdp\n\nv=0\n--x--"
    assert sdp_of("multipart/alternative;boundary=x", text) == b"v=0"


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("text/plain", b"hello"),
        (MIXED, body(b"Content-Type: text/plain\r\n\r\nhello")),
        (MIXED, body(b"\r\nno header at all")),
        (MIXED, body(b"")),
    ],
)
def test_a_body_without_sdp_is_not_understood(kind: str, content: bytes) -> None:
    with pytest.raises(NoSdp):
        sdp_of(kind, content)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("multipart/mixed", body(SDP)),
        ("multipart/mixed;boundary=" + "x" * 71, body(SDP)),
        ('multipart/mixed;boundary="', body(SDP)),
        (MIXED, b"no boundary at all"),
        (MIXED, body(SDP, end=b"")),
        (MIXED, body(*[b"A: b\r\n\r\nx"] * 17)),
        (MIXED, body(b"Content-Type: application/sdp\r\nContent-Transfer-Encoding: base64\r\n\r\ndj0w")),
        (MIXED, body(b"A: " + b"x" * 5000 + b"\r\n\r\n")),
    ],
)
def test_a_broken_body_is_refused(kind: str, content: bytes) -> None:
    with pytest.raises(MultipartError):
        sdp_of(kind, content)


@given(
    st.lists(st.sampled_from([b"--b", b"--b--", b"\r\n", b"\n", b"a: b", b"c: application/sdp", b"--", b"x"]))
)
def test_nothing_but_the_two_errors_comes_out(pieces: list[bytes]) -> None:
    try:
        found = sdp_of("multipart/mixed;boundary=b", b"".join(pieces))
    except (NoSdp, MultipartError):
        return
    assert b"--b\r\n" not in found
