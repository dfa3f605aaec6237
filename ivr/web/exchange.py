"""Both directions of one WebSocket: what comes is given on at once, what goes waits for a slow far end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Final

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from webrtc.backlog import Backlog

log = logging.getLogger(__name__)

STUCK_S: Final = 10.0
"""A far end that reads nothing for so long is given up."""

CLOSING_S: Final = 2.0

_LOOKS: Final = 10

NORMAL: Final = 1000
POLICY: Final = 1008
TOO_LONG: Final = 1009
INTERNAL: Final = 1011
TRY_LATER: Final = 1013
"""Close codes (RFC 6455 section 7.4.1, and the registry of IANA)."""

_REASON_BYTES: Final = 120


class Exchange:
    """One accepted socket. `send`, `send_audio` and `close` return at once, and may be called at any time;
    `run` lasts until the socket is closed, by either end."""

    def __init__(self, socket: WebSocket, most_audio: int, most_messages: int) -> None:
        """Of pieces of audio and of messages that wait to be sent."""
        self._socket = socket
        self._backlog = Backlog(most_audio, most_messages)
        self._came = asyncio.Event()
        self._closing: tuple[int, str] | None = None
        self._deaf = False
        self._since: float | None = None
        """When what is on its way now was sent."""

    @property
    def dropped(self) -> int:
        """Pieces of audio that a slow far end did not get."""
        return self._backlog.dropped

    @property
    def deaf(self) -> bool:
        """Whether the far end was given up because it did not read."""
        return self._deaf

    def send(self, text: str) -> None:
        if self._closing is None:
            if not self._backlog.message(text):
                self._give_up()
            self._came.set()

    def send_audio(self, piece: bytes) -> None:
        if self._closing is None:
            self._backlog.audio(piece)
            self._came.set()

    def close(self, code: int = NORMAL, reason: str = "") -> None:
        """After what was sent before. Only the first one counts."""
        if self._closing is None:
            self._closing = (code, reason)
            self._came.set()

    async def run(self, receive: Callable[[str | bytes], None]) -> None:
        """`receive` is called with each message."""
        tasks = [asyncio.create_task(part) for part in (self._read(receive), self._write(), self._watch())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            with contextlib.suppress(TimeoutError, RuntimeError, WebSocketDisconnect):
                async with asyncio.timeout(CLOSING_S):
                    await self._say_goodbye()
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, RuntimeError | WebSocketDisconnect):
                raise result

    async def _read(self, receive: Callable[[str | bytes], None]) -> None:
        while (message := await received(self._socket)) is not None:
            receive(message)

    async def _write(self) -> None:
        socket, backlog, time = self._socket, self._backlog, asyncio.get_running_loop().time
        while not self._deaf:
            item = backlog.take()
            if item is None:
                if self._closing is not None:
                    return
                self._came.clear()
                await self._came.wait()
                continue
            self._since = time()
            await (socket.send_text(item) if isinstance(item, str) else socket.send_bytes(item))
            self._since = None

    async def _watch(self) -> None:
        """Returns when something has been on its way for too long. A deadline for each message would cost a
        tenth of a stream."""
        time = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(STUCK_S / _LOOKS)
            if self._since is not None and time() - self._since >= STUCK_S:
                self._give_up()
                return

    def _give_up(self) -> None:
        self._deaf = True
        self._closing = (TRY_LATER, "what was sent is not read")

    async def _say_goodbye(self) -> None:
        socket = self._socket
        if WebSocketState.CONNECTED is socket.client_state is socket.application_state:
            code, reason = self._closing or (INTERNAL, "")
            await socket.close(code, reason.encode()[:_REASON_BYTES].decode(errors="ignore"))


async def received(socket: WebSocket) -> str | bytes | None:
    """The next message; None when the far end has gone."""
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        return None
    text: str | None = message.get("text")
    return message["bytes"] if text is None else text
