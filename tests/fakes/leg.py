"""A leg without a network: a test says what the far end does, and sees what was played to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from media.clip import Clip
from media.codecs import PCMA, Codec
from media.leg import (
    Answered,
    AudioTap,
    Began,
    CallLeg,
    Cause,
    Digit,
    Direction,
    FrameSink,
    HungUp,
    LegEvent,
    LegInfo,
    Played,
    Position,
    Quality,
    Stopped,
    TransferOutcome,
)


class FakeLeg:
    """Plays nothing by itself: `finish` ends what is playing, `speak` feeds the listener."""

    def __init__(self, direction: Direction = "inbound") -> None:
        self.info = LegInfo("leg-1", direction, "+919876543210", "1001", "local", {})
        self.codec: Codec = PCMA
        self.sample_rate = 8000
        self.playing: list[tuple[str, Clip]] = []
        self.played: list[Clip] = []
        self.cut = 0
        self.ducked = self.paused = False
        self.sent_samples = 160
        self.echo = b""
        self.answered = False
        self.ended: Cause | None = None
        self.transfers: list[str] = []
        self.bridged: CallLeg | None = None
        self.overheard: CallLeg | None = None
        self.whispers_to: CallLeg | None = None
        self.transfer_outcome = TransferOutcome.DONE
        self.sink: FrameSink | None = None
        self.tap: AudioTap | None = None
        self._events: asyncio.Queue[LegEvent] = asyncio.Queue()
        self._changed = asyncio.Event()

    # What the server does

    async def next_event(self) -> LegEvent:
        return await self._events.get()

    async def ring(self) -> None: ...

    async def progress(self) -> None: ...

    async def answer(self) -> None:
        if self.ended is None:
            self.answered = True
            self._happen(Answered(self._now()))

    async def reject(self, cause: Cause, retry_after_s: int | None = None) -> None:
        self._end(cause, "us")

    async def hang_up(self, cause: Cause = Cause.NORMAL) -> None:
        self._end(cause, "us")

    def play(self, clip: Clip, mark: str) -> None:
        if self.ended is None:
            self.playing.append((mark, clip))
            self.played.append(clip)
            self._changed.set()

    def stop(self) -> None:
        for mark, _ in self.playing:
            self.cut += 1
            self._happen(Stopped(self._now(), mark, self.sent_samples))
        self.playing.clear()
        self.ducked = self.paused = False

    def duck(self, on: bool) -> None:
        self.ducked = on
        self._changed.set()

    def pause(self) -> None:
        self.paused = True
        self._changed.set()

    def resume(self, back_ms: int) -> None:
        self.paused = False
        self._changed.set()

    def position(self) -> Position | None:
        return Position(self.playing[0][0], self.sent_samples) if self.playing else None

    def just_sent(self, ms: int) -> bytes:
        return self.echo[-2 * self.sample_rate * ms // 1000 :]

    def listen(self, sink: FrameSink | None) -> None:
        self.sink = sink
        self._changed.set()

    def record(self, tap: AudioTap | None) -> None:
        self.tap = tap

    def send_digits(self, keys: str) -> None: ...

    def bridge(self, other: CallLeg) -> bool:
        self.bridged = other
        return self.ended is None

    def part(self) -> None:
        self.bridged = None

    def overhear(self, other: CallLeg | None) -> bool:
        self.overheard = other
        return self.ended is None

    def whisper(self, other: CallLeg | None) -> bool:
        self.whispers_to = other
        return self.ended is None

    async def transfer(self, target: str, wait_s: float) -> TransferOutcome:
        self.transfers.append(target)
        return self.transfer_outcome

    async def transfer_to(self, other: CallLeg, wait_s: float) -> TransferOutcome:
        return self.transfer_outcome

    async def hold(self, on: bool) -> bool:
        return True

    def quality(self) -> Quality:
        return Quality()

    # What the far end does

    async def until(self, ready: Callable[[FakeLeg], bool]) -> None:
        """Waits, at most five seconds, until something that the server does is so."""
        async with asyncio.timeout(5):
            while not ready(self):
                self._changed.clear()
                await self._changed.wait()

    async def hears(self) -> Clip:
        """Waits for something to play, until it is whole."""
        await self.until(lambda leg: bool(leg.playing))
        clip = self.playing[-1][1]
        async with asyncio.timeout(5):
            while not clip.finished:
                await asyncio.sleep(0)
        return clip

    def finish(self) -> None:
        """Everything queued has been played."""
        playing, self.playing = self.playing, []
        for mark, _ in playing:
            self._happen(Began(self._now(), mark))
            self._happen(Played(self._now(), mark))

    def press(self, key: str) -> None:
        self._happen(Digit(self._now(), key))

    def speak(self, frames: list[bytes]) -> None:
        for frame in frames:
            if self.sink is not None:
                self.sink(frame)

    def far_end_hangs_up(self) -> None:
        self._end(Cause.NORMAL, "caller")

    def vanishes(self) -> None:
        """Nothing comes from the far end any more."""
        self._end(Cause.MEDIA_TIMEOUT, "us")

    def far_end_answers(self) -> None:
        self._happen(Answered(self._now()))

    def _end(self, cause: Cause, by: str) -> None:
        if self.ended is None:
            self.ended = cause
            self.playing.clear()
            self._happen(HungUp(self._now(), cause, "us" if by == "us" else "caller"))

    def _happen(self, event: LegEvent) -> None:
        self._events.put_nowait(event)
        self._changed.set()

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
