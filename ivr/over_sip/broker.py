"""The broker of flows, on this machine: as much of MQTT 5 as a server that only publishes asks for."""

from __future__ import annotations

import json
import queue
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

# Types of packets (MQTT 5, 2.1.2).
CONNECT: Final = 1
PUBLISH: Final = 3
PINGREQ: Final = 12
DISCONNECT: Final = 14

CONNACK: Final = bytes((0x20, 3, 0, 0, 0))
PINGRESP: Final = bytes((0xD0, 0))

Read = Callable[[int], bytes]
"""Gives as many bytes as are asked for, or fewer at the end."""


class Malformed(Exception):
    """This is no MQTT, or it is cut off."""


@dataclass(frozen=True, slots=True)
class Message:
    """What was published, and the id to acknowledge it by (None: nobody waits for that)."""

    topic: str
    payload: bytes
    id: int | None

    @property
    def event(self) -> dict[str, Any]:
        """Its JSON object."""
        found: dict[str, Any] = json.loads(self.payload)
        return found


def puback(id: int, reason: int = 0) -> bytes:
    return bytes((0x40, 3, *id.to_bytes(2), reason))


def message_of(flags: int, body: bytes) -> Message:
    """A PUBLISH (MQTT 5, 3.3), whose properties are passed over. Raises `Malformed`."""
    length = int.from_bytes(body[:2])
    topic, rest = body[2 : 2 + length], body[2 + length :]
    id = None
    if flags & 0x06:
        id, rest = int.from_bytes(rest[:2]), rest[2:]
    properties, size = _number(rest)
    try:
        return Message(topic.decode(), rest[size + properties :], id)
    except UnicodeDecodeError as error:
        raise Malformed("the topic is not UTF-8") from error


def read_packet(read: Read) -> tuple[int, int, bytes] | None:
    """The next packet: type, flags and what follows; None at the end. Raises `Malformed`."""
    first = read(1)
    if not first:
        return None
    length = b""
    while not length or length[-1] & 0x80:
        length += read(1) or b"\0"
        if len(length) > 4:
            raise Malformed("a packet without end")
    size, _ = _number(length)
    body = read(size) if size else b""
    if len(body) < size:
        raise Malformed("a packet is cut off")
    return first[0] >> 4, first[0] & 0x0F, body


def _number(data: bytes) -> tuple[int, int]:
    """A variable byte integer (MQTT 5, 1.5.5), and how many bytes it takes."""
    value = 0
    for place, byte in enumerate(data[:4]):
        value |= (byte & 0x7F) << 7 * place
        if not byte & 0x80:
            return value, place + 1
    raise Malformed("a number without end")


@contextmanager
def broker(came: queue.SimpleQueue[Message]) -> Iterator[str]:
    """A broker that takes everything and puts it into `came`; gives its URL."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            try:
                while (packet := read_packet(self.rfile.read)) is not None:
                    kind, flags, body = packet
                    if kind == CONNECT:
                        self.wfile.write(CONNACK)
                    elif kind == PUBLISH:
                        message = message_of(flags, body)
                        came.put(message)
                        self.wfile.write(puback(message.id) if message.id is not None else b"")
                    elif kind == PINGREQ:
                        self.wfile.write(PINGRESP)
                    elif kind == DISCONNECT:
                        return
            except (OSError, Malformed):
                return

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"mqtt://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
