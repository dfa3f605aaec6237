"""One stream against a far end of plain sockets: who is heard, what is recorded, and when it is given up."""

import asyncio
import socket

import pytest

from media import link as link_module
from media.clip import Clip
from media.codecs import PCMA, PCMU
from media.leg import Quality
from media.ports import PortPool
from media.rtcp import Bye, ReceiverReport, ReportBlock, SenderReport, SourceDescription, parse_compound
from media.rtp import RtpPacket
from media.source import PROBATION
from media.stream import RtpStream
from tests.media.loopback import HOST, Events, FarEnd, numbered_clip, running_plane, until


def audio(sequence: int, payload: bytes = b"\x01" * 160, ssrc: int = 7) -> RtpPacket:
    return RtpPacket(8, sequence, sequence * len(payload), ssrc, payload)


def key(code: int, timestamp: int, payload_type: int = 101) -> RtpPacket:
    return RtpPacket(payload_type, 1, timestamp, 7, bytes([code, 10, 0, 160]))


class Tap:
    def __init__(self) -> None:
        self.heard: list[tuple[bytes, int]] = []
        self.said: list[tuple[bytes, int]] = []
        self.closed = 0

    def received(self, payload: bytes, sample: int) -> None:
        self.heard.append((payload, sample))

    def sent(self, payload: bytes, sample: int) -> None:
        self.said.append((payload, sample))

    def close(self) -> None:
        self.closed += 1


async def test_after_the_signalled_source_was_heard_nobody_else_is():
    async with running_plane() as plane:
        far, stranger, events = FarEnd(), FarEnd(), Events()
        stream = plane.open(events)
        stream.connect(far.address, PCMA, 8, 101)
        far.send(stream, audio(1))
        await until(lambda: stream.link.packets_received == 1)
        for i in range(10):
            stranger.send(stream, audio(i))
            stranger.send(stream, key(5, i))
        await until(lambda: stream.link.dropped == 20)
        assert (stream.link.packets_received, events.all) == (1, [])
        assert plane.totals().dropped == 20


async def test_a_far_end_behind_nat_is_sent_to_where_it_really_is():
    async with running_plane() as plane:
        written, real = FarEnd(), FarEnd()
        stream = plane.open(Events())
        stream.connect(written.address, PCMA, 8, 101)
        await written.receive(2)
        for i in range(PROBATION + 1):
            real.send(stream, audio(i))
        await real.receive(3)
        assert (stream.link.packets_received, stream.link.dropped) == (2, PROBATION - 1)


async def test_a_new_negotiation_allows_a_new_source_and_keeps_the_numbering():
    async with running_plane() as plane:
        first, second = FarEnd(), FarEnd()
        stream = plane.open(Events())
        stream.connect(first.address, PCMA, 8, 101)
        first.send(stream, audio(1))
        before = (await first.receive(5))[-1]
        await until(lambda: stream.link.packets_received == 1)
        stream.connect(first.address, PCMA, 8, 101)  # a refresh: nothing changes
        second.send(stream, audio(1))
        await until(lambda: stream.link.dropped == 1)
        stream.connect(second.address, PCMU, 0, None)
        after = (await second.receive(1))[0]
        second.send(stream, RtpPacket(0, 9, 9, 8, b"\x01" * 160))
        await until(lambda: stream.link.packets_received == 2)
    assert (after.payload_type, after.payload, after.ssrc) == (0, PCMU.silence, before.ssrc)
    steps = (after.sequence - before.sequence) & 0xFFFF
    assert 0 < steps < 1000
    assert (after.timestamp - before.timestamp) & 0xFFFFFFFF >= 160 * steps


async def test_on_hold_nothing_is_sent_clips_wait_and_the_media_clock_goes_on():
    async with running_plane() as plane:
        far, events = FarEnd(), Events()
        stream = plane.open(events)
        stream.connect(far.address, PCMA, 8, 101)
        stream.play(numbered_clip(10), "prompt")
        packets = await far.receive(4)
        stream.set_direction(False, True)
        sent = stream.link.packets_sent
        packets += await far.receive(sent - 4)
        await asyncio.sleep(0.1)
        assert stream.link.packets_sent == sent
        stream.set_direction(True, True)
        await until(lambda: events.all == [("played", "prompt")])
        packets += await far.receive(stream.link.packets_sent - sent)
    spoken = [p.payload[0] for p in packets if p.payload != PCMA.silence]
    assert spoken == list(range(1, 11))
    last, again = packets[sent - 1], packets[sent]
    assert (again.sequence - last.sequence) & 0xFFFF == 1
    assert (again.timestamp - last.timestamp) & 0xFFFFFFFF >= 4 * 160
    assert again.marker


