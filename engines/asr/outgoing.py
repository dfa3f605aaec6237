"""What goes to a recogniser over a WebSocket: audio and words in order, while answers are read."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

_MOST_WAITING_BYTES: Final = 4 * 1024 * 1024
"""Of audio that the far end has not taken: a minute of it, and more, at 16 kHz."""


class Outgoing:
    """Messages of one utterance. They wait until a connection is there; with `kept_bytes` so much audio is
    kept for another connection."""

    def __init__(self, *first: str, kept_bytes: int = 0) -> None:
        self._waiting: deque[bytes | str] = deque(first)
        self._waiting_bytes = 0
        self._most_kept = kept_bytes
        self._sent: list[bytes | str] = []
        self._sent_bytes = 0
        self._filled = asyncio.Event()
        self._filled.set()

    def put(self, message: bytes | str) -> None:
        """Never blocks; audio for a far end that does not take it is dropped."""
        if isinstance(message, bytes):
            if self._waiting_bytes > _MOST_WAITING_BYTES:
                return
            self._waiting_bytes += len(message)
        self._waiting.append(message)
        self._filled.set()

    def again(self) -> bool:
        """All of it goes to the next connection once more; False when too much was said to be kept."""
        if self._sent_bytes > self._most_kept:
            return False
        self._waiting.extendleft(reversed(self._sent))
        self._waiting_bytes += self._sent_bytes
        self._sent, self._sent_bytes = [], 0
        self._filled.set()
        return True

    @asynccontextmanager
    async def sent_to(self, socket: ClientConnection) -> AsyncIterator[None]:
        """Sends within the block whatever is put. That the connection is closed is told to who reads."""
        sending = asyncio.create_task(self._send(socket))
        try:
            yield
        finally:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionClosed):
                await sending

    async def _send(self, socket: ClientConnection) -> None:
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._waiting:
                message = self._waiting.popleft()
                size = len(message) if isinstance(message, bytes) else 0
                self._waiting_bytes -= size
                self._sent_bytes += size
                if self._sent_bytes <= self._most_kept:
                    self._sent.append(message)
                await socket.send(message)


def awaited() -> asyncio.Future[Any]:
    """A future whose failure nobody need look at."""
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    future.add_done_callback(lambda done: done.cancelled() or done.exception())
    return future
