"""One caller behind a stream of Exotel's, lean enough for a hundred in a process: sends 100 ms of silence at
a time, presses keys, plays what it is sent in real time, and sends the marks back."""

from __future__ import annotations

import asyncio
import base64
import binascii
import random
import re
import struct
import time
from collections import deque
from collections.abc import Callable
from typing import Final, cast

from ivr.bench.flow import KEY, LEVELS, MOST_KEYS
from ivr.bench.stats import Samples

CHUNK_S: Final = 0.1
RATE: Final = 8000

_SILENCE: Final = base64.b64encode(bytes(int(RATE * CHUNK_S) * 2)).decode()
_TEXT: Final = 0x81
_CLOSE: Final = 0x8
_MASKED: Final = 0x80
_NO_MASK: Final = bytes(4)
"""A mask of zeros is a mask (RFC 6455 section 5.3), and costs nothing."""

_MARK: Final = re.compile(r'"name":"([^"]+)"')
_PAYLOAD_AT: Final = '"payload":"'
_BETWEEN_KEYS_S: Final = (0.8, 2.4)


class StreamCaller(asyncio.Protocol):
    """`over` is called when the socket is closed."""

    def __init__(self, name: str, host: str, path: str, samples: Samples, over: Callable[[], None]) -> None:
        self._name = name
        self._host = host
        self._path = path
        self._samples = samples
        self._over = over
        self._random = random.Random(name)
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._open = False
        self._playing: deque[tuple[float, str]] = deque()
        """Until when each chunk plays, and the mark behind it."""
        self._free_at = 0.0
        self._level = 0
        """Of the prompt that is heard: its samples tell it apart."""
        self._pressed_at = 0
        self._keys = 0
        self._sequence = self._chunk = 0
        self._due = 0.0
        self._timers: set[asyncio.TimerHandle] = set()
        self.gaps = self.chunks = self.clears = self.chunk_bytes = 0
        """`gaps`: how often a talkspurt ran dry at the far end before the next chunk came."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(
            f"GET {self._path} HTTP/1.1\r\nHost: {self._host}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in self._timers:
            timer.cancel()
        self._transport = None
        self._over()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._open and not self._opened():
            return
        while (message := self._next()) is not None:
            self._take(message)

    def leave(self) -> None:
        self._send('{"event":"stop","stop":{"reason":"callended"}}')
        if self._transport is not None:
            self._transport.write(bytes((_CLOSE | 0x80, _MASKED)) + _NO_MASK)

    # What is sent

    def _opened(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        if not self._buffer.startswith(b"HTTP/1.1 101"):
            self._samples.failures.append(self._buffer[:12].decode())
            assert self._transport is not None
            self._transport.close()
            return False
        del self._buffer[: end + 4]
        self._open = True
        self._send('{"event":"connected"}')
        self._send(
            f'{{"event":"start","stream_sid":"{self._name}","sequence_number":1,"start":{{"call_sid":'
            f'"{self._name}","from":"+919876543210","to":"+918047112233","media_format":'
            '{"encoding":"raw","sample_rate":"8000"}}}'
        )
        self._due = self._loop.time()
        self._speak()
        self._later(self._random.uniform(1.0, 1.0 + _BETWEEN_KEYS_S[1]), self._press)
        return True

    def _speak(self) -> None:
        self._chunk += 1
        self._send(
            f'{{"event":"media","sequence_number":{self._sequence},"stream_sid":"{self._name}","media":'
            f'{{"chunk":{self._chunk},"timestamp":"{self._chunk * 100}","payload":"{_SILENCE}"}}}}'
        )
        self._due += CHUNK_S
        late = self._loop.time() - (self._due - CHUNK_S)
        self._samples.lateness.append(int(late * 1e9))
        self._later(max(0.0, self._due - self._loop.time()), self._speak)

    def _press(self) -> None:
        if self._pressed_at:
            self._samples.failures.append("a key was not answered")
        if self._level and self._keys < MOST_KEYS:
            self._keys += 1
            self._pressed_at = time.monotonic_ns()
            self._send(f'{{"event":"dtmf","stream_sid":"{self._name}","dtmf":{{"digit":"{KEY}"}}}}')
        self._later(self._random.uniform(*_BETWEEN_KEYS_S), self._press)

    def _send(self, text: str) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self._sequence += 1
        data = text.encode()
        size = len(data)
        short = size < 126
        head = bytes((_TEXT, _MASKED | size)) if short else struct.pack("!BBH", _TEXT, _MASKED | 126, size)
        self._transport.write(head + _NO_MASK + data)

    def _later(self, seconds: float, what: Callable[[], None]) -> None:
        def act() -> None:
            self._timers.discard(timer)
            what()

        timer = self._loop.call_later(seconds, act)
        self._timers.add(timer)

    # What comes

    def _next(self) -> str | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        size, at = buffer[1] & 0x7F, 2
        if size == 126:
            if len(buffer) < 4:
                return None
            size, at = int.from_bytes(buffer[2:4], "big"), 4
        if len(buffer) < at + size:
            return None
        text = buffer[at : at + size].decode() if buffer[0] == _TEXT else ""
        del buffer[: at + size]
        return text

    def _take(self, text: str) -> None:
        if text.startswith('{"event":"media"'):
            self._play(text)
        elif text.startswith('{"event":"mark"'):
            match = _MARK.search(text)
            assert match is not None
            self._mark(match[1])
        elif text.startswith('{"event":"clear"'):
            self.clears += 1
            self._playing.clear()
            self._free_at = 0.0

    def _play(self, text: str) -> None:
        now = self._loop.time()
        start = text.index(_PAYLOAD_AT) + len(_PAYLOAD_AT)
        payload = text[start : text.index('"', start)]
        self.chunk_bytes = len(payload) * 3 // 4 - payload.count("=")
        self.chunks += 1
        level = abs(struct.unpack("<h", binascii.a2b_base64(payload[-8:])[-2:])[0])
        if level in LEVELS.values():
            if self._pressed_at and level != self._level:
                self._samples.key_to_prompt.append(time.monotonic_ns() - self._pressed_at)
                self._pressed_at = 0
            elif self._level == level and self._free_at and now > self._free_at:
                self.gaps += 1
            self._level = level
        self._free_at = max(now, self._free_at) + self.chunk_bytes / (RATE * 2)

    def _mark(self, name: str) -> None:
        """Goes back when what was sent before it is played."""
        until = self._free_at
        self._playing.append((until, name))
        self._later(max(0.0, until - self._loop.time()), self._played)

    def _played(self) -> None:
        now = self._loop.time() + 0.001
        while self._playing and self._playing[0][0] <= now:
            _, name = self._playing.popleft()
            self._send(f'{{"event":"mark","stream_sid":"{self._name}","mark":{{"name":"{name}"}}}}')
