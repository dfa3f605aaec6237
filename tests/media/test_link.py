"""Two links joined by a bad network in simulated time, and a link that is sent rubbish."""

from __future__ import annotations

import heapq
import random
from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.agreement import Agreement
from media.clip import Clip, ClipWriter
from media.codecs import PCMA
from media.link import Link
from media.ports import PortPair
from media.rtp import RtpPacket
from tests.media.loopback import Events

HERE, THERE = ("192.0.2.1", 4000), ("192.0.2.2", 5000)
SLOT_S = 0.005


class Wire:
    """Stands in for a socket: what is sent arrives late, twice, out of order, or never."""

    def __init__(self, loss: float = 0.0, jitter_s: float = 0.0, twice: float = 0.0, seed: int = 1) -> None:
        self.loss, self.jitter_s, self.twice = loss, jitter_s, twice
        self.chance = random.Random(seed)
        self.now = 0.0
        self.order = count()
        self.flying: list[tuple[float, int, bytes]] = []

    def sendto(self, data: bytes | bytearray, address: tuple[str, int]) -> int:
        for _ in range(1 + (self.chance.random() < self.twice)):
            if self.chance.random() >= self.loss:
                arrival = self.now + 0.020 + self.chance.random() * self.jitter_s
                heapq.heappush(self.flying, (arrival, next(self.order), bytes(data)))
        return len(data)

    def arrived(self, now: float) -> list[bytes]:
        self.now = now
        packets = []
        while self.flying and self.flying[0][0] <= now:
            packets.append(heapq.heappop(self.flying)[2])
        return packets


def link(wire: Wire, events: Events, remote: tuple[str, int]) -> Link:
    pair = PortPair(4000, wire, wire)  # type: ignore[arg-type]
    made = Link(pair, events, Agreement(remote, PCMA, 8, 101), "us@192.0.2.1", 20.0, 0.0)
    made._peer._report_due = float("inf")  # RTP and RTCP share the wire here
    return made


def run(a: Link, b: Link, to_b: Wire, to_a: Wire, seconds: float, begin: float = 0.0) -> None:
    for slot in range(round(begin / SLOT_S), round((begin + seconds) / SLOT_S)):
        now = slot * SLOT_S
        for wire, target, source in ((to_b, b, HERE), (to_a, a, THERE)):
            for data in wire.arrived(now):
                target.receive(bytearray(data), len(data), source, now)
        if slot % 4 == 0:
            a.tick(now)
        if slot % 4 == 2:
            b.tick(now)


def speech(seconds: float) -> bytes:
    """A voice-like tone that changes its pitch and loudness like syllables."""
    time = np.arange(int(8000 * seconds)) / 8000
    pitch = 140 + 30 * np.sin(2 * np.pi * 0.7 * time)
    phase = 2 * np.pi * np.cumsum(pitch) / 8000
    voice = sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 6))
    return (6000 * voice * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * time))).astype("<i2").tobytes()


@pytest.mark.parametrize("seed", range(5))
def test_over_a_bad_network_every_key_is_taken_once(seed):
    keys = "".join(random.Random(seed).choice("0123456789*#") for _ in range(40))
    to_b, to_a = Wire(0.1, 0.05, 0.05, seed), Wire(seed=seed)
    events = Events()
    a, b = link(to_b, Events(), THERE), link(to_a, events, HERE)
    a.send_digits(keys)
    run(a, b, to_b, to_a, 8.0)
    assert events.keys == keys


@pytest.mark.parametrize(
    ("loss", "jitter_s", "least"), [(0.0, 0.0, 0.99), (0.0, 0.035, 0.99), (0.05, 0.03, 0.9)]
)
def test_speech_comes_out_as_it_went_in(loss, jitter_s, least):
    to_b, to_a = Wire(loss, jitter_s, 0.02, 7), Wire()
    a, b = link(to_b, Events(), THERE), link(to_a, Events(), HERE)
    writer = ClipWriter(Clip(PCMA), 8000)
    writer.write(speech(6.0))
    writer.close()
    frames: list[bytes] = []
    b.listen(frames.append)
    a.play(writer.clip, "speech")
    run(a, b, to_b, to_a, 6.3)
    said = np.frombuffer(speech(6.0), "<i2").astype(float)
    heard = np.frombuffer(b"".join(frames), "<i2").astype(float)
    start = int(np.argmax(np.correlate(heard[:16000], said[:8000], "valid")))
    assert start < 0.1 * 8000
    length = min(len(said), len(heard) - start)
    assert length > 5.9 * 8000
    assert np.corrcoef(said[:length], heard[start : start + length])[0, 1] > least


def test_a_listener_gets_each_frame_as_it_comes_and_what_was_lost_when_it_is_too_late_for_it():
    to_b, events = Wire(), Events()
    a, b = link(to_b, Events(), THERE), link(Wire(), events, HERE)
    writer = ClipWriter(Clip(PCMA), 8000)
    writer.write(speech(1.0))
    writer.close()
    a.play(writer.clip, "speech")
    heard_at: list[float] = []
    b.listen(lambda frame: heard_at.append(now))
    for number in range(10):
        now = 0.02 * number
        a.tick(now)
        for data in to_b.arrived(now + 0.02):
            if number != 5:
                b.receive(bytearray(data), len(data), HERE, now + 0.001)
        now += 0.01
        b.tick(now)
    # The sixth is waited for as the jitter buffer does, 40 ms after its time; the rest comes with it.
    assert heard_at == [0.0, 0.02, 0.04, 0.06, 0.08, *[pytest.approx(0.15)] * 3, 0.16, 0.18]


def test_losses_of_the_network_are_what_the_quality_tells():
    to_b, to_a = Wire(loss=0.1, seed=3), Wire()
    a, b = link(to_b, Events(), THERE), link(to_a, Events(), HERE)
    run(a, b, to_b, to_a, 10.0)
    quality = b.quality()
    missing = a.quality().packets_sent - quality.packets_received
    assert abs(quality.packets_lost - missing) <= 5  # what is still on its way
    assert quality.packets_lost > 20


datagrams = st.one_of(
    st.binary(max_size=60),
    st.builds(
        lambda first, packet: bytes([first]) + packet.to_bytes()[1:],
        st.integers(0, 255),
        st.builds(
            RtpPacket,
            st.sampled_from([0, 8, 13, 72, 101]),
            st.integers(0, 0xFFFF),
            st.integers(0, 0xFFFFFFFF),
            st.integers(0, 3),
            st.binary(max_size=200),
            st.booleans(),
        ),
    ),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(datagrams, st.sampled_from([HERE, THERE]), st.booleans()), max_size=30))
def test_no_datagram_does_harm(packets):
    events, frames = Events(), []
    target = link(Wire(), events, HERE)
    target.listen(frames.append)
    for i, (data, source, control) in enumerate(packets):
        take = target.receive_report if control else target.receive
        take(bytearray(data) + bytes(64), len(data), source, 0.02 * i)
        target.tick(0.02 * i)
    assert {len(frame) for frame in frames} <= {320}
    assert target.quality().packets_sent == len(packets)
