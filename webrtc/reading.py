"""Clips in order, read frame by frame ahead of their playing. Pure."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from media.clip import Clip
from media.codecs import Codec, Coder
from media.softening import softener
from webrtc.far_playout import Place


class Queued(NamedTuple):
    clip: Clip
    mark: str


class Read(NamedTuple):
    """A frame, and where it is from."""

    pcm: bytes
    place: Place


class Reading:
    """What is queued and not heard to its end yet (`queue`), and how far it was read."""

    def __init__(self, codec: Codec) -> None:
        self.queue: deque[Queued] = deque()
        self._codec = codec
        self._samples = codec.frame_samples
        self._soften: Coder | None = None
        self._clip = 0
        """The place in the queue of what is read."""
        self._frame = 0

    def add(self, queued: Queued) -> None:
        self.queue.append(queued)

    def duck(self, on: bool) -> None:
        """What is read is softer from now on."""
        self._soften = softener(self._codec) if on else None

    def seek(self, sample: int) -> None:
        """Goes on from so many samples into the first of the queue."""
        self._clip, self._frame = 0, sample // self._samples

    def next(self) -> Read | str | None:
        """The next frame; the mark of a clip behind its last one; None when nothing is there yet."""
        if self._clip >= len(self.queue):
            return None
        clip, mark = self.queue[self._clip]
        if self._frame >= len(clip.frames):
            if not clip.finished:
                return None
            if clip.loops and clip.frames:
                self._frame = 0
            else:
                self._clip, self._frame = self._clip + 1, 0
                return mark
        pcm = clip.frames[self._frame]
        self._frame += 1
        if self._soften is not None:
            pcm = self._soften(pcm)
        return Read(pcm, Place(mark, self._frame * self._samples))

    @property
    def through(self) -> bool:
        """All that is queued was read."""
        return self._clip >= len(self.queue)

    def heard(self, mark: str) -> None:
        """The clip was heard to its end, and so were those before it."""
        while self.queue:
            self._clip = max(0, self._clip - 1)
            if self.queue.popleft().mark == mark:
                return

    def clear(self) -> None:
        self.queue.clear()
        self._clip = self._frame = 0
