"""SIP over connections: framing, reuse by address, idle close, and caps (RFC 3261 18)."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from itertools import count
from typing import Final, cast

from sip.framer import Framer, Keepalive
from sip.hop import Address, Hop
from sip.message import ParseError
from sip.privacy import masked
from sip.wire import Receiver, plain_address

log = logging.getLogger(__name__)

CONNECT_S: Final = 5.0
MAX_CONNECTIONS: Final = 1000
MAX_BUFFERED: Final = 256 * 1024
"""Bytes that may wait to be sent on one connection; a peer that reads no more is given up."""
IDLE_S: Final = 3600.0
"""Seconds without a message after which a connection is closed; longer than a call says nothing."""


class TcpTransport:
    """The connections of one listening socket, those that peers opened and our own."""

    def __init__(self, receiver: Receiver, *, idle_s: float = IDLE_S, max_connections: int = MAX_CONNECTIONS):
        self._receiver: Final = receiver
        self._idle_s: Final = idle_s
        self._max: Final = max_connections
        self._by_id: dict[int, _Connection] = {}
        self._by_remote: dict[Address, _Connection] = {}
        self._dialling: dict[Address, _Dial] = {}
        self._ids = count(1)
        self._server: asyncio.Server | None = None
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False
        self.local = Address("", 0)

    def __len__(self) -> int:
        """Connections that are open."""
        return len(self._by_id)

    async def start(self, sock: socket.socket) -> None:
        """Listens on a bound socket."""
        loop = asyncio.get_running_loop()
        host, port = sock.getsockname()[:2]
        self.local = Address(host, port)
        self._server = await loop.create_server(lambda: _Connection(self, inbound=True), sock=sock)
        self._sweep = loop.call_later(self._idle_s / 4, self._close_idle)

    def send(self, data: bytes, hop: Hop) -> None:
        """Sends on the hop's connection, else on one to its address, else on a new one."""
        connection = self._by_id.get(hop.connection) if hop.connection is not None else None
        if connection is None:
            connection = self._by_remote.get(hop.remote)
        if connection is not None:
            connection.send(data)
            return
        dial = self._dialling.get(hop.remote)
        if dial is None:
            if self._closed or len(self._by_id) + len(self._dialling) >= self._max:
                self._receiver.unreachable(hop)
                return
            dial = self._dialling[hop.remote] = _Dial(hop)
            dial.task = asyncio.get_running_loop().create_task(self._dial(dial))
        if not dial.hold(data):
            self._receiver.unreachable(hop)

    def connected(self, hop: Hop) -> bool:
        """Whether the hop's own connection is open."""
        return hop.connection is not None and hop.connection in self._by_id

    async def close(self) -> None:
        """Closes listener and connections; what was written is still flushed for a moment."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        if self._server is not None:
            self._server.close()
        dials = [dial.task for dial in self._dialling.values() if dial.task is not None]
        for task in dials:
            task.cancel()
        await asyncio.gather(*dials, return_exceptions=True)
        for connection in list(self._by_id.values()):
            connection.close()
        for _ in range(30):
            if not self._by_id:
                return
            await asyncio.sleep(0.01)
        for connection in list(self._by_id.values()):
            connection.abort()
        await asyncio.sleep(0)

    # Called by connections.

    def opened(self, connection: _Connection) -> bool:
        """Takes a connection in; False when it is not wanted."""
        peer = connection.peer
        if self._closed or (connection.inbound and not self._receiver.known(peer.host)):
            return False
        if len(self._by_id) >= self._max:
            log.warning("a SIP connection was refused: %d are open", len(self._by_id))
            return False
        connection.hop = Hop("TCP", peer, self.local, next(self._ids))
        assert connection.hop.connection is not None
        self._by_id[connection.hop.connection] = connection
        self._by_remote[peer] = connection
        return True

    def lost(self, connection: _Connection) -> None:
        if connection.hop is not None and connection.hop.connection is not None:
            self._by_id.pop(connection.hop.connection, None)
            if self._by_remote.get(connection.peer) is connection:
                del self._by_remote[connection.peer]

    @property
    def receiver(self) -> Receiver:
        return self._receiver

    def _close_idle(self) -> None:
        loop = asyncio.get_running_loop()
        limit = loop.time() - self._idle_s
        for connection in list(self._by_id.values()):
            if connection.used_at < limit:
                connection.close()
        self._sweep = loop.call_later(self._idle_s / 4, self._close_idle)

    async def _dial(self, dial: _Dial) -> None:
        remote = dial.hop.remote
        loop = asyncio.get_running_loop()
        ours = None if self.local.host in ("0.0.0.0", "::") else (self.local.host, 0)
        try:
            async with asyncio.timeout(CONNECT_S):
                _, connection = await loop.create_connection(
                    lambda: _Connection(self, inbound=False), remote.host, remote.port, local_addr=ours
                )
        except OSError as error:
            log.info("no SIP connection to %s port %d: %s", remote.host, remote.port, error)
            self._receiver.unreachable(dial.hop)
        else:
            for data in dial.waiting:
                connection.send(data)
        finally:
            del self._dialling[remote]


class _Dial:
    """A connection being opened, and what waits for it."""

    __slots__ = ("hop", "size", "task", "waiting")

    def __init__(self, hop: Hop) -> None:
        self.hop = hop
        self.waiting: list[bytes] = []
        self.size = 0
        self.task: asyncio.Task[None] | None = None

    def hold(self, data: bytes) -> bool:
        self.size += len(data)
        if self.size > MAX_BUFFERED:
            return False
        self.waiting.append(data)
        return True


class _Connection(asyncio.Protocol):
    """One stream of messages."""

    def __init__(self, owner: TcpTransport, *, inbound: bool) -> None:
        self._owner: Final = owner
        self.inbound: Final = inbound
        self._framer: Final = Framer()
        self._transport: asyncio.Transport | None = None
        self._time: Callable[[], float] = asyncio.get_running_loop().time
        self.used_at = self._time()
        self.peer = Address("", 0)
        self.hop: Hop | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass
        name = transport.get_extra_info("peername")
        if name is not None:
            self.peer = plain_address(name)
        if name is None or not self._owner.opened(self):
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._owner.lost(self)

    def data_received(self, data: bytes) -> None:
        if self.hop is None:
            return
        receiver = self._owner.receiver
        try:
            items = self._framer.feed(data)
        except ParseError as error:
            log.info("a SIP connection was closed: %s", masked(error))
            self.close()
            return
        if items:
            self.used_at = self._time()
        for item in items:
            if isinstance(item, Keepalive):
                self.send(b"\r\n")
            else:
                receiver.received(item, self.hop)

    def send(self, data: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size() + len(data) > MAX_BUFFERED:
            log.warning("a SIP connection was given up: its peer does not read")
            transport.abort()
            if self.hop is not None:
                self._owner.receiver.unreachable(self.hop)
            return
        self.used_at = self._time()
        transport.write(data)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
