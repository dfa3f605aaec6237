"""SIP messages: an INVITE taken apart and put together again, leniency, limits, and hostile input."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.message import (
    CSeq,
    Headers,
    ParseError,
    Request,
    Response,
    Via,
    parse,
    response_to,
)
from sip.uri import NameAddr, Uri

INVITE = b"""INVITE sip:+911140001234@10.0.0.5:5060;transport=tcp SIP/2.0\r
Via: SIP/2.0/TCP 192.0.2.4:5070;branch=z9hG4bK776;rport, SIP/2.0/UDP [2001:db8::9]:5060;branch=z9hG4bK775\r
Record-Route: sip:192.0.2.4:443;transport=tls;lr\r
Record-Route: <sip:192.0.2.7;lr>\r
Max-Forwards: 70\r
From: "A \\"quoted\\", name" <sip:+919876543210@exotel.example>;tag=19283\r
To: <sip:+911140001234@exotel.example>\r
Call-ID: a84b4c76e66710@192.0.2.4\r
CSeq: 314159 INVITE\r
Contact: <sip:trunk@192.0.2.4:5070;transport=tcp>\r
Supported: replaces, timer\r
X-Exotel-CallSid: 6f1d\r
Content-Type: application/sdp\r
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


def test_an_invite_is_taken_apart() -> None:
    request = invite()
    assert (request.method, request.uri.user, request.uri.param("transport")) == (
        "INVITE",
        "+911140001234",
        "tcp",
    )
    assert (request.via.transport, request.via.host, request.via.port) == ("TCP", "192.0.2.4", 5070)
    assert request.via.wants_rport
    assert request.via.rport is None
    assert [via.branch for via in request.vias] == ["z9hG4bK776", "z9hG4bK775"]
    assert request.vias[1].host == "2001:db8::9"
    assert request.from_.display == 'A "quoted", name'
    assert (request.from_.tag, request.to.tag) == ("19283", None)
    assert (request.call_id, request.cseq) == ("a84b4c76e66710@192.0.2.4", CSeq(314159, "INVITE"))
    assert request.contact is not None
    assert request.contact.uri.port == 5070
    assert request.max_forwards == 70
    assert request.headers.get_all("supported") == ["replaces", "timer"]
    assert request.headers.get("x-exotel-callsid") == "6f1d"
    assert request.content_type == "application/sdp"
    assert request.body == b"v=0\r\n"


def test_a_record_route_without_angle_brackets_is_a_loose_route() -> None:
    routes = invite().record_routes
    assert [route.uri.param("lr") for route in routes] == ["", ""]
    assert routes[0].uri.param("transport") == "tls"
    assert routes[0].params == ()


def test_writing_and_reading_again_changes_nothing() -> None:
    request = invite()
    again = parse(request.to_bytes())
    assert isinstance(again, Request)
    assert again.headers == request.headers
    assert (str(again.uri), again.body) == (str(request.uri), request.body)
    assert again.to_bytes() == request.to_bytes()


def test_compact_names_folded_lines_and_bare_line_feeds() -> None:
    message = parse(
        b"OPTIONS sip:a@b SIP/2.0\nv : SIP / 2.0\n /UDP\n\t192.0.2.1 ; branch = z9hG4bKx\n"
        b"f: sip:x@y;tag=1\nt: sip:a@b\ni: 7\nCSEQ: 0009\n  OPTIONS\nMAX-forwards: 0070\nk: a,b\nl: 0\n\n"
    )
    assert (message.via.host, message.via.branch) == ("192.0.2.1", "z9hG4bKx")
    assert (message.from_.tag, message.from_.uri.user) == ("1", "x")
    assert (message.cseq.number, message.max_forwards) == (9, 70)
    assert message.headers.get_all("Supported") == ["a", "b"]
    assert b"\r\nCall-ID: 7\r\n" in message.to_bytes()


def test_a_response_copies_what_the_request_must_find_again() -> None:
    response = response_to(invite(), 180, to_tag="ours")
    assert (response.status, response.reason) == (180, "Ringing")
    assert [via.branch for via in response.vias] == ["z9hG4bK776", "z9hG4bK775"]
    assert response.to.tag == "ours"
    assert response.cseq == CSeq(314159, "INVITE")
    assert len(response.record_routes) == 2
    parsed = parse(response.to_bytes())
    assert isinstance(parsed, Response)
    assert (parsed.status, parsed.body, parsed.headers.get("Content-Length")) == (180, b"", "0")