async def test_a_caller_who_vanishes_is_reported_once_and_again_after_a_new_silence():
    async with running_plane(timeout_s=0.2) as plane:
        far, events = FarEnd(), Events()
        stream = plane.open(events)
        stream.connect(far.address, PCMA, 8, 101)
        await until(lambda: events.all == [("timed_out",)])
        await asyncio.sleep(1.1)
        assert events.all == [("timed_out",)]
        sequence = iter(range(10_000))

        def heard_again() -> bool:
            far.send(stream, audio(next(sequence)))
            return not stream.link._peer._given_up

        await until(heard_again)
        await until(lambda: events.all == [("timed_out",)] * 2)


async def test_a_far_end_that_sends_only_comfort_noise_is_still_there():
    async with running_plane() as plane:
        far, events = FarEnd(), Events()
        stream = plane.open(events)
        stream.connect(far.address, PCMA, 8, 101)
        far.send(stream, audio(1))
        await until(lambda: stream.link.packets_received == 1)
        heard_at = stream.link._peer.heard_at
        far.send(stream, RtpPacket(13, 2, 320, 7, b"\x40"))
        await until(lambda: stream.link._peer.heard_at > heard_at)
        assert (stream.link.packets_received, events.all) == (1, [])


async def test_who_is_not_expected_to_send_cannot_time_out():
    async with running_plane(timeout_s=0.1) as plane:
        far, events = FarEnd(), Events()
        stream = plane.open(events)
        stream.connect(far.address, PCMA, 8, 101)
        stream.set_direction(True, False)
        await until(lambda: stream.link.packets_sent > 60)
        assert events.all == []


async def test_keys_count_only_on_the_negotiated_payload_type():
    async with running_plane() as plane:
        far, events = FarEnd(), Events()
        stream = plane.open(events)
        stream.connect(far.address, PCMA, 8, 96)
        far.send(stream, key(1, 100, payload_type=101))
        far.send(stream, key(2, 200, payload_type=96))
        far.send(stream, key(2, 200, payload_type=96))
        far.send(stream, key(3, 300, payload_type=96))
        await until(lambda: events.keys == "23")
        assert stream.link.dropped == 1


async def test_without_telephone_event_keys_are_sent_as_tones():
    async with running_plane() as plane:
        far = FarEnd()
        stream = plane.open(Events())
        stream.connect(far.address, PCMA, 8, None)
        stream.send_digits("1#")
        packets = await far.receive(25)
    loud = "".join("x" if p.payload != PCMA.silence else "." for p in packets).strip(".")
    assert loud == "xxxxx...xxxxx"
    assert {p.payload_type for p in packets} == {8}


async def test_keys_and_audio_share_one_numbering_and_the_prompt_waits():
    async with running_plane() as plane:
        far, events = FarEnd(), Events()
        stream = plane.open(events)
        stream.connect(far.address, PCMA, 8, 101)
        stream.play(numbered_clip(12), "prompt")
        stream.send_digits("7")
        await until(lambda: events.all == [("played", "prompt")])
        packets = await far.receive(stream.link.packets_sent)
    numbers = [(p.sequence - packets[0].sequence) & 0xFFFF for p in packets]
    assert numbers == list(range(len(packets)))
    assert [p.payload_type for p in packets].count(101) == 7
    spoken = [p.payload[0] for p in packets if p.payload_type == 8 and p.payload != PCMA.silence]
    assert spoken == list(range(1, 13))


