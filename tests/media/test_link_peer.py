"""One link and a far end of another kind: other packet lengths, pauses, comfort noise, who may be heard, and
where reports go. Packet by packet, in simulated time."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from media.agreement import Agreement
from media.clip import Clip
from media.codecs import G722, PCMA, Codec
from media.link import Link
from media.packing import PTIMES_MS
from media.ports import PortPair
from media.rtcp import Bye, ReceiverReport, ReportBlock, SourceDescription, build_compound
from media.rtp import RtpPacket
from tests.media.loopback import Events, numbered_clip

THERE = ("192.0.2.2", 5000)
STRANGER = ("203.0.113.9", 5000)
TICK_S = 0.02


class Wire:
    """Keeps what was sent, and where to."""

    def __init__(self) -> None:
        self.sent: list[tuple[RtpPacket, tuple[str, int]]] = []
        self.reports: list[tuple[str, int]] = []

    def sendto(self, data: bytes | bytearray, address: tuple[str, int]) -> int:
        if data[1] in range(200, 205):
            self.reports.append(address)
        else:
            self.sent.append((RtpPacket.parse(bytes(data)), address))
        return len(data)

    @property
    def audio(self) -> list[RtpPacket]:
        return [packet for packet, _ in self.sent if packet.payload_type != 101]


class FarEnd:
    """Sends to a link whatever it is told to, with one numbering, and ticks it in between."""

    def __init__(self, codec: Codec = PCMA, **agreed: object) -> None:
        self.wire, self.events = Wire(), Events()
        self.codec = codec
        pair = PortPair(4000, self.wire, self.wire)  # type: ignore[arg-type]
        agreement = replace(Agreement(THERE, codec, codec.payload_type, 101), **agreed)  # type: ignore[arg-type]
        self.agreement = agreement
        self.link = Link(pair, self.events, agreement, "us@192.0.2.1", 20.0, 0.0)
        self.frames: list[bytes] = []
        self.link.listen(self.frames.append)
        self.now = 0.0
        self.sequence = self.timestamp = 0

    def send(
        self,
        payload: bytes,
        *,
        kind: int | None = None,
        marker: bool = False,
        source: tuple[str, int] = THERE,
    ) -> None:
        kind = self.codec.payload_type if kind is None else kind
        packet = RtpPacket(kind, self.sequence & 0xFFFF, self.timestamp, 7, payload, marker).to_bytes()
        self.link.receive(bytearray(packet), len(packet), source, self.now)
        self.sequence += 1
        if kind == self.codec.payload_type:
            self.timestamp += len(payload)

    def tick(self, count: int = 1) -> None:
        for _ in range(count):
            self.link.tick(self.now)
            self.now += TICK_S

    def speak(self, frames: int, value: int = 0x11) -> None:
        """So much audio, at its pace."""
        for _ in range(frames):
            self.send(bytes([value]) * 160)
            self.tick()

    def rest(self, ticks: int) -> None:
        """Sends nothing, and counts the time."""
        self.timestamp += 160 * ticks
        self.tick(ticks)


def level(frame: bytes) -> float:
    return float(np.sqrt(np.mean(np.frombuffer(frame, "<i2").astype(float) ** 2)))


@pytest.mark.parametrize("ptime_ms", PTIMES_MS)
@pytest.mark.parametrize("codec", [PCMA, G722])
def test_what_is_played_goes_out_in_packets_of_the_length_that_the_far_end_wants(ptime_ms, codec):
    far = FarEnd(codec, ptime_ms=ptime_ms)
    clip = numbered_clip(30, codec)
    far.tick(3)
    far.link.play(clip, "prompt")
    far.tick(40)
    packets = far.wire.audio
    assert {len(p.payload) for p in packets} == {ptime_ms * 8}
    assert all((b.sequence - a.sequence) & 0xFFFF == 1 for a, b in pairwise(packets))
    steps = {(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in pairwise(packets)}
    assert steps == {ptime_ms * 8}
    spoken = b"".join(p.payload for p in packets)
    begin = spoken.index(clip.frames[0])
    assert spoken[begin : begin + 30 * 160] == b"".join(clip.frames)
    assert far.events.all == [("played", "prompt")]
    first = next(p for p in packets if clip.frames[0][:1] in p.payload)
    assert first.marker


@pytest.mark.parametrize("ptime_ms", [30, 60])
def test_played_is_told_with_the_packet_that_holds_the_end(ptime_ms):
    far = FarEnd(ptime_ms=ptime_ms)
    far.link.play(numbered_clip(4), "prompt")
    while not far.events.all:
        far.tick()
    assert bytes([4]) * 160 in b"".join(p.payload for p in far.wire.audio)


def test_a_key_between_long_packets_lets_what_waits_go_first():
    far = FarEnd(ptime_ms=60)
    far.link.play(numbered_clip(10), "prompt")
    far.tick(4)
    far.link.send_digits("5")
    far.tick(30)
    sent = [packet for packet, _ in far.wire.sent]
    assert [p.sequence - sent[0].sequence for p in sent] == list(range(len(sent)))
    spoken = b"".join(p.payload for p in far.wire.audio).replace(PCMA.silence[:1], b"")
    assert spoken == b"".join(numbered_clip(10).frames)
    key = next(i for i, p in enumerate(sent) if p.payload_type == 101)
    assert len(sent[key - 1].payload) == 160  # the fourth frame, short


@pytest.mark.parametrize("lengths", [[80], [240], [320], [400], [480], [80, 480, 160, 240]])
def test_packets_of_any_length_are_heard_whole(lengths):
    far = FarEnd()
    speech = bytes(1 + i // 160 % 80 for i in range(160 * 72))
    at = number = 0
    while at < len(speech):
        length = lengths[number % len(lengths)]
        number += 1
        far.send(speech[at : at + length])
        at += length
        while far.now < at / 8000:
            far.tick()
    far.tick(8)
    heard = b"".join(far.frames)
    decode = PCMA.new_decoder()
    values = [decode(bytes([value])) for value in range(1, 73)]
    told = [value for value in values if value in heard]
    assert len(told) >= 71
    assert far.link.quality().packets_lost == 0


def test_comfort_noise_is_heard_at_its_level_and_a_pause_costs_nothing():
    far = FarEnd(comfort_noise=13)
    far.speak(50)
    far.send(b"\x28", kind=13)  # -40 dBov
    far.rest(200)
    pause = far.frames[60:240]
    levels = [level(frame) for frame in pause]
    assert all(150 < each < 350 for each in levels)  # -40 dB of 23170 is 232
    assert len(set(pause)) > 50
    for number in range(50):
        far.send(b"\x11" * 160, marker=number == 0)
        far.tick()
    quality = far.link.quality()
    assert (quality.packets_lost, quality.packets_late) == (0, 0)
    assert quality.packets_received == 101
    assert quality.mos is not None
    assert quality.mos > 4.35
    assert far.events.all == []


def test_a_pause_without_comfort_noise_is_silence_after_a_short_fade():
    far = FarEnd()
    far.speak(50)
    far.rest(200)
    assert all(not any(frame) for frame in far.frames[60:])
    for number in range(50):
        far.send(b"\x11" * 160, marker=number == 0)
        far.tick()
    spoken = PCMA.new_decoder()(b"\x11" * 160)
    assert far.frames[-45:] == [spoken] * 45
    assert far.link.quality().packets_lost == 0


def test_a_far_end_that_rests_times_out_only_when_it_is_gone():
    far = FarEnd()
    far.speak(5)
    far.rest(900)
    assert far.events.all == []
    far.rest(150)
    assert far.events.all == [("timed_out",)]


def test_packets_of_an_unknown_kind_are_not_counted_as_lost():
    far = FarEnd()
    for _ in range(10):
        far.speak(5)
        far.send(b"\x28", kind=13)
    far.speak(1)
    quality = far.link.quality()
    assert (quality.packets_received, quality.packets_lost, far.link.dropped) == (51, 0, 10)


# Who may be heard


def test_a_third_party_that_injects_is_never_heard_and_takes_nothing_over():
    far = FarEnd()
    far.speak(10)
    for _ in range(300):
        for value in range(3):
            far.send(bytes([0x81 + value]) * 160, source=STRANGER)
        far.sequence -= 3
        far.timestamp -= 480
        far.speak(1)
    spoken = PCMA.new_decoder()(b"\x11" * 160)
    assert {frame for frame in far.frames if any(frame)} == {spoken}
    assert {address for _, address in far.wire.sent} == {THERE}
    assert far.link.dropped == 900


def test_a_late_comer_of_another_host_is_refused_even_in_a_long_pause():
    far = FarEnd()
    far.speak(10)
    far.rest(500)
    for _ in range(50):
        far.send(b"\x81" * 160, source=STRANGER)
        far.tick()
    assert far.link.dropped == 50
    assert far.wire.sent[-1][1] == THERE


def test_a_nat_that_forgot_the_call_gives_the_far_end_another_port():
    far = FarEnd()
    moved = (THERE[0], 61000)
    far.speak(10)
    for _ in range(10):
        far.send(b"\x11" * 160, source=moved)  # at once: it could be anybody behind the same NAT
        far.tick()
    assert far.link.dropped == 10
    far.rest(150)
    for _ in range(20):
        far.send(b"\x11" * 160, source=moved)
        far.tick()
    assert far.link.dropped == 12  # its probation
    assert far.wire.sent[-1][1] == moved
    far.speak(1)  # the old port is a stranger now
    assert far.link.dropped == 13


def test_a_new_negotiation_moves_the_source_at_once():
    far = FarEnd()
    far.speak(10)
    elsewhere = ("192.0.2.3", 7000)
    far.link.renegotiate(replace(far.agreement, remote=elsewhere), far.now)
    far.send(b"\x11" * 160, source=elsewhere)
    far.speak(1)
    assert far.link.dropped == 1
    assert far.wire.sent[-1][1] == elsewhere


# Reports


def report_of(link: Link, lost: int = 5) -> bytes:
    block = ReportBlock(link.ssrc, 10, lost, 100, 80, 0, 0)
    return build_compound([ReceiverReport(7, (block,)), SourceDescription(7, "them"), Bye((7,))])


def send_report(far: FarEnd, data: bytes, source: tuple[str, int]) -> None:
    far.link.receive_report(bytearray(data) + bytes(8), len(data), source, far.now)


def test_reports_go_to_the_next_port_or_to_where_signalling_says():
    far = FarEnd()
    far.tick(500)
    assert set(far.wire.reports) == {(THERE[0], THERE[1] + 1)}
    far = FarEnd(remote_rtcp=("192.0.2.7", 9999))
    far.tick(500)
    assert set(far.wire.reports) == {("192.0.2.7", 9999)}


def test_reports_follow_the_port_that_the_far_ends_come_from():
    far = FarEnd()
    send_report(far, report_of(far.link), (THERE[0], 40001))
    far.tick(500)
    assert set(far.wire.reports) == {(THERE[0], 40001)}


def test_reports_of_strangers_are_not_believed():
    far = FarEnd()
    far.tick(50)
    send_report(far, report_of(far.link, lost=40), STRANGER)
    assert far.link.quality().remote_lost == 0
    assert far.link.quality().remote_mos is None
    send_report(far, report_of(far.link), (THERE[0], 5001))
    quality = far.link.quality()
    assert quality.remote_lost == 5
    assert quality.remote_mos is not None
    assert 1 < quality.remote_mos < 4


def test_the_score_falls_with_the_loss():
    def score(loss_every: int) -> float:
        far = FarEnd()
        for number in range(500):
            if loss_every and number % loss_every == 0:
                far.sequence += 1
                far.timestamp += 160
                far.tick()
            else:
                far.speak(1)
        mos = far.link.quality().mos
        assert mos is not None
        return mos

    clean, five_percent, quarter = score(0), score(20), score(4)
    assert clean > 4.35
    assert 3.5 < five_percent < 4.1
    assert quarter < 2.7


def test_a_clip_of_another_length_of_packets_after_a_new_negotiation():
    far = FarEnd()
    far.link.play(Clip(PCMA, [b"\x22" * 160] * 20, finished=True), "prompt")
    far.tick(5)
    far.link.renegotiate(replace(far.agreement, ptime_ms=40), far.now)
    far.tick(20)
    assert {len(p.payload) for p in far.wire.audio} == {160, 320}
    assert b"".join(p.payload for p in far.wire.audio).startswith(b"\x22" * 3200)
    assert far.events.all == [("played", "prompt")]
