"""An app that calls over `/ws/voice`: audio up in real time, audio and events down."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

Told = dict[str, Any]


class VoiceCall:
    """What came: `audio` as it was sent, and `told`."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.audio: list[bytes] = []
        self.told: list[Told] = []
        self.closed = asyncio.Event()

    async def read(self) -> None:
        try:
            async for message in self.socket:
                if isinstance(message, bytes):
                    self.audio.append(message)
                else:
                    self.told.append(json.loads(message))
        finally:
            self.closed.set()

    async def send(self, kind: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def say(self, pcm: bytes, rate: int, piece_ms: int = 60) -> None:
        """In real time."""
        size = rate * piece_ms // 1000 * 2
        loop = asyncio.get_running_loop()
        due = loop.time()
        for at in range(0, len(pcm), size):
            await self.socket.send(pcm[at : at + size])
            due += piece_ms / 1000
            await asyncio.sleep(max(0.0, due - loop.time()))

    async def until(self, wanted: Callable[[Told], bool]) -> Told:
        async with asyncio.timeout(30):
            while (found := next((told for told in self.told if wanted(told)), None)) is None:
                assert not self.closed.is_set(), self.told
                await asyncio.sleep(0.01)
        return found

    def kinds(self) -> list[str]:
        return [told["type"] for told in self.told]


@asynccontextmanager
async def voice_call(
    url: str, token: str | None = None, subprotocols: list[str] | None = None
) -> AsyncIterator[VoiceCall]:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    offered = None if subprotocols is None else [Subprotocol(name) for name in subprotocols]
    async with connect(url, additional_headers=headers, subprotocols=offered, compression=None) as socket:
        call = VoiceCall(socket)
        reading = asyncio.create_task(call.read())
        try:
            yield call
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
