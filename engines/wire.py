"""Frames between an engine's worker and its parent: a fixed prefix, a small JSON object, binary data.

The prefix is, in network order: kind (1 byte), job (4), length of the JSON text (2), length of the data (4).
A frame without fields carries no JSON at all. Both directions of one stream socket use the same form.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final

_PREFIX: Final = struct.Struct("!BIHI")

MAX_FIELDS_BYTES: Final = 0xFFFF
MAX_DATA_BYTES: Final = 16 * 1024 * 1024

Fields = dict[str, Any]


class Kind(IntEnum):
    """What a frame says. Job 0 belongs to the worker itself."""

    # parent to worker
    OPEN = 1
    INPUT = 2
    FINISH = 3
    CANCEL = 4
    PING = 5
    # worker to parent
    READY = 16
    OUTPUT = 17
    DONE = 18
    FAILED = 19
    PONG = 20


class WireError(Exception):
    """The stream holds something that is no frame; it cannot be read any further."""


@dataclass(frozen=True, slots=True)
class Frame:
    kind: Kind
    job: int = 0
    fields: Fields = field(default_factory=dict)
    data: bytes = b""


def encode(kind: Kind, job: int = 0, fields: Fields | None = None, data: bytes = b"") -> bytes:
    """One frame as bytes; raises `WireError` when a part is too long."""
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode() if fields else b""
    if len(text) > MAX_FIELDS_BYTES or len(data) > MAX_DATA_BYTES:
        raise WireError(f"a {kind.name} frame of {len(text)} + {len(data)} bytes is too long")
    return _PREFIX.pack(kind, job, len(text), len(data)) + text + data


class FrameReader:
    """Cuts a byte stream into frames, whatever the sizes in which it arrives."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, chunk: bytes) -> list[Frame]:
        """The frames that are complete with this chunk; raises `WireError` on a prefix that cannot be."""
        pending = self._pending
        pending += chunk
        frames: list[Frame] = []
        at = 0
        while len(pending) - at >= _PREFIX.size:
            kind, job, text_size, data_size = _PREFIX.unpack_from(pending, at)
            if data_size > MAX_DATA_BYTES:
                raise WireError(f"a frame announces {data_size} bytes of data")
            text_at = at + _PREFIX.size
            data_at = text_at + text_size
            end = data_at + data_size
            if len(pending) < end:
                break
            frames.append(_frame(kind, job, bytes(pending[text_at:data_at]), bytes(pending[data_at:end])))
            at = end
        del pending[:at]
        return frames


def _frame(kind: int, job: int, text: bytes, data: bytes) -> Frame:
    try:
        fields = json.loads(text) if text else {}
        if not isinstance(fields, dict):
            raise WireError("the fields of a frame are no JSON object")
        return Frame(Kind(kind), job, fields, data)
    except ValueError as error:
        raise WireError(f"unreadable frame: {error}") from error
