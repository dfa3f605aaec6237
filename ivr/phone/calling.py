"""One call of a phone: what its owner does and waits for, on any `CallLeg`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engines.contract import Synthesizer
from ivr.phone import script
from ivr.phone.sound import SoundMeter
from ivr.phone.timeline import Timeline
from ivr.phone.voice import from_file, spoken
from ivr.phone.wire import WireLog
from media.clip import Clip, ClipWriter
from media.codecs import FRAME_MS, Codec
from media.leg import Answered, AudioTap, Began, CallLeg, Cause, Digit, HungUp, Played, Ringing

KEY_S: Final = 0.16
"""What a key takes on the wire with the pause after it."""

_DICTATION: Final = {
    "hi": "मेरा ऑर्डर अभी तक नहीं आया है, कृपया मुझे वापस फ़ोन कीजिए, मैं आज पूरे दिन घर पर ही हूँ",
    "mr": "माझी ऑर्डर अजून आलेली नाही, कृपया मला परत फोन करा, मी आज दिवसभर घरीच आहे",
    "en": "my order has not come yet, please call me back, I am at home for the whole of today",
}
"""What is said where any words will do, without a pause that would end it."""

_HEARD_S: Final = 0.06
"""Sound shorter than this is a click."""

_HUM: Final = "hum"

OpenTap = Callable[[Codec], AudioTap]
Speaker = Callable[[], Awaitable[Synthesizer]]
"""Gives the voice, started."""


class CallOver(Exception):
    """The call ended while something was awaited of it."""

    def __init__(self, ended: HungUp) -> None:
        code = f" ({ended.code})" if ended.code else ""
        super().__init__(f"the call is over: {ended.cause.value}{code}, by {ended.by}")
        self.ended = ended


class NothingHeard(Exception):
    """What was awaited did not come in time."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a phone is used: its language, its voice, and where it records (None: nowhere)."""

    language: str
    speaker: Speaker
    recorder: OpenTap | None = None


