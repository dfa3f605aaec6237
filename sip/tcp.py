"""SIP over connections, plain or by TLS: reuse by neighbour, idle close, and caps (RFC 3261 18, 26.2)."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from itertools import count
from typing import Final

from sip.connection import Connection, Limits
from sip.contexts import Contexts
from sip.hop import Address, Hop, Neighbour
from sip.tls import TlsPeer
from sip.wire import Receiver, plain_address

log = logging.getLogger(__name__)

CONNECT_S: Final = 5.0
"""How long dialling may take, the TLS handshake included."""
HANDSHAKE_S: Final = 5.0
"""How long the TLS handshake of a peer that dials us may take."""
MAX_HANDSHAKES: Final = 100
MAX_CONNECTIONS: Final = 1000
MAX_BUFFERED: Final = 256 * 1024
"""Bytes that may wait to be sent on one connection; a peer that reads no more is given up."""
IDLE_S: Final = 3600.0
"""Seconds without a message after which a connection is closed; longer than a call says nothing."""
MAX_STRANGERS: Final = 100
"""Connections of peers that have not proved who they are; there must be room for the trunks."""
STRANGER_IDLE_S: Final = 32.0
"""`IDLE_S` for those."""
PING_S: Final = 29.0
"""Pause between our pings; shorter than most NATs forget a connection."""
PONG_S: Final = 10.0
"""How long the answer to a ping may take (RFC 5626 4.4.1)."""

_BACKLOG: Final = 128
_SHUTDOWN_S: Final = 1.0
_FAILURES: Final = 256
_UNACKED_MS: Final = 20_000
"""How long the kernel repeats what the peer does not acknowledge."""


class StreamTransport:
    """The connections of one listening socket, those that peers opened and our own; with `contexts`, by TLS.

    A TLS transport may do without a socket: then nobody can dial us, and we can still dial.
    """

    def __init__(
        self,
        receiver: Receiver,
        *,
        contexts: Contexts | None = None,
        idle_s: float = IDLE_S,
        max_connections: int = MAX_CONNECTIONS,
        ping_s: float = PING_S,
        pong_s: float = PONG_S,
    ):
        self._receiver: Final = receiver
        self._contexts: Final = contexts
        self._idle_s: Final = idle_s
        self._max: Final = max_connections
        self._limits: Final = Limits(MAX_BUFFERED, ping_s, pong_s)
        self._by_id: dict[int, Connection] = {}
        self._by_neighbour: dict[Neighbour, Connection] = {}
        self._dialling: dict[Neighbour, _Dial] = {}
        self._failures: dict[Neighbour, str] = {}
        self._handshakes: set[asyncio.Task[None]] = set()
        self._ids = count(1)
        self._listener: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False
        self.local = Address("", 0)

    def __len__(self) -> int:
        """Connections that are open."""
        return len(self._by_id)

    @property
    def listens(self) -> bool:
        return self._listener is not None

    def start(self, listener: socket.socket | None, host: str = "") -> None:
        """Listens on a bound socket; without one, only dials, from the address `host`.

        Raises OSError that names the certificate file.
        """
        loop = asyncio.get_running_loop()
        self.local = Address(host, 0)
        if listener is not None:
            if self._contexts is not None:
                self._contexts.server()  # so that a file that cannot be used is told now
            self.local = Address(*listener.getsockname()[:2])
            listener.listen(_BACKLOG)
            self._listener = listener
            self._accepting = loop.create_task(self._accept(listener))
        self._sweep = loop.call_later(min(self._idle_s, STRANGER_IDLE_S) / 4, self._close_idle)

    def send(self, data: bytes, hop: Hop) -> None:
        """Sends on the hop's connection, else on one to its neighbour, else on a new one."""
        connection = self._by_id.get(hop.connection) if hop.connection is not None else None
        neighbour = hop.neighbour
        if connection is None:
            connection = self._by_neighbour.get(neighbour)
        if connection is not None:
            connection.send(data)
            return
        dial = self._dialling.get(neighbour)
        if dial is None:
            if self._closed or len(self._by_id) + len(self._dialling) >= self._max:
                self._receiver.unreachable(hop)
                return
            dial = self._dialling[neighbour] = _Dial(hop)
            dial.task = asyncio.get_running_loop().create_task(self._dial(dial))
        if not dial.hold(data):
            self._receiver.unreachable(hop)

    def connected(self, hop: Hop) -> bool:
        """Whether the hop's own connection is open."""
        return hop.connection is not None and hop.connection in self._by_id

    def dialled_from(self, hop: Hop) -> int:
        """The port of ours on the connection to the neighbour; 0: there is none."""
        connection = self._by_neighbour.get(hop.neighbour)
        return 0 if connection is None else connection.local_port

    def failure(self, hop: Hop) -> str | None:
        """Why the neighbour could not be dialled last; None when it could, or was not tried."""
        return self._failures.get(hop.neighbour)

    async def close(self) -> None:
        """Closes listener and connections; what was written is still flushed for a moment."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        tasks = [dial.task for dial in self._dialling.values() if dial.task is not None]
        tasks += [*self._handshakes, *([] if self._accepting is None else [self._accepting])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._listener is not None:
            self._listener.close()
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

    @property
    def receiver(self) -> Receiver:
        return self._receiver

    def opened(self, connection: Connection) -> Hop | None:
        peer = connection.peer
        if self._closed or len(self._by_id) >= self._max:
            log.warning("a SIP connection was refused: %d are open", len(self._by_id))
            return None
        number = next(self._ids)
        tls = connection.tls
        if self._contexts is None:
            hop = Hop("TCP", peer, self.local, number)
        else:
            if tls is None:  # should this connection end, the peer must be dialled as its trunk wants it
                tls = TlsPeer.at(self._receiver.tls_towards(peer.host), peer.host)
            hop = Hop("TLS", peer, self.local, number, tls)
        self._by_id[number] = connection
        self._by_neighbour[hop.neighbour] = connection
        return hop

    def closed(self, connection: Connection) -> None:
        hop = connection.hop
        if hop is None or hop.connection is None:
            return
        self._by_id.pop(hop.connection, None)
        if self._by_neighbour.get(hop.neighbour) is connection:
            del self._by_neighbour[hop.neighbour]
        if not self._closed:
            self._receiver.disconnected(hop)

    # Within

    def _close_idle(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for connection in list(self._by_id.values()):
            trusted = not connection.inbound or self._receiver.trusted(connection.peer.host)
            if connection.used_at < now - (self._idle_s if trusted else min(self._idle_s, STRANGER_IDLE_S)):
                connection.close()
        self._sweep = loop.call_later(min(self._idle_s, STRANGER_IDLE_S) / 4, self._close_idle)

    def _welcome(self, host: str) -> bool:
        """Whether a connection from that address is wanted, and there is room for one."""
        if not self._receiver.known(host):
            return False
        if self._receiver.trusted(host):
            return True
        strangers = [each for each in self._by_id.values() if not self._receiver.trusted(each.peer.host)]
        return len(strangers) + len(self._handshakes) < MAX_STRANGERS

    async def _accept(self, listener: socket.socket) -> None:
        """Takes connections in. Strangers, and what is too much, are dropped before they cost a handshake."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, name = await loop.sock_accept(listener)
            except OSError as error:  # no file descriptors left, most likely
                log.error("SIP connections cannot be taken: %s", error)
                await asyncio.sleep(1.0)
                continue
            full = len(self._by_id) + len(self._handshakes) >= self._max
            if full or len(self._handshakes) >= MAX_HANDSHAKES or not self._welcome(_host(name)):
                sock.close()
                continue
            task = loop.create_task(self._take(sock))
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)

    async def _take(self, sock: socket.socket) -> None:
        context = None if self._contexts is None else self._contexts.server()
        patience = None if context is None else HANDSHAKE_S
        try:
            _persist(sock)
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: Connection(self, self._limits, inbound=True),
                sock,
                ssl=context,
                ssl_handshake_timeout=patience,
                ssl_shutdown_timeout=None if context is None else _SHUTDOWN_S,
            )
        except OSError as error:
            sock.close()
            log.info("a SIP connection came to nothing: %s", _why(error))
        except asyncio.CancelledError:
            sock.close()
            raise

    async def _dial(self, dial: _Dial) -> None:
        hop = dial.hop
        tls = hop.tls if self._contexts is not None else None
        try:
            async with asyncio.timeout(CONNECT_S):
                connection = await self._connect(hop.remote, tls)
        except (OSError, ValueError) as error:  # ValueError: a name that no certificate can carry
            why = _why(error)
            if self._failures.get(hop.neighbour) != why:  # not for every probe of a trunk that is down
                log.info("no SIP connection to %s port %d: %s", *hop.remote, why)
            if len(self._failures) >= _FAILURES:
                self._failures.clear()
            self._failures[hop.neighbour] = why
            self._receiver.unreachable(hop)
        else:
            self._failures.pop(hop.neighbour, None)
            for data in dial.waiting:
                connection.send(data)
        finally:
            del self._dialling[hop.neighbour]

    async def _connect(self, remote: Address, tls: TlsPeer | None) -> Connection:
        loop = asyncio.get_running_loop()
        ours = None if self.local.host in ("0.0.0.0", "::", "") else (self.local.host, 0)
        context = None
        if self._contexts is not None:
            if tls is None:
                raise OSError("nothing says how the peer proves itself")
            context = self._contexts.client(tls.settings)
        transport, connection = await loop.create_connection(
            lambda: Connection(self, self._limits, inbound=False, tls=tls),
            remote.host,
            remote.port,
            local_addr=ours,
            ssl=context,
            server_hostname=tls.name if context is not None and tls is not None else None,
            ssl_shutdown_timeout=None if context is None else _SHUTDOWN_S,
        )
        _persist(transport.get_extra_info("socket"))
        return connection


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


def _host(name: tuple[object, ...]) -> str:
    return plain_address(name).host


def _persist(sock: socket.socket) -> None:
    """Lets a dead peer be noticed in seconds; by itself, the kernel tries for a quarter of an hour."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKED_MS)


def _why(error: Exception) -> str:
    """In words, without the places in the source that OpenSSL adds."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"the TLS handshake failed: {(error.reason or str(error)).replace('_', ' ').lower()}"
    if isinstance(error, TimeoutError):
        return "no answer"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
