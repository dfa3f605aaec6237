"""A leg over `/ws/voice` at every rate, and what passes between it and Exotel; in virtual time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator

import numpy as np
import pytest

from media.clip import Clip, ClipWriter
from media.codecs import L16_8, L16_16, Codec
from media.leg import Answered, Cause, Digit, HungUp, LegEvent, LegInfo, Party, Played
from media.opus import OPUS
from media.plane import RtpPlane
from media.ports import PortPool
from tests.fakes.virtual_time import run_virtually
from tests.web.exotel_far_end import Played as FarEnd
from webrtc.carried_leg import CarriedLeg
from webrtc.exotel import KeyPressed, Marked
from webrtc.exotel_leg import ExotelLeg
from webrtc.exotel_stream import Audio
from webrtc.socket_leg import SocketLeg
from webrtc.voice_socket import Start

INFO = LegInfo("s1", "inbound", "app", "vendor-order", "websocket", {})
SPOKEN = [
    (Start(8000, "pcm", None), L16_8),
    (Start(16000, "pcm", None), L16_16),
    (Start(24000, "pcm", None), L16_16),
    (Start(48000, "pcm", None), L16_16),
    (Start(48000, "opus", None), OPUS),
]
NAMES = ["8 kHz", "16 kHz", "24 kHz", "48 kHz", "Opus"]
TONE_HZ = 440


def virtually(test: Callable[[RtpPlane], Awaitable[None]]) -> None:
    async def run() -> None:
        plane = RtpPlane(PortPool(0, 0, 0.0, "127.0.0.1"), timeout_s=20.0, address="test")
        await plane.start()
        try:
            await test(plane)
            assert plane.streams == 0
        finally:
            await plane.close()

    run_virtually(run())


class App:
    """The far end of a socket leg."""

    def __init__(self, plane: RtpPlane, start: Start) -> None:
        self.audio: list[bytes] = []
        self.texts: list[str] = []
        self.over: list[tuple[Cause, Party]] = []
        self.leg = SocketLeg(
            INFO, start, plane, self.audio.append, self.texts.append, lambda *how: self.over.append(how)
        )


def tone(rate: int, seconds: float, hz: int = TONE_HZ) -> bytes:
    wave = 8000 * np.sin(np.arange(int(rate * seconds)) * 2 * np.pi * hz / rate)
    return wave.astype("<i2").tobytes()


def clip_of(pcm: bytes, codec: Codec) -> Clip:
    clip = Clip(codec)
    writer = ClipWriter(clip, codec.sample_rate)
    writer.write(pcm)
    writer.close()
    return clip


def assert_is_the_tone(pcm: bytes, rate: int, least_s: float, hz: int = TONE_HZ) -> None:
    samples = np.frombuffer(pcm, "<i2").astype(float)
    loud = np.flatnonzero(np.abs(samples) > 2000)
    samples = samples[loud[0] : loud[-1]]
    assert len(samples) >= least_s * rate
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    peak = int(np.argmax(spectrum))
    assert peak * rate / len(samples) == pytest.approx(hz, abs=5)
    # There is next to nothing beside it: no holes, no clicks.
    beside = np.delete(spectrum, range(max(0, peak - 12), peak + 13))
    assert np.sum(beside**2) < 0.01 * np.sum(spectrum**2)


async def until(leg: CarriedLeg, kind: type[LegEvent]) -> LegEvent:
    async with asyncio.timeout(60):
        while not isinstance(event := await leg.next_event(), kind):
            pass
    return event


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


@pytest.mark.parametrize(("start", "codec"), SPOKEN, ids=NAMES)
def test_what_is_played_is_what_comes(start: Start, codec: Codec) -> None:
    async def test(plane: RtpPlane) -> None:
        app = App(plane, start)
        assert app.leg.codec is codec
        await app.leg.answer()
        assert isinstance(await app.leg.next_event(), Answered)
        app.leg.play(clip_of(tone(codec.sample_rate, 1.0), codec), "tone")
        await until(app.leg, Played)
        await asyncio.sleep(0.1)
        app.leg.end(Cause.NORMAL)
        assert app.over == [(Cause.NORMAL, "us")]
        if start.encoding == "opus":
            assert_is_the_tone(OPUS.decoded(app.audio), OPUS.sample_rate, 0.95)
        else:
            assert {len(piece) for piece in app.audio} == {start.rate // 50 * 2}
            assert_is_the_tone(b"".join(app.audio), start.rate, 0.95)

    virtually(test)


@pytest.mark.parametrize(("start", "codec"), SPOKEN, ids=NAMES)
def test_what_is_said_is_what_is_heard(start: Start, codec: Codec) -> None:
    async def test(plane: RtpPlane) -> None:
        app = App(plane, start)
        await app.leg.answer()
        heard: list[bytes] = []
        app.leg.listen(heard.append)
        if start.encoding == "opus":
            sent = codec.payloads(codec.new_encoder(), tone(codec.sample_rate, 1.0))
            gap_s = 0.02
        else:
            sent = list(pieces(tone(start.rate, 1.0), int(start.rate * 0.07) * 2 + 1))  # ends within samples
            gap_s = 0.07
        for piece in sent:
            app.leg.take(piece)
            await asyncio.sleep(gap_s)
        await asyncio.sleep(0.5)
        app.leg.ended()
        assert await until(app.leg, HungUp) is not None
        assert_is_the_tone(b"".join(heard), codec.sample_rate, 0.9)

    virtually(test)


def test_a_press_is_a_key() -> None:
    async def test(plane: RtpPlane) -> None:
        app = App(plane, SPOKEN[1][0])
        await app.leg.answer()
        for key in "1122":
            app.leg.press(key)
        keys = [await until(app.leg, Digit) for _ in range(4)]
        assert "".join(event.key for event in keys if isinstance(event, Digit)) == "1122"
        app.leg.ended()

    virtually(test)


def test_a_caller_by_exotel_and_an_app_talk_to_each_other() -> None:
    async def test(plane: RtpPlane) -> None:
        app = App(plane, SPOKEN[1][0])
        sent: list[str] = []
        far = FarEnd(8000, lambda message: stream.take(Marked(message["mark"]["name"])))

        def send(text: str) -> None:
            sent.append(text)
            far.take(text)

        stream = ExotelLeg(INFO, "x1", 8000, plane, send, lambda cause, by: None, chunk_ms=100)
        await app.leg.answer()
        await stream.answer()
        assert stream.bridge(app.leg)
        here, there = tone(16000, 2.0, 440), tone(8000, 2.0, 660)
        for mine, theirs in zip(pieces(here, 3200), pieces(there, 1600), strict=True):
            app.leg.take(mine)
            stream.take(Audio(theirs))
            await asyncio.sleep(0.1)
        await asyncio.sleep(0.5)
        assert_is_the_tone(bytes(far.audio), 8000, 1.7, 440)
        assert_is_the_tone(b"".join(app.audio), 16000, 1.7, 660)
        # A key of one is told to the other in his own way.
        stream.take(KeyPressed("7"))
        heard = len(far.audio)
        app.leg.press("3")
        await asyncio.sleep(1)
        assert [json.loads(text) for text in app.texts] == [{"type": "tone", "key": "7"}]
        pressed = np.frombuffer(bytes(far.audio[heard:]), "<i2").astype(float)
        spectrum = np.abs(np.fft.rfft(pressed, 16000))
        assert (
            {697, 1477}
            == {
                int(np.argmax(spectrum[:2000])) // 2 // 5 * 5 + 2,  # to the nearest of the rows
                int(np.argmax(spectrum[2200:]) + 2200) // 2 // 5 * 5 + 2,
            }
        )
        app.leg.ended()
        stream.ended()
        far.close()

    virtually(test)
