"""What every leg has that is a stream of packets: events, playout, listeners, keys, bridges. Only signalling
differs."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final

from media.clip import Clip
from media.codecs import Codec
from media.leg import (
    AudioTap,
    Began,
    CallLeg,
    Cause,
    Digit,
    FrameSink,
    HungUp,
    LegEvent,
    LegInfo,
    Party,
    Played,
    Position,
    Quality,
    Stopped,
)
from media.presses import Presses, Way
from media.stream import RtpStream


class StreamLeg(ABC):
    """The half of a `CallLeg` that needs no signalling; also the user of its stream, whose events it
    translates. Any two of them can be bridged.

    `next_event` raises RuntimeError once `HungUp` was given.
    """

    def __init__(self, info: LegInfo, codec: Codec, now: Callable[[], float]) -> None:
        """`codec` is what is told before one is agreed on."""
        self._info: Final = info
        self._first_codec: Final = codec
        self._now: Final = now
        self._events: asyncio.Queue[LegEvent] = asyncio.Queue()
        self._over = False
        self._drained = False
        self._presses: Final = Presses()
        self._other: StreamLeg | None = None

    @abstractmethod
    def end(self, cause: Cause) -> None:
        """Hangs up at once."""

    @property
    @abstractmethod
    def _stream(self) -> RtpStream | None:
        """The stream, once there is one; also when the leg is over."""

    @property
    def info(self) -> LegInfo:
        return self._info

    @property
    def codec(self) -> Codec:
        stream = self._stream
        return self._first_codec if stream is None else stream.codec or self._first_codec

    @property
    def sample_rate(self) -> int:
        return self.codec.sample_rate

    async def next_event(self) -> LegEvent:
        if self._drained:
            raise RuntimeError("the leg is over: HungUp was its last event")
        event = await self._events.get()
        self._drained = isinstance(event, HungUp)
        return event

    def quality(self) -> Quality:
        return Quality() if self._stream is None else self._stream.quality()

    def play(self, clip: Clip, mark: str) -> None:
        if self._flowing is not None:
            self._flowing.play(clip, mark)

    def stop(self) -> None:
        if self._flowing is not None:
            self._flowing.stop()

    def duck(self, on: bool) -> None:
        if self._flowing is not None:
            self._flowing.duck(on)

    def pause(self) -> None:
        if self._flowing is not None:
            self._flowing.pause()

    def resume(self, back_ms: int) -> None:
        if self._flowing is not None:
            self._flowing.resume(back_ms)

    def position(self) -> Position | None:
        return None if self._flowing is None else self._flowing.position()

    def just_sent(self, ms: int) -> bytes:
        return b"" if self._flowing is None else self._flowing.just_sent(ms)

    def listen(self, sink: FrameSink | None) -> None:
        if self._flowing is not None:
            self._flowing.listen(sink)

    def record(self, tap: AudioTap | None) -> None:
        if self._flowing is not None:
            self._flowing.record(tap)
        elif tap is not None:
            tap.close()

    def send_digits(self, keys: str) -> None:
        if self._flowing is not None:
            self._flowing.send_digits(keys)

    def bridge(self, other: CallLeg) -> bool:
        if not isinstance(other, StreamLeg) or self._flowing is None or other._flowing is None:
            return False
        self.part()
        other.part()
        if not self._flowing.bridge(other._flowing):
            return False
        self._other, other._other = other, self
        return True

    def part(self) -> None:
        other, self._other = self._other, None
        if other is not None:
            other._other = None
            if self._flowing is not None:
                self._flowing.part()

    def overhear(self, other: CallLeg | None) -> bool:
        return self._tied(other, lambda mine, theirs: mine.overhear(theirs))

    def whisper(self, other: CallLeg | None) -> bool:
        return self._tied(other, lambda mine, theirs: mine.whisper(theirs))

    # The stream's events

    def digit(self, key: str, at: float) -> None:
        self._press(key, Way.MEDIA, at)

    def began(self, mark: str, at: float) -> None:
        self._put(Began(at, mark))

    def played(self, mark: str, at: float) -> None:
        self._put(Played(at, mark))

    def stopped(self, mark: str, sample: int, at: float) -> None:
        self._put(Stopped(at, mark, sample))

    def timed_out(self, at: float) -> None:
        self.end(Cause.MEDIA_TIMEOUT)

    # For the leg

    @property
    def _far_end(self) -> Party:
        return "caller" if self._info.direction == "inbound" else "callee"

    @property
    def _flowing(self) -> RtpStream | None:
        """The stream while the leg is not over."""
        return None if self._over else self._stream

    def _tied(self, other: CallLeg | None, tie: Callable[[RtpStream, RtpStream | None], bool]) -> bool:
        """Whether our stream could be tied to that of the other leg, or to none."""
        if self._flowing is None:
            return False
        if other is None:
            return tie(self._flowing, None)
        theirs = other._flowing if isinstance(other, StreamLeg) else None
        return theirs is not None and tie(self._flowing, theirs)

    def _press(self, key: str, way: Way, at: float) -> None:
        if self._presses.is_new(key, way, at):
            self._put(Digit(at, key))
            self._pass_on(key, way)

    def _pass_on(self, key: str, way: Way) -> None:
        """A key goes to who is bridged to us, unless its tone reaches him in the audio."""
        other = self._other
        if other is None or self._flowing is None or other._flowing is None:
            return
        here, there = self._flowing, other._flowing
        if way is Way.SIGNALLING or not (here.hears_tones and there.hears_tones):
            other.send_digits(key)

    def _put(self, event: LegEvent) -> None:
        if not self._over:
            self._events.put_nowait(event)

    def _close(self, cause: Cause, by: Party, code: int | None, why: str | None = None) -> None:
        """Tells that the leg is over, and gives its media back; what comes after is not told."""
        self._put(HungUp(self._now(), cause, by, code, why))
        self.part()
        self._over = True
        self._let_go()

    def _let_go(self) -> None:
        """Gives the stream back."""
        if self._stream is not None:
            self._stream.close()
