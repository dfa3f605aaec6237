"""A WAV file that grows, whole at every moment: its header tells the samples that are there. For one
thread."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from media.wav import HEADER_BYTES, MOST_DATA_BYTES, header


class FileFull(Exception):
    """The file cannot grow any more; the text says why."""


class WavFile:
    """16-bit PCM of `channels`, at `rate` Hz."""

    def __init__(self, path: Path, rate: int, channels: int) -> None:
        self.path = path
        self._rate = rate
        self._channels = channels
        self._file: int | None = None
        self._data_bytes = 0

    @property
    def is_open(self) -> bool:
        return self._file is not None

    @property
    def duration_ms(self) -> int:
        return self._data_bytes // (2 * self._channels) * 1000 // self._rate

    def create(self) -> None:
        """Folders are made, an existing file is replaced. Raises OSError."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # What people said is for nobody else on the machine.
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        self._write_at(0, header(self._rate, 0, self._channels))

    def put(self, start: int, pcm: bytes) -> None:
        """Writes from the sample `start` on, which is not before the end so far; a gap is silence. Raises
        OSError, `FileFull`."""
        at = start * 2 * self._channels
        if at + len(pcm) > MOST_DATA_BYTES:
            raise FileFull("the file has reached 2 GB")
        self._write_at(HEADER_BYTES + at, pcm)  # a gap before it reads as zeros
        self._data_bytes = at + len(pcm)
        self._write_at(0, header(self._rate, self._data_bytes, self._channels))

    def shorten(self, samples: int) -> None:
        """Drops what is behind so many samples. Raises OSError."""
        kept = samples * 2 * self._channels
        if kept < self._data_bytes:
            self._data_bytes = kept
            self._write_at(0, header(self._rate, kept, self._channels))

    def close(self) -> None:
        """Never raises."""
        if self._file is None:
            return
        with contextlib.suppress(OSError):
            # A full disk may have taken half a piece, which the header does not tell.
            os.ftruncate(self._file, HEADER_BYTES + self._data_bytes)
        with contextlib.suppress(OSError):
            os.close(self._file)
        self._file = None

    def _write_at(self, offset: int, data: bytes) -> None:
        assert self._file is not None
        while data:
            written = os.pwrite(self._file, data, offset)
            data = data[written:]
            offset += written
