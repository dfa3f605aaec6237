"""One stream of SIP messages, and whether its far end still lives (RFC 5626 4.4.1)."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Final, Protocol, cast

from sip.framer import Framer, Keepalive
from sip.hop import Address, Hop
from sip.privacy import masked
from sip.tls import TlsPeer
from sip.wire import Receiver, plain_address

log = logging.getLogger(__name__)

PING: Final = b"\r\n\r\n"
PONG: Final = b"\r\n"


@dataclass(frozen=True, slots=True)
class Limits:
    """`buffered`: bytes that may wait to be sent. Every `ping_s` seconds we ping on the connections that we
    opened; a peer that has answered one before must answer each within `pong_s`."""

    buffered: int
    ping_s: float
    pong_s: float


class Owner(Protocol):
    """Who keeps the connections."""

    @property
    def receiver(self) -> Receiver: ...

    def opened(self, connection: Connection) -> Hop | None:
        """Takes a connection in, and tells how it is called; None when it is not wanted."""

    def closed(self, connection: Connection) -> None:
        """It is gone."""


class Connection(asyncio.Protocol):
    """Made with `tls` for a peer that we dialled by TLS; `inbound` where the peer dialled us."""

    def __init__(self, owner: Owner, limits: Limits, *, inbound: bool, tls: TlsPeer | None = None) -> None:
        self._owner: Final = owner
        self._limits: Final = limits
        self.inbound: Final = inbound
        self.tls: Final = tls
        self._loop: Final = asyncio.get_running_loop()
        self._framer: Final = Framer()
        self._transport: asyncio.Transport | None = None
        self._heartbeat: asyncio.TimerHandle | None = None
        self._heard = True
        self._answers_pings = False
        self.used_at = self._loop.time()
        self.peer = Address("", 0)
        self.hop: Hop | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass
        name = transport.get_extra_info("peername")
        if name is not None:
            self.peer = plain_address(name)
            self.hop = self._owner.opened(self)
        if self.hop is None:
            self._transport.abort()
        elif not self.inbound:
            self._heartbeat = self._loop.call_later(self._limits.ping_s, self._ping)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._heartbeat is not None:
            self._heartbeat.cancel()
        self._owner.closed(self)

    def data_received(self, data: bytes) -> None:
        hop = self.hop
        if hop is None:
            return
        items = self._framer.feed(data)
        if not self._heard:
            self._heard = True
            self._answers_pings |= self._framer.take_pong()
        if items:
            self.used_at = self._loop.time()
        receiver = self._owner.receiver
        for item in items:
            if isinstance(item, Keepalive):
                self.send(PONG)
            else:
                receiver.received(item, hop)
        if self._framer.lost is not None:
            log.info("a SIP connection was closed: %s", masked(self._framer.lost))
            self.close()

    def send(self, data: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size() + len(data) > self._limits.buffered:
            log.warning("a SIP connection was given up: its peer does not read")
            transport.abort()
            if self.hop is not None:
                self._owner.receiver.unreachable(self.hop)
            return
        self.used_at = self._loop.time()
        transport.write(data)

    @property
    def local_port(self) -> int:
        name = None if self._transport is None else self._transport.get_extra_info("sockname")
        return 0 if name is None else plain_address(name).port

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # Whether the peer lives

    def _ping(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self._heard = False
        self._transport.write(PING)
        self._heartbeat = self._loop.call_later(self._limits.pong_s, self._judge)

    def _judge(self) -> None:
        """Many peers take no notice of a ping; only from one that has answered is silence a sign of death."""
        if not self._heard and self._answers_pings:
            log.info("the SIP connection to %s port %d is dead: no answer to a ping", *self.peer)
            self.abort()
            return
        pause = max(0.0, self._limits.ping_s - self._limits.pong_s)
        self._heartbeat = self._loop.call_later(pause, self._ping)
