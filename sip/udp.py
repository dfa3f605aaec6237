"""SIP over datagrams."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Final, cast

from sip.hop import Address, Hop
from sip.message import Message, ParseError, parse
from sip.wire import Receiver, plain_address

log = logging.getLogger(__name__)

_KEEPALIVE: Final = 4
"""Datagrams up to this size (CRLF, zero bytes) keep a NAT open, and say nothing."""


class UdpTransport(asyncio.DatagramProtocol):
    """One bound socket."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver: Final = receiver
        self._transport: asyncio.DatagramTransport | None = None
        self.local = Address("", 0)

    async def start(self, sock: socket.socket) -> None:
        """Receives on a bound socket."""
        host, port = sock.getsockname()[:2]
        self.local = Address(host, port)
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=sock)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)  # uvloop's is no subclass

    def datagram_received(self, data: bytes, addr: tuple[object, ...]) -> None:
        remote = plain_address(addr)
        # A response is matched by a branch that cannot be guessed; a request must come from a known address.
        if len(data) <= _KEEPALIVE or not (data.startswith(b"SIP/2.0 ") or self._receiver.known(remote.host)):
            return
        message: Message | ParseError
        try:
            message = parse(data)
        except ParseError as error:
            message = error
        self._receiver.received(message, Hop("UDP", remote, self.local))

    def send(self, data: bytes, hop: Hop) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        try:
            self._transport.sendto(data, hop.remote)
        except (OSError, ValueError) as error:  # what the peer named as its address cannot be sent to
            log.info("a SIP datagram could not be sent: %s", error)

    async def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
            await asyncio.sleep(0)
