"""Both sides of a call together, by their positions."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from media.codecs import L16_8
from media.mixing import BEHIND_MS, MOST_BEHIND_MS, Overheard, mixed

FRAME = 160
BEHIND = BEHIND_MS * 8


def l16(value: int, samples: int = FRAME) -> bytes:
    return L16_8.new_encoder()(np.full(samples, value, "<i2").tobytes())


def samples(payload: bytes | None) -> list[int]:
    return [] if payload is None else [int(s) for s in np.frombuffer(L16_8.new_decoder()(payload), "<i2")]


def played(overheard: Overheard, ticks: int) -> list[int]:
    """What is given in so many ticks, silence as zeros."""
    out: list[int] = []
    for _ in range(ticks):
        out += samples(overheard.next(0.0)) or [0] * FRAME
    return out


def test_two_directions_are_added() -> None:
    overheard = Overheard(L16_8, L16_8)
    overheard.received(l16(1000), 0)
    overheard.sent(l16(30), 0)
    assert played(overheard, 4) == [0] * BEHIND + [1030] * FRAME


def test_what_is_too_loud_is_as_loud_as_can_be() -> None:
    loud = np.array([30000, -30000], np.int16)
    assert mixed(loud, loud, 2).tolist() == [32767, -32768]


def test_nothing_at_all_is_silence() -> None:
    overheard = Overheard(L16_8, L16_8)
    assert overheard.next(0.0) is None
    overheard.received(l16(5), 0)
    assert len(played(overheard, 4)) == 4 * FRAME
    assert overheard.next(0.0) is None


def test_packets_out_of_order_twice_and_of_any_length_find_their_places() -> None:
    pieces = [(at, 60 + at // 480) for at in range(0, 4800, 480)]
    sent = [*pieces, pieces[3]]
    order = random.Random(1)
    overheard = Overheard(L16_8, L16_8)
    out: list[int] = []
    coming = [sent[i : i + 2] for i in range(0, len(sent), 2)]
    for pair in coming:
        order.shuffle(pair)
        for at, value in pair:
            overheard.received(l16(value, 480), at)
        out += played(overheard, 6)
    out += played(overheard, 10)
    start = next(i for i, s in enumerate(out) if s)
    assert out[start : start + 4800] == [value for _, value in pieces for _ in range(480)]


def test_a_packet_later_than_is_waited_for_moves_all_further_behind() -> None:
    overheard = Overheard(L16_8, L16_8)
    for at in range(0, 1600, FRAME):
        overheard.received(l16(7), at)
        overheard.next(0.0)
    late = 1600 - FRAME - BEHIND - 2 * FRAME
    overheard.received(l16(9), late)
    assert samples(overheard.next(0.0)) == [9] * FRAME


def test_one_far_too_late_or_a_jump_of_the_clock_begins_anew() -> None:
    for sample in (160_000, 80_000 - (MOST_BEHIND_MS + 100) * 8):
        overheard = Overheard(L16_8, L16_8)
        overheard.received(l16(7), 80_000)
        played(overheard, 8)
        overheard.received(l16(9), sample)
        assert 9 in played(overheard, 8)


def test_who_never_reads_keeps_nothing() -> None:
    overheard = Overheard(L16_8, L16_8)
    for at in range(0, 160_000, FRAME):
        overheard.received(l16(7), at)
    assert len(overheard._heard._pending) <= 100


@given(
    st.lists(st.tuples(st.integers(-2000, 200_000), st.integers(0, 700), st.booleans()), max_size=40),
    st.integers(0, 3),
)
def test_whatever_comes_every_tick_has_one_whole_frame_or_none(
    packets: list[tuple[int, int, bool]], ticks: int
) -> None:
    overheard = Overheard(L16_8, L16_8)
    for at, size, said in packets:
        (overheard.sent if said else overheard.received)(l16(1, size), at)
        for _ in range(ticks):
            assert len(samples(overheard.next(0.0))) in (0, FRAME)
