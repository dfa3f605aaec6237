"""All listening sockets of one user agent, and the choice of one for what is to be sent."""

from __future__ import annotations

import re
import socket
from typing import Final

from sip.hop import Address, Hop, Transport
from sip.tcp import IDLE_S, MAX_CONNECTIONS, TcpTransport
from sip.udp import UdpTransport
from sip.wire import Receiver

_LISTEN: Final = re.compile(r"(udp|tcp):(\[[0-9A-Fa-f:.]+\]|[0-9.]+):([0-9]{1,5})")
_WILDCARDS: Final = ("0.0.0.0", "::")
_RECEIVE_BUFFER: Final = 1024 * 1024
_ROUTES: Final = 4096


class Transports:
    """UDP and TCP sockets behind one `send`. A further transport (TLS) is one more entry of `_start_one`."""

    def __init__(
        self,
        receiver: Receiver,
        listen: list[str],
        *,
        advertise: str | None = None,
        idle_s: float = IDLE_S,
        max_connections: int = MAX_CONNECTIONS,
    ) -> None:
        """`listen` has entries as `udp:127.0.0.1:5060` or `tcp:[::1]:0`; raises ValueError for others.

        `advertise` is the IP address or name that peers are told instead of the bound one.
        """
        self._receiver: Final = receiver
        self._listen: Final = [_parsed(text) for text in listen]
        self._advertise: Final = advertise
        self._idle_s: Final = idle_s
        self._max_connections: Final = max_connections
        self._sockets: dict[tuple[Transport, Address], UdpTransport | TcpTransport] = {}
        self._routes: dict[str, str] = {}

    async def start(self) -> None:
        """Binds all; raises OSError that names the address, with nothing left bound."""
        try:
            for transport, address in self._listen:
                await self._start_one(transport, address)
        except OSError:
            await self.close()
            raise

    async def close(self) -> None:
        sockets, self._sockets = self._sockets, {}
        for one in sockets.values():
            await one.close()

    def addresses(self) -> list[str]:
        """Where we listen, as `udp:127.0.0.1:5060`, with the real ports."""
        return [f"{transport.lower()}:{_text(address)}" for transport, address in self._sockets]

    @property
    def connections(self) -> int:
        """TCP connections that are open."""
        return sum(len(one) for one in self._sockets.values() if isinstance(one, TcpTransport))

    def send(self, data: bytes, hop: Hop) -> None:
        one = self._sockets.get((hop.transport, hop.local))
        if one is not None:
            one.send(data, hop)

    def connected(self, hop: Hop) -> bool:
        """Whether the connection that the hop names is open."""
        one = self._sockets.get((hop.transport, hop.local))
        return isinstance(one, TcpTransport) and one.connected(hop)

    def hop_to(self, remote: Address, transport: Transport | None) -> Hop | None:
        """The hop to an IP address, by UDP where no transport is asked for. None: no socket of ours fits."""
        source = self._source(remote.host)
        fitting = [
            (kind, local)
            for kind, local in self._sockets
            if transport in (None, kind) and (":" in local.host) == (":" in remote.host)
        ]
        if not fitting:
            return None
        exact = [pair for pair in fitting if pair[1].host in (source, *_WILDCARDS)] or fitting
        kind, local = min(exact, key=lambda pair: pair[0] != "UDP")
        return Hop(kind, remote, local)

    def shown(self, hop: Hop) -> Address:
        """The address of ours that the neighbour is told (Via, Contact, SDP)."""
        host = self._advertise or hop.local.host
        if host in _WILDCARDS:
            host = self._source(hop.remote.host)
        return Address(host, hop.local.port)

    async def _start_one(self, transport: Transport, address: Address) -> None:
        kind = socket.SOCK_DGRAM if transport == "UDP" else socket.SOCK_STREAM
        sock = socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET, kind)
        try:
            sock.setblocking(False)
            if sock.family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if transport == "UDP":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            else:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(address)
        except OSError as error:
            sock.close()
            where = f"{transport.lower()}:{_text(address)}"
            raise OSError(error.errno, f"cannot listen on {where}: {error.strerror}") from error
        one: UdpTransport | TcpTransport
        if transport == "UDP":
            one = UdpTransport(self._receiver)
        else:
            one = TcpTransport(self._receiver, idle_s=self._idle_s, max_connections=self._max_connections)
        await one.start(sock)
        self._sockets[(transport, one.local)] = one

    def _source(self, remote: str) -> str:
        """The address of ours that the kernel would send from; nothing is sent."""
        found = self._routes.get(remote)
        if found is None:
            family = socket.AF_INET6 if ":" in remote else socket.AF_INET
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                try:
                    probe.connect((remote, 9))
                    found = str(probe.getsockname()[0])
                except OSError:
                    found = "::1" if family == socket.AF_INET6 else "127.0.0.1"
            if len(self._routes) >= _ROUTES:
                self._routes.clear()
            self._routes[remote] = found
        return found


def _parsed(text: str) -> tuple[Transport, Address]:
    match = _LISTEN.fullmatch(text)
    if match is None or int(match[3]) > 65535:
        raise ValueError(f"cannot listen on {text!r}: write it as udp:127.0.0.1:5060 or tcp:[::1]:5060")
    transport: Transport = "UDP" if match[1] == "udp" else "TCP"
    return transport, Address(match[2].strip("[]"), int(match[3]))


def _text(address: Address) -> str:
    host = f"[{address.host}]" if ":" in address.host else address.host
    return f"{host}:{address.port}"
