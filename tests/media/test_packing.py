"""Packets of 10 to 60 ms out of ticks of 20 ms: a byte is one unit of the clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.agreement import Agreement
from media.codecs import PCMA
from media.packing import PTIMES_MS, Packer, Piece


def tick(number: int) -> bytes:
    return bytes([number % 250]) * 160


def test_30_ms_go_out_in_two_of_three_ticks():
    packer = Packer(240)
    assert packer.put(tick(0), 0) == []
    assert packer.put(tick(1), 160) == [Piece(0, tick(0) + tick(1)[:80])]
    assert packer.put(tick(2), 320) == [Piece(240, tick(1)[:80] + tick(2))]
    assert packer.put(tick(3), 480) == []


def test_10_ms_go_out_two_at_a_time():
    assert Packer(80).put(tick(7), 800) == [Piece(800, tick(7)[:80]), Piece(880, tick(7)[:80])]


def test_what_waits_goes_out_short_before_the_clock_jumps():
    packer = Packer(480)
    packer.put(tick(0), 0)
    assert packer.put(tick(1), 1600) == [Piece(0, tick(0))]
    assert packer.flush() == [Piece(1600, tick(1))]
    assert packer.flush() == []


def test_the_end_of_a_clip_is_told_when_the_packet_with_it_is_sent():
    packer = Packer(480)
    packer.put(tick(0), 0)
    assert not packer.all_sent()
    packer.put(tick(1), 160)
    assert not packer.all_sent()
    packer.put(tick(2), 320)
    assert packer.all_sent()


@given(
    ptime_ms=st.sampled_from(PTIMES_MS),
    start=st.integers(0, 0xFFFFFFFF),
    jumps=st.lists(st.sampled_from([0, 0, 0, 160, 3200]), min_size=1, max_size=40),
)
def test_every_byte_is_sent_once_at_its_timestamp(ptime_ms, start, jumps):
    packer, clock = Packer(ptime_ms * 8), start
    put: dict[int, int] = {}
    sent: dict[int, int] = {}
    pieces = []
    for number, jump in enumerate(jumps):
        clock = (clock + jump) & 0xFFFFFFFF
        put |= {(clock + i) & 0xFFFFFFFF: byte for i, byte in enumerate(tick(number))}
        pieces += packer.put(tick(number), clock)
        clock = (clock + 160) & 0xFFFFFFFF
    pieces += packer.flush()
    for timestamp, payload in pieces:
        assert 0 < len(payload) <= ptime_ms * 8
        sent |= {(timestamp + i) & 0xFFFFFFFF: byte for i, byte in enumerate(payload)}
    assert sent == put
    assert sum(len(payload) for _, payload in pieces) == len(put)


@pytest.mark.parametrize("ptime_ms", [0, 15, 70])
def test_other_lengths_are_refused(ptime_ms):
    with pytest.raises(ValueError, match="10, 20, 30, 40, 50, 60 ms"):
        Agreement(("192.0.2.1", 4000), PCMA, 8, 101, ptime_ms=ptime_ms)
