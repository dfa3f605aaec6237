"""Far ends of a trunk for the doctor's tests: they answer OPTIONS and REGISTER as they are told."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

from sip.message import Request, Response, parse, response_to

Answer = Callable[[Request], Response | None]


def says(status: int, **headers: str) -> Answer:
    """The same to everything; `headers` with _ for -."""

    def answer(request: Request) -> Response:
        return with_headers(response_to(request, status, to_tag="far"), headers)

    return answer


def with_headers(response: Response, headers: dict[str, str]) -> Response:
    for name, value in headers.items():
        response.headers.add(name.replace("_", "-"), value)
    return response


def says_nothing(request: Request) -> None:
    return None


class Peer:
    """A far end at `port` of 127.0.0.1; `asked` are the requests that came."""

    def __init__(self, answer: Answer, *, source: str | None = None) -> None:
        self.answer = answer
        self.source = source
        self.asked: list[Request] = []
        self.port = 0

    def reply(self, data: bytes, sender: tuple[str, int]) -> bytes | None:
        request = parse(data)
        assert isinstance(request, Request)
        self.asked.append(request)
        response = self.answer(request)
        if response is None:
            return None
        via = request.via.with_param("received", self.source or sender[0]).with_param("rport", str(sender[1]))
        response.headers.replace_first("Via", str(via))
        return response.to_bytes()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)
        self._peer.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._peer.reply(data, addr[:2])
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, addr)


@asynccontextmanager
async def udp_peer(answer: Answer, *, source: str | None = None) -> AsyncIterator[Peer]:
    """`source` is where it says that the requests came from."""
    peer = Peer(answer, source=source)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(peer), local_addr=("127.0.0.1", 0))
    try:
        yield peer
    finally:
        transport.close()


@asynccontextmanager
async def stream_peer(
    answer: Answer, certificate: tuple[str, str] | None = None, *, wants_ours: str | None = None
) -> AsyncIterator[Peer]:
    """By TCP, or by TLS with the files of a certificate and its key; `wants_ours` is the authority that must
    have signed ours."""
    peer = Peer(answer)
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        if wants_ours is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(wants_ours)
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            while True:
                reply = peer.reply(await reader.readuntil(b"\r\n\r\n"), writer.get_extra_info("peername")[:2])
                if reply is not None:
                    writer.write(reply)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        for writer in writers:
            writer.close()
