"""Exotel, as far as a Voicebot applet is concerned: a stream that is opened, speaks, presses keys, and plays.

`Form` says which of its contradictory pages it follows.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.web.exotel_far_end import Played

CHUNK_S = 0.1


@dataclass(frozen=True)
class Form:
    """`old`: names in camelCase, numbers as text, no sequence numbers, ids only where they belong."""

    old: bool = False
    rate: int = 8000
    encoding: str = "raw"

    def name(self, snake: str) -> str:
        if not self.old:
            return snake
        head, *tail = snake.split("_")
        return head + "".join(part.title() for part in tail)

    def number(self, value: int) -> int | str:
        return str(value) if self.old else value


NEW = Form()


@dataclass
class ExotelCall:
    """A stream under way; what is heard of the server is in `far.audio`."""

    socket: ClientConnection
    far: Played
    form: Form
    sequence: int = 0
    chunk: int = 0
    said: bytearray = field(default_factory=bytearray)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def send(self, event: str, part: Mapping[str, Any] | None = None) -> None:
        self.sequence += 1
        message: dict[str, Any] = {"event": event}
        if event != "connected":
            message[self.form.name("stream_sid")] = "stream-1"
            if not self.form.old:
                message["sequence_number"] = self.sequence
        if part is not None:
            message[event] = dict(part)
        with contextlib.suppress(ConnectionClosed):
            await self.socket.send(json.dumps(message))

    def later(self, event: str, part: Mapping[str, Any]) -> None:
        task = asyncio.create_task(self.send(event, part))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def start(self, caller: str = "+919876543210", called: str = "08047112233", **more: Any) -> None:
        form = self.form
        await self.send("connected")
        part = {
            form.name("call_sid"): "call-1",
            form.name("account_sid"): "account-1",
            "from": caller,
            "to": called,
            form.name("custom_parameters"): more.pop("parameters", {}),
            form.name("media_format"): {
                "encoding": form.encoding,
                form.name("sample_rate"): form.number(form.rate),
            },
        } | more
        await self.send("start", part if form.old else {"stream_sid": "stream-1", **part})

    async def press(self, keys: str) -> None:
        for key in keys:
            await self.send("dtmf", {"digit": key, "duration": self.form.number(100)})

    async def say(self, pcm: bytes) -> None:
        """In real time, as Exotel sends what a caller says."""
        size = int(self.form.rate * CHUNK_S) * 2
        loop = asyncio.get_running_loop()
        due = loop.time()
        for at in range(0, len(pcm), size):
            await self.media(pcm[at : at + size])
            due += CHUNK_S
            await asyncio.sleep(max(0.0, due - loop.time()))

    async def media(self, pcm: bytes) -> None:
        self.chunk += 1
        part: dict[str, Any] = {"payload": base64.b64encode(pcm).decode()}
        if not self.form.old:
            part |= {"chunk": self.chunk, "timestamp": str((self.chunk - 1) * 100)}
        await self.send("media", part)

    async def silence(self) -> None:
        """Of a caller who listens, for ever."""
        while True:
            await self.say(bytes(int(self.form.rate * CHUNK_S) * 2))

    async def read(self) -> None:
        try:
            async for text in self.socket:
                assert isinstance(text, str)
                self.far.take(text)
        finally:
            self.closed.set()


@asynccontextmanager
async def exotel_call(
    url: str, form: Form = NEW, headers: Mapping[str, str] | None = None
) -> AsyncIterator[ExotelCall]:
    """Opens the stream; `start` begins the call."""
    async with connect(url, additional_headers=headers, compression=None) as socket:
        call: ExotelCall
        far = Played(form.rate, lambda message: call.later("mark", message["mark"]))
        call = ExotelCall(socket, far, form)
        reading = asyncio.create_task(call.read())
        try:
            yield call
        finally:
            far.close()
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
