"""RTP packets (RFC 3550 section 5.1): the fixed header, and what may stand between it and the payload.

The hot path reads the fixed header with `HEADER` and calls `payload_bounds` only when the first byte shows
more than the plain version 2 (`PLAIN`); `RtpPacket` is for everything that is not called fifty times a
second.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Final

HEADER: Final = Struct("!BBHII")
"""Flags, marker and payload type, sequence, timestamp, SSRC."""

HEADER_BYTES: Final = 12
PLAIN: Final = 0x80
"""First byte of a packet without padding, extension and contributing sources."""

MARKER: Final = 0x80
SEQUENCE_MASK: Final = 0xFFFF
TIMESTAMP_MASK: Final = 0xFFFFFFFF

_PADDING: Final = 0x20
_EXTENSION: Final = 0x10


class RtpError(ValueError):
    """Not an RTP packet."""


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """One packet; `sequence` is 16 bits wide, `timestamp` and `ssrc` 32."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False

    @classmethod
    def parse(cls, data: bytes) -> RtpPacket:
        """Reads a datagram, skipping contributing sources, extension and padding; raises `RtpError`."""
        if len(data) < HEADER_BYTES:
            raise RtpError(f"{len(data)} bytes are too few for an RTP header")
        first, second, sequence, timestamp, ssrc = HEADER.unpack_from(data)
        bounds = payload_bounds(data, len(data))
        if bounds is None:
            raise RtpError(f"version or lengths of the header do not fit ({first:#04x}, {len(data)} bytes)")
        start, end = bounds
        return cls(second & 0x7F, sequence, timestamp, ssrc, bytes(data[start:end]), bool(second & MARKER))

    def to_bytes(self) -> bytes:
        second = self.payload_type | (MARKER if self.marker else 0)
        return HEADER.pack(PLAIN, second, self.sequence, self.timestamp, self.ssrc) + self.payload


def payload_bounds(data: bytes | bytearray | memoryview, size: int) -> tuple[int, int] | None:
    """Where the payload of the packet in `data[:size]` starts and ends; None when it is not an RTP packet."""
    first = data[0] if size >= HEADER_BYTES else 0
    if first >> 6 != 2:
        return None
    start = HEADER_BYTES + 4 * (first & 0x0F)
    end = size
    if first & _EXTENSION:
        if start + 4 > size:
            return None
        start += 4 + 4 * (data[start + 2] << 8 | data[start + 3])
    if first & _PADDING:
        padding = data[size - 1]
        if padding == 0:
            return None
        end -= padding
    return (start, end) if start <= end else None


def timestamp_delta(newer: int, older: int) -> int:
    """How far `newer` is ahead of `older` in 32-bit timestamps, from -2**31 to 2**31 - 1."""
    return ((newer - older + 0x80000000) & TIMESTAMP_MASK) - 0x80000000
