"""What Exotel does with a stream, it plays the chunks that it is sent, and sends the marks back."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any


class Played:
    """Plays what `take` is given; `say` gets the messages that come back. What was heard is `audio`."""

    def __init__(self, rate: int, say: Callable[[dict[str, Any]], None]) -> None:
        self._bytes_per_s = rate * 2
        self._say = say
        self._loop = asyncio.get_running_loop()
        self._queue: list[bytes | str] = []
        self._free_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._playing: tuple[float, bytes] | None = None
        self.audio = bytearray()
        self.clears = 0
        self.gaps = 0
        """Silences between two chunks."""
        self._dry_since: float | None = None
        self.chunks: list[int] = []
        self.silent = False
        """Sends no marks back."""

    def take(self, text: str) -> None:
        message = json.loads(text)
        if message["event"] == "media":
            pcm = base64.b64decode(message["media"]["payload"], validate=True)
            self.chunks.append(len(pcm))
            if self._dry_since is not None and self._loop.time() > self._dry_since + 0.001:
                self.gaps += 1
            self._dry_since = None
            self._queue.append(pcm)
        elif message["event"] == "mark":
            self._queue.append(message["mark"]["name"])
        elif message["event"] == "clear":
            self._clear()
        else:
            raise AssertionError(message)
        if self._playing is None:
            self._next()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _next(self) -> None:
        self._playing = None
        while self._queue:
            item = self._queue.pop(0)
            if isinstance(item, bytes):
                self._playing = (self._loop.time(), item)
                self._timer = self._loop.call_later(len(item) / self._bytes_per_s, self._over)
                return
            if not self.silent:
                self._say({"event": "mark", "mark": {"name": item}})
        self._dry_since = self._loop.time()

    def _over(self) -> None:
        if self._playing is not None:
            self.audio += self._playing[1]
        self._next()

    def _clear(self) -> None:
        """What is being played is broken off."""
        self.clears += 1
        if self._playing is not None:
            began, pcm = self._playing
            heard = min(len(pcm), int((self._loop.time() - began) * self._bytes_per_s) // 2 * 2)
            self.audio += pcm[:heard]
        self._queue.clear()
        self._playing = None
        self.close()