class PhoneCall:
    """A call under way. What waits raises `CallOver` when the call ends, `NothingHeard` after its time."""

    def __init__(self, leg: CallLeg, timeline: Timeline, manner: Manner, log: Callable[[], WireLog]) -> None:
        """`log` gives the packets of the call, once it was answered."""
        self.leg: Final = leg
        self.wire = WireLog()
        self._log = log
        self.digits = ""
        self.answered = False
        self.ended: HungUp | None = None
        self._timeline = timeline
        self._manner = manner
        self._meter = SoundMeter(8000)
        self._began: dict[str, float] = {}
        self._played: dict[str, float] = {}
        self._humming: Clip | None = None
        self._marks = 0
        self._changed = asyncio.Event()
        self._pump = asyncio.create_task(self._take_events())

    @property
    def heard_s(self) -> float:
        """Seconds of sound heard so far."""
        return self._meter.heard_s

    @property
    def quiet_s(self) -> float:
        """Seconds since the last sound was heard."""
        return self._meter.quiet_s

    # What is waited for

    async def until_answered(self, within_s: float = 60.0) -> None:
        await self._until(lambda: self.answered, within_s, "no answer")

    async def hear(self, within_s: float = script.HEAR_S) -> None:
        """Waits for sound."""
        already = self._meter.heard_s
        await self._until(
            lambda: self._meter.heard_s - already >= _HEARD_S,
            within_s,
            f"nothing was heard for {within_s:g} s",
        )

    async def quiet(self, for_s: float = script.QUIET_S, within_s: float = 120.0) -> None:
        """Waits until there was no sound for so long."""
        await self._until(
            lambda: self._meter.quiet_s >= for_s, within_s, f"it was never quiet for {for_s:g} s"
        )

    async def until_digits(self, digits: str, within_s: float = 15.0) -> None:
        """Waits until these keys, and no others, were pressed at the far end."""
        await self._until(lambda: self.digits == digits, within_s, f"the keys {digits} did not come")

    async def until_hung_up(self, within_s: float = script.HUNG_UP_S) -> HungUp:
        with contextlib.suppress(CallOver):
            await self._until(lambda: False, within_s, "the far end did not hang up")
        assert self.ended is not None
        return self.ended

    # What is done

    async def press(self, keys: str) -> None:
        """Presses keys; returns when the last one has been sent."""
        self._timeline.note("phone", f"presses {keys}")
        self.leg.send_digits(keys)
        await self._sleep(KEY_S * len(keys))

    async def say(self, text: str) -> None:
        """Speaks; returns when the last packet has been sent."""
        clip = await spoken(await self._manner.speaker(), text, self._manner.language, self.leg.codec)
        self._timeline.note("phone", f"says «{text}»")
        await self._play(clip)

    async def dictate(self, seconds: float) -> None:
        """Speaks for so long, whatever it is; returns when the last packet has been sent."""
        language = self._manner.language
        voice = await spoken(await self._manner.speaker(), _DICTATION[language], language, self.leg.codec)
        wanted = round(seconds * 1000 / FRAME_MS)
        frames = (voice.frames * (wanted // len(voice.frames) + 1))[:wanted]
        self._timeline.note("phone", f"speaks for {seconds:g} s")
        await self._play(Clip(self.leg.codec, frames, finished=True))

    async def play_pcm(self, pcm: bytes, rate: int) -> None:
        """Plays mono 16-bit samples; returns when the last packet has been sent."""
        writer = ClipWriter(Clip(self.leg.codec), rate)
        writer.write(pcm)
        writer.close()
        await self._play(writer.clip)

    async def play_file(self, path: Path) -> None:
        clip = await asyncio.to_thread(from_file, path, self.leg.codec)
        self._timeline.note("phone", f"plays {path.name}")
        await self._play(clip)

    async def wait(self, seconds: float) -> None:
        """Does nothing for so long."""
        await self._sleep(seconds)

    async def play(self, clip: Clip) -> tuple[float, float]:
        """Plays a clip; gives when its first and its last packet were sent, by the loop's clock."""
        mark = await self._play(clip)
        return self._began[mark], self._played[mark]

    def hum(self, clip: Clip) -> None:
        """Plays this, which loops, from now on, whenever nothing else is played: the noise of a line."""
        self._humming = clip
        self.leg.play(clip, _HUM)

    async def hang_up(self) -> None:
        """Ends the call, if it still lives, and waits for its end."""
        if self.ended is None:
            self._timeline.note("phone", "hangs up")
            await self.leg.hang_up(Cause.NORMAL)
            await self.until_hung_up(5.0)

    async def follow(self, steps: tuple[script.Step, ...]) -> None:
        """Carries out a script."""
        for step in steps:
            await self._do(step)

    async def close(self) -> None:
        """Ends the call and what belongs to it."""
        with contextlib.suppress(NothingHeard):
            await self.hang_up()
        self._pump.cancel()
        await asyncio.gather(self._pump, return_exceptions=True)

    # Within

    async def _do(self, step: script.Step) -> None:
        match step:
            case script.Hear(within_s):
                await self.hear(within_s)
            case script.Quiet(for_s):
                await self.quiet(for_s)
            case script.Press(keys):
                await self.press(keys)
            case script.Say(text):
                await self.say(text)
            case script.PlayFile(path):
                await self.play_file(path)
            case script.Wait(seconds):
                await self._sleep(seconds)
            case script.HangUp():
                await self.hang_up()
            case script.HungUp(within_s):
                await self.until_hung_up(within_s)

    async def _play(self, clip: Clip) -> str:
        """Gives the mark under which it was played."""
        self._marks += 1
        mark = f"phone/{self._marks}"
        if self._humming is not None:
            self.leg.stop()
        self.leg.play(clip, mark)
        if self._humming is not None:
            self.leg.play(self._humming, _HUM)
        await self._until(
            lambda: mark in self._played, clip.duration_ms / 1000 + 5.0, "what was to be said was not sent"
        )
        return mark

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(NothingHeard):
            await self._until(lambda: False, seconds, "")

    async def _until(self, condition: Callable[[], bool], within_s: float, complaint: str) -> None:
        try:
            async with asyncio.timeout(within_s):
                while not condition():
                    if self.ended is not None:
                        raise CallOver(self.ended)
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise NothingHeard(complaint) from None

    def _hear_frame(self, frame: bytes) -> None:
        self._meter.take(frame)
        self._changed.set()

    async def _take_events(self) -> None:
        while self.ended is None:
            event = await self.leg.next_event()
            match event:
                case Ringing():
                    self._timeline.note("phone", "early media" if event.early_media else "ringing")
                    if event.early_media:
                        self.leg.listen(self._hear_frame)
                case Answered():
                    self._on_answered()
                case Digit(key=key):
                    self.digits += key
                    self._timeline.note("phone", f"got key {key}")
                case Began(at=at, mark=mark):
                    self._began[mark] = at
                case Played(at=at, mark=mark):
                    self._played[mark] = at
                case HungUp():
                    self.ended = event
                    self._timeline.note("phone", f"call over: {event.cause.value}, by {event.by}")
                case _:
                    pass
            self._changed.set()

    def _on_answered(self) -> None:
        if self.answered:
            return
        self.answered = True
        codec = self.leg.codec
        self._timeline.note("phone", f"answered, {codec.name}")
        self.wire = self._log()
        self._meter = SoundMeter(codec.sample_rate)
        self.leg.listen(self._hear_frame)
        if self._manner.recorder is not None:
            self.leg.record(self._manner.recorder(codec))
