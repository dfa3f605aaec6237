"""A stream whose packets go through a connection of its own, beside one that has ports."""

from __future__ import annotations

import asyncio

import numpy as np

from media.carrying import CarriedStream
from media.clip import Clip, ClipWriter
from media.codecs import L16_8, L16_16, PCMA, PCMU, Codec
from media.plane import RtpPlane
from media.rtp import RtpPacket
from tests.media.loopback import Events, FarEnd, numbered_clip, running_plane, until

EVENTS = 101


class Wire:
    """A carrier that keeps what it is given."""

    def __init__(self) -> None:
        self.packets: list[RtpPacket] = []
        self.reports: list[bytes] = []

    def send_rtp(self, packet: bytes) -> None:
        self.packets.append(RtpPacket.parse(packet))

    def send_rtcp(self, packet: bytes) -> None:
        self.reports.append(packet)

    def voice(self, codec: Codec) -> list[bytes]:
        return [p.payload for p in self.packets if p.payload != codec.silence]


def carried(plane: RtpPlane, codec: Codec = L16_16) -> tuple[CarriedStream, Wire, Events]:
    wire, told = Wire(), Events()
    stream = plane.carry(told, wire)
    stream.begin(codec, 96, EVENTS)
    return stream, wire, told


def spoken(number: int, payload: bytes, codec: Codec) -> bytes:
    step = codec.clock_rate // 50
    return RtpPacket(96, number, number * step, 7, payload).to_bytes()


async def test_a_clip_goes_out_and_is_told():
    async with running_plane() as plane:
        stream, wire, told = carried(plane)
        clip = numbered_clip(5, L16_16)
        stream.play(clip, "hello")
        await until(lambda: ("played", "hello") in told.all)
        assert wire.voice(L16_16) == clip.frames
        assert {p.timestamp % 640 for p in wire.packets} == {wire.packets[0].timestamp % 640}


async def test_what_is_given_in_is_heard():
    async with running_plane() as plane:
        stream, _, _ = carried(plane)
        heard: list[bytes] = []
        stream.listen(heard.append)
        payloads = [bytes([n, 1]) * 320 for n in range(1, 6)]
        for number, payload in enumerate(payloads):
            stream.take(spoken(number, payload, L16_16))
        await until(lambda: payloads[-1] in heard)
        assert [frame for frame in heard if frame in payloads] == payloads


async def test_keys_come_and_go_as_events():
    async with running_plane() as plane:
        stream, wire, told = carried(plane)
        for end in (False, True):
            event = bytes((5, 0x8A if end else 0x0A)) + (1600).to_bytes(2, "big")
            stream.take(RtpPacket(EVENTS, 1 + end, 640, 7, event).to_bytes())
        assert told.keys == "5"
        stream.send_digits("7")
        await until(lambda: any(p.payload_type == EVENTS for p in wire.packets))
        assert next(p for p in wire.packets if p.payload_type == EVENTS).payload[0] == 7


async def test_another_carrier_takes_over_where_the_first_was():
    async with running_plane() as plane:
        stream, first, told = carried(plane)
        clip = numbered_clip(50, L16_16)
        stream.play(clip, "long")
        await until(lambda: len(first.voice(L16_16)) >= 5)
        second = Wire()
        stream.carried_by(second)
        await until(lambda: ("played", "long") in told.all)
        assert first.voice(L16_16) + second.voice(L16_16) == clip.frames
        assert second.packets[0].sequence == (first.packets[-1].sequence + 1) & 0xFFFF


async def test_it_is_bridged_to_a_stream_with_ports():
    async with running_plane() as plane:
        here, wire, _ = carried(plane)
        far = FarEnd()
        there = plane.open(Events())
        there.connect(far.address, PCMU, 0, EVENTS)
        assert here.bridge(there)
        tone = (8000 * np.sin(np.arange(16000) * 2 * np.pi * 440 / 16000)).astype("<i2").tobytes()
        for number in range(40):
            here.take(spoken(number, tone[number * 640 : (number + 1) * 640], L16_16))
        async with asyncio.timeout(20):
            while True:
                packet = (await far.receive(1))[0]
                if np.abs(np.frombuffer(PCMU.new_decoder()(packet.payload), "<i2")).max() > 4000:
                    break
        loud = PCMU.new_encoder()(tone[:320])
        for number in range(40):
            far.send(there, RtpPacket(0, number, number * 160, 9, loud))
        await until(lambda: any(np.abs(np.frombuffer(p, "<i2")).max() > 4000 for p in wire.voice(L16_16)))
        far.close()


async def test_closed_it_says_bye_and_takes_nothing_more():
    async with running_plane() as plane:
        stream, wire, told = carried(plane)
        await until(lambda: bool(wire.packets))
        stream.close()
        sent = len(wire.packets)
        assert wire.reports
        assert plane.streams == 0
        stream.take(spoken(1, bytes(640), L16_16))
        stream.play(numbered_clip(1, L16_16), "late")
        assert (len(wire.packets), told.all) == (sent, [])


def test_linear_clips_are_the_pcm_itself():
    pcm = bytes(range(256)) * 5
    for codec in (L16_8, L16_16):
        clip = Clip(codec)
        writer = ClipWriter(clip, codec.sample_rate)
        writer.write(pcm)
        writer.close()
        assert b"".join(clip.frames)[: len(pcm)] == pcm
        assert {len(frame) for frame in clip.frames} == {codec.frame_bytes}
        assert codec.decoded(clip.frames) == b"".join(clip.frames)
    assert PCMA.decoded([PCMA.silence] * 2) == PCMA.new_decoder()(PCMA.silence * 2)
