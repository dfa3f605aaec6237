"""All listening sockets of one user agent, and the choice of one for what is to be sent."""

from __future__ import annotations

import re
import socket
import time
from typing import Final

from sip.contexts import Contexts
from sip.hop import Address, Hop, Transport
from sip.networks import from_outside
from sip.tcp import IDLE_S, MAX_CONNECTIONS, PING_S, PONG_S, StreamTransport
from sip.tls import ClientTls, ServerTls, TlsPeer
from sip.udp import UdpTransport
from sip.uri import host_text
from sip.wire import Receiver

_LISTEN: Final = re.compile(r"(udp|tcp|tls):(\[[0-9A-Fa-f:.]+\]|[0-9.]+):([0-9]{1,5})")
_KINDS: Final[dict[str, Transport]] = {"udp": "UDP", "tcp": "TCP", "tls": "TLS"}
_PREFERENCE: Final[dict[Transport, int]] = {"UDP": 0, "TCP": 1, "TLS": 2}
_WILDCARDS: Final = ("0.0.0.0", "::")
RECEIVE_BUFFER: Final = 1024 * 1024
_ROUTES: Final = 4096
_ROUTE_S: Final = 60.0
"""How long an address of ours is remembered: addresses and routes of a machine change."""


class Transports:
    """UDP, TCP and TLS sockets behind one `send`."""

    def __init__(
        self,
        receiver: Receiver,
        listen: list[str],
        *,
        advertise: str | None = None,
        tls: ServerTls | None = None,
        idle_s: float = IDLE_S,
        max_connections: int = MAX_CONNECTIONS,
        ping_s: float = PING_S,
        pong_s: float = PONG_S,
    ) -> None:
        """`listen` has entries as `udp:127.0.0.1:5060`, `tcp:[::1]:0` or `tls:0.0.0.0:5061`.

        Raises ValueError for others, and for `tls:` without a certificate (`tls`). `advertise` is the IP
        address or name that peers are told instead of the bound one.
        """
        self._receiver: Final = receiver
        self._listen: Final = [_parsed(text) for text in listen]
        self._advertise: Final = advertise
        self._contexts: Final = Contexts(tls)
        self._idle_s: Final = idle_s
        self._max_connections: Final = max_connections
        self._ping_s: Final = ping_s
        self._pong_s: Final = pong_s
        self._sockets: dict[tuple[Transport, Address], UdpTransport | StreamTransport] = {}
        self._reach: frozenset[tuple[Transport, bool]] = frozenset()
        self._routes: dict[str, tuple[str, float]] = {}
        for transport, address in self._listen:
            if transport == "TLS" and tls is None:
                raise ValueError(f"cannot listen on tls:{_text(address)} without a certificate: set sip.tls")

    async def start(self) -> None:
        """Binds all; raises OSError that names the address or the file, with nothing left bound."""
        try:
            for transport, address in self._listen:
                await self._start_one(transport, address)
            self._dial_only()
            self._reach = frozenset((kind, ":" in local.host) for kind, local in self._sockets)
        except OSError:
            await self.close()
            raise

    async def close(self) -> None:
        sockets, self._sockets = self._sockets, {}
        for one in sockets.values():
            await one.close()

    def trust(self, tls: ClientTls) -> None:
        """Reads the certificate files that a trunk names; raises OSError that names one."""
        self._contexts.client(tls)

    def addresses(self) -> list[str]:
        """Where we listen, as `udp:127.0.0.1:5060`, with the real ports."""
        return [
            f"{transport.lower()}:{_text(address)}"
            for (transport, address), one in self._sockets.items()
            if isinstance(one, UdpTransport) or one.listens
        ]

    def reach(self) -> frozenset[tuple[Transport, bool]]:
        """What we can send with: transports, and whether by IPv6."""
        return self._reach

    @property
    def connections(self) -> int:
        """TCP and TLS connections that are open."""
        return sum(len(one) for one in self._sockets.values() if isinstance(one, StreamTransport))

    def send(self, data: bytes, hop: Hop) -> None:
        one = self._sockets.get((hop.transport, hop.local))
        if one is not None:
            one.send(data, hop)

    def connected(self, hop: Hop) -> bool:
        """Whether the connection that the hop names is open."""
        one = self._sockets.get((hop.transport, hop.local))
        return isinstance(one, StreamTransport) and one.connected(hop)

    def failure(self, hop: Hop) -> str | None:
        """Why no connection to the neighbour could be made last, in words."""
        one = self._sockets.get((hop.transport, hop.local))
        return one.failure(hop) if isinstance(one, StreamTransport) else None

    def hop_to(self, remote: Address, transport: Transport | None, tls: TlsPeer | None = None) -> Hop | None:
        """The hop to an IP address, by UDP where no transport is asked for. None: no socket of ours fits.

        By TLS, `tls` says whom to expect there.
        """
        source = self._source(remote.host)
        fitting = [
            (kind, local)
            for kind, local in self._sockets
            if transport in (None, kind) and (":" in local.host) == (":" in remote.host)
        ]
        if not fitting:
            return None
        exact = [pair for pair in fitting if pair[1].host in (source, *_WILDCARDS)] or fitting
        kind, local = min(exact, key=lambda pair: _PREFERENCE[pair[0]])
        return Hop(kind, remote, local, None, tls if kind == "TLS" else None)

    def shown(self, hop: Hop) -> Address:
        """The address of ours that the neighbour is told (Via, Contact, SDP).

        Where nobody can dial us (TLS without a listener) it is that of the connection, on which some peers
        then look for us; its port is 0 before there is one.
        """
        host = hop.local.host
        if self._advertise is not None and from_outside(hop.remote.host, self._advertise):
            host = self._advertise
        elif host in _WILDCARDS:
            host = self._source(hop.remote.host)
        return Address(host, hop.local.port or self._dialled_from(hop))

    def _dialled_from(self, hop: Hop) -> int:
        one = self._sockets.get((hop.transport, hop.local))
        return one.dialled_from(hop) if isinstance(one, StreamTransport) else 0

    async def _start_one(self, transport: Transport, address: Address) -> None:
        kind = socket.SOCK_DGRAM if transport == "UDP" else socket.SOCK_STREAM
        sock = socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET, kind)
        try:
            sock.setblocking(False)
            if sock.family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if transport == "UDP":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            else:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(address)
        except OSError as error:
            sock.close()
            where = f"{transport.lower()}:{_text(address)}"
            raise OSError(error.errno, f"cannot listen on {where}: {error.strerror}") from error
        one: UdpTransport | StreamTransport
        if transport == "UDP":
            one = UdpTransport(self._receiver)
            await one.start(sock)
        else:
            one = self._stream(transport)
            try:
                one.start(sock)
            except OSError:
                sock.close()
                raise
        self._sockets[(transport, one.local)] = one

    def _dial_only(self) -> None:
        """TLS towards trunks needs no listener and no certificate of ours."""
        for v6 in (False, True):
            hosts = [local.host for _, local in self._sockets if (":" in local.host) == v6]
            if hosts and not any(kind == "TLS" and (":" in a.host) == v6 for kind, a in self._sockets):
                one = self._stream("TLS")
                one.start(None, hosts[0])
                self._sockets[("TLS", one.local)] = one

    def _stream(self, transport: Transport) -> StreamTransport:
        return StreamTransport(
            self._receiver,
            contexts=self._contexts if transport == "TLS" else None,
            idle_s=self._idle_s,
            max_connections=self._max_connections,
            ping_s=self._ping_s,
            pong_s=self._pong_s,
        )

    def _source(self, remote: str) -> str:
        """The address of ours that the kernel would send from; nothing is sent."""
        now = time.monotonic()
        held = self._routes.get(remote)
        if held is not None and now < held[1]:
            return held[0]
        v6 = ":" in remote
        try:
            with socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.connect((remote, 9))
                found = str(probe.getsockname()[0])
        except OSError:  # no way there now, or no file descriptor: it may be otherwise soon
            return "::1" if v6 else "127.0.0.1"
        if len(self._routes) >= _ROUTES:
            self._routes.clear()
        self._routes[remote] = (found, now + _ROUTE_S)
        return found


def _parsed(text: str) -> tuple[Transport, Address]:
    match = _LISTEN.fullmatch(text)
    if match is None or int(match[3]) > 65535:
        raise ValueError(
            f"cannot listen on {text!r}: write it as udp:127.0.0.1:5060, tcp:[::1]:5060 or tls:0.0.0.0:5061"
        )
    return _KINDS[match[1]], Address(match[2].strip("[]"), int(match[3]))


def _text(address: Address) -> str:
    return f"{host_text(address.host)}:{address.port}"
