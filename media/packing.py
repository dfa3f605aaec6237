"""Packets of another length than the 20 ms in which everything here is counted. Pure.

A byte of payload is one unit of the RTP clock, which holds for G.711 and G.722. What is due at a tick waits
until a packet is full: of 40 ms every second tick sends one, of 30 ms two in three do, of 10 ms each sends
two.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from media.rtp import TIMESTAMP_MASK

PTIMES_MS: Final = (10, 20, 30, 40, 50, 60)
"""Packet lengths that can be sent (SDP's `ptime`, RFC 8866 section 6.4); received are those of any length."""


class Piece(NamedTuple):
    """The payload of one packet, and the timestamp of its first sample."""

    timestamp: int
    payload: bytes


class Packer:
    """Takes the payloads of consecutive ticks, gives packets."""

    __slots__ = ("_begin", "_owed", "_pending", "_put", "_size")

    def __init__(self, size: int) -> None:
        """`size` is the length of a packet in bytes."""
        self._size = size
        self._pending = b""
        self._begin = 0
        self._put = 0
        self._owed: int | None = None

    def put(self, payload: bytes, timestamp: int) -> list[Piece]:
        """The packets that are full now; what waited before a jump of the timestamp goes out as it is."""
        pieces = []
        if (self._begin + len(self._pending) - timestamp) & TIMESTAMP_MASK:
            pieces = self.flush()
            self._begin = timestamp
        self._put += len(payload)
        pending, begin, size = self._pending + payload, self._begin, self._size
        while len(pending) >= size:
            pieces.append(Piece(begin, pending[:size]))
            pending = pending[size:]
            begin = (begin + size) & TIMESTAMP_MASK
        self._pending, self._begin = pending, begin
        return pieces

    def flush(self) -> list[Piece]:
        """What waits, as a short packet."""
        piece = [Piece(self._begin, self._pending)] if self._pending else []
        self._begin = (self._begin + len(self._pending)) & TIMESTAMP_MASK
        self._pending = b""
        return piece

    def clear(self) -> None:
        """What waits is never sent."""
        self._pending = b""

    def all_sent(self) -> bool:
        """Whether what had been put when this was first asked is on its way; then the next asking begins
        anew."""
        if self._owed is None:
            self._owed = self._put
        if self._put - len(self._pending) < self._owed:
            return False
        self._owed = None
        return True
