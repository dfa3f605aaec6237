"""Phones that are told apart by the tone that they send."""

from __future__ import annotations

import asyncio
import wave
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

from ivr.phone.calling import PhoneCall
from ivr.phone.phone import Phone, open_phone
from ivr.phone.timeline import Timeline
from media.clip import Clip, ClipWriter
from media.sounds import Sound, SoundMeter
from media.tones import Partial, tone

SECOND_MS = 1000


def write_tone(path: Path, hz: float, ms: int) -> None:
    """A WAV file of one tone."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(tone([Partial(hz)], ms, 8000))


class Talker:
    """One side of a call: sends its tone, and counts the tones that it hears, to the nearest 50 Hz."""

    def __init__(self, call: PhoneCall) -> None:
        self.call = call
        self.heard: Counter[int] = Counter()
        self._meter = SoundMeter(call.leg.sample_rate)
        call.leg.listen(self._hear)

    def _hear(self, frame: bytes) -> None:
        self.call._hear_frame(frame)
        heard = self._meter.take(frame)
        if heard.sound is Sound.TONE:
            self.heard[round(heard.hz / 50) * 50] += 1

    def hum(self, hz: int) -> None:
        """Sends the tone from now on."""
        codec = self.call.leg.codec
        clip = Clip(codec, loops=True)
        writer = ClipWriter(clip, codec.sample_rate)
        writer.write(tone([Partial(float(hz))], SECOND_MS, codec.sample_rate))
        writer.close()
        self.call.leg.play(clip, f"tone {hz}")

    async def hears(self, hz: int, within_s: float = 20.0) -> None:
        """Waits until it has heard the tone for 200 ms more."""
        wanted = self.heard[hz] + 10
        async with asyncio.timeout(within_s):
            while self.heard[hz] < wanted:
                await asyncio.sleep(0.02)


async def phones(stack: AsyncExitStack, count: int) -> list[Phone]:
    """So many more phones, closed with the stack."""
    return [
        await stack.enter_async_context(open_phone(language="en", timeline=Timeline())) for _ in range(count)
    ]
