"""What the transports share: whom they report to, and the spelling of socket addresses."""

from __future__ import annotations

from typing import Protocol

from sip.hop import Address, Hop
from sip.message import Message, ParseError
from sip.tls import ClientTls


class Receiver(Protocol):
    """The layer above the transports. Its methods return at once."""

    def known(self, host: str) -> bool:
        """Whether requests from that address are wanted; all others are dropped unread."""

    def trusted(self, host: str) -> bool:
        """Whether that address is a trunk's, or of a call; others that are read must prove who they are."""

    def received(self, message: Message | ParseError, hop: Hop) -> None:
        """A message came, or something that should have been one."""

    def unreachable(self, hop: Hop) -> None:
        """What was sent to the hop cannot be delivered."""

    def disconnected(self, hop: Hop) -> None:
        """A connection is gone; a request on it that nobody has answered was perhaps never read."""

    def tls_towards(self, host: str) -> ClientTls:
        """How a peer of that address is to prove itself when we dial it."""


def plain_address(name: tuple[object, ...]) -> Address:
    """A socket's address without scope, IPv4 in its own form also when mapped into IPv6."""
    host, port = str(name[0]), name[1]
    assert isinstance(port, int)
    host = host.partition("%")[0]
    if host.lower().startswith("::ffff:") and "." in host:
        host = host[7:]
    return Address(host, port)
