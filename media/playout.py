"""The queue of clips of one call: gives one payload per 20 ms packet. Pure."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from media.clip import Clip
from media.codecs import Codec, Coder
from media.softening import softener, word_start
from media.transcode import Transcoder


class Reached(NamedTuple):
    """The first payload of the clip under `mark` was given, or its last one (`end`)."""

    mark: str
    end: bool


class Playout:
    """Clips in order, without a gap between them; a growing clip with nothing ready yet gives silence (None).
    One that loops goes on until `stop`; what is queued behind it waits.

    `reached` collects the ends of clips that were given; the caller empties it after sending.
    """

    __slots__ = (
        "_codec",
        "_convert",
        "_current",
        "_frames",
        "_index",
        "_paused",
        "_queue",
        "_soften",
        "_wire",
        "playing",
        "reached",
    )

    def __init__(self, codec: Codec) -> None:
        """`codec` is the one that clips are made for, and that of the wire until `use`; those of another of
        the same rate are converted as they play."""
        self._codec = self._wire = codec
        self._queue: deque[tuple[Clip, str]] = deque()
        self._current: tuple[Clip, str] | None = None
        self._frames: list[bytes] = []
        self._index = 0
        self._convert: Coder | None = None
        self._soften: Coder | None = None
        self._paused = False
        self.playing = False
        self.reached: list[Reached] = []

    def use(self, codec: Codec) -> None:
        """Goes on in another codec, of any rate, after a new negotiation."""
        self._wire = codec
        self.duck(self._soften is not None)
        if self._current is not None:
            self._convert = _conversion(self._current[0].codec, codec)

    def add(self, clip: Clip, mark: str) -> None:
        """Queues a clip; raises ValueError when its sample rate is not that of our codec."""
        if clip.codec.sample_rate != self._codec.sample_rate:
            raise ValueError(
                f"a clip at {clip.codec.sample_rate} Hz cannot be played at {self._codec.sample_rate} Hz"
            )
        self._queue.append((clip, mark))
        if self._current is None:
            self._advance()

    def next(self) -> bytes | None:
        """The payload of this packet; None when silence is due."""
        if self._paused:
            return None
        while self._current is not None:
            index = self._index
            clip, mark = self._current
            ready = len(self._frames)
            if index < ready:
                payload = self._frames[index]
                self._index = index + 1
                convert = self._convert
                if index + 1 == ready and clip.finished:
                    self._end(clip, mark)
                if convert is not None:
                    payload = convert(payload)
                return payload if self._soften is None else self._soften(payload)
            # Only here can a clip begin, so that no later packet pays for telling that it did.
            if self._frames is not clip.frames and clip.frames:
                self._frames = clip.frames
                self.reached.append(Reached(mark, end=False))
                continue
            if not clip.finished:
                return None
            self._end(clip, mark)
        return None

    def duck(self, on: bool) -> None:
        """Softer (`media.softening`) until it is not, or `stop`."""
        self._soften = softener(self._wire) if on else None

    def pause(self) -> None:
        """Silence until `resume` or `stop`."""
        self._paused = True

    def resume(self, back: int) -> None:
        """Goes on with what was paused, from the beginning of the word that was broken off: of the last
        `back` payloads, those from there on are given again."""
        if self._paused and self._current is not None:
            clip, first = self._current[0], max(0, self._index - back)
            self._index = first + word_start(clip.frames[first : self._index], clip.codec)
        self._paused = False

    def seek(self, sample: int) -> None:
        """Goes on from so many samples into what plays, or is to play."""
        if self._current is not None:
            self._index = sample // self._codec.frame_samples

    @property
    def position(self) -> tuple[str, int] | None:
        """The mark of what plays, and how many samples of it were given."""
        return None if self._current is None else (self._current[1], self._index * self._codec.frame_samples)

    def stop(self) -> list[tuple[str, int]]:
        """Drops everything; gives (mark, samples of it that were sent) for each clip dropped, in order."""
        self._soften, self._paused = None, False
        dropped: list[tuple[str, int]] = []
        if self._current is not None:
            dropped.append((self._current[1], self._index * self._codec.frame_samples))
        dropped.extend((mark, 0) for _, mark in self._queue)
        self._queue.clear()
        self._advance()
        return dropped

    def _end(self, clip: Clip, mark: str) -> None:
        if clip.loops and clip.frames:
            self._index = 0
            return
        self.reached.append(Reached(mark, end=True))
        self._advance()

    def _advance(self) -> None:
        self._index = 0
        self._current = self._queue.popleft() if self._queue else None
        self.playing = self._current is not None
        self._frames = []
        self._convert = None if self._current is None else _conversion(self._current[0].codec, self._wire)


def _conversion(source: Codec, wire: Codec) -> Coder | None:
    return None if source is wire else Transcoder(source, wire)
