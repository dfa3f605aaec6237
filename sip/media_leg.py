"""What a SIP call leg has of its media and its events, whichever stack does the signalling."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final

from media.clip import Clip
from media.codecs import Codec
from media.leg import (
    Answered,
    AudioTap,
    Began,
    CallLeg,
    Cause,
    Digit,
    FrameSink,
    Held,
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
from sip.call_media import CallMedia


class MediaLeg(ABC):
    """The half of a `CallLeg` that needs no signalling; also the user of its RTP stream, whose events it
    translates.

    `next_event` raises RuntimeError once `HungUp` was given.
    """

    def __init__(self, info: LegInfo, codec: Codec, now: Callable[[], float]) -> None:
        """`codec` is what is told before one is agreed on."""
        self._info: Final = info
        self._first_codec: Final = codec
        self._now: Final = now
        self._media: CallMedia | None = None
        self._events: asyncio.Queue[LegEvent] = asyncio.Queue()
        self._over = False
        self._drained = False
        self._held = False
        self._presses: Final = Presses()
        self._other: MediaLeg | None = None

    @abstractmethod
    def end(self, cause: Cause) -> None:
        """Hangs up at once."""

    @property
    def info(self) -> LegInfo:
        return self._info

    @property
    def codec(self) -> Codec:
        return self._first_codec if self._media is None else self._media.codec

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
        return Quality() if self._media is None else self._media.stream.quality()

    def play(self, clip: Clip, mark: str) -> None:
        if self._live is not None:
            self._live.stream.play(clip, mark)

    def stop(self) -> None:
        if self._live is not None:
            self._live.stream.stop()

    def duck(self, on: bool) -> None:
        if self._live is not None:
            self._live.stream.duck(on)

    def pause(self) -> None:
        if self._live is not None:
            self._live.stream.pause()

    def resume(self, back_ms: int) -> None:
        if self._live is not None:
            self._live.stream.resume(back_ms)

    def position(self) -> Position | None:
        return None if self._live is None else self._live.stream.position()

    def just_sent(self, ms: int) -> bytes:
        return b"" if self._live is None else self._live.stream.just_sent(ms)

    def listen(self, sink: FrameSink | None) -> None:
        if self._live is not None:
            self._live.stream.listen(sink)

    def record(self, tap: AudioTap | None) -> None:
        if self._live is not None:
            self._live.stream.record(tap)
        elif tap is not None:
            tap.close()

    def send_digits(self, keys: str) -> None:
        if self._live is not None:
            self._live.stream.send_digits(keys)

    def bridge(self, other: CallLeg) -> bool:
        if not isinstance(other, MediaLeg) or self._live is None or other._live is None:
            return False
        self.part()
        other.part()
        if not self._live.stream.bridge(other._live.stream):
            return False
        self._other, other._other = other, self
        return True

    def part(self) -> None:
        other, self._other = self._other, None
        if other is not None:
            other._other = None
            if self._live is not None:
                self._live.stream.part()

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
    def _live(self) -> CallMedia | None:
        """The media while the leg is not over."""
        return None if self._over else self._media

    def _press(self, key: str, way: Way, at: float) -> None:
        if self._presses.is_new(key, way, at):
            self._put(Digit(at, key))
            self._pass_on(key, way)

    def _pass_on(self, key: str, way: Way) -> None:
        """A key goes to who is bridged to us, unless its tone reaches him in the audio."""
        other = self._other
        if other is None or self._live is None or other._live is None:
            return
        here, there = self._live.stream, other._live.stream
        if way is Way.SIGNALLING or not (here.hears_tones and there.hears_tones):
            other.send_digits(key)

    def _put(self, event: LegEvent) -> None:
        if not self._over:
            self._events.put_nowait(event)

    def _begin(self) -> None:
        """The call is answered, and its media agreed on."""
        if self._live is not None:
            self._live.connect()
            self._put(Answered(self._now()))
            self._media_changed()

    def _media_changed(self) -> None:
        """Media flows as agreed last; a hold, or its end, is told."""
        media = self._live
        if media is None:
            return
        media.connect()
        if media.held != self._held:
            self._held = media.held
            self._put(Held(self._now(), self._held))

    def _close(self, cause: Cause, by: Party, code: int | None, why: str | None = None) -> None:
        """Tells that the leg is over, and gives its media back; what comes after is not told."""
        self._put(HungUp(self._now(), cause, by, code, why))
        self.part()
        self._over = True
        if self._media is not None:
            self._media.close()
