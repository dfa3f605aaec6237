"""RTP packets as RFC 3550 section 5.1 draws them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.rtp import RtpError, RtpPacket, payload_bounds, timestamp_delta

FIXED = bytes.fromhex("80 88 1234 00000fa0 deadbeef")


def test_a_plain_packet_is_read_field_by_field():
    packet = RtpPacket.parse(FIXED + b"voice")
    assert packet == RtpPacket(8, 0x1234, 4000, 0xDEADBEEF, b"voice", marker=True)
    assert packet.to_bytes() == FIXED + b"voice"


def test_contributing_sources_extension_and_padding_are_skipped():
    header = bytes([0x80 | 0x20 | 0x10 | 2]) + FIXED[1:]
    sources = bytes(8)
    extension = bytes.fromhex("bede 0001") + b"\x51\x00\x00\x00"
    assert RtpPacket.parse(header + sources + extension + b"voice" + b"\x00\x00\x03").payload == b"voice"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        FIXED[:11],
        b"\x40" + FIXED[1:],  # version 1
        b"\x8f" + FIXED[1:],  # 15 contributing sources that are not there
        b"\x90" + FIXED[1:],  # an extension that is not there
        b"\x90" + FIXED[1:] + b"\xbe\xde\x00\x02\x00\x00\x00\x00",  # an extension that is cut off
        b"\xa0" + FIXED[1:] + b"\x00",  # padding of nothing
        b"\xa0" + FIXED[1:] + b"\x05",  # padding beyond the packet
    ],
)
def test_what_does_not_fit_is_no_packet(data):
    assert payload_bounds(data, len(data)) is None
    with pytest.raises(RtpError):
        RtpPacket.parse(data)


@given(st.binary(max_size=80))
def test_no_datagram_does_harm(data):
    bounds = payload_bounds(data, len(data))
    if bounds is None:
        with pytest.raises(RtpError):
            RtpPacket.parse(data)
    else:
        assert 12 <= bounds[0] <= bounds[1] <= len(data)


packets = st.builds(
    RtpPacket,
    payload_type=st.integers(0, 127),
    sequence=st.integers(0, 0xFFFF),
    timestamp=st.integers(0, 0xFFFFFFFF),
    ssrc=st.integers(0, 0xFFFFFFFF),
    payload=st.binary(max_size=320),
    marker=st.booleans(),
)


@given(packets)
def test_what_is_written_is_read_again(packet):
    assert RtpPacket.parse(packet.to_bytes()) == packet


def test_distances_go_around_the_wrap():
    assert timestamp_delta(160, 0xFFFFFFFF) == 161
    assert timestamp_delta(0xFFFFFFFF, 160) == -161
