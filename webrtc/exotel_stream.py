"""What of the messages of one Exotel stream counts: each in its place, none missing unnoticed. Pure.

`receive` gives what a message means, or None where it is passed over: it is counted in `counts` then, by the
name of what is wrong with it. Only a call that cannot be raises.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from webrtc.credit import Credit
from webrtc.exotel import (
    RATES,
    Connected,
    ExotelError,
    Fault,
    KeyPressed,
    Marked,
    Media,
    Start,
    Stop,
    read,
)

MAX_FAULTS: Final = 200
"""A far end that is wrong so often is none of Exotel's."""

MAX_LOST_MS: Final = 1000
"""Of a longer gap only so much is made up: the rest is as if nobody had spoken."""

_PLAUSIBLE_MS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Audio:
    """What the caller said next, at the stream's rate, after so much that is missing."""

    pcm: bytes
    lost_ms: int = 0


Heard = Start | Audio | KeyPressed | Marked | Stop


class ExotelStream:
    """The receiving half of one stream. `asked_rate` is what the address asked for: what the start says of
    the rate comes first."""

    def __init__(self, now: float, asked_rate: int | None = None) -> None:
        self.rate = asked_rate or RATES[0]
        self.start: Start | None = None
        self.over = False
        self.counts: Counter[str] = Counter()
        self._faults = 0
        self._credit = Credit(now)
        self._sequence: int | None = None
        self._chunk: int | None = None
        self._due_ms: int | None = None
        """The timestamp that the next audio should have."""
        self._lasted_ms = 0

    def receive(self, text: str | bytes, now: float) -> Heard | None:
        """Raises `ExotelError` when the start cannot be used, or there are too many faults."""
        try:
            message = read(text)
        except ExotelError as error:
            if error.fault is Fault.BAD_START and self.start is None:
                raise
            self._fault(error.fault.value)
            return None
        missing = self._missing(message.sequence)
        part = message.part
        if isinstance(part, Connected):
            return None
        if self.over:
            self._fault("after_stop")
            return None
        if isinstance(part, Start):
            if self.start is not None:
                self._fault("started_twice")
                return None
            self.start = part
            self.rate = part.rate or self.rate
            return part
        if self.start is None:
            self._fault("before_start")
            return None
        if isinstance(part, Stop):
            self.over = True
            return part
        return self._audio(part, missing, now) if isinstance(part, Media) else part

    def _audio(self, media: Media, missing: int, now: float) -> Audio | None:
        if media.odd:
            self.counts["odd_bytes"] += 1
        if media.chunk is not None and self._chunk is not None and media.chunk <= self._chunk:
            self._fault("repeated_chunk")
            return None
        lost_ms = self._lost(media, missing)
        lasts_ms = len(media.pcm) * 1000 // (2 * self.rate)
        if media.chunk is not None:
            self._chunk = media.chunk
        self._due_ms = None if media.timestamp_ms is None else media.timestamp_ms + lasts_ms
        self._lasted_ms = lasts_ms
        if not media.pcm:
            return None
        if not self._credit.take(lasts_ms / 1000, now):
            self._fault("too_fast")
            return None
        if lost_ms:
            self.counts["lost_ms"] += lost_ms
        return Audio(media.pcm, min(lost_ms, MAX_LOST_MS))

    def _lost(self, media: Media, missing: int) -> int:
        """How much audio is missing before this. Messages of other kinds have numbers too, so that a hole in
        those of all messages may be none in the audio: the count of chunks, and their times, know better."""
        if media.chunk is not None and self._chunk is not None:
            missing = media.chunk - self._chunk - 1
        if missing <= 0:
            return 0
        if media.timestamp_ms is not None and self._due_ms is not None:
            ahead = media.timestamp_ms - self._due_ms
            if 0 <= ahead <= _PLAUSIBLE_MS:
                return ahead
        return min(missing * self._lasted_ms, _PLAUSIBLE_MS)

    def _missing(self, sequence: int | None) -> int:
        """How many messages are missing before this one."""
        before = self._sequence
        if sequence is None:
            return 0
        if before is None or sequence > before:
            self._sequence = sequence
        if before is None or sequence <= before + 1:
            return 0
        self.counts["gaps"] += 1
        return sequence - before - 1

    def _fault(self, name: str) -> None:
        self.counts[name] += 1
        self._faults += 1
        if self._faults > MAX_FAULTS:
            raise ExotelError(Fault.UNKNOWN, "too many messages cannot be used")
