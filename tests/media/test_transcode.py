"""A call that changes its codec: prompts, listeners and recorders go on with the one it began with."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from media.agreement import Agreement
from media.clip import Clip, ClipWriter
from media.codecs import CODECS, G722, PCMA, PCMU, Codec
from media.hearing import Hearing
from media.link import Link
from media.playout import Playout
from media.resample import EvenResampler
from media.rtp import HEADER_BYTES, RtpPacket
from media.tones import Partial, tone
from media.transcode import Transcoder
from tests.media.loopback import Events

FAR = ("192.0.2.2", 5000)


def pitch(pcm: bytes, rate: int) -> float:
    """Frequency in Hz of the strongest sine in 200 ms from the middle."""
    samples = np.frombuffer(pcm, "<i2")
    half = rate // 10
    spectrum = np.abs(np.fft.rfft(samples[len(samples) // 2 - half : len(samples) // 2 + half]))
    return float(np.argmax(spectrum)) * 5


def sung(codec: Codec, hz: float = 1000.0) -> Clip:
    writer = ClipWriter(Clip(codec), codec.sample_rate)
    writer.write(tone((Partial(hz, -10.0),), 600, codec.sample_rate))
    writer.close()
    return writer.clip


def decoded(codec: Codec, payloads: list[bytes]) -> bytes:
    decode = codec.new_decoder()
    return b"".join(map(decode, payloads))


@pytest.mark.parametrize("source", CODECS.values(), ids=lambda codec: codec.name)
@pytest.mark.parametrize("target", CODECS.values(), ids=lambda codec: codec.name)
@pytest.mark.parametrize("length", [80, 160, 480])
def test_every_pair_keeps_the_length_and_the_pitch(source: Codec, target: Codec, length: int) -> None:
    convert = Transcoder(source, target)
    payload = b"".join(sung(source).frames)
    pieces = [convert(payload[at : at + length]) for at in range(0, len(payload), length)]
    assert {len(piece) for piece in pieces} == {length}
    pcm = decoded(target, pieces)
    assert pitch(pcm, target.sample_rate) == 1000
    assert np.abs(np.frombuffer(pcm, "<i2")).max() == pytest.approx(7300, rel=0.2)


@pytest.mark.parametrize(("rate_in", "rate_out"), [(8000, 16000), (16000, 8000), (8000, 8000)])
def test_each_piece_gives_as_much_time_as_it_takes(rate_in: int, rate_out: int) -> None:
    convert = EvenResampler(rate_in, rate_out)
    pcm = tone((Partial(1000, -10.0),), 600, rate_in)
    step = 2 * rate_in // 50
    pieces = [convert(pcm[at : at + step]) for at in range(0, len(pcm), step)]
    assert {len(piece) for piece in pieces} == {2 * rate_out // 50}
    late = 2 * (rate_out // 100)
    given = np.frombuffer(b"".join(pieces)[late:], "<i2").astype(float)
    wanted = np.frombuffer(tone((Partial(1000, -10.0),), 600, rate_out), "<i2")[: len(given)].astype(float)
    assert given @ wanted / np.linalg.norm(given) / np.linalg.norm(wanted) > 0.99


def test_a_prompt_goes_on_at_another_rate() -> None:
    playout = Playout(G722)
    playout.add(sung(G722), "prompt")
    begin = [playout.next() for _ in range(5)]
    playout.use(PCMA)
    rest = list(iter(playout.next, None))
    assert len(begin) + len(rest) == 30
    assert pitch(decoded(PCMA, rest), 8000) == 1000
    playout.add(sung(G722, 500.0), "next")  # still made for what the call began with
    assert pitch(decoded(PCMA, list(iter(playout.next, None))), 8000) == 500


def test_frames_come_at_the_rate_that_is_asked_for() -> None:
    hearing = Hearing(PCMA, 16000)
    frames = [hearing.frame(payload) for payload in sung(PCMA).frames]
    assert {len(frame) for frame in frames} == {640}
    assert pitch(b"".join(frames), 16000) == 1000


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


class Sink:
    """Stands in for the sockets."""

    def __init__(self) -> None:
        self.packets: list[bytes] = []

    def sendto(self, packet: bytes | bytearray, to: tuple[str, int], /) -> int:
        self.packets.append(bytes(packet))
        return len(packet)

    rtp = rtcp = property(lambda self: self)


@pytest.mark.parametrize("later", [PCMU, PCMA], ids=lambda codec: codec.name)
def test_a_wideband_call_that_becomes_narrow_and_wide_again(later: Codec) -> None:
    sink, tap, frames = Sink(), Tap(), list[bytes]()
    link = Link(sink, Events(), Agreement(FAR, G722, 9, 101), "us", 60.0, 0.0)  # type: ignore[arg-type]
    link.listen(frames.append)
    link.record(tap)
    now, sequence = 0.0, 0
    for codec in (G722, later, G722):
        if now:
            link.renegotiate(Agreement(FAR, codec, codec.payload_type, 101), now)
        assert link.codec is G722
        for kept in (frames, tap.heard, tap.said, sink.packets):
            kept.clear()
        link.play(sung(G722, 500.0), "prompt")
        for payload in sung(codec).frames:
            sequence += 1
            packet = RtpPacket(codec.payload_type, sequence, sequence * 160, 7, payload).to_bytes()
            link.receive(bytearray(packet), len(packet), FAR, now)
            link.tick(now)
            now += 0.020
        sent = [packet for packet in sink.packets if len(packet) == HEADER_BYTES + 160]  # the rest is RTCP
        payloads = [packet[HEADER_BYTES:] for packet in sent]
        assert {packet[1] & 0x7F for packet in sent} == {codec.payload_type}
        assert pitch(decoded(codec, payloads), codec.sample_rate) == 500
        assert {len(frame) for frame in frames} == {640}
        assert pitch(b"".join(frames), 16000) == 1000
        for taken, hz in ((tap.heard, 1000), (tap.said, 500)):
            assert pitch(decoded(G722, [payload for payload, _ in taken]), 16000) == hz
            assert {later - earlier for (_, earlier), (_, later) in itertools.pairwise(taken)} == {320}
    link.end(now)
    assert tap.closed == 1
