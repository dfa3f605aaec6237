"""What a far end has of what it was sent: played, or still held. Pure.

Exotel takes audio in chunks, plays them one after the other, and sends a mark back when it has played all
that was sent before it. So each chunk is followed by a mark of its own, and the marks are the clock: what is
held is known to the chunk by them, and to the frame by the time since the last one.

We send in real time, a chunk when it is full. The first of a talkspurt has only its last frame full, and
silence before: it is sent at once, and while it plays the second is filled. So all that is said is one chunk
late, never more, and the far end always holds nearly a chunk when the next comes: a network that is late by
less is not heard. Between talkspurts nothing is sent.

A mark that does not come is taken for come `GRACE_S` after it was due: a call must not wait for ever.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

FRAME_S: Final = 0.02
GRACE_S: Final = 1.5

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


class FarPlayout:
    """The sending half of one stream, frame by frame."""

    def __init__(self, frame_bytes: int, chunk_frames: int) -> None:
        """A frame is 20 ms of PCM of `frame_bytes`."""
        self._silence = bytes(frame_bytes)
        self._chunk_frames = chunk_frames
        self._filling: list[bytes] = []
        self._new = _Frames()
        self._held: deque[_Sent] = deque()
        self._since = 0.0
        """When the first of what is held began to play."""
        self._heard: Place | None = None
        self._in_spurt = False
        self._number = 0
        self._dropped = 0
        """Marks up to this number are of chunks that were cleared."""
        self.unmarked = 0
        """Chunks whose mark never came."""

    def frame(self, pcm: bytes, place: Place | None, now: float) -> Chunk | None:
        """Takes the frame of this tick; gives the chunk that it fills. Silence that is of no clip ends a
        talkspurt once a whole chunk is of it."""
        if not self._in_spurt:
            if place is None and pcm == self._silence:
                return None
            self._begin_spurt(now)
        self._filling.append(pcm)
        self._new.places.append(place)
        if len(self._filling) < self._chunk_frames:
            return None
        if self._is_silent:
            self._drop_filling()
            self._in_spurt = False
            return None
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
        while self._held and now > self._since + self._lasts_s + GRACE_S:
            self.unmarked += 1
            played += self._play(self._since + self._lasts_s, through=self._held[0].number)
        return played

    def heard(self, now: float) -> Place | None:
        """Where the far end is."""
        place = self._heard
        if self._held:
            for at in self._held[0].frames.places[: self._played_of_first(now)]:
                place = at or place
        return place

    def behind(self, now: float) -> int:
        """How many frames the far end has still to play, those not sent yet included."""
        held = len(self._held) * self._chunk_frames + len(self._filling)
        return held - self._played_of_first(now) if self._held else held

    def clear(self, now: float) -> bool:
        """Forgets what is not played yet; True when the far end has some of it and must be told."""
        self._heard = self.heard(now)
        holds = bool(self._held)
        self._held.clear()
        self._drop_filling()
        self._in_spurt = False
        self._dropped = self._number
        return holds

    @property
    def _lasts_s(self) -> float:
        return self._chunk_frames * FRAME_S

    @property
    def _is_silent(self) -> bool:
        new, silence = self._new, self._silence
        return not new.ends and not any(new.places) and all(frame == silence for frame in self._filling)

    def _begin_spurt(self, now: float) -> None:
        """What the far end still has of the spurt before stands for so much of the silence."""
        padding = max(0, self._chunk_frames - 1 - self.behind(now))
        self._in_spurt = True
        self._filling.extend([self._silence] * padding)
        self._new.places.extend([None] * padding)

    def _full(self, now: float) -> Chunk:
        pcm = b"".join(self._filling)
        self._number += 1
        if not self._held:
            self._since = now
        self._held.append(_Sent(self._number, self._new, now))
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
            self._heard = _last(frames.places) or self._heard
            ended += frames.ends
        if self._held:
            self._since = max(at, self._held[0].at)
        return ended

    def _played_of_first(self, now: float) -> int:
        return min(self._chunk_frames, max(0, int((now - self._since) / FRAME_S)))


def _last(places: Iterable[Place | None]) -> Place | None:
    return next((place for place in reversed(list(places)) if place is not None), None)


def _number_of(mark: str) -> int | None:
    digits = mark.removeprefix(_MARK)
    return int(digits) if mark.startswith(_MARK) and digits.isdecimal() and len(digits) <= 18 else None
