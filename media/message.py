"""A message that somebody leaves: a mono WAV of what was heard, from one moment of a call to another.

The call hands over its frames and is never made to wait; `RecordingWriter` writes them.
"""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Final

from media.codecs import FRAME_MS
from media.wav_file import WavFile

_MOST_PENDING: Final = 750
"""Frames: 15 s of a disk that does not write."""


class MessageTap:
    """Takes the frames of one message; made by `RecordingWriter.open_message`."""

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque()
        self._taken = 0
        self.dropped = 0
        self.closed = False
        self.discarded = False
        self.kept_ms: int | None = None
        """How much of it stays; None: all."""

    @property
    def taken_ms(self) -> int:
        """Its length so far."""
        return self._taken * FRAME_MS

    def take(self, frame: bytes) -> None:
        """Takes 20 ms of mono 16-bit PCM; on the loop."""
        if self.closed:
            return
        if len(self._frames) < _MOST_PENDING:
            self._frames.append(frame)
            self._taken += 1
        else:
            self.dropped += 1

    def close(self, kept_ms: int | None = None) -> None:
        """The message is over; what is behind `kept_ms` is cut off."""
        if not self.closed:
            self.kept_ms = kept_ms
            self.closed = True

    def discard(self) -> None:
        """The message is over, and nothing of it is kept."""
        self.discarded = True
        self.closed = True

    def take_all(self) -> bytes:
        """In the writer's thread: all that is pending."""
        return b"".join(self._frames.popleft() for _ in range(len(self._frames)))


class MessageFile:
    """The file of one message. Used by the writing thread only."""

    def __init__(self, path: Path, rate: int, tap: MessageTap) -> None:
        self.file = WavFile(path, rate, channels=1)
        self._rate = rate
        self._tap = tap
        self._samples = 0

    @property
    def lost(self) -> int:
        """Frames that the writer was too slow for."""
        return self._tap.dropped

    def write_pending(self) -> None:
        """Raises OSError, `FileFull`."""
        if pcm := self._tap.take_all():
            self.file.put(self._samples, pcm)
            self._samples += len(pcm) // 2

    def finish(self) -> None:
        self.write_pending()
        if self._tap.kept_ms is not None:
            self.file.shorten(self._tap.kept_ms * self._rate // 1000)
