"""Two streams whose far ends hear each other."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from media.agreement import Agreement
from media.clip import Clip
from media.codecs import PCMA, PCMU, Codec
from media.link import Link
from media.ports import PortPair
from media.rtp import RtpPacket
from tests.media.loopback import Events, FarEnd, running_plane, until

FRAME_S = 0.02


@dataclass
class Phone:
    """A link, and the far end of it: a voice of one byte, and what it is sent."""

    voice: int
    codec: Codec = PCMA
    events: int | None = 101
    sent: list[RtpPacket] = field(default_factory=list)
    told: Events = field(default_factory=Events)

    def __post_init__(self) -> None:
        self.address = ("192.0.2.9", 4000 + self.voice)
        pair = PortPair(4000, self, self)  # type: ignore[arg-type]
        self.link = Link(pair, self.told, self.agreed(self.codec), "us@192.0.2.1", 20.0, 0.0)
        self.link._peer._report_due = float("inf")  # RTCP would come to the same list
        self.sequence = 0

    def agreed(self, codec: Codec) -> Agreement:
        return Agreement(self.address, codec, codec.payload_type, self.events)

    def sendto(self, data: bytes | bytearray, address: object) -> int:
        self.sent.append(RtpPacket.parse(bytes(data)))
        return len(data)

    def speak(self, now: float) -> None:
        self.sequence += 1
        packet = RtpPacket(
            self.link._codec.payload_type, self.sequence, self.sequence * 160, self.voice, self.payload
        )
        data = bytearray(packet.to_bytes())
        self.link.receive(data, len(data), self.address, now)

    @property
    def payload(self) -> bytes:
        return bytes((self.voice,)) * 160

    def heard(self, since: int = 0) -> set[bytes]:
        """What it was sent that is no silence."""
        return {p.payload for p in self.sent[since:]} - {self.link._codec.silence}


class Talk:
    """Phones in simulated time."""

    def __init__(self, *phones: Phone) -> None:
        self.phones = phones
        self.now = 0.0

    def run(self, frames: int, speaking: tuple[Phone, ...] | None = None) -> None:
        for _ in range(frames):
            self.now += FRAME_S
            for phone in self.phones if speaking is None else speaking:
                phone.speak(self.now)
            for phone in self.phones:
                phone.link.tick(self.now + 0.005)


class Tap:
    def __init__(self) -> None:
        self.heard: set[bytes] = set()
        self.said: list[int] = []
        self.payloads: set[bytes] = set()

    def received(self, payload: bytes, sample: int) -> None:
        self.heard.add(payload)

    def sent(self, payload: bytes, sample: int) -> None:
        self.said.append(sample)
        self.payloads.add(payload)

    def close(self) -> None: ...


@pytest.fixture
def talk() -> Talk:
    made = Talk(Phone(1), Phone(2))
    made.phones[0].link.ties.bridge(made.phones[1].link.ties)
    return made


def test_each_hears_the_other_in_one_even_run_of_packets(talk: Talk) -> None:
    one, two = talk.phones
    talk.run(50)
    assert (one.heard(), two.heard()) == ({two.payload}, {one.payload})
    assert [p.sequence for p in one.sent] == [(one.sent[0].sequence + i) & 0xFFFF for i in range(50)]
    assert {
        (b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in zip(one.sent, one.sent[1:], strict=False)
    } == {160}
    first = next(i for i, p in enumerate(one.sent) if p.payload == two.payload)
    assert first <= 2
    assert one.sent[first].marker


def test_who_says_nothing_is_heard_as_silence(talk: Talk) -> None:
    one, two = talk.phones
    talk.run(50, speaking=(one,))
    assert (one.heard(), two.heard()) == (set(), {one.payload})
    assert len(one.sent) == 50


def test_after_the_parting_nobody_hears_anybody(talk: Talk) -> None:
    one, two = talk.phones
    talk.run(20)
    two.link.ties.part()
    before = len(one.sent)
    talk.run(20)
    assert (one.heard(before), two.heard(before)) == (set(), set())


def test_the_end_of_one_is_silence_to_the_other(talk: Talk) -> None:
    one, two = talk.phones
    talk.run(20)
    one.link.end(talk.now)
    before = len(two.sent)
    talk.run(20, speaking=(two,))
    assert two.heard(before) == set()
    assert len(two.sent) == before + 20


def test_a_clip_is_heard_before_the_other_and_the_other_is_not_kept_for_later(talk: Talk) -> None:
    one, two = talk.phones
    talk.run(20)
    before = len(one.sent)
    one.link.play(Clip(PCMA, [b"\x77" * 160] * 100, finished=True), "notice")
    talk.run(100)
    assert one.heard(before) == {b"\x77" * 160}
    two.voice = 9
    talk.run(5)
    assert one.sent[-1].payload == two.payload


def test_a_key_is_sent_in_place_of_audio_that_is_not_kept_for_later(talk: Talk) -> None:
    one, two = talk.phones
    talk.run(20)
    one.link.send_digits("5")
    talk.run(20)
    assert [p.payload[0] for p in one.sent if p.payload_type == 101][:1] == [5]
    two.voice = 9
    talk.run(5)
    assert one.sent[-1].payload == two.payload


def test_who_is_on_hold_is_sent_nothing_and_hears_what_is_said_afterwards(talk: Talk) -> None:
    one, two = talk.phones
    talk.run(20)
    one.link.set_direction(False, False, talk.now)
    before = len(one.sent), len(two.sent)
    talk.run(200)
    assert (len(one.sent), two.heard(before[1] + 8)) == (before[0], set())
    one.link.set_direction(True, True, talk.now)
    two.voice = 9
    talk.run(20)
    assert one.sent[-1].payload == two.payload
    assert two.sent[-1].payload == one.payload


def test_a_recording_has_both_sides_whole(talk: Talk) -> None:
    one, two = talk.phones
    tap = Tap()
    one.link.record(tap)
    talk.run(50)
    assert (tap.heard, tap.payloads) == ({one.payload}, {two.payload})
    assert tap.said == list(range(tap.said[0], tap.said[0] + 160 * len(tap.said), 160))


def test_who_changes_his_codec_is_still_understood(talk: Talk) -> None:
    one, two = talk.phones
    tap = Tap()
    one.link.record(tap)
    talk.run(20)
    two.link.renegotiate(two.agreed(PCMU), talk.now)
    before = len(one.sent), len(two.sent)
    talk.run(30)
    into_a, into_u = PCMA.new_encoder(), PCMU.new_encoder()
    assert one.sent[-1].payload == into_a(PCMU.new_decoder()(two.payload))
    assert two.sent[-1].payload == into_u(PCMA.new_decoder()(one.payload))
    assert {p.payload_type for p in one.sent[before[0] :]} == {8}
    assert {p.payload_type for p in two.sent[before[1] :]} == {0}
    one.link.renegotiate(one.agreed(PCMU), talk.now)
    talk.run(30)
    assert (one.sent[-1].payload, two.sent[-1].payload) == (two.payload, one.payload)
    assert into_a(PCMU.new_decoder()(two.payload)) in tap.payloads


def test_a_new_bridge_ends_the_one_before() -> None:
    one, two, three = phones = Phone(1), Phone(2), Phone(3)
    talk = Talk(*phones)
    one.link.ties.bridge(two.link.ties)
    talk.run(20)
    one.link.ties.bridge(three.link.ties)
    before = len(one.sent)
    talk.run(20)
    assert (one.heard(before + 1), two.heard(before + 1)) == ({three.payload}, set())
    assert three.heard() == {one.payload}


async def test_of_ten_talks_at_once_nobody_hears_another() -> None:
    async with running_plane() as plane:
        streams, ends = [], []
        for _ in range(20):
            end = FarEnd()
            stream = plane.open(Events())
            stream.connect(end.address, PCMA, 8, 101)
            streams.append(stream)
            ends.append(end)
        assert all(streams[i].bridge(streams[i + 1]) for i in range(0, 20, 2))
        voices = [bytes((index + 1,)) * 160 for index in range(20)]
        heard: list[set[bytes]] = [set() for _ in ends]

        async def listen(index: int) -> None:
            while True:
                (packet,) = await ends[index].receive(1)
                if packet.payload in voices:  # else it is silence, or stands in for a packet that was late
                    heard[index].add(packet.payload)

        listening = [asyncio.ensure_future(listen(index)) for index in range(20)]
        sequence = 0
        while sequence < 60 or not all(heard):
            for end, stream, voice in zip(ends, streams, voices, strict=True):
                end.send(stream, RtpPacket(8, sequence, sequence * 160, 7, voice))
            sequence += 1
            assert sequence < 1000
            await asyncio.sleep(0.02)
        for task in listening:
            task.cancel()
        await asyncio.gather(*listening, return_exceptions=True)
        assert heard == [{voices[index ^ 1]} for index in range(20)]


async def test_a_stream_that_is_closed_or_not_connected_is_not_bridged() -> None:
    async with running_plane() as plane:
        one, two, end = plane.open(Events()), plane.open(Events()), FarEnd()
        assert not one.bridge(two)
        one.connect(end.address, PCMA, 8, 101)
        assert not one.bridge(two)
        two.connect(end.address, PCMA, 8, 101)
        assert not one.bridge(one)
        assert one.bridge(two)
        two.close()
        assert not one.bridge(two)
        await until(lambda: plane.streams == 1)
