"""An HTTP client that costs a measurement little: one connection, one request at a time, and when its first
byte came. A general one takes as long for a request as the services do.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import httptools

_KEPT_BYTES: Final = 2000
"""Of a body: what an error says."""


@dataclass(slots=True)
class Answer:
    """`first_ns` and `last_ns` are from the request to the first byte of the body and to its end; `size` is
    in bytes, `begins` the first of them.
    """

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    size: int = 0
    begins: bytes = b""
    first_ns: int = 0
    last_ns: int = 0


class Client:
    """Connects when it is first asked, and again when the connection was closed between requests."""

    def __init__(self, url: str, key: str | None = None) -> None:
        parts = urlsplit(url)
        self._secure = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if self._secure else 80)
        self._path = parts.path.rstrip("/")
        head = f"Host: {parts.netloc}\r\nContent-Type: application/json\r\n"
        self._head = head + (f"Authorization: Bearer {key}\r\n" if key else "")
        self._connection: _Connection | None = None

    async def post(self, path: str, body: bytes, *, timeout_s: float) -> Answer:
        """Raises `OSError` (of which `ConnectionError` and `TimeoutError` are kinds)."""
        async with asyncio.timeout(timeout_s):
            connection = await self._open()
            head = f"POST {self._path}{path} HTTP/1.1\r\n{self._head}Content-Length: {len(body)}\r\n\r\n"
            return await connection.ask(head.encode() + body)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    async def _open(self) -> _Connection:
        if self._connection is None or self._connection.closed:
            _, self._connection = await asyncio.get_running_loop().create_connection(
                _Connection, self._host, self._port, ssl=self._secure or None
            )
        return self._connection


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self.closed = False
        self._transport: asyncio.Transport
        self._answer = Answer()
        self._whole: asyncio.Future[Answer] | None = None
        self._asked_ns = 0

    async def ask(self, request: bytes) -> Answer:
        self._answer = Answer()
        self._parser = httptools.HttpResponseParser(self)
        self._whole = asyncio.get_running_loop().create_future()
        self._asked_ns = time.perf_counter_ns()
        self._transport.write(request)
        try:
            return await self._whole
        except asyncio.CancelledError:
            self.close()  # what is left of the answer would be taken for the next one's
            raise

    def close(self) -> None:
        self.closed = True
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(ConnectionError(f"the answer is no HTTP: {error}"))
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._fail(ConnectionError("the connection was closed in the middle of an answer"))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._answer.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._answer.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        answer = self._answer
        if not answer.size:
            answer.first_ns = time.perf_counter_ns() - self._asked_ns
        answer.size += len(body)
        if len(answer.begins) < _KEPT_BYTES:
            answer.begins += body[: _KEPT_BYTES - len(answer.begins)]

    def on_message_complete(self) -> None:
        self._answer.last_ns = time.perf_counter_ns() - self._asked_ns
        if not self._parser.should_keep_alive():
            self.closed = True
        if self._whole is not None and not self._whole.done():
            self._whole.set_result(self._answer)

    def _fail(self, error: ConnectionError) -> None:
        if self._whole is not None and not self._whole.done():
            self._whole.set_exception(error)
