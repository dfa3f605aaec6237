"""Where a message came from, or goes to: the value that ties the pure layers to a transport."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from sip.tls import TlsPeer

Transport = Literal["UDP", "TCP", "TLS"]


class Address(NamedTuple):
    """An IP literal (IPv6 without brackets) and a port."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Hop:
    """One neighbour, as seen from one of our sockets.

    `local` is the listening socket that a datagram came in on (an answer must leave from there, RFC 3581)
    or, for a connection, the listener whose address we show to the neighbour. `connection` is that of a
    request received over TCP: the answer goes back on it, and only when it is gone is `remote` dialled
    (RFC 3261 18.2.2). `tls` is how the neighbour proves itself when it is dialled by TLS; what was proven to
    one setting is never used for another.
    """

    transport: Transport
    remote: Address
    local: Address
    connection: int | None = None
    tls: TlsPeer | None = None

    @property
    def reliable(self) -> bool:
        return self.transport != "UDP"

    @property
    def neighbour(self) -> Neighbour:
        """Who is at the other end, whatever connection leads there."""
        return (self.transport, self.remote, self.tls)


Neighbour = tuple[Transport, Address, TlsPeer | None]
