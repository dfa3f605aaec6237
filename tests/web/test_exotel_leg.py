"""A leg over Exotel's stream, against a far end that plays in (virtual) real time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

from media.clip import Clip, ClipWriter
from media.codecs import L16_8, L16_16, Codec
from media.leg import (
    Answered,
    Began,
    Cause,
    Digit,
    HungUp,
    LegEvent,
    LegInfo,
    Played,
    Stopped,
    TransferOutcome,
)
from media.plane import RtpPlane
from media.ports import PortPool
from tests.fakes.virtual_time import run_virtually
from tests.web import exotel_far_end
from webrtc.exotel import KeyPressed, Marked, Stop
from webrtc.exotel_leg import ExotelLeg, chunk_frames
from webrtc.exotel_stream import Audio

INFO = LegInfo("c1", "inbound", "+919876543210", "+918047112233", "exotel-stream", {})
CHUNK_MS = 100


def ramp(frames: int, first: int = 1) -> bytes:
    """Each sample has another value, none is 0: what is heard can be told to the sample."""
    return (np.arange(frames * 160, dtype=np.int32) + first).astype("<i2").tobytes()


def clip_of(pcm: bytes, codec: Codec = L16_8) -> Clip:
    clip = Clip(codec)
    writer = ClipWriter(clip, codec.sample_rate)
    writer.write(pcm)
    writer.close()
    return clip


class Bench:
    def __init__(self, plane: RtpPlane, rate: int, chunk_ms: int, delay_s: float) -> None:
        self._delay_s = delay_s
        self._arrives_at = 0.0
        self.sent: list[dict[str, Any]] = []
        self.over: list[tuple[Cause, str]] = []
        self.handed: list[str] = []
        self.far = exotel_far_end.Played(rate, self._back)
        self.leg = ExotelLeg(
            INFO,
            "s1",
            rate,
            plane,
            self._out,
            lambda cause, by: self.over.append((cause, by)),
            chunk_ms,
            self.handed.append,
        )

    def _out(self, text: str) -> None:
        self.sent.append(json.loads(text))
        self._by_network(lambda: self.far.take(text))

    def _back(self, message: dict[str, Any]) -> None:
        self._by_network(lambda: self.leg.take(Marked(message["mark"]["name"])))

    def _by_network(self, arrive: Callable[[], None]) -> None:
        """Late, and in order."""
        loop = asyncio.get_running_loop()
        self._arrives_at = max(self._arrives_at + 1e-6, loop.time() + self._delay_s)
        if self._delay_s:
            loop.call_at(self._arrives_at, arrive)
        else:
            arrive()

    async def until(self, kind: type[LegEvent]) -> LegEvent:
        async with asyncio.timeout(60):
            while not isinstance(event := await self.leg.next_event(), kind):
                pass
        return event

    def heard(self) -> bytes:
        """Without the silence at both ends."""
        return bytes(self.far.audio).strip(b"\x00")


def virtually(
    test: Callable[[Bench], Awaitable[None]],
    rate: int = 8000,
    chunk_ms: int = CHUNK_MS,
    delay_s: float = 0.0,
) -> None:
    async def run() -> None:
        plane = RtpPlane(PortPool(0, 0, 0.0, "127.0.0.1"), timeout_s=20.0, address="test")
        await plane.start()
        bench = Bench(plane, rate, chunk_ms, delay_s)
        await bench.leg.answer()
        assert isinstance(await bench.leg.next_event(), Answered)
        try:
            await test(bench)
        finally:
            bench.leg.end(Cause.NORMAL)
            bench.far.close()
            assert plane.streams == 0
            await plane.close()

    run_virtually(run())


def now() -> float:
    return asyncio.get_running_loop().time()


def test_a_clip_is_played_when_exotel_has_played_it() -> None:
    async def test(b: Bench) -> None:
        pcm = ramp(23)
        began_at = now()
        b.leg.play(clip_of(pcm), "hello")
        assert isinstance(await b.until(Began), Began)
        assert now() - began_at <= 0.021
        assert await b.until(Played) == Played(now(), "hello")
        assert b.heard() == pcm.strip(b"\x00")
        # At once, and without a hole: to the end of the chunk that the last frame stands in.
        assert 0.46 <= now() - began_at <= 0.5 + 0.03
        assert set(b.far.chunks) == {1600}

    virtually(test)


def test_between_talkspurts_nothing_is_sent() -> None:
    async def test(b: Bench) -> None:
        await asyncio.sleep(3)
        assert b.sent == []
        b.leg.play(clip_of(ramp(5)), "a")
        await b.until(Played)
        await asyncio.sleep(1)
        sent = len(b.sent)
        await asyncio.sleep(3)
        assert len(b.sent) == sent

    virtually(test)


def test_clips_follow_each_other_without_a_hole() -> None:
    async def test(b: Bench) -> None:
        first, second = ramp(7), ramp(9, first=5000)
        b.leg.play(clip_of(first), "a")
        b.leg.play(clip_of(second), "b")
        assert isinstance(a := await b.until(Played), Played)
        assert isinstance(c := await b.until(Played), Played)
        assert (a.mark, c.mark) == ("a", "b")
        assert b.heard() == first + second

    virtually(test)


@pytest.mark.parametrize("frame_s", [0.005, 0.015])
def test_a_voice_that_is_still_being_made_has_no_holes(frame_s: float) -> None:
    """It comes faster than it is heard, frame by frame; a second sentence comes while the first is heard."""

    async def test(b: Bench) -> None:
        first, second = ramp(43), ramp(12, first=9000)
        for pcm, mark in ((first, "a"), (second, "b")):
            clip = Clip(L16_8)
            b.leg.play(clip, mark)
            for at in range(0, len(pcm), 320):
                await asyncio.sleep(frame_s)
                clip.frames.append(pcm[at : at + 320])
            clip.finished = True
        await b.until(Played)
        await b.until(Played)
        assert b.heard() == first + second
        assert b.far.gaps == 0

    virtually(test)


def test_what_is_stopped_is_told_by_what_was_heard() -> None:
    async def test(b: Bench) -> None:
        pcm = ramp(100)
        b.leg.play(clip_of(pcm), "long")
        b.leg.play(clip_of(ramp(5)), "never")
        await b.until(Began)
        await asyncio.sleep(0.7)
        assert (position := b.leg.position()) is not None
        assert position.mark == "long"
        b.leg.stop()
        assert b.leg.position() is None
        assert isinstance(stopped := await b.until(Stopped), Stopped)
        heard = len(b.heard()) // 2
        assert b.far.clears == 1
        assert abs(stopped.sample - heard) <= 160
        assert abs(position.sample - heard) <= 160
        assert 0.65 * 8000 < heard <= 0.7 * 8000
        assert await b.until(Stopped) == Stopped(now(), "never", 0)
        await asyncio.sleep(1)
        assert b.heard() == pcm[: len(b.heard())]

    virtually(test)


def test_what_gives_way_goes_on_from_where_it_was() -> None:
    async def test(b: Bench) -> None:
        words = (ramp(20, 1000) + bytes(320 * 3)) * 3  # each word 400 ms, and 60 ms of pause behind it
        b.leg.play(clip_of(words), "prompt")
        await b.until(Began)
        await asyncio.sleep(0.75)
        b.leg.duck(True)
        b.leg.pause()
        await asyncio.sleep(0.01)
        assert b.far.clears == 1
        position = b.leg.position()
        assert position is not None
        assert 0.7 <= position.sample / 8000 <= 0.76
        heard = len(b.far.audio)
        await asyncio.sleep(2)
        assert len(b.far.audio) == heard  # it is silent
        assert b.leg.position() == position
        b.leg.duck(False)
        b.leg.resume(1000)
        assert isinstance(await b.until(Played), Played)
        after = bytes(b.far.audio[heard:]).strip(b"\x00")
        # The second word, which was broken off, from its beginning; and the third.
        assert after == words[320 * 23 :].strip(b"\x00")

    virtually(test)


def test_what_gives_way_at_the_seam_of_two_clips_is_heard_again_from_the_first() -> None:
    """Our stream is in the second clip when the far end is still in the first."""

    async def test(b: Bench) -> None:
        first, second = ramp(10), ramp(30, 3000)
        b.leg.play(clip_of(first), "a")
        b.leg.play(clip_of(second), "b")
        await b.until(Began)
        await asyncio.sleep(0.19)
        b.leg.pause()
        position = b.leg.position()
        assert position is not None
        assert position.mark == "a"
        await asyncio.sleep(1)
        b.leg.resume(0)
        played = [await b.until(Played), await b.until(Played)]
        assert [event.mark for event in played if isinstance(event, Played)] == ["a", "b"]
        whole = first + second
        # What was heard when it was told to clear may be a little more than was known of here.
        assert b.heard().startswith(whole[: position.sample * 2])
        assert b.heard().endswith(whole[position.sample * 2 :])

    virtually(test, delay_s=0.06)


@pytest.mark.parametrize("chunk_ms", [20, 100, 200])
def test_a_network_that_is_late_is_not_heard(chunk_ms: int) -> None:
    """The far end has something in hand whenever a chunk comes: 80 ms late are too few to make a hole."""

    async def test(b: Bench) -> None:
        pcm = ramp(100)
        b.leg.play(clip_of(pcm), "long")
        while (position := b.leg.position()) is None or position.sample < 40 * 160:
            await asyncio.sleep(0.02)
            b._delay_s = 0.08 if b._delay_s == 0.01 else 0.01
        b._delay_s = 0.01
        await b.until(Played)
        assert b.far.gaps == 0
        assert b.heard() == pcm.strip(b"\x00")

    virtually(test, chunk_ms=chunk_ms, delay_s=0.01)


def test_a_far_end_that_sends_no_marks_is_not_waited_for_for_ever() -> None:
    async def test(b: Bench) -> None:
        b.far.silent = True
        b.leg.play(clip_of(ramp(5)), "a")
        began = now()
        await b.until(Played)
        assert 0.2 < now() - began < 3
        assert b.leg.unmarked

    virtually(test)


@pytest.mark.parametrize(("rate", "inside"), [(16000, L16_16), (24000, L16_16)])
def test_other_rates(rate: int, inside: Codec) -> None:
    async def test(b: Bench) -> None:
        assert b.leg.codec is inside
        tone = (8000 * np.sin(np.arange(16000) * 2 * np.pi * 440 / 16000)).astype("<i2").tobytes()
        b.leg.play(clip_of(tone, inside), "tone")
        await b.until(Played)
        heard = np.frombuffer(b.heard()[: rate * 2 - 200], "<i2").astype(float)
        spectrum = np.abs(np.fft.rfft(heard))
        assert np.argmax(spectrum) * rate / len(heard) == pytest.approx(440, abs=3)
        assert set(b.far.chunks) == {rate * 2 // 10}

    virtually(test, rate)


def test_what_the_caller_says_is_heard() -> None:
    async def test(b: Bench) -> None:
        heard: list[bytes] = []
        b.leg.listen(heard.append)
        pcm = ramp(50)
        for at in range(0, len(pcm), 1600):
            b.leg.take(Audio(pcm[at : at + 1600]))
            await asyncio.sleep(0.1)
        await asyncio.sleep(0.5)
        assert pcm in b"".join(heard)

    virtually(test)


def test_keys_and_the_end() -> None:
    async def test(b: Bench) -> None:
        for key in "155#":
            b.leg.take(KeyPressed(key))
        keys = [await b.until(Digit) for _ in range(4)]
        assert "".join(event.key for event in keys if isinstance(event, Digit)) == "155#"
        b.leg.take(Stop("callended"))
        assert await b.until(HungUp) == HungUp(now(), Cause.NORMAL, "caller", None)
        assert b.over == [(Cause.NORMAL, "caller")]
        b.leg.take(KeyPressed("1"))
        b.leg.play(clip_of(ramp(1)), "late")
        b.leg.stop()
        b.leg.pause()
        assert b.leg.position() is None

    virtually(test)


def test_a_caller_who_sends_nothing_is_gone() -> None:
    async def test(b: Bench) -> None:
        b.leg.take(Audio(ramp(5)))
        assert await b.until(HungUp) == HungUp(now(), Cause.MEDIA_TIMEOUT, "us", None)
        assert 19 < now() < 23

    virtually(test)


def test_exotel_connects_whom_we_hand_over() -> None:
    async def test(b: Bench) -> None:
        assert await b.leg.transfer("+912212345678", 20) is TransferOutcome.DONE
        assert b.handed == ["+912212345678"]

    virtually(test)


def test_an_echo_is_compared_with_what_was_heard() -> None:
    async def test(b: Bench) -> None:
        b.leg.listen(lambda frame: None)
        pcm = ramp(60)
        b.leg.play(clip_of(pcm), "a")
        await b.until(Began)
        await asyncio.sleep(0.8)
        sent = b.leg.just_sent(200)
        position = b.leg.position()
        assert position is not None
        assert len(sent) == 3200
        end = pcm.index(sent) // 2 + 1600
        assert abs(end - position.sample) <= 160

    virtually(test)


def test_how_long_chunks_are() -> None:
    assert [chunk_frames(rate, None) * rate // 25 for rate in (8000, 16000, 24000)] == [3200, 3200, 3840]
    assert [chunk_frames(8000, ms) for ms in (20, 40, 100, 2000)] == [1, 2, 5, 100]
