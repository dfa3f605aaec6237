"""The worker's end of the socket to its parent."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

from engines.wire import Fields, Frame, FrameReader, Kind, encode

_READ_BYTES = 65536


class Connection:
    """Frames in (from one thread) and out (from any)."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._sending = threading.Lock()

    def send(self, kind: Kind, job: int = 0, fields: Fields | None = None, data: bytes = b"") -> None:
        """Blocks while the parent does not read; raises `OSError` when it is gone."""
        frame = encode(kind, job, fields, data)
        with self._sending:
            self._sock.sendall(frame)

    def frames(self) -> Iterator[Frame]:
        """Every frame from the parent; ends when the parent closes."""
        reader = FrameReader()
        while chunk := self._sock.recv(_READ_BYTES):
            yield from reader.feed(chunk)
