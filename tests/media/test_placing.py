"""Recorded audio finds its place by the sender's clock, whatever the network did to it."""

from hypothesis import given
from hypothesis import strategies as st

from media.placing import Placement

SSRC = 7


def test_the_sender_s_clock_decides_not_the_arrival() -> None:
    placement = Placement(8000, 8000)
    assert placement.place(SSRC, 5000, 800) == 800
    # 20 ms later by its timestamp, 35 ms later by arrival: jitter leaves no gap.
    assert placement.place(SSRC, 5160, 1080) == 960
    # Overtaken on the way.
    assert placement.place(SSRC, 5480, 1200) == 1280
    assert placement.place(SSRC, 5320, 1240) == 1120


def test_the_timestamp_may_wrap() -> None:
    placement = Placement(8000, 8000)
    placement.place(SSRC, 0xFFFFFF80, 0)
    assert placement.place(SSRC, 0x20, 160) == 160


def test_a_clock_that_differs_from_the_sample_rate() -> None:
    # G.722 counts 8000 ticks a second and has 16000 samples (RFC 3551, 4.5.2).
    placement = Placement(8000, 16000)
    placement.place(SSRC, 100, 0)
    assert placement.place(SSRC, 260, 330) == 320


def test_a_new_sender_and_a_jump_are_counted_anew() -> None:
    placement = Placement(8000, 8000)
    placement.place(SSRC, 1000, 0)
    assert placement.place(SSRC + 1, 99, 400) == 400
    assert placement.place(SSRC + 1, 900_000, 560) == 560
    assert placement.place(SSRC + 1, 900_160, 700) == 720


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**24)), max_size=50))
def test_no_timestamp_leads_far_from_the_arrival(packets: list[tuple[int, int]]) -> None:
    placement = Placement(8000, 8000)
    for timestamp, sample in packets:
        assert abs(placement.place(SSRC, timestamp, sample) - sample) <= 2000