@pytest.mark.parametrize("length", [80, 160, 240, 320])
async def test_packets_of_any_length_are_heard_as_frames_of_20_ms(length):
    async with running_plane() as plane:
        far, frames = FarEnd(), []
        stream = plane.open(Events())
        stream.connect(far.address, PCMA, 8, 101)
        stream.listen(frames.append)
        speech = bytes(i // 160 + 1 for i in range(960))
        for i in range(0, 960, length):
            packet = RtpPacket(8, i // length, i, 7, speech[i : i + length])
            far.send(stream, packet)
        last = PCMA.new_decoder()(speech[-160:])
        await until(lambda: last in frames)
    begin = frames.index(PCMA.new_decoder()(speech[:160]))
    assert b"".join(frames[begin : begin + 6]) == PCMA.new_decoder()(speech)


async def test_a_recording_is_aligned_in_time_and_ends_with_the_stream():
    async with running_plane() as plane:
        far, tap = FarEnd(), Tap()
        stream = plane.open(Events())
        stream.connect(far.address, PCMA, 8, 101)
        stream.record(tap)
        stream.play(numbered_clip(5), "prompt")
        for i in (0, 1, 3):  # the third is lost
            far.send(stream, audio(i, bytes([i + 1]) * 160))
        await until(lambda: len(tap.heard) == 3 and len(tap.said) == 5)
        stream.close()
        far.close()
    assert [payload[0] for payload, _ in tap.said] == [1, 2, 3, 4, 5]
    for (_, before), (_, after) in zip(tap.said[:-1], tap.said[1:], strict=True):
        assert (after - before) % 160 == 0
        assert after > before
    assert [payload[0] for payload, _ in tap.heard] == [1, 2, 4]
    first, second, fourth = (sample for _, sample in tap.heard)
    assert (second - first, fourth - second) == (160, 320)
    assert tap.closed == 1


async def test_a_listener_that_fails_is_taken_off_and_the_call_goes_on(caplog):
    def broken(frame: bytes) -> None:
        raise RuntimeError("no more")

    async with running_plane() as plane:
        far, events = FarEnd(), Events()
        stream, other = plane.open(events), plane.open(Events())
        stream.connect(far.address, PCMA, 8, 101)
        other.connect(far.address, PCMA, 8, 101)
        stream.listen(broken)
        stream.play(numbered_clip(5), "prompt")
        await until(lambda: events.all == [("played", "prompt")])
        await until(lambda: other.link.packets_sent > 5)
    assert caplog.text.count("RuntimeError: no more") == 1


async def test_a_recorder_that_fails_is_taken_off_and_the_call_goes_on(caplog):
    class Broken(Tap):
        def sent(self, payload: bytes, sample: int) -> None:
            raise RuntimeError("disk full")

    async with running_plane() as plane:
        far, events = FarEnd(), Events()
        stream = plane.open(events)
        stream.record(Broken())
        stream.connect(far.address, PCMA, 8, 101)
        stream.play(numbered_clip(5), "prompt")
        await until(lambda: events.all == [("played", "prompt")])
        packets = await far.receive(stream.link.packets_sent)
    assert [p.payload[0] for p in packets if p.payload != PCMA.silence] == [1, 2, 3, 4, 5]
    assert caplog.text.count("RuntimeError: disk full") == 1


async def test_rubbish_is_counted_and_harms_nothing():
    async with running_plane() as plane:
        far = FarEnd()
        stream = plane.open(Events())
        stream.connect(far.address, PCMA, 8, 101)
        stream.listen(lambda frame: None)
        far.send(stream, audio(1))
        rubbish = [b"", b"\x80", b"GET / HTTP/1.1\r\n\r\n", b"\xbf\x08" + bytes(10), b"\x80\x65" + bytes(10)]
        for data in rubbish:
            far.socket.sendto(data, (HOST, stream.local_port))
            far.socket.sendto(data, (HOST, stream.local_port + 1))
        far.send(stream, audio(2))
        await until(lambda: stream.link.packets_received >= 2 and stream.link.dropped >= 8)
        sent = stream.link.packets_sent
        await until(lambda: stream.link.packets_sent > sent)


async def test_before_connect_nothing_is_sent_and_nothing_taken():
    async with running_plane() as plane:
        far, events = FarEnd(), Events()
        stream = plane.open(events)
        stream.play(numbered_clip(1), "early")
        stream.stop()
        stream.send_digits("1")
        far.send(stream, audio(1))
        assert (stream.link, stream.quality()) == (None, Quality())
        await asyncio.sleep(0.05)
        stream.connect(far.address, PCMA, 8, 101)
        packets = await far.receive(2)
        assert (stream.link.packets_received, stream.link.dropped) == (0, 1)
        assert packets[0].marker
        assert events.all == []


async def test_an_owner_may_close_in_the_middle_of_what_it_is_told():
    class Closing(Events):
        def played(self, mark: str, at: float) -> None:
            super().played(mark, at)
            stream.close()

    async with running_plane() as plane:
        far, events = FarEnd(), Closing()
        stream = plane.open(events)
        stream.connect(far.address, PCMA, 8, 101)
        stream.play(Clip(PCMA, [], True), "empty")
        stream.play(numbered_clip(1), "short")
        stream.play(numbered_clip(1), "never")
        await until(lambda: plane.streams == 0)
        await asyncio.sleep(0.1)
        assert events.all == [("played", "empty")]


async def test_media_flows_over_ipv6_too():
    try:
        far = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        far.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 on this machine")
    far.setblocking(False)
    async with running_plane(ports=PortPool(0, 0, 0.0, "::1")) as plane:
        events = Events()
        stream = plane.open(events)
        stream.connect(("::1", far.getsockname()[1]), PCMA, 8, 101)
        for i in range(5):
            far.sendto(key(4, 1280 * i).to_bytes(), ("::1", stream.local_port))
        await until(lambda: events.keys == "44444")
        async with asyncio.timeout(20):
            data = await asyncio.get_running_loop().sock_recv(far, 2048)
        assert RtpPacket.parse(data).payload == PCMA.silence
    far.close()


async def test_a_clip_at_another_rate_is_refused_by_name_of_the_rates():
    async with running_plane() as plane:
        stream = plane.open(Events())
        stream.connect((HOST, 9), PCMA, 8, 101)
        wide = type(PCMA)("WIDE", 9, 8000, 16000, bytes, bytes, bytes(160))
        with pytest.raises(ValueError, match="16000 Hz"):
            stream.play(Clip(wide), "wide")


class ReportingFarEnd:
    """A far end with RTP and RTCP on neighbouring ports."""

    def __init__(self) -> None:
        while True:
            self.rtp = FarEnd()
            self.rtcp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.rtcp.setblocking(False)
            try:
                self.rtcp.bind((HOST, self.rtp.address[1] + 1))
            except OSError:
                self.rtcp.close()
                continue
            return

    async def report(self) -> list[object]:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(20):
            return list(parse_compound(await loop.sock_recv(self.rtcp, 2048)))

    def send(self, stream: RtpStream, data: bytes) -> None:
        self.rtcp.sendto(data, (HOST, stream.local_port + 1))


async def test_reports_go_out_and_come_in_and_a_bye_ends_them(monkeypatch):
    monkeypatch.setattr(link_module, "CHORE_TICKS", 1)
    async with running_plane() as plane:
        far = ReportingFarEnd()
        stream = plane.open(Events())
        stream.connect(far.rtp.address, PCMA, 8, 101)
        for i in (0, 1, 4):
            far.rtp.send(stream, audio(i))
        sender, name = await far.report()
        assert isinstance(sender, SenderReport)
        assert isinstance(name, SourceDescription)
        assert sender.packets > 0
        assert sender.octets == 160 * sender.packets
        assert (sender.blocks[0].ssrc, sender.blocks[0].lost, sender.blocks[0].highest) == (7, 2, 4)
        middle = (sender.ntp >> 16) & 0xFFFFFFFF
        block = ReportBlock(stream.link.ssrc, 0, 4, 0, 80, middle, 0)
        far.send(stream, ReceiverReport(7, (block,)).to_bytes())
        await until(lambda: stream.quality().rtt_ms is not None)
        quality = stream.quality()
        assert (quality.packets_received, quality.packets_lost, quality.remote_lost) == (3, 2, 4)
        assert quality.remote_jitter_ms == 10.0
        stream.close()
        assert any(isinstance(packet, Bye) for packet in await far.report())
