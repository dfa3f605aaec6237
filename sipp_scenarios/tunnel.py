"""TLS around the TCP of a SIPp that was built without it (as Debian's is)."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

HOST: Final = "127.0.0.1"
_CHUNK: Final = 65536
_WAIT_S: Final = 5.0

_Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@contextmanager
def tunnel_to(port: int, authority: Path, source: str) -> Iterator[int]:
    """A TCP port that carries what it gets to a TLS port of the loopback, from the address `source`."""
    context = ssl.create_default_context(cafile=str(authority))

    async def onward() -> _Ends:
        return await asyncio.open_connection(HOST, port, ssl=context, local_addr=(source, 0))

    with _tunnel(onward, None) as found:
        yield found


@contextmanager
def tunnel_from(port: int, certificate: Path, key: Path) -> Iterator[int]:
    """A TLS port that carries what it gets to a TCP port of the loopback."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    async def onward() -> _Ends:
        return await asyncio.open_connection(HOST, port)

    with _tunnel(onward, context) as found:
        yield found


@contextmanager
def _tunnel(onward: Callable[[], Awaitable[_Ends]], context: ssl.SSLContext | None) -> Iterator[int]:
    """Runs in a thread of its own, which is gone when the block is left."""
    ready, ports = threading.Event(), list[int]()
    loop = asyncio.new_event_loop()
    stopping = asyncio.Event()

    async def taken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            far_reader, far_writer = await onward()
            await asyncio.gather(_carry(reader, far_writer), _carry(far_reader, writer))
        writer.close()

    async def serve() -> None:
        server = await asyncio.start_server(taken, HOST, 0, ssl=context)
        ports.append(server.sockets[0].getsockname()[1])
        ready.set()
        await stopping.wait()
        server.close()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        if not ready.wait(_WAIT_S):
            raise OSError("the TLS tunnel did not open")
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join(_WAIT_S)


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One way, to its end."""
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()
