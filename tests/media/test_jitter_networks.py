"""The jitter buffer on simulated networks, with fixed seeds: what is heard, how late, and what is lost.

A far end sends 20 ms packets; each arrives when its network says. A tick comes every 20 ms, its listener
drops frames as `Hearing` does when all is quiet.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.jitter import Gap, JitterBuffer

RATE, FRAME = 8000, 160
TICK_S = 0.02

Network = Callable[[int], float | None]
"""The delay in seconds of a packet, None when it is lost."""


@dataclass
class Run:
    """What was heard: the number of each packet with the tick at which it was played, and the gaps."""

    heard: list[tuple[float, int]] = field(default_factory=list)
    gaps: int = 0
    late: int = 0
    targets_ms: list[float] = field(default_factory=list)

    def delays_ms(self, begin_s: float = 0.0, clock: float = 1.0) -> list[float]:
        """From the sending of each packet to its playing."""
        return [1000 * (at - number * TICK_S * clock) for at, number in self.heard if at >= begin_s]


def run(network: Network, seconds: float, clock: float = 1.0, phase_s: float = 0.003) -> Run:
    """`clock` is the length of the far end's second."""
    buffer, result = JitterBuffer(FRAME, RATE, 40, b"\xd5"), Run()
    arrivals: list[tuple[float, int]] = []
    for number in range(int(seconds / TICK_S)):
        delay = network(number)
        if delay is not None:
            arrivals.append((number * TICK_S * clock + delay, number))
    arrivals.sort()
    coming = iter([*arrivals, (float("inf"), 0)])
    at, number = next(coming)
    for tick in range(int(seconds / TICK_S) + 20):
        now = tick * TICK_S + phase_s
        while at <= now:
            buffer.push(7, number & 0xFFFF, number * FRAME, number.to_bytes(4, "big") * (FRAME // 4), at)
            at, number = next(coming)
        frame = buffer.pop(now)
        for each in [frame, *([buffer.skip()] if buffer.surplus and isinstance(frame, bytes) else [])]:
            if isinstance(each, bytes):
                result.heard.append((now, int.from_bytes(each[:4], "big")))
        result.gaps += frame is Gap.LOSS
        result.targets_ms.append(buffer.target * 1000 / RATE)
    result.late = buffer.late
    return result


def in_order(result: Run) -> bool:
    numbers = [number for _, number in result.heard]
    return all(a < b for a, b in pairwise(numbers))


def uniform(seed: int, jitter_s: float, loss: float = 0.0, delay_s: float = 0.03) -> Network:
    chance = random.Random(seed)
    return lambda number: None if chance.random() < loss else delay_s + chance.random() * jitter_s


def test_on_an_even_network_the_delay_comes_down_to_the_least():
    result = run(lambda number: 0.03, 20)
    assert (result.late, result.targets_ms[-1], len(result.heard)) == (0, 20, 1000)
    assert in_order(result)
    assert max(result.delays_ms(begin_s=10)) <= 30 + 20 + 20 + 5


@pytest.mark.parametrize("seed", range(3))
def test_50_ms_of_jitter_cost_50_ms_of_buffer_and_hardly_a_packet(seed):
    result = run(uniform(seed, 0.05), 60)
    assert in_order(result)
    assert len(result.heard) >= 0.99 * 3000
    assert 45 <= result.targets_ms[-1] <= 55
    assert max(result.delays_ms(begin_s=10)) <= 30 + 55 + 30


def test_a_network_that_gets_worse_is_followed_at_once_and_one_that_gets_better_slowly():
    chance = random.Random(5)
    result = run(lambda number: 0.03 + chance.random() * (0.1 if 500 <= number < 1000 else 0.005), 60)
    targets = result.targets_ms
    assert targets[499] <= 25
    assert targets[500 + 75] >= 90  # a second and a half later
    assert targets[1000 + 100] >= 90  # not yet down two seconds after
    assert targets[-1] <= 25
    assert max(result.delays_ms(begin_s=50)) <= 30 + 25 + 30
    assert len(result.heard) >= 0.985 * 3000


def test_single_spikes_are_not_waited_for():
    result = run(lambda number: 0.15 if number % 500 == 250 else 0.03, 60)
    assert result.targets_ms[-1] <= 40
    assert len(result.heard) >= 3000 - 10


def test_a_network_that_stands_still_loses_nothing_and_the_delay_comes_down_again():
    def cut(number: int) -> float:
        return 0.03 + max(0.0, 0.4 - (number - 500) * TICK_S) if number >= 500 else 0.03

    result = run(cut, 60)
    assert [number for _, number in result.heard] == list(range(3000))
    assert max(result.delays_ms(begin_s=45)) <= 30 + 20 + 30


def test_bursts_of_five_packets_are_played_evenly():
    result = run(lambda number: 0.03 + (4 - number % 5) * TICK_S, 30)
    assert in_order(result)
    assert len(result.heard) >= 1495
    played = [at for at, _ in result.heard if at > 5]
    assert max(b - a for a, b in pairwise(played)) <= 0.041


@pytest.mark.parametrize("ppm", [-200, 200])
def test_an_hour_with_another_clock_neither_grows_the_delay_nor_starves(ppm):
    clock = 1 + ppm / 1e6
    result = run(uniform(9, 0.01), 3600, clock)
    delays = result.delays_ms(begin_s=10, clock=clock)
    assert max(delays) <= 30 + 30 + 50
    assert in_order(result)
    assert len(result.heard) >= 0.999 * 180_000
    assert result.gaps <= 0.001 * 180_000


def test_losses_in_bursts_leave_the_rest_in_its_place():
    chance = random.Random(3)
    state = {"bad": False}

    def gilbert(number: int) -> float | None:
        state["bad"] = chance.random() < (0.7 if state["bad"] else 0.02)
        return None if state["bad"] else 0.03 + chance.random() * 0.02

    result = run(gilbert, 60)
    assert in_order(result)
    assert result.late <= 30
    delays = result.delays_ms(begin_s=10)
    assert max(delays) - min(delays) <= 61


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1 << 20),
    jitter_s=st.floats(0, 0.25),
    loss=st.floats(0, 0.3),
    clock=st.floats(0.9995, 1.0005),
)
def test_whatever_the_network_does_packets_are_played_once_and_in_order(seed, jitter_s, loss, clock):
    result = run(uniform(seed, jitter_s, loss), 8, clock)
    assert in_order(result)
    assert all(20 <= target <= 200 for target in result.targets_ms)
    network = uniform(seed, jitter_s, loss)
    arrived = sum(network(number) is not None for number in range(400))
    assert result.late + len(result.heard) <= arrived
