"""Streams over the loopback: what really leaves and enters the sockets."""

import asyncio
import socket
import time
from itertools import pairwise

import pytest

from media.clip import Clip
from media.codecs import PCMA, PCMU
from media.plane import RtpPlane
from media.ports import PortPool
from media.rtp import RtpPacket
from media.stream import RtpStream
from tests.media.loopback import HOST, Events, FarEnd, numbered_clip, running_plane, until


def connect(plane: RtpPlane, far: FarEnd, events: Events | None = None) -> RtpStream:
    stream = plane.open(events or Events())
    stream.connect(far.address, PCMA, 8, 101)
    return stream


def audio(sequence: int, payload: bytes = b"\x01" * 160, ssrc: int = 7) -> RtpPacket:
    return RtpPacket(8, sequence, sequence * 160, ssrc, payload)


async def test_silence_flows_from_connect_on_with_the_marker_on_the_first_packet_only():
    async with running_plane() as plane:
        far = FarEnd()
        connect(plane, far)
        packets = await far.receive(10)
        far.close()
    assert [p.marker for p in packets] == [True] + [False] * 9
    assert {p.payload for p in packets} == {PCMA.silence}
    assert {p.payload_type for p in packets} == {8}
    assert len({p.ssrc for p in packets}) == 1


async def test_clips_are_sent_without_a_gap_and_each_is_reported_after_its_last_packet():
    async with running_plane() as plane:
        far, events = FarEnd(), Events()
        stream = connect(plane, far, events)
        stream.play(numbered_clip(20), "first")
        stream.play(numbered_clip(10, first=20), "second")
        await until(lambda: len(events.all) == 2)
        packets = await far.receive(30)
        far.close()
    spoken = [p for p in packets if p.payload != PCMA.silence]
    assert [p.payload[0] for p in spoken] == list(range(1, len(spoken) + 1))
    assert events.all == [("played", "first"), ("played", "second")]
    for before, after in pairwise(packets):
        assert (after.sequence - before.sequence) & 0xFFFF == 1
        step = (after.timestamp - before.timestamp) & 0xFFFFFFFF
        assert step == 160 or (
            after.marker and step % 160 == 0
        )  # a marked jump: the test machine stood still


async def test_a_clip_that_still_grows_is_played_as_it_comes():
    async with running_plane() as plane:
        far, events = FarEnd(), Events()
        stream = connect(plane, far, events)
        clip = Clip(PCMA, [b"\x01" * 160])
        stream.play(clip, "growing")
        await until(lambda: stream.link.packets_sent > 3)
        assert events.all == []
        clip.frames.append(b"\x02" * 160)
        clip.finished = True
        await until(lambda: events.all == [("played", "growing")])
        packets = await far.receive(stream.link.packets_sent)
        far.close()
    spoken = [p.payload[0] for p in packets if p.payload != PCMA.silence]
    assert spoken == [1, 2]


async def test_stop_names_every_clip_with_the_samples_that_were_sent():
    async with running_plane() as plane:
        far, events = FarEnd(), Events()
        stream = connect(plane, far, events)
        stream.play(numbered_clip(1000), "long")
        stream.play(numbered_clip(5), "never")
        await until(lambda: stream.link.packets_sent > 8)
        stream.stop()
        sent = stream.link.packets_sent
        packets = await far.receive(sent)
        after = await far.receive(3)
        far.close()
    spoken = [p for p in packets if p.payload != PCMA.silence]
    assert events.all == [("stopped", "long", len(spoken) * 160), ("stopped", "never", 0)]
    assert {p.payload for p in after} == {PCMA.silence}


async def test_a_clip_of_the_other_law_is_converted():
    async with running_plane() as plane:
        far, events = FarEnd(), Events()
        stream = connect(plane, far, events)
        pcm = b"\x00\x10" * 160
        stream.play(Clip(PCMU, [PCMU.new_encoder()(pcm)], finished=True), "other")
        await until(lambda: events.all == [("played", "other")])
        packets = await far.receive(stream.link.packets_sent)
        far.close()
    assert PCMA.new_encoder()(PCMU.new_decoder()(PCMU.new_encoder()(pcm))) in {p.payload for p in packets}


async def test_keys_pass_between_two_streams_both_ways():
    async with running_plane() as plane:
        left, right = Events(), Events()
        a, b = plane.open(left), plane.open(right)
        a.connect((HOST, b.local_port), PCMA, 8, 101)
        b.connect((HOST, a.local_port), PCMA, 8, 101)
        a.send_digits("12#")
        b.send_digits("*0")
        await until(lambda: right.keys == "12#" and left.keys == "*0")
        await asyncio.sleep(0.3)
        assert (left.keys, right.keys) == ("*0", "12#")


