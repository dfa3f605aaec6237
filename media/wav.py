"""WAV files of 16-bit PCM with the plain 44-byte header, and their repair after a sudden end."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Final

HEADER_BYTES: Final = 44
STEREO: Final = 2
FRAME_BYTES: Final = 2 * STEREO
"""One sample of both channels."""

MOST_DATA_BYTES: Final = 0x7FFF_0000
"""Just under 2 GB, 18 hours at 8 kHz: more is misread by players that take the sizes for signed numbers."""

_PCM: Final = 1
_HEADER: Final = struct.Struct("<4sI4s4sIHHIIHH4sI")
_FORMAT_BYTES: Final = 16


def header(rate: int, data_bytes: int, channels: int = STEREO) -> bytes:
    """The 44 bytes before the samples; `rate` in Hz."""
    return _HEADER.pack(
        b"RIFF",
        HEADER_BYTES - 8 + data_bytes,
        b"WAVE",
        b"fmt ",
        _FORMAT_BYTES,
        _PCM,
        channels,
        rate,
        rate * 2 * channels,
        2 * channels,
        16,
        b"data",
        data_bytes,
    )


def repair(path: Path) -> bool:
    """Makes the header tell all the samples that are there; True when it did not before.

    Files that are no such WAV are left alone. Raises `OSError`.
    """
    with path.open("r+b", buffering=0) as file:
        start = file.read(HEADER_BYTES)
        if len(start) < HEADER_BYTES:
            return False
        channels = int.from_bytes(start[22:24], "little")
        rate = int.from_bytes(start[24:28], "little")
        told = int.from_bytes(start[40:44], "little")
        if rate == 0 or channels not in (1, STEREO) or start != header(rate, told, channels):
            return False
        size = 2 * channels
        there = (os.fstat(file.fileno()).st_size - HEADER_BYTES) // size * size
        if told == there:
            return False
        file.seek(0)
        file.write(header(rate, there, channels))
        file.truncate(HEADER_BYTES + there)
        return True
