"""An MQTT broker that does what a test says with each event."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from ivr.over_sip.broker import (
    CONNACK,
    CONNECT,
    DISCONNECT,
    PINGREQ,
    PINGRESP,
    PUBLISH,
    Message,
    message_of,
    puback,
)

Answer = bytes | None
"""What is sent for an event; None: nothing, and the connection is closed."""

SILENCE = b""


def too_large() -> bytes:
    """DISCONNECT, packet too large (MQTT 5, 3.14.2.1)."""
    return bytes((0xE0, 1, 0x95))


def taken(message: Message) -> Answer:
    return puback(message.id or 0)


@dataclass(slots=True)
class FakeBroker:
    """`answer` is asked for each event; `refuses` is the reason code of CONNACK."""

    answer: Callable[[Message], Answer] = taken
    refuses: int = 0
    url: str = ""
    connects: int = 0
    live: int = 0
    came: list[Message] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.live += 1
        try:
            while True:
                kind, flags, body = await _packet(reader)
                if kind == CONNECT:
                    self.connects += 1
                    writer.write(CONNACK if not self.refuses else bytes((0x20, 3, 0, self.refuses, 0)))
                elif kind == PUBLISH:
                    message = message_of(flags, body)
                    self.came.append(message)
                    answer = self.answer(message)
                    if answer is None:
                        return
                    writer.write(answer)
                    if answer[:1] == b"\xe0":
                        await writer.drain()
                        return
                elif kind == PINGREQ:
                    writer.write(PINGRESP)
                elif kind == DISCONNECT:
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.live -= 1
            writer.close()


async def _packet(reader: asyncio.StreamReader) -> tuple[int, int, bytes]:
    first = (await reader.readexactly(1))[0]
    size = shift = 0
    while True:
        byte = (await reader.readexactly(1))[0]
        size |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return first >> 4, first & 0x0F, await reader.readexactly(size)


@asynccontextmanager
async def fake_broker(
    answer: Callable[[Message], Answer] = taken, refuses: int = 0
) -> AsyncIterator[FakeBroker]:
    broker = FakeBroker(answer, refuses)
    server = await asyncio.start_server(broker.serve, "127.0.0.1", 0)
    broker.url = f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield broker
    finally:
        server.close()