async def test_a_sink_hears_the_far_end_frame_by_frame():
    async with running_plane() as plane:
        far, frames = FarEnd(), []
        stream = connect(plane, far)
        stream.listen(frames.append)
        for i in range(5):
            far.send(stream, audio(i, PCMA.new_encoder()(bytes([0, 4 * i + 4]) * 160)))
        wanted = [PCMA.new_decoder()(PCMA.new_encoder()(bytes([0, 4 * i + 4]) * 160)) for i in range(5)]
        await until(lambda: [f for f in frames if any(f)][:5] == wanted)
        assert {len(f) for f in frames} == {320}
        stream.listen(None)
        count = len(frames)
        await asyncio.sleep(0.06)
        assert len(frames) == count
        far.close()


async def test_fifty_streams_hear_only_their_own_audio():
    async with running_plane() as plane:
        heard: list[set[bytes]] = []
        pairs = []
        for i in range(25):
            a, b = plane.open(Events()), plane.open(Events())
            a.connect((HOST, b.local_port), PCMA, 8, 101)
            b.connect((HOST, a.local_port), PCMA, 8, 101)
            for stream, value in ((a, 2 * i + 1), (b, 2 * i + 2)):
                voices: set[bytes] = set()
                heard.append(voices)
                stream.listen(lambda frame, voices=voices: voices.add(frame))
                stream.play(Clip(PCMA, [bytes([value]) * 160] * 25, finished=True), "mine")
            pairs.append((a, b))
        voice = {value: PCMA.new_decoder()(bytes([value]) * 160) for value in range(1, 51)}
        silences = {bytes(320), PCMA.new_decoder()(PCMA.silence)}
        await until(lambda: all(voice[2 * i + 2] in heard[2 * i] for i in range(25)))
        await until(lambda: all(voice[2 * i + 1] in heard[2 * i + 1] for i in range(25)))
        others = {frame: value for value, frame in voice.items()}
        for i in range(25):
            assert {others[f] for f in heard[2 * i] if f in others} == {2 * i + 2}
            assert {others[f] for f in heard[2 * i + 1] if f in others} == {2 * i + 1}
        assert silences


async def test_close_gives_everything_back():
    pool = PortPool(0, 0, 0.0, HOST)
    async with running_plane(ports=pool) as plane:
        far = FarEnd()
        streams = [connect(plane, far) for _ in range(5)]
        ports = [s.local_port for s in streams]
        await far.receive(5)
        for stream in streams:
            stream.close()
            stream.close()
            stream.play(numbered_clip(1), "too late")
            stream.send_digits("1")
            stream.listen(lambda frame: None)
            stream.set_direction(True, True)
            stream.connect(far.address, PCMA, 8, 101)
        assert plane.streams == 0
        for port in ports:
            for number in (port, port + 1):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                    probe.bind((HOST, number))
        far.close()


async def test_a_remote_that_is_no_address_is_refused():
    async with running_plane() as plane:
        stream = plane.open(Events())
        with pytest.raises(ValueError, match="does not appear to be"):
            stream.connect(("media.example", 4000), PCMA, 8, None)


async def test_closing_the_plane_ends_every_stream_and_may_be_repeated():
    plane = RtpPlane(PortPool(0, 0, 0.0, HOST), timeout_s=60.0, address=HOST)
    await plane.close()
    await plane.start()
    far, events = FarEnd(), Events()
    stream = connect(plane, far, events)
    port = stream.local_port
    await plane.close()
    await plane.close()
    assert plane.streams == 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, port))
    far.close()


async def test_totals_outlive_the_streams():
    async with running_plane() as plane:
        far = FarEnd()
        stream = connect(plane, far)
        far.send(stream, audio(1))
        await until(lambda: stream.link.packets_received == 1)
        await far.receive(3)
        stream.close()
        totals = plane.totals()
        far.close()
    assert (totals.packets_in, totals.packets_out) == (1, stream.quality().packets_sent)


async def test_a_loop_that_stood_still_shows_in_the_lateness():
    async with running_plane() as plane:
        far = FarEnd()
        stream = connect(plane, far)
        packets = await far.receive(2)
        time.sleep(0.3)  # noqa: ASYNC251 - the point of the test
        await until(lambda: plane.lateness_ms >= 250)
        packets += await far.receive(stream.link.packets_sent - 2)
        far.close()
    assert plane.totals().skipped > 0
    steps = [(after.timestamp - before.timestamp) & 0xFFFFFFFF for before, after in pairwise(packets)]
    assert max(steps) >= 10 * 160
    assert packets[steps.index(max(steps)) + 1].marker
