"""Sockets that are open and have not begun a call: so many and no more. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

MOST: Final = 200


class Full(Exception):
    """No more may wait now."""


class WaitingRoom:
    """Counts who waits; who comes in must `leave` once his call has begun, or at the end of the block."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self.waiting = 0

    @contextmanager
    def enter(self) -> Iterator[Seat]:
        """Raises `Full`."""
        if self.waiting >= self._most:
            raise Full
        seat = Seat(self)
        self.waiting += 1
        try:
            yield seat
        finally:
            seat.leave()


class Seat:
    def __init__(self, room: WaitingRoom) -> None:
        self._room: WaitingRoom | None = room

    def leave(self) -> None:
        """May be called more than once."""
        room, self._room = self._room, None
        if room is not None:
            room.waiting -= 1
