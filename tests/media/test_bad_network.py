"""Two links over a network with 5 % loss, 50 ms jitter, 2 % reordering and duplicates, in simulated time:
each key is taken once, speech stays what it was, in both directions at once."""

from __future__ import annotations

import heapq
import random
from itertools import count

import numpy as np
import pytest
from numpy.typing import NDArray

from media.agreement import Agreement
from media.clip import Clip, ClipWriter
from media.codecs import G722, PCMA, PCMU, Codec
from media.link import Link
from media.ports import PortPair
from tests.media.loopback import Events
from tests.relay import BAD, Weather
from tests.speech_like import speech, worst_correlation

HERE, THERE = ("192.0.2.1", 4000), ("192.0.2.2", 5000)
SLOT_S = 0.005


class Wire:
    """Stands in for a socket; `arrived` gives what has come by now."""

    def __init__(self, weather: Weather, seed: int) -> None:
        self._weather, self._chance = weather, random.Random(seed)
        self._flying: list[tuple[float, int, bytes]] = []
        self._order = count()
        self.now = 0.0

    def sendto(self, data: bytes | bytearray, address: tuple[str, int]) -> int:
        for delay in self._weather.delays(self._chance):
            heapq.heappush(self._flying, (self.now + 0.02 + delay, next(self._order), bytes(data)))
        return len(data)

    def arrived(self) -> list[bytes]:
        packets = []
        while self._flying and self._flying[0][0] <= self.now:
            packets.append(heapq.heappop(self._flying)[2])
        return packets


class Party:
    """One end: a link, what it heard, and its wire to the other."""

    def __init__(self, codec: Codec, weather: Weather, seed: int, to: tuple[str, int], ptime_ms: int) -> None:
        self.events, self.frames = Events(), list[bytes]()
        self.wire, self.control = Wire(weather, seed), Wire(weather, seed + 1)
        agreed = Agreement(to, codec, codec.payload_type, 101, ptime_ms=ptime_ms)
        pair = PortPair(4000, self.wire, self.control)  # type: ignore[arg-type]
        self.link = Link(pair, self.events, agreed, "us@192.0.2.1", 20.0, 0.0)
        self.link.listen(self.frames.append)

    def say(self, pcm: bytes, rate: int, codec: Codec) -> None:
        writer = ClipWriter(Clip(codec), rate)
        writer.write(pcm)
        writer.close()
        self.link.play(writer.clip, "speech")

    def heard(self) -> NDArray[np.float64]:
        return np.frombuffer(b"".join(self.frames), "<i2").astype(float)


def converse(a: Party, b: Party, seconds: float) -> None:
    for slot in range(round(seconds / SLOT_S)):
        now = slot * SLOT_S
        for speaker, hearer, source in ((a, b, HERE), (b, a, THERE)):
            for wire, take in (
                (speaker.wire, hearer.link.receive),
                (speaker.control, hearer.link.receive_report),
            ):
                wire.now = now
                for data in wire.arrived():
                    take(bytearray(data), len(data), source, now)
        if slot % 4 == 0:
            a.link.tick(now)
        if slot % 4 == 2:
            b.link.tick(now)


def parties(
    codec: Codec = PCMA, seed: int = 1, weather: Weather = BAD, ptime_ms: int = 20
) -> tuple[Party, Party]:
    return (
        Party(codec, weather, 10 * seed, THERE, ptime_ms),
        Party(codec, weather, 10 * seed + 5, HERE, ptime_ms),
    )


@pytest.mark.parametrize("seed", range(4))
def test_a_hundred_keys_each_way_are_each_taken_once(seed):
    chance = random.Random(seed)
    first, second = ("".join(chance.choice("0123456789*#ABCD") for _ in range(100)) for _ in range(2))
    a, b = parties(seed=seed)
    a.link.send_digits(first)
    b.link.send_digits(second)
    converse(a, b, 17.0)
    assert (b.events.keys, a.events.keys) == (first, second)


def test_one_key_pressed_a_hundred_times_is_a_hundred_keys():
    a, b = parties(seed=9)
    a.link.send_digits("7" * 100)
    converse(a, b, 17.0)
    assert b.events.keys == "7" * 100


@pytest.mark.parametrize("codec", [PCMA, PCMU, G722], ids=lambda codec: codec.name)
@pytest.mark.parametrize("seed", range(2))
def test_speech_stays_intelligible_both_ways(codec, seed):
    rate = codec.sample_rate
    a, b = parties(codec, seed)
    first, second = speech(8.0, rate, seed=1), speech(8.0, rate, seed=2)
    a.say(first, rate, codec)
    b.say(second, rate, codec)
    converse(a, b, 8.6)
    for said, hearer in ((first, b), (second, a)):
        mean, worst = worst_correlation(said, hearer.heard(), rate)
        assert mean > 0.9
        assert worst > 0.4  # a frame was won or dropped within the block
        quality = hearer.link.quality()
        assert 3.0 < (quality.mos or 0) < 4.3
        assert 50 <= quality.buffer_ms <= 110


@pytest.mark.parametrize("ptime_ms", [10, 30, 60])
def test_so_does_speech_in_packets_of_other_lengths(ptime_ms):
    a, b = parties(ptime_ms=ptime_ms, weather=Weather(0.02, 0.05, 0.02, 0.02))
    said = speech(8.0, 8000, seed=3)
    a.say(said, 8000, PCMA)
    converse(a, b, 8.7)
    mean, _ = worst_correlation(said, b.heard(), 8000)
    assert mean > 0.88


def test_without_faults_what_is_heard_is_what_was_said():
    a, b = parties(weather=Weather())
    said = speech(5.0, 8000, seed=4)
    a.say(said, 8000, PCMA)
    converse(a, b, 5.5)
    _, worst = worst_correlation(said, b.heard(), 8000)
    assert worst > 0.97
    assert b.link.quality().mos == pytest.approx(4.41, abs=0.02)
