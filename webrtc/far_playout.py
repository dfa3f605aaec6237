"""What a far end has of what it was sent: played, or still held. Pure.

Exotel takes audio in chunks, plays them one after the other, and sends a mark back when it has played all
that was sent before it. So each chunk is followed by a mark of its own, and the marks are the clock: what is
held is known to the chunk by them, and to the frame by the time since the last one.

What is played to a caller lies ready: it is sent ahead, as much as makes `short` false. So the far end hears
the first word at once, and has always something in hand when the network is late. What is live (another
caller, a tone) comes in real time: the first chunk of its talkspurt is silence with one frame behind it, sent
at once, and while that plays the next one fills; all of it is late by a chunk and `LIVE_LEAD`, never more.
Between talkspurts nothing is sent.

A mark that does not come is taken for come `GRACE_S` after it was due: a call must not wait for ever.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

FRAME_S: Final = 0.02
GRACE_S: Final = 1.5

LEAD: Final = 10
"""Frames that the far end has still to play when the next chunk is sent."""

LIVE_LEAD: Final = 2
"""The same of what is live, where it costs delay."""

_MARK: Final = "c"


class Place(NamedTuple):
    """Of which clip a frame is, and how many samples of it are over behind that frame."""

    clip: str
    sample: int


class Chunk(NamedTuple):
    """To be sent, and the mark behind it."""

    pcm: bytes
    mark: str


@dataclass(slots=True)
class _Frames:
    """Frames of one chunk: where each is from, and the clips that end in it."""

    places: list[Place | None] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Sent:
    number: int
    frames: _Frames
    at: float

    @property
    def lasts_s(self) -> float:
        return len(self.frames.places) * FRAME_S


class FarPlayout:
    """The sending half of one stream, frame by frame."""

    def __init__(self, frame_bytes: int, chunk_frames: int) -> None:
        """A frame is 20 ms of PCM of `frame_bytes`."""
        self._silence = bytes(frame_bytes)
        self._chunk_frames = chunk_frames
        self._filling: list[bytes] = []
        self._new = _Frames()
        self._held: deque[_Sent] = deque()
        self._held_frames = 0
        self._since = 0.0
        """When the first of what is held began to play."""
        self._heard: Place | None = None
        self._live = False
        """In a talkspurt of what comes in real time."""
        self._number = 0
        self._dropped = 0
        """Marks up to this number are of chunks that were cleared."""
        self.unmarked = 0
        """Chunks whose mark never came."""

    def short(self, now: float) -> bool:
        """Whether the far end should have more of what lies ready."""
        return self.behind(now) < self._chunk_frames + LEAD

    def ready(self, pcm: bytes, place: Place, now: float) -> Chunk | None:
        """Takes a frame of a clip; gives the chunk that it fills."""
        self._live = False
        return self._put(pcm, place, now)

    def live(self, pcm: bytes, now: float) -> Chunk | None:
        """Takes a frame that comes in real time; gives the chunk that it fills. A whole chunk of silence ends
        its talkspurt."""
        if not self._live:
            if pcm == self._silence:
                return None
            self._live = True
            for _ in range(self._chunk_frames - 1 + LIVE_LEAD - self.behind(now)):
                self._filling.append(self._silence)
                self._new.places.append(None)
        if len(self._filling) + 1 >= self._chunk_frames and pcm == self._silence and self._is_silent:
            self._drop_filling()
            self._live = False
            return None
        return self._put(pcm, None, now)

    def flush(self, now: float) -> Chunk | None:
        """What is waiting for a chunk to be full is sent with silence behind it; None when nothing is."""
        if not self._filling:
            return None
        missing = self._chunk_frames - len(self._filling)
        self._filling.extend([self._silence] * missing)
        self._new.places.extend([None] * missing)
        return self._full(now)

    def ended(self, clip: str) -> list[str]:
        """The frame given last was the clip's last. Gives the clips that are played by now: this one, when
        nothing of it is on its way."""
        if self._new.places:
            self._new.ends.append(clip)
        elif self._held:
            self._held[-1].frames.ends.append(clip)
        else:
            return [clip]
        return []

    def marked(self, mark: str, now: float) -> list[str]:
        """A mark came back; gives the clips that are played by now, in order."""
        number = _number_of(mark)
        if number is None or number <= self._dropped:
            return []
        return self._play(now, through=number)

    def overdue(self, now: float) -> list[str]:
        """The same, of marks that should have come long ago."""
        played: list[str] = []
        while self._held and now > (over := self._since + self._held[0].lasts_s) + GRACE_S:
            self.unmarked += 1
            played += self._play(over, through=self._held[0].number)
        return played

    def heard(self, now: float) -> Place | None:
        """Where the far end is."""
        place, left = self._heard, self._played(now)
        for sent in self._held:
            for at in sent.frames.places[:left]:
                place = at or place
            left = max(0, left - len(sent.frames.places))
        return place

    def behind(self, now: float) -> int:
        """How many frames the far end has still to play, those not sent yet included."""
        return self.in_hand(now) + len(self._filling)

    def in_hand(self, now: float) -> int:
        """How many frames the far end has been sent and has still to play."""
        held = self._held_frames
        return held - min(held, self._played(now)) if held else 0

    def clear(self, now: float) -> bool:
        """Forgets what is not played yet; True when the far end has some of it and must be told."""
        self._heard = self.heard(now)
        holds = bool(self._held)
        self._held.clear()
        self._held_frames = 0
        self._drop_filling()
        self._live = False
        self._dropped = self._number
        return holds

    @property
    def _is_silent(self) -> bool:
        new, silence = self._new, self._silence
        return not new.ends and not any(new.places) and all(frame == silence for frame in self._filling)

    def _put(self, pcm: bytes, place: Place | None, now: float) -> Chunk | None:
        self._filling.append(pcm)
        self._new.places.append(place)
        return self._full(now) if len(self._filling) >= self._chunk_frames else None

    def _full(self, now: float) -> Chunk:
        pcm = b"".join(self._filling)
        self._number += 1
        if not self._held:
            self._since = now
        self._held.append(_Sent(self._number, self._new, now))
        self._held_frames += len(self._new.places)
        self._drop_filling()
        return Chunk(pcm, f"{_MARK}{self._number}")

    def _drop_filling(self) -> None:
        self._filling.clear()
        self._new = _Frames()

    def _play(self, at: float, through: int) -> list[str]:
        """The chunks up to that number are played; the next one plays since `at`."""
        ended: list[str] = []
        while self._held and self._held[0].number <= through:
            frames = self._held.popleft().frames
            self._held_frames -= len(frames.places)
            self._heard = _last(frames.places) or self._heard
            ended += frames.ends
        if self._held:
            self._since = max(at, self._held[0].at)
        return ended

    def _played(self, now: float) -> int:
        """How many frames of what is held are played by now, if all goes well."""
        return max(0, int((now - self._since) / FRAME_S + 0.01))


def _last(places: Iterable[Place | None]) -> Place | None:
    return next((place for place in reversed(list(places)) if place is not None), None)


def _number_of(mark: str) -> int | None:
    digits = mark.removeprefix(_MARK)
    return int(digits) if mark.startswith(_MARK) and digits.isdecimal() and len(digits) <= 18 else None
