"""The media side of a SIPp call: an RTP endpoint that counts what it hears and sends silence and keys.

Debian's SIPp can play media only through raw sockets, which needs root; this needs none. It is written from
RFC 3550 and RFC 4733, apart from the server's own code, so that both cannot share a mistake.
"""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from types import TracebackType
from typing import Final

PCMA: Final = 8
TELEPHONE_EVENT: Final = 101
TICK_S: Final = 0.02
_SILENCE: Final = b"\xd5" * 160
_KEYS: Final = "0123456789*#ABCD"
_KEY_TICKS: Final = 5
_PAUSE_TICKS: Final = 3
_END_REPEATS: Final = 3


@dataclass(frozen=True, slots=True)
class Heard:
    """One RTP packet: when it came (monotonic seconds), and whether it was more than silence."""

    at: float
    payload_type: int
    sequence: int
    sound: bool
    event: int
    """Code of the key, of a telephone-event; else -1."""


class RtpPeer:
    """An RTP endpoint on a free port of the loopback. Use it as a context manager."""

    def __init__(self, event_type: int = TELEPHONE_EVENT) -> None:
        """`event_type` is the payload type of telephone-event that was agreed."""
        self.event_type = event_type
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(TICK_S)
        self.port: Final[int] = self._socket.getsockname()[1]
        self.heard: list[Heard] = []
        self._keys: list[str] = []
        self._lost = 0
        self._copies = 1
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._arrived = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._remote: tuple[str, int] | None = None
        self._sequence = random.randrange(1 << 15)
        self._timestamp = random.randrange(1 << 30)
        self._ssrc = random.randrange(1 << 32)

    def __enter__(self) -> RtpPeer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join(2)
        self._socket.close()

    def wait_for_media(self, wait_s: float) -> bool:
        """Whether a first packet came within `wait_s`."""
        return self._arrived.wait(wait_s)

    def wait_for_sound(self, wait_s: float) -> bool:
        """Whether a packet that is not silence came within `wait_s`."""
        return wait_for(lambda: any(packet.sound for packet in list(self.heard)), wait_s)

    def greet(self, port: int) -> None:
        """Sends to a port of the loopback without having heard from it first."""
        self._remote = ("127.0.0.1", port)

    def press(self, keys: str, *, lost: int = 0, copies: int = 1) -> None:
        """Sends keys one after the other, 100 ms each with 60 ms between.

        The network can be bad: the first packets of each key are `lost`, the rest comes in some `copies`.
        """
        if not set(keys) <= set(_KEYS):
            raise ValueError(f"not keys: {keys!r}")
        with self._lock:
            self._keys += keys
            self._lost, self._copies = lost, copies

    def count(self, since: float = 0.0, until: float = float("inf")) -> int:
        """Packets that came between two monotonic times."""
        return sum(since <= packet.at < until for packet in list(self.heard))

    def longest_gap(self) -> tuple[float, float]:
        """Start and length in seconds of the longest time without a packet, between two packets."""
        times = [packet.at for packet in list(self.heard)]
        gaps = [(later - earlier, earlier) for earlier, later in pairwise(times)]
        length, start = max(gaps, default=(0.0, 0.0))
        return start, length

    def _run(self) -> None:
        due = time.monotonic()
        event: list[tuple[int, bytes, bool]] = []
        while not self._stopping.is_set():
            now = time.monotonic()
            if now < due:
                self._receive(due - now)
                continue
            due += TICK_S
            if self._remote is None:
                continue
            if not event:
                event = self._next_key()
            if event:
                duration, payload, marker = event.pop(0)
                if payload:
                    self._send(self.event_type, payload, self._timestamp, marker, self._copies)
                if not event:
                    self._timestamp += duration
            else:
                self._send(PCMA, _SILENCE, self._timestamp, False)
                self._timestamp += 160

    def _next_key(self) -> list[tuple[int, bytes, bool]]:
        """One key, tick by tick: samples it takes in all, payload or nothing, marker bit."""
        with self._lock:
            if not self._keys:
                return []
            code = _KEYS.index(self._keys.pop(0))
        total = (_KEY_TICKS + _END_REPEATS + _PAUSE_TICKS) * 160
        ticks = [(total, _event(code, False, (tick + 1) * 160), tick == 0) for tick in range(_KEY_TICKS)]
        ticks += [(total, _event(code, True, _KEY_TICKS * 160), False)] * _END_REPEATS
        silent = (total, b"", False)
        return [*[silent] * self._lost, *ticks[self._lost :], *[silent] * _PAUSE_TICKS]

    def _send(self, payload_type: int, payload: bytes, timestamp: int, marker: bool, copies: int = 1) -> None:
        header = struct.pack(
            "!BBHII", 0x80, payload_type | marker << 7, self._sequence, timestamp & 0xFFFFFFFF, self._ssrc
        )
        self._sequence = (self._sequence + 1) & 0xFFFF
        if self._remote is not None:
            try:
                for _ in range(copies):
                    self._socket.sendto(header + payload, self._remote)
            except OSError:
                self._remote = None

    def _receive(self, wait_s: float) -> None:
        self._socket.settimeout(max(wait_s, 0.001))
        try:
            data, self._remote = self._socket.recvfrom(2048)
        except OSError:
            return
        if len(data) < 12 or data[0] >> 6 != 2:
            return
        payload = data[12:]
        sound = bool(payload.strip(b"\xd5\x55\xff\x7f"))
        sequence = int.from_bytes(data[2:4], "big")
        kind = data[1] & 0x7F
        event = payload[0] if kind == self.event_type and payload else -1
        self.heard.append(Heard(time.monotonic(), kind, sequence, sound and event < 0, event))
        self._arrived.set()


def wait_for(condition: Callable[[], bool], wait_s: float) -> bool:
    """Whether the condition came true within `wait_s`."""
    deadline = time.monotonic() + wait_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(TICK_S)
    return True


def _event(code: int, end: bool, duration: int) -> bytes:
    """A telephone-event payload (RFC 4733 2.3), volume -10 dBm0."""
    return struct.pack("!BBH", code, end << 7 | 10, duration)
