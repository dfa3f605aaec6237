"""Session descriptions: Exotel's own as it comes, leniency, strict output, hostile input."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.sdp import (
    Direction,
    MediaDescription,
    Origin,
    SdpError,
    SessionDescription,
    ip_of,
    parse_sdp,
)

EXOTEL = b"""v=0\r
o=- 1700000000 1700000001 IN IP4 182.76.143.61\r
c=IN IP4 182.76.143.61\r
t=0 0\r
m=audio 31842 RTP/AVP 8 0 96\r
a=rtpmap:8 PCMA/8000\r
a=rtpmap:96 telephone-event/8000\r
a=fmtp:96 0-15\r
a=ptime:20\r
a=maxptime:40\r
"""


def test_a_description_without_a_session_name_is_read() -> None:
    sdp = parse_sdp(EXOTEL)
    (audio,) = sdp.media
    assert (audio.kind, audio.port, audio.protocol, audio.formats) == (
        "audio",
        31842,
        "RTP/AVP",
        ("8", "0", "96"),
    )
    assert [(m.payload_type, m.encoding, m.clock_rate) for m in audio.rtpmaps] == [
        (8, "PCMA", 8000),
        (0, "PCMU", 8000),
        (96, "telephone-event", 8000),
    ]
    assert sdp.address_of(audio) == "182.76.143.61"
    assert sdp.direction_of(audio) is Direction.SENDRECV
    assert audio.ptime_ms == 20
    assert audio.attribute("fmtp") == "96 0-15"
    assert sdp.origin == Origin("-", "1700000000", "1700000001", "182.76.143.61")
    assert b"\r\ns=-\r\n" in sdp.to_bytes()
    assert parse_sdp(sdp.to_bytes()) == sdp


def test_media_level_lines_override_those_of_the_session() -> None:
    sdp = parse_sdp(
        b"v=0\no=a 1 1 IN IP6 ::1\ns= \nc=IN IP6 2001:db8::1\na=sendonly\nt=0 0\nb=AS:64\nk=clear:x\n"
        b"m=audio 4000 RTP/AVP 0\nc=IN IP4 192.0.2.1/127\na=recvonly\nm=video 4002/2 RTP/AVP 31\n"
    )
    video = sdp.media[1]
    assert [sdp.address_of(line) for line in sdp.media] == ["192.0.2.1", "2001:db8::1"]
    assert [sdp.direction_of(line) for line in sdp.media] == [Direction.RECVONLY, Direction.SENDONLY]
    assert b"c=IN IP6 2001:db8::1\r\n" in sdp.to_bytes()
    assert video.refused().port == 0
    assert video.refused().formats == ("31",)


@pytest.mark.parametrize(
    ("lines", "ptime_ms"),
    [(b"", None), (b"a=ptime:30\n", 30), (b"a=ptime:30\na=maxptime:20\n", 20), (b"a=maxptime:20\n", None),
     (b"a=ptime:20.0\n", 20), (b"a=ptime:x\n", None), (b"a=ptime:0\n", None)],
)  # fmt: skip
def test_packet_length(lines: bytes, ptime_ms: int | None) -> None:
    assert parse_sdp(EXOTEL.replace(b"a=ptime:20\r\na=maxptime:40\r\n", lines)).media[0].ptime_ms == ptime_ms


def test_what_stands_in_an_rtpmap_wins_over_the_static_table_and_nonsense_is_ignored() -> None:
    sdp = parse_sdp(EXOTEL + b"a=rtpmap:0 opus/48000/2\na=rtpmap:bad\na=rtpmap:300 x/8000\na=\n")
    assert [m.encoding for m in sdp.media[0].rtpmaps] == ["PCMA", "PCMU", "telephone-event"]
    sdp = parse_sdp(EXOTEL.replace(b"a=ptime:20", b"a=rtpmap:0 L16/8000"))
    assert [m.encoding for m in sdp.media[0].rtpmaps] == ["PCMA", "L16", "telephone-event"]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "no v=0"),
        (b"v=1\r\n", "version"),
        (b"o=- 1 1 IN IP4 1.2.3.4\r\nm=audio 1 RTP/AVP 0\r\n", "no v=0"),
        (b"v=0\r\nhello\r\n", "not a line"),
        (b"v=0\r\nm=audio\r\n", "media line"),
        (b"v=0\r\nm=audio 70000 RTP/AVP 0\r\n", "media line"),
        (b"v=0\r\nm=audio -1 RTP/AVP 0\r\n", "media line"),
        (b"v=0\r\nc=IN IP4\r\n", "connection line"),
        (b"v=0\r\n" + b"m=audio 1 RTP/AVP 0\r\n" * 17, "16 media lines"),
        (b"v=0\r\n" + b"a=x\r\n" * 600, "512 lines"),
        (b"v=0\r\n" + b"a=" + b"x" * 20000, "16384 bytes"),
    ],
)
def test_what_is_no_description_is_refused_with_its_reason(data: bytes, problem: str) -> None:
    with pytest.raises(SdpError, match=problem):
        parse_sdp(data)


def test_a_line_break_inside_a_value_is_refused_on_output() -> None:
    media = MediaDescription("audio", 4000, "RTP/AVP", ("0",), (("tool", "x\r\nm=audio 1 RTP/AVP 0"),))
    with pytest.raises(SdpError, match="line break"):
        SessionDescription(Origin("-", "1", "1", "192.0.2.1"), (media,), "192.0.2.1").to_bytes()


@given(st.binary(max_size=300) | st.binary(max_size=100).map(lambda tail: EXOTEL + tail))
def test_any_bytes_give_a_description_or_an_sdp_error(data: bytes) -> None:
    try:
        sdp = parse_sdp(data)
    except SdpError:
        return
    for media in sdp.media:
        assert sdp.direction_of(media)
        assert all(0 <= m.payload_type < 128 for m in media.rtpmaps)
        assert media.ptime_ms is None or media.ptime_ms > 0


_TOKEN = st.text("abcXYZ019-", min_size=1, max_size=8)
_MEDIA = st.builds(
    MediaDescription,
    kind=st.sampled_from(["audio", "video", "application"]),
    port=st.integers(0, 65535),
    protocol=st.sampled_from(["RTP/AVP", "RTP/SAVP", "UDPTL"]),
    formats=st.lists(_TOKEN, min_size=1, max_size=4).map(tuple),
    attributes=st.lists(st.tuples(_TOKEN.map(str.lower), st.none() | _TOKEN), max_size=4).map(tuple),
    connection=st.none() | st.ip_addresses(v=4).map(str) | st.ip_addresses(v=6).map(str),
)


@given(st.lists(_MEDIA, max_size=4).map(tuple), st.ip_addresses().map(str), _TOKEN)
def test_what_is_written_is_read_back(media: tuple[MediaDescription, ...], address: str, name: str) -> None:
    sdp = SessionDescription(Origin(name, "1", "2", address), media, address, (("inactive", None),), name)
    assert parse_sdp(sdp.to_bytes()) == sdp


def test_directions_reverse_and_combine() -> None:
    assert Direction.SENDONLY.reversed is Direction.RECVONLY
    assert Direction.INACTIVE.reversed is Direction.INACTIVE
    assert Direction.SENDRECV & Direction.SENDONLY is Direction.SENDONLY
    assert Direction.SENDONLY & Direction.RECVONLY is Direction.INACTIVE
    assert not Direction.SENDONLY.receive


def test_only_ip_literals_are_addresses() -> None:
    assert ip_of("192.0.2.1") == IPv4Address("192.0.2.1")
    assert ip_of("2001:db8::1") == IPv6Address("2001:db8::1")
    assert ip_of("host.example") is None
    assert ip_of(None) is None