def test_a_response_keeps_a_tag_that_is_there_and_100_gets_none() -> None:
    tagged = parse(edited(b"To: <sip:+911140001234@exotel.example>", b"To: <sip:b@c>;tag=theirs"))
    assert isinstance(tagged, Request)
    assert response_to(tagged, 200, to_tag="ours").to.tag == "theirs"
    assert response_to(invite(), 100, to_tag="ours").to.tag is None
    assert response_to(invite(), 486, to_tag="ours").record_routes == []


def test_typed_values_follow_a_change_of_the_header() -> None:
    request = invite()
    assert request.to.tag is None
    request.headers.set("To", str(request.to.with_tag("new")))
    assert request.to.tag == "new"
    seen = request.via.with_param("received", "203.0.113.9").with_param("rport", "6000")
    request.headers.replace_first("Via", str(seen))
    assert (request.via.received, request.via.rport) == ("203.0.113.9", 6000)
    assert len(request.vias) == 2


def test_headers_are_an_ordered_multimap() -> None:
    headers = Headers([("Route", "<sip:b>"), ("X-One", "1"), ("route", "<sip:c>, <sip:d>")])
    headers.prepend("Route", "<sip:a>")
    assert headers.get_all("ROUTE") == ["<sip:a>", "<sip:b>", "<sip:c>", "<sip:d>"]
    headers.set("Route", "<sip:z>")
    assert list(headers) == [("Route", "<sip:z>"), ("X-One", "1")]
    headers.remove("x-one")
    assert "X-One" not in headers
    assert len(headers) == 1
    headers.add("WWW-Authenticate", 'Digest realm="a", nonce="b"')
    assert headers.get_all("WWW-Authenticate") == ['Digest realm="a", nonce="b"']


@pytest.mark.parametrize("value", ["a\r\nContact: <sip:evil@x>", "a\nb", "a\rb"])
def test_a_line_break_in_a_value_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="line break"):
        Headers().add("Subject", value)
    with pytest.raises(ValueError, match="line break"):
        Response(200, value).to_bytes()
    address = NameAddr(value, Uri("sip", "a", "b"))
    with pytest.raises(ValueError, match="line break"):
        Headers().set("From", str(address))
    with pytest.raises(ValueError, match="line break"):
        Request("INVITE", Uri("sip", None, "h"), Headers.from_fields([("x", "X", value)])).to_bytes()


def test_a_bad_name_method_host_or_status_is_refused_on_output() -> None:
    with pytest.raises(ValueError, match="header name"):
        Headers().add("Bad Name", "x")
    with pytest.raises(ValueError, match="not a method"):
        Request("IN VITE", Uri("sip", None, "h")).to_bytes()
    with pytest.raises(ValueError, match="not a host"):
        Request("INVITE", Uri("sip", None, "h SIP/2.0\r\nX: y")).to_bytes()
    with pytest.raises(ValueError, match="not a status"):
        Response(999).to_bytes()


@pytest.mark.parametrize(
    ("old", "new", "status", "answerable"),
    [
        (b"sip:+911140001234@10.0.0.5:5060;transport=tcp", b"nonsense", 400, True),
        (b"transport=tcp SIP/2.0", b"transport=tcp SIP/7.0", 505, True),
        (b"CSeq: 314159 INVITE", b"CSeq: 314159 BYE", 400, True),
        (b"CSeq: 314159 INVITE", b"CSeq: 2147483648 INVITE", 400, True),
        (b"Call-ID: a84b4c76e66710@192.0.2.4\r\n", b"", 400, True),
        (b"Max-Forwards: 70", b"Max-Forwards: 256", 400, True),
        (b"Max-Forwards: 70", b"Max-Forwards: 70\r\nMax-Forwards: 70", 400, True),
        (b"Content-Length: 5", b"Content-Length: -5", 400, True),
        (b"Content-Length: 5", b"Content-Length: 9999", 400, True),
        (b"Content-Length: 5", b"Content-Length: 5\r\nl: 4", 400, True),
        (b"From: \"A", b"From: A", 400, True),
        (b"Via: SIP/2.0/TCP", b"Via: nonsense", 400, False),
        (b"Supported", b"no colon here\r\nSupported", 400, True),
        (b"INVITE sip", b"INV(ITE sip", 400, False),
    ],
)  # fmt: skip
def test_what_is_wrong_gets_its_status(old: bytes, new: bytes, status: int, answerable: bool) -> None:
    with pytest.raises(ParseError) as caught:
        parse(edited(old, new))
    assert caught.value.status == status
    assert (caught.value.request is not None) is answerable
    if caught.value.request is not None:
        assert response_to(caught.value.request, status, to_tag="x").to_bytes()


def test_a_bare_carriage_return_is_no_line_end() -> None:
    with pytest.raises(ParseError, match="line break"):
        parse(edited(b"INVITE sip:", b"INVITE\rsip:"))
    with pytest.raises(ParseError, match="line break"):
        parse(edited(b"6f1d", b"6f\r1d"))


