"""Messages that a caller leaves, in a live call: what the far end says goes into a file, and the flow is told
when it speaks.

Speech is told from other sounds by the voice-activity model, as for everything a caller says: a street, music
or a barking dog are no message, and would keep one from its end if the level of the sound decided.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from ivr.flow.protocol import MessageFailed, SpeechBegan, SpeechPaused
from ivr.hearing import Vad
from media.leg import CallLeg
from media.message import MessageTap
from media.recorder import RecordingEnd, RecordingWriter
from media.resample import StreamResampler
from media.silero import RATE as VAD_RATE
from media.turns import Endpointer, Endpointing, Turn

log = logging.getLogger(__name__)

PAUSE_S: Final = 0.3
"""Silence after which speech has paused; gaps within words are shorter."""

LONGEST_S: Final = 3600.0
KEPT_BEHIND_MS: Final = 500
"""Silence that is left at the end of a message; more is cut off."""

COMPLETE_S: Final = 0.5
"""How long the flow waits for the file of a message: a slow disk must not silence a caller."""

Told = SpeechBegan | SpeechPaused | MessageFailed


@dataclass(frozen=True, slots=True)
class DuringMessage:
    """What is to be told the flow while the message of this name lasts; stale afterwards."""

    name: str
    event: Told


class MessageRecord(Protocol):
    """The record of the call, as far as it concerns messages."""

    def message_began(self, name: str, path: Path) -> None:
        """Noted when it begins, so that a crash does not hide it."""

    def message_ended(self, name: str, duration_ms: int, fault: str) -> None: ...

    def message_deleted(self, name: str) -> None: ...


class MessageShelf:
    """Where the messages of one call are written."""

    def __init__(self, writer: RecordingWriter, folder: Path, call_id: str, record: MessageRecord) -> None:
        self._writer = writer
        self._folder = folder
        self._call_id = call_id
        self._record = record
        self._count = 0
        self._writing: set[asyncio.Future[None]] = set()

    def begin(
        self, name: str, rate: int, on_fault: Callable[[str], None]
    ) -> tuple[MessageTap, asyncio.Future[None]]:
        """A message of frames at `rate` Hz; the future ends when its file is complete, or gone, and the
        record tells it. `on_fault` is told when it ends before it was closed."""
        self._count += 1
        path = self._folder / f"{self._call_id}-{self._count}.wav"
        complete: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def on_end(end: RecordingEnd) -> None:
            if end.fault:
                log.error("call %s: a message stopped: %s", self._call_id, end.fault)
                on_fault(end.fault)
            if tap.discarded:
                self._record.message_deleted(name)
            else:
                self._record.message_ended(name, end.duration_ms, end.fault)
            self._writing.discard(complete)
            complete.set_result(None)

        tap = self._writer.open_message(path, rate, on_end)
        self._writing.add(complete)
        self._record.message_began(name, path)
        return tap, complete

    async def complete(self, wait_s: float) -> None:
        """Returns when every file is complete, or after `wait_s`."""
        if self._writing:
            await asyncio.wait(self._writing, timeout=wait_s)


class Dictation:
    """Keeps one message at a time of what is heard on a leg."""

    def __init__(
        self, leg: CallLeg, vad: Vad, shelf: MessageShelf | None, tell: Callable[[DuringMessage], None]
    ) -> None:
        """Without a `shelf` every message fails."""
        self._leg = leg
        self._vad = vad
        self._shelf = shelf
        self._tell = tell
        self._name: str | None = None
        self._message: _Message | None = None

    def begin(self, name: str) -> None:
        """What is heard from now on is the message."""
        self.close()
        self._name = name
        if self._shelf is None:
            self._tell(DuringMessage(name, MessageFailed("nowhere to keep it")))
            return
        self._message = _Message(name, self._leg.sample_rate, self._vad, self._shelf, self._tell)
        self._leg.listen(self._message.take)

    async def end(self, kept: bool) -> None:
        """The message is over; returns when its file is complete, or gone, at the latest after
        `COMPLETE_S`."""
        self._name = None
        message, self._message = self._message, None
        if message is None:
            return
        self._leg.listen(None)
        complete = message.end(kept)
        await asyncio.wait([complete], timeout=COMPLETE_S)

    def close(self) -> None:
        """The call is over: a message under way is kept as it is."""
        self._name = None
        message, self._message = self._message, None
        if message is not None:
            self._leg.listen(None)
            message.end(kept=True)

    def current(self, told: DuringMessage) -> bool:
        """Whether its message still lasts."""
        return self._name == told.name


class _Message:
    def __init__(
        self, name: str, rate: int, vad: Vad, shelf: MessageShelf, tell: Callable[[DuringMessage], None]
    ) -> None:
        self.name = name
        self._told = tell
        self._tap, self._complete = shelf.begin(name, rate, lambda fault: self._tell(MessageFailed(fault)))
        self._endpointer = Endpointer(Endpointing(PAUSE_S, LONGEST_S), VAD_RATE)
        self._narrow = StreamResampler(rate, VAD_RATE)
        self._stream = vad.open(self._on_probability)
        self._spoken_to_ms = 0
        self._ended = False

    def take(self, frame: bytes) -> None:
        self._tap.take(frame)
        self._stream.write(self._narrow.process(frame))

    def end(self, kept: bool) -> asyncio.Future[None]:
        self._ended = True
        self._stream.close()
        if not kept:
            self._tap.discard()
        elif self._endpointer.speaking or not self._spoken_to_ms:
            self._tap.close()
        else:
            self._tap.close(self._spoken_to_ms + KEPT_BEHIND_MS)
        return self._complete

    def _on_probability(self, probability: float, sample: int) -> None:
        if self._ended:
            return
        turn = self._endpointer.feed(probability, sample)
        if turn is Turn.BEGAN:
            self._tell(SpeechBegan())
        elif turn is Turn.ENDED:
            self._spoken_to_ms = sample * 1000 // VAD_RATE
            self._tell(SpeechPaused(PAUSE_S))

    def _tell(self, event: Told) -> None:
        if not self._ended:
            self._told(DuringMessage(self.name, event))
