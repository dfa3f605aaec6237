"""The jitter buffer, packet by packet. A frame is 160 units of an 8000 Hz clock, the target 40 ms."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.jitter import Gap, JitterBuffer

FRAME = 160
FILL = b"\xd5"


def buffer(target_ms: int = 40) -> JitterBuffer:
    return JitterBuffer(FRAME, 8000, target_ms, FILL)


def voice(number: int, length: int = FRAME) -> bytes:
    return bytes([number % 200 + 1]) * length


class Line:
    """Pushes numbered 20 ms packets and pops ticks on one clock."""

    def __init__(self, sequence: int = 0, timestamp: int = 0, target_ms: int = 40) -> None:
        self.buffer = buffer(target_ms)
        self.sequence, self.timestamp = sequence, timestamp

    def push(self, number: int, now: float, ssrc: int = 7) -> None:
        sequence = (self.sequence + number) & 0xFFFF
        timestamp = (self.timestamp + FRAME * number) & 0xFFFFFFFF
        self.buffer.push(ssrc, sequence, timestamp, voice(number), now)

    def pops(self, count: int, start: float) -> list[bytes | Gap]:
        return [self.buffer.pop(start + 0.02 * i) for i in range(count)]


def test_before_anything_came_there_is_silence():
    assert buffer().pop(0.0) is Gap.SILENCE


def test_the_first_packet_waits_for_the_target():
    line = Line()
    line.push(0, 1.0)
    assert line.buffer.pop(1.02) is Gap.SILENCE
    assert line.buffer.pop(1.04) == voice(0)


def test_packets_come_out_in_order_whatever_order_they_came_in():
    line = Line()
    for number in (0, 2, 1, 4, 3):
        line.push(number, 1.0)
    assert line.pops(5, 1.04) == [voice(i) for i in range(5)]


def test_even_the_first_packet_may_be_overtaken():
    line = Line()
    for number in (1, 2, 0):
        line.push(number, 1.0)
    assert line.pops(3, 1.04) == [voice(i) for i in range(3)]


def test_a_duplicate_is_played_once():
    line = Line()
    for number in (0, 1, 1, 2):
        line.push(number, 1.0)
    assert line.pops(4, 1.04) == [voice(0), voice(1), voice(2), Gap.LOSS]


def test_a_lost_packet_leaves_a_gap_of_its_length():
    line = Line()
    for number in (0, 2):
        line.push(number, 1.0)
    assert line.pops(3, 1.04) == [voice(0), Gap.LOSS, voice(2)]


def test_a_pause_of_the_far_end_is_silence_not_loss():
    line = Line()
    line.push(0, 1.0)
    line.buffer.push(7, 1, 3 * FRAME, voice(3), 1.0)  # the next sequence number, two frames later
    assert line.pops(4, 1.04) == [voice(0), Gap.SILENCE, Gap.SILENCE, voice(3)]


def test_sequence_and_timestamp_may_wrap():
    line = Line(sequence=0xFFFE, timestamp=0xFFFFFFFF - 200)
    for number in range(5):
        line.push(number, 1.0)
    assert line.pops(5, 1.04) == [voice(i) for i in range(5)]


def test_a_late_packet_is_counted_and_dropped():
    line = Line()
    for number in (0, 2):
        line.push(number, 1.0)
    assert line.pops(2, 1.04) == [voice(0), Gap.LOSS]
    line.push(1, 1.07)
    assert line.pops(1, 1.08) == [voice(2)]
    assert line.buffer.late == 1


def test_a_network_that_stood_still_loses_nothing():
    line = Line()
    line.push(0, 1.0)
    assert line.pops(20, 1.04) == [voice(0)] + [Gap.LOSS] * 19
    for number in range(1, 5):
        line.push(number, 1.45)
    assert line.pops(4, 1.46) == [voice(i) for i in range(1, 5)]
    assert line.buffer.late == 0


@pytest.mark.parametrize("marker", [False, True])
def test_a_far_clock_that_is_set_back_begins_again_at_once(marker):
    line = Line(timestamp=50_000)
    for number in range(3):
        line.push(number, 1.0)
    assert line.pops(2, 1.04) == [voice(0), voice(1)]
    for number in range(3, 6):
        line.buffer.push(7, number, 44_000 + FRAME * number, voice(number), 1.07, marker)
        marker = False
    heard = [frame for frame in line.pops(8, 1.08) if isinstance(frame, bytes)]
    assert heard[-1] == voice(5)
    assert line.buffer.late == 0


def test_a_talkspurt_starts_with_all_the_time_that_it_should_have():
    line = Line()
    line.push(0, 1.0)
    line.push(1, 1.02)
    assert line.pops(2, 1.04) == [voice(0), voice(1)]
    assert line.pops(1, 1.08) == [Gap.LOSS]
    # 100 ms later, 30 ms slower than the first: due 40 ms after the fastest would have come.
    line.buffer.push(7, 2, 7 * FRAME, voice(2), 1.17, marker=True)
    assert line.pops(3, 1.14) == [Gap.LOSS, Gap.LOSS, voice(2)]


def test_comfort_noise_makes_a_pause_not_a_loss():
    line = Line()
    line.push(0, 1.0)
    line.buffer.pause(7, 1, FRAME)
    assert line.pops(20, 1.04) == [voice(0)] + [Gap.SILENCE] * 19
    line.buffer.pause(7, 2, 21 * FRAME)
    line.buffer.push(7, 3, 30 * FRAME, voice(3), 1.60, marker=True)
    assert line.pops(3, 1.60) == [Gap.SILENCE, Gap.SILENCE, voice(3)]
    assert line.buffer.late == 0


def test_a_duplicate_that_comes_after_its_original_was_played_is_not_late():
    line = Line()
    for number in range(3):
        line.push(number, 1.0)
    line.pops(2, 1.04)
    line.push(0, 1.07)
    line.push(1, 1.07)
    assert line.pops(1, 1.08) == [voice(2)]
    assert line.buffer.late == 0


def test_another_source_begins_again_at_its_own_timestamps():
    line = Line()
    for number in range(3):
        line.push(number, 1.0)
    assert line.pops(1, 1.04) == [voice(0)]
    line.buffer.push(8, 500, 77777, voice(50), 1.05)
    assert line.pops(3, 1.06) == [Gap.SILENCE, Gap.SILENCE, voice(50)]


def test_timestamps_that_jump_far_ahead_begin_again():
    line = Line()
    line.push(0, 1.0)
    line.pops(1, 1.04)
    line.buffer.push(7, 1, 5_000_000, voice(9), 1.05)
    assert line.pops(3, 1.06) == [Gap.SILENCE, Gap.SILENCE, voice(9)]


@pytest.mark.parametrize("length", [80, 240, 320, 480])
def test_packets_of_other_lengths_come_out_as_frames_of_20_ms(length):
    jitter = buffer()
    stream = bytes(i // FRAME + 1 for i in range(1920))
    for i in range(0, len(stream), length):
        jitter.push(7, i // length, 1000 + i, stream[i : i + length], 1.0)
    frames = [jitter.pop(1.04 + 0.02 * i) for i in range(12)]
    assert frames == [bytes([i + 1]) * FRAME for i in range(12)]


def test_half_a_frame_is_filled_up_with_silence():
    jitter = buffer()
    jitter.push(7, 0, 0, voice(1, 80), 1.0)
    jitter.push(7, 2, 160 + 80, voice(2, 80), 1.0)
    assert jitter.pop(1.04) == voice(1, 80) + FILL * 80
    assert jitter.pop(1.06) == FILL * 80 + voice(2, 80)


def test_a_far_clock_that_runs_fast_does_not_grow_the_delay():
    line = Line()
    number = 0
    for tick in range(2000):
        now = 1.0 + 0.02 * tick
        while number * 0.0199 <= 0.02 * tick:  # half a percent fast
            line.push(number, now)
            number += 1
        line.buffer.pop(now)
        if line.buffer.surplus:
            line.buffer.skip()
    held = line.buffer._end - line.buffer._play
    assert held <= line.buffer.target + 4 * FRAME


def test_a_far_clock_that_runs_slow_is_still_heard():
    line = Line()
    number, heard = 0, 0
    for tick in range(2000):
        now = 1.0 + 0.02 * tick
        while number * 0.0201 <= 0.02 * tick:
            line.push(number, now)
            number += 1
        heard += isinstance(line.buffer.pop(now), bytes)
    assert heard > 1850


def test_a_flood_does_not_fill_the_memory():
    jitter = buffer()
    for i in range(5000):
        jitter.push(7, i & 0xFFFF, i, b"\x01", 1.0)
    assert len(jitter._packets) <= 128


@settings(max_examples=60, deadline=None)
@given(
    start=st.integers(0, 0xFFFFFFFF),
    sequence=st.integers(0, 0xFFFF),
    loss=st.sampled_from([0.0, 0.05, 0.2]),
    seed=st.integers(0, 10_000),
)
def test_what_arrives_in_time_is_played_at_its_place(start, sequence, loss, seed):
    chance = random.Random(seed)
    line = Line(sequence, start)
    line.buffer = JitterBuffer(FRAME, 8000, 60, FILL, least_ms=60, most_ms=60)
    arrivals = []
    for number in range(60):
        if number and chance.random() < loss:
            continue
        copies = 1 + (chance.random() < 0.1)
        arrivals += [(0.02 * number + (chance.random() * 0.05 if number else 0.0), number)] * copies
    arrived = {number for _, number in arrivals}
    arrivals.sort()
    played = []
    for tick in range(60):
        now = 0.06 + 0.02 * tick
        while arrivals and arrivals[0][0] <= now:
            at, number = arrivals.pop(0)
            line.push(number, at)
        played.append(line.buffer.pop(now))
    assert played == [voice(i) if i in arrived else Gap.LOSS for i in range(60)]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),
            st.integers(0, 0xFFFF),
            st.integers(0, 0xFFFFFFFF),
            st.binary(max_size=400),
            st.booleans(),
        ),
        max_size=60,
    )
)
def test_no_stream_of_packets_does_harm(packets):
    jitter = buffer()
    for i, (ssrc, sequence, timestamp, payload, pop) in enumerate(packets):
        jitter.push(ssrc, sequence, timestamp, payload, i * 0.02)
        if pop:
            frame = jitter.pop(i * 0.02 + 0.1)
            assert isinstance(frame, Gap) or len(frame) == FRAME


@pytest.mark.parametrize(
    ("ssrc", "sequence", "timestamp"),
    [
        (9, 40_000, 3_000_000_000),  # another source
        (7, 40_000, 3 * FRAME),  # the numbering jumps, the clock goes on
        (7, 3, 4_000_000),  # the clock jumps ahead
        (7, 40_000, 3_000_000_000),  # both, as after a restart
        (7, 30_000, 0xFFFFFFFF - 40_000),  # both, backwards
    ],
)
def test_after_a_jump_the_far_end_is_heard_again_within_a_few_frames(ssrc, sequence, timestamp):
    line = Line(sequence=100)
    for number in range(3):
        line.push(number, 1.0 + 0.02 * number)
    assert line.pops(3, 1.05)[0] == voice(0)
    heard = []
    for number in range(20):
        now = 1.06 + 0.02 * number
        place = (timestamp + FRAME * number) & 0xFFFFFFFF
        line.buffer.push(ssrc, sequence + number, place, voice(50 + number), now)
        heard.append(line.buffer.pop(now + 0.015))
    begun = next(i for i, frame in enumerate(heard) if isinstance(frame, bytes) and frame[0] > 50)
    assert begun <= 7
    numbers = [frame[0] for frame in heard[begun:] if isinstance(frame, bytes)]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert len(numbers) >= 12


@pytest.mark.parametrize("length", [80, 480, 800])
def test_after_a_standstill_packets_of_any_length_go_on(length):
    jitter = buffer()
    jitter.push(7, 0, 0, voice(0, length), 1.0)
    for tick in range(60):
        jitter.pop(1.04 + 0.02 * tick)
    for number in range(1, 60 * FRAME // length):
        jitter.push(7, number, number * length, voice(number, length), 2.23)
    frames = [jitter.pop(2.24 + 0.02 * tick) for tick in range(40)]
    assert sum(isinstance(frame, bytes) for frame in frames) >= 5
    assert {len(frame) for frame in frames if isinstance(frame, bytes)} == {FRAME}
    heard = [frame[-1] for frame in frames if isinstance(frame, bytes)]
    assert heard == sorted(heard)


def test_a_source_that_changes_with_every_packet_does_no_harm():
    jitter = buffer()
    for i in range(200):
        jitter.push(i, i, i * 1_000_003 & 0xFFFFFFFF, voice(i), 0.02 * i)
        assert isinstance(jitter.pop(0.02 * i), Gap | bytes)
    assert jitter.late == 0


def whole_buffer() -> JitterBuffer:
    return JitterBuffer(960, 48000, 40, FILL, whole=True)


def test_whole_payloads_of_any_size_come_out_as_they_are():
    jitter = whole_buffer()
    payloads = [voice(n, 3 + 40 * n) for n in range(6)]
    for n in (0, 2, 1, 3, 5, 4):
        jitter.push(7, n, 960 * n, payloads[n], 1.0)
    assert [jitter.pop(1.04 + 0.02 * n) for n in range(6)] == payloads


def test_of_whole_payloads_a_missing_one_is_a_loss_and_none_is_cut():
    jitter = whole_buffer()
    for n in (0, 1, 3, 4):
        jitter.push(7, n, 960 * n + (100 if n == 4 else 0), voice(n, 50 + n), 1.0)
    out = [jitter.pop(1.04 + 0.02 * n) for n in range(5)]
    assert out == [voice(0, 50), voice(1, 51), Gap.LOSS, voice(3, 53), voice(4, 54)]


# --- for who needs no even frames


class Listener(Line):
    """Takes what is there early, and with each tick what nothing came for."""

    def __init__(self, sequence: int = 0, timestamp: int = 0, target_ms: int = 40) -> None:
        super().__init__(sequence, timestamp, target_ms)
        self.heard: list[bytes | Gap] = []

    def push(self, number: int, now: float, ssrc: int = 7) -> None:
        super().push(number, now, ssrc)
        self.listen()

    def tick(self, now: float) -> None:
        frame = self.buffer.pop(now)
        if frame is not Gap.GIVEN:
            self.heard.append(frame)
            self.listen()

    def listen(self) -> None:
        while (frame := self.buffer.early()) is not None:
            self.heard.append(frame)


def test_what_comes_in_its_order_is_given_at_once_and_not_again_when_its_time_comes():
    line = Listener()
    for number in range(4):
        line.push(number, 1.0 + 0.02 * number)
        assert line.heard == [voice(i) for i in range(number + 1)]
        line.tick(1.01 + 0.02 * number)
    assert line.heard == [voice(i) for i in range(4)]


def test_only_what_is_missing_is_waited_for_as_long_as_it_would_be_else():
    line = Listener()
    for number in (0, 2, 3):
        line.push(number, 1.0)
    assert line.heard == [voice(0)]
    line.tick(1.04)  # the time of the first
    assert line.heard == [voice(0)]
    line.tick(1.06)  # that of the second
    assert line.heard == [voice(0), Gap.LOSS, voice(2), voice(3)]


def test_what_was_overtaken_is_given_in_its_order():
    line = Listener()
    for number in (0, 2, 1, 4, 3):
        line.push(number, 1.0)
    assert line.heard == [voice(i) for i in range(5)]


def test_given_early_the_first_packet_cannot_be_overtaken_and_nothing_is_given_twice():
    line = Listener()
    for number in (1, 2, 0):
        line.push(number, 1.0)
    for tick in range(3):
        line.tick(1.04 + 0.02 * tick)
    assert line.heard == [voice(1), voice(2), Gap.LOSS]


def test_a_talkspurt_is_given_at_once_and_the_pause_before_it_lasts_by_the_clock():
    line = Listener()
    line.push(0, 1.0)
    line.buffer.pause(7, 1, FRAME)
    for tick in range(12):
        line.tick(1.04 + 0.02 * tick)
    assert line.heard == [voice(0)] + [Gap.SILENCE] * 11
    line.buffer.push(7, 2, 15 * FRAME, voice(2), 1.30, marker=True)
    line.listen()
    assert line.heard[-1] == voice(2)
    for tick in range(3):  # in the time that it would have waited nothing is heard
        line.tick(1.30 + 0.02 * tick)
        assert line.heard[-1] == voice(2)
    line.tick(1.36)
    assert line.heard[-1] is Gap.LOSS


def test_after_a_standstill_all_that_comes_at_once_is_given_at_once():
    line = Listener()
    line.push(0, 1.0)
    for tick in range(20):
        line.tick(1.04 + 0.02 * tick)
    for number in range(1, 11):
        line.push(number, 1.45)
    assert line.heard[-10:] == [voice(i) for i in range(1, 11)]
    assert line.buffer.late == 0


def test_a_network_that_stands_still_again_and_again_is_caught_up_with():
    """Each time more comes at once than is given at once: it must not be behind for good."""
    line = Listener()
    waiting = []
    for tick in range(400):
        now = 1.0 + 0.02 * tick
        waiting.append(tick)
        if tick > 250 or tick % 60 == 0:
            for number in waiting:
                line.push(number, now)
            waiting.clear()
        line.tick(now + 0.01)
    assert line.heard[-1] == voice(399)
    line.push(400, 9.0)
    assert line.heard[-1] == voice(400)


@pytest.mark.parametrize("sources", [1, 1000])
def test_of_a_flood_little_is_given(sources):
    line = Listener()
    for tick in range(10):
        for number in range(100):
            line.push(100 * tick + number, 1.0 + 0.02 * tick, ssrc=number % sources)
        line.tick(1.0 + 0.02 * tick)
    assert len(line.heard) <= 50 + 3 * 10


@pytest.mark.parametrize("length", [80, 240, 320, 480])
def test_packets_of_other_lengths_are_given_in_frames_of_20_ms(length):
    line = Listener()
    stream = bytes(i // FRAME + 1 for i in range(1920))
    for i in range(0, len(stream), length):
        line.buffer.push(7, i // length, 1000 + i, stream[i : i + length], 1.0)
        line.listen()
        assert len(line.heard) == (i + length) // FRAME
    assert line.heard == [bytes([i + 1]) * FRAME for i in range(12)]


@settings(max_examples=60, deadline=None)
@given(
    start=st.integers(0, 0xFFFFFFFF),
    sequence=st.integers(0, 0xFFFF),
    loss=st.sampled_from([0.0, 0.05, 0.2]),
    seed=st.integers(0, 10_000),
)
def test_what_arrives_in_time_is_given_in_its_order_and_once(start, sequence, loss, seed):
    chance = random.Random(seed)
    line = Listener(sequence, start)
    line.buffer = JitterBuffer(FRAME, 8000, 60, FILL, least_ms=60, most_ms=60)
    arrivals = []
    for number in range(60):
        if number and chance.random() < loss:
            continue
        copies = 1 + (chance.random() < 0.1)
        arrivals += [(0.02 * number + (chance.random() * 0.05 if number else 0.0), number)] * copies
    arrived = {number for _, number in arrivals}
    arrivals.sort()
    for tick in range(60):
        now = 0.06 + 0.02 * tick
        while arrivals and arrivals[0][0] <= now:
            at, number = arrivals.pop(0)
            line.push(number, at)
        line.tick(now)
    assert line.heard == [voice(i) if i in arrived else Gap.LOSS for i in range(60)]


def test_whole_payloads_are_given_at_once_too():
    line = Listener()
    line.buffer = whole_buffer()
    payloads = [voice(n, 3 + 40 * n) for n in range(4)]
    for n in (0, 2, 1, 3):
        line.buffer.push(7, n, 960 * n, payloads[n], 1.0)
        line.listen()
    assert line.heard == payloads