def test_an_ack_that_is_wrong_is_never_answerable() -> None:
    ack = INVITE.replace(b"INVITE sip", b"ACK sip").replace(b"314159 INVITE", b"x ACK")
    with pytest.raises(ParseError) as caught:
        parse(ack)
    assert caught.value.request is None


def test_bytes_after_the_announced_body_are_dropped() -> None:
    assert parse(INVITE + b"INVITE sip:second@x SIP/2.0\r\n").body == b"v=0\r\n"


def test_sizes_are_limited() -> None:
    with pytest.raises(ParseError, match="65536 bytes"):
        parse(INVITE + b"x" * 65536)
    with pytest.raises(ParseError, match="256 header fields"):
        parse(edited(b"Supported", b"X: y\r\n" * 300 + b"Supported"))
    with pytest.raises(ParseError, match="too long"):
        parse(edited(b"X-Exotel-CallSid: ", b"X-Exotel-CallSid: " + b"a" * 8200))
    with pytest.raises(ParseError, match="2048") as caught:
        parse(edited(b"+911140001234@10", b"1" * 3000 + b"@10"))
    assert caught.value.status == 414


@pytest.mark.parametrize(
    "piece",
    [
        b"Contact: " + b'"' * 8000,
        b"Contact: " + b'"\\' * 4000,
        b"Via: " + b"SIP/2.0/UDP a," * 580,
        b"Via: SIP/2.0/UDP a" + b" " * 8000 + b"!",
        b"Contact: <sip:a@b>" + b";" * 8000,
        b"Contact: " + b"<" * 8000,
        b"Contact: " + b"sip:a@b," * 1000,
        b"X:\r\n" + b" \r\n" * 2700 + b" x",
        b"CSeq: " + b"1" * 8000,
        b"CSeq: 1" + b" " * 8000 + b"x",
        b"To: <sip:a@b>;x" + b"=" * 8000,
        b"To: <sip:" + b"@" * 2000 + b">",
        b"Contact: <sip:a@b>" + b"; ; " * 2000,
        b"To: <sip:a@b>;a=" + b'"' + b'\\"' * 4000,
    ],
)
def test_hostile_input_costs_linear_time(piece: bytes) -> None:
    field = piece.partition(b":")[0]
    data = (
        edited(b"Supported", piece * 7 + b"\r\nSupported")
        if field == b"X"
        else INVITE.replace(b"\r\n", b"\r\n" + piece + b"\r\n", 1)
    )
    assert len(data) < 65536
    began = time.process_time()
    for _ in range(5):
        try:
            message = parse(data)
            message.headers.get_all(field.decode())
            _ = message.vias, message.contact
        except ParseError:
            pass
    assert time.process_time() - began < 1.0  # quadratic scanning of these takes many seconds


@given(st.binary(max_size=400))
def test_any_bytes_give_a_message_or_a_parse_error(data: bytes) -> None:
    _survives(data)


@given(st.integers(0, len(INVITE)), st.integers(0, 60), st.binary(max_size=20))
def test_any_damage_to_an_invite_gives_a_message_or_a_parse_error(at: int, length: int, new: bytes) -> None:
    _survives(INVITE[:at] + new + INVITE[at + length :])


def _survives(data: bytes) -> None:
    try:
        message = parse(data)
    except ParseError as error:
        if error.request is not None:
            response_to(error.request, error.status, to_tag="x").to_bytes()
        return
    for name in ("vias", "contact", "routes", "record_routes", "max_forwards", "content_type"):
        try:
            getattr(message, name)
        except ParseError:
            continue
    written = message.to_bytes()
    assert parse(written).to_bytes() == written
    if isinstance(message, Request):
        assert parse(response_to(message, 200, to_tag="x").to_bytes()).call_id == message.call_id


_WORD = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=20)


@given(_WORD, _WORD, st.binary(max_size=50))
def test_what_is_written_is_read_back(display: str, subject: str, body: bytes) -> None:
    request = invite()
    address = NameAddr(display, Uri("sip", "a", "h"), (("tag", "1"), ("x", display)))
    request.headers.set("From", str(address))
    request.headers.set("Subject", subject)
    request.body = body
    again = parse(request.to_bytes())
    assert again.from_ == address
    assert again.headers.get("Subject") == subject.strip()
    assert again.body == body


def test_via_and_cseq_are_written_as_read() -> None:
    text = "SIP/2.0/UDP [2001:db8::1]:5061;branch=z9hG4bK1;rport;received=192.0.2.1"
    assert str(Via.parse(text)) == text
    assert str(CSeq.parse(" 12  BYE ")) == "12 BYE"
