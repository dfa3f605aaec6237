"""Reports and their arithmetic, as RFC 3550 gives them."""

import struct
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.reception import Reception
from media.reports import Reports, ntp_time
from media.rtcp import (
    Bye,
    ReceiverReport,
    ReportBlock,
    RtcpError,
    SenderReport,
    SourceDescription,
    build_compound,
    parse_compound,
)

BLOCK = ReportBlock(0xAABBCCDD, 25, -3, 0x0001FFFF, 40, 0x12345678, 65536)


def received(numbers: list[int]) -> Reception:
    reception = Reception(1, numbers[0], 8000)
    for number in numbers:
        reception.update(number & 0xFFFF)
    return reception


def test_a_sender_report_has_the_layout_of_section_6_4_1():
    data = SenderReport(0x01020304, 0x1111111122222222, 8000, 50, 8000, (BLOCK,)).to_bytes()
    assert data[:8] == bytes.fromhex("81c8000c 01020304")
    assert data[8:28] == bytes.fromhex("1111111122222222 00001f40 00000032 00001f40")
    assert data[28:40] == bytes.fromhex("aabbccdd 19 fffffd 0001ffff")
    assert len(data) == 52


def test_a_compound_is_read_as_it_was_written():
    packets = [
        SenderReport(1, 2**63 + 5, 3, 4, 5, (BLOCK, BLOCK)),
        ReceiverReport(6, (BLOCK,)),
        SourceDescription(1, "9f3c@192.0.2.1"),
        Bye((1, 6)),
    ]
    data = build_compound(packets)
    assert len(data) % 4 == 0
    assert parse_compound(data) == packets


@pytest.mark.parametrize("length", range(8))
def test_a_name_of_any_length_ends_on_a_word_and_with_a_zero(length):
    packet = SourceDescription(1, "n" * length)
    data = packet.to_bytes()
    assert len(data) % 4 == 0
    assert data[-1] == 0
    assert parse_compound(data) == [packet]


def test_other_packet_types_are_skipped_and_padding_taken_off():
    application = struct.pack("!BBH", 0x80, 204, 2) + b"12345678"
    padded = struct.pack("!BBHII", 0xA1, 203, 2, 77, 4)
    assert parse_compound(application + padded) == [Bye((77,))]


@pytest.mark.parametrize("cut", [1, 3, 5, 30, 51])
def test_a_report_that_is_cut_off_is_refused(cut):
    with pytest.raises(RtcpError):
        parse_compound(SenderReport(1, 2, 3, 4, 5, (BLOCK,)).to_bytes()[:cut])


def test_a_count_beyond_the_length_is_refused():
    with pytest.raises(RtcpError, match="announced"):
        parse_compound(b"\x82" + ReceiverReport(1, (BLOCK,)).to_bytes()[1:])


@given(st.binary(max_size=120))
def test_no_datagram_does_harm(data):
    try:
        parse_compound(data)
    except RtcpError:
        return


@given(st.lists(st.tuples(st.integers(200, 204), st.integers(0, 31), st.binary(max_size=40)), max_size=4))
def test_no_well_framed_rubbish_does_harm(parts):
    data = b""
    for kind, count, body in parts:
        body += bytes(-len(body) % 4)
        data += struct.pack("!BBH", 0x80 | count, kind, len(body) // 4) + body
    try:
        parse_compound(data)
    except RtcpError:
        return


def test_losses_are_what_was_expected_less_what_came():
    reception = received([10, 11, 13, 16])
    assert (reception.expected, reception.received, reception.lost) == (7, 4, 3)


def test_reordering_is_no_loss_and_the_count_goes_over_the_wrap():
    reception = received([0xFFFE, 0, 0xFFFF, 1, 2])
    assert (reception.expected, reception.lost, reception.highest) == (5, 0, 0x10002)


def test_duplicates_outweigh_losses():
    assert received([1, 2, 2, 2, 3]).lost == -2


def test_the_fraction_is_that_of_the_last_interval():
    reception = received([0, 1, 2, 3])
    assert reception.take_fraction() == 0
    for number in (4, 7):
        reception.update(number)
    assert reception.take_fraction() == 128
    assert reception.take_fraction() == 0


def test_one_stray_number_is_ignored_and_two_in_sequence_restart():
    reception = received([100, 101])
    reception.update(40000)
    assert (reception.highest, reception.received) == (101, 2)
    reception.update(40001)
    assert (reception.highest, reception.expected, reception.received) == (40001, 1, 1)


def test_jitter_follows_the_filter_of_appendix_a_8():
    reception = received([0])
    for timestamp, arrival in [(0, 1000.0), (160, 1160.0), (320, 1400.0)]:
        reception.measure(timestamp, arrival)
    assert reception.jitter == 80 / 16
    reception.measure(10_000_000, 1560.0)  # the sender set its clock: no jitter
    assert reception.jitter == 5.0


def test_a_steady_stream_has_no_jitter_over_the_wrap_of_the_timestamp():
    reception = received([0])
    for i in range(100):
        reception.measure((0xFFFFFFFF - 4000 + 160 * i) & 0xFFFFFFFF, 160.0 * i)
    assert reception.jitter == 0.0


def reports(ssrc: int) -> Reports:
    return Reports(ssrc, f"{ssrc}@192.0.2.1", 8000, Random(1))


def test_the_round_trip_is_measured_from_a_report_to_its_echo():
    us, them = reports(1), reports(2)
    heard = received([1, 2, 4])
    ours = us.build(now=10.0, ntp=ntp_time(1000.0), timestamp=0, packets=5, octets=800, heard=None, bye=False)
    assert them.handle(ours, now=50.02, ntp=ntp_time(7.0))
    heard.ssrc = 1
    theirs = them.build(50.52, ntp_time(7.5), 0, packets=0, octets=0, heard=heard, bye=False)
    assert us.handle(theirs, now=10.54, ntp=ntp_time(1000.54))
    assert us.rtt_s == pytest.approx(0.04, abs=1e-4)
    assert us.remote is not None
    assert us.remote.lost == 1


def test_a_report_about_somebody_else_changes_nothing():
    us = reports(1)
    assert us.handle(ReceiverReport(5, (BLOCK,)).to_bytes(), 1.0, ntp_time(1.0))
    assert us.remote is None
    assert us.rtt_s is None


def test_what_is_no_report_is_said_to_be_none():
    assert not reports(1).handle(b"hello", 1.0, 0)
    assert not reports(1).handle(b"", 1.0, 0)


def test_who_sent_nothing_reports_as_a_receiver_and_a_bye_comes_last():
    packets = parse_compound(reports(9).build(1.0, ntp_time(1.0), 0, 0, 0, received([1]), bye=True))
    assert [type(p) for p in packets] == [ReceiverReport, SourceDescription, Bye]


def test_intervals_are_spread_as_section_6_3_1_asks():
    maker = reports(1)
    intervals = [maker.interval_s() for _ in range(500)]
    assert min(intervals) >= 2.5 / 1.21828
    assert max(intervals) <= 7.5 / 1.21828
    assert max(intervals) - min(intervals) > 3
    assert maker.interval_s(first=True) <= 3.75 / 1.21828
