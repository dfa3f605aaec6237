"""What goes over the wire of a phone's call, seen at its sockets: packets with their times.

No jitter buffer is in between: it is how the phone measures from outside how fast a server answers a key.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any, Final

from media.codecs import CODECS
from media.ports import PortPair, PortPool
from media.rtp import HEADER_BYTES

_MARKER: Final = 0x80
_SO_TIMESTAMPNS: Final = 35  # Linux; the socket module does not name it
_TIMESPEC: Final = struct.Struct("qq")
_ANCILLARY: Final = socket.CMSG_SPACE(_TIMESPEC.size)
_SILENCE: Final = {codec.payload_type: codec.silence[0] for codec in CODECS.values()}
_MOST: Final = 200_000
"""Packets kept of one call: over an hour."""


@dataclass(frozen=True, slots=True)
class Audio:
    """An audio packet that came; `at` is the kernel's time of day in seconds, `payload` its wire bytes."""

    at: float
    payload: bytes
    silent: bool


@dataclass(slots=True)
class WireLog:
    """`keys` are the times of day at which the first packet of each key was sent, `spoke_at` that of the
    first packet with sound in it."""

    keys: list[float] = field(default_factory=list)
    audio: list[Audio] = field(default_factory=list)
    spoke_at: float | None = None

    def sent(self, packet: bytes | bytearray, at: float) -> None:
        if len(packet) == HEADER_BYTES + 4 and packet[1] & _MARKER:
            self.keys.append(at)
        elif self.spoke_at is None and not _is_silent(packet[1] & 0x7F, packet[HEADER_BYTES:]):
            self.spoke_at = at

    def received(self, packet: memoryview, at: float) -> None:
        payload_type = packet[1] & 0x7F
        if payload_type in _SILENCE and len(self.audio) < _MOST:
            payload = bytes(packet[HEADER_BYTES:])
            self.audio.append(Audio(at, payload, _is_silent(payload_type, payload)))

    def answer_s(self, key_at: float, before: Container[bytes] = ()) -> float | None:
        """From the first packet of a key to the first packet of the prompt that follows, in seconds.

        `before` holds payloads of the prompt that the key cut off: its last packets are not the answer.
        Silence at the beginning of the prompt counts against it. None when no prompt followed.
        """
        for audio in self.audio:
            if audio.at > key_at and not audio.silent and audio.payload not in before:
                return audio.at - key_at
        return None

    def first_prompt(self) -> set[bytes]:
        """Every payload with sound in it that came before we said something ourselves."""
        until = float("inf") if self.spoke_at is None else self.spoke_at
        return {audio.payload for audio in self.audio if not audio.silent and audio.at < until}


class WatchedPorts(PortPool):
    """Ports whose traffic is logged; `log` is that of the pair taken last."""

    def __init__(self, low: int, high: int, rest_s: float, address: str) -> None:
        super().__init__(low, high, rest_s, address)
        self.log = WireLog()

    def acquire(self, now: float, ipv6: bool | None = None) -> PortPair:
        pair = super().acquire(now, ipv6)
        self.log = WireLog()
        return PortPair(pair.port, _WatchedSocket(pair.rtp, self.log), pair.rtcp)


class _WatchedSocket(socket.socket):
    """Takes over another socket, and tells the log."""

    def __init__(self, watched: socket.socket, log: WireLog) -> None:
        super().__init__(watched.family, watched.type, watched.proto, fileno=watched.detach())
        self.setblocking(False)
        self.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._log = log

    def recvfrom_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        size, ancillary, _, address = super().recvmsg_into([buffer], _ANCILLARY, flags)
        if size > HEADER_BYTES:
            self._log.received(memoryview(buffer)[:size], _time_of(ancillary))
        return size, address

    def sendto(self, data: Any, *address: Any) -> int:
        self._log.sent(data, time.time())
        return super().sendto(data, *address)


def _is_silent(payload_type: int, payload: bytes | bytearray) -> bool:
    """True also for what is no audio of ours."""
    silence = _SILENCE.get(payload_type)
    return silence is None or payload.count(silence) == len(payload)


def _time_of(ancillary: list[tuple[int, int, bytes]]) -> float:
    """When the kernel took the packet, in seconds; a busy machine may have let us wait since."""
    for _, kind, data in ancillary:
        if kind == _SO_TIMESTAMPNS:
            seconds, nanoseconds = _TIMESPEC.unpack(data)
            return float(seconds + nanoseconds / 1e9)
    return time.time()
