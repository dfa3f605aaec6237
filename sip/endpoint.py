"""The shell around the transaction layer: sockets below it, one timer for all, handlers above it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from sip.client_transactions import ClientTransaction
from sip.hop import Address, Hop
from sip.locate import DEFAULT_PORTS
from sip.message import Message, ParseError, Request, Response, Via, response_to
from sip.outputs import Acked, Ended, Output, Requested, Responded, TimedOut, Transmit, Unacked, Unreachable
from sip.privacy import masked
from sip.resolver import Resolver
from sip.router import Router
from sip.server_transactions import ServerTransaction
from sip.timers import Action, Timer, TimerHeap, Timing
from sip.tls import ClientTls, ServerTls
from sip.transactions import MAGIC_COOKIE, TransactionLayer
from sip.transports import Transports
from sip.uri import Uri

log = logging.getLogger(__name__)

OnResponse = Callable[[ClientTransaction, int, Response | None], None]
"""Takes a response to our request. Without one the status is ours: 408 no answer came, 503 not sendable."""

Extra = Iterable[tuple[str, str]]
"""Header fields to add."""


class Core(Protocol):
    """What is above the transactions. Its methods return at once."""

    def known(self, host: str) -> bool:
        """Whether requests from that address are read; asked once for each datagram and connection."""

    def trusted(self, host: str) -> bool:
        """Whether what comes from that address may be answered without a proof of who it is."""

    def requested(self, server: ServerTransaction) -> None:
        """A new request; ParseError and other exceptions are answered with 400 and 500."""

    def acked(self, ack: Request) -> None:
        """An ACK for one of our 2xx."""

    def unacked(self, server: ServerTransaction) -> None:
        """No ACK came for our 2xx."""

    def tls_towards(self, host: str) -> ClientTls:
        """How a peer of that address is to prove itself when we dial it."""


class Endpoint:
    """Sends and receives requests and responses, and keeps the time, for one user agent."""

    def __init__(
        self,
        core: Core,
        listen: list[str],
        advertise: str | None,
        user_agent: str,
        timing: Timing,
        *,
        tls: ServerTls | None = None,
        resolver: Resolver | None = None,
    ) -> None:
        self._core: Final = core
        self.timing: Final = timing
        self.user_agent: Final = user_agent
        self.timers: Final = TimerHeap()
        self.layer: Final = TransactionLayer(timing, self.timers)
        self.transports: Final = Transports(self, listen, advertise=advertise, tls=tls)
        self.router: Final = Router(self.transports, resolver or Resolver(), core.tls_towards)
        self._handlers: dict[ClientTransaction, OnResponse] = {}
        self._wake: asyncio.TimerHandle | None = None
        self._wake_at = 0.0
        self._idle: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    # Life

    async def start(self) -> None:
        """Binds the sockets; raises OSError that names the address or certificate file."""
        self._loop = asyncio.get_running_loop()
        await self.transports.start()

    async def close(self) -> None:
        """Closes the sockets and forgets every transaction and timer."""
        await self.router.close()
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None
        self._loop = None
        self._handlers.clear()
        await self.transports.close()

    async def settled(self, within: float) -> None:
        """Waits until every request of ours has its final response, at most so many seconds."""
        self._idle = asyncio.Event()
        if self._asking:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within):
                    await self._idle.wait()

    @property
    def _asking(self) -> bool:
        return any(client.waiting for client in self._handlers)

    def now(self) -> float:
        return self._running.time()

    def later(self, seconds: float, action: Action) -> Timer:
        """Runs the action once after that time, unless the timer is cancelled (`timers.cancel`)."""
        timer = self.timers.set(self.now() + seconds, lambda now: self._guard(action, now))
        self._arm()
        return timer

    # Sending

    def request(
        self, request: Request, hop: Hop, handler: OnResponse, *, within: float | None = None
    ) -> ClientTransaction:
        """Sends a request (not ACK) in a transaction; raises ValueError when it cannot be written.

        An INVITE that rings is waited for without end, unless `within` gives the seconds until its 408.
        """
        self._stamp(request, hop)
        client, outputs = self.layer.send(request, hop, self.now())
        self._handlers[client] = handler
        if within is not None:
            self.timers.set(self.now() + within, lambda now: self._overdue(client))
        self._perform(outputs)
        return client

    def cancel(self, invite: ClientTransaction, reason: str) -> None:
        """Sends the CANCEL of an INVITE; what becomes of the CANCEL itself does not matter."""
        _, outputs = self.layer.cancel(invite, self.now(), (("Reason", reason),))
        self._perform(outputs)

    def abandon(self, transaction: ClientTransaction | ServerTransaction) -> None:
        """Forgets a transaction: waits no longer for an answer, or gives none."""
        self._perform(self.layer.abandon(transaction, self.now()))

    def ack(self, ack: Request, hop: Hop) -> bytes:
        """Sends the ACK of a 2xx; the bytes serve for its repetition with `transmit`."""
        self._stamp(ack, hop)
        data = ack.to_bytes()
        self.transmit(data, hop)
        return data

    def transmit(self, data: bytes, hop: Hop) -> None:
        self.transports.send(data, hop)

    def respond(
        self,
        server: ServerTransaction,
        status: int,
        *,
        reason: str | None = None,
        tag: str | None = None,
        extra: Extra = (),
        sdp: bytes | None = None,
    ) -> None:
        """Answers a request. Final responses get a To tag of their own when none is given."""
        if tag is None and status >= 200:
            tag = new_tag()
        response = response_to(server.request, status, reason, tag)
        for name, value in extra:
            response.headers.add(name, value)
        if status > 100:
            response.headers.add("Server", self.user_agent)
        if sdp is not None:
            response.headers.add("Content-Type", "application/sdp")
            response.body = sdp
        self._perform(self.layer.respond(server, response, self.now()))

    def acknowledged(self, server: ServerTransaction) -> None:
        """The ACK of our 2xx came."""
        self.layer.acknowledged(server)

    # Who we are

    def shown(self, hop: Hop) -> Address:
        """The address of ours that the neighbour is told."""
        return self.transports.shown(hop)

    def contact(self, hop: Hop, user: str, *, sips: bool = False) -> str:
        """Our Contact towards a neighbour; `sips` where theirs is such a URI (RFC 3261 8.1.1.8, 12.1.1)."""
        host, port = self.shown(hop)
        if sips:
            return f"<{Uri('sips', user or None, host, port or None)}>"
        params = () if hop.transport == "UDP" else (("transport", hop.transport.lower()),)
        return f"<{Uri('sip', user or None, host, port or None, params)}>"

    # From the transports

    def known(self, host: str) -> bool:
        return self._core.known(host)

    def trusted(self, host: str) -> bool:
        return self._core.trusted(host)

    def received(self, message: Message | ParseError, hop: Hop) -> None:
        if self._loop is None:
            return
        if isinstance(message, ParseError):
            self._complain(message, hop)
            return
        if isinstance(message, Request):
            hop = _reply_hop(message, hop)
        self._perform(self.layer.receive(message, hop, self.now()))

    def unreachable(self, hop: Hop) -> None:
        if self._loop is not None:
            self._loop.call_soon(self._report_unreachable, hop)

    def disconnected(self, hop: Hop) -> None:
        if self._loop is not None:
            self._loop.call_soon(self._report_disconnected, hop)

    def tls_towards(self, host: str) -> ClientTls:
        return self._core.tls_towards(host)

    def _report_unreachable(self, hop: Hop) -> None:
        if self._loop is not None:
            self._perform(self.layer.unreachable(hop, self.now()))

    def _report_disconnected(self, hop: Hop) -> None:
        if self._loop is not None:
            self._perform(self.layer.disconnected(hop, self.now()))

    def _complain(self, error: ParseError, hop: Hop) -> None:
        """Malformed, but complete enough for an answer: without a transaction, so that nothing is kept."""
        if error.request is None or not self._core.trusted(hop.remote.host):
            return
        log.info("a malformed SIP request was answered with %d: %s", error.status, masked(error))
        try:
            hop = _reply_hop(error.request, hop)
            response = response_to(error.request, error.status, to_tag=new_tag())
            self.transmit(response.to_bytes(), hop)
        except ValueError:
            return

    # The layer's outputs

    def _perform(self, outputs: list[Output]) -> None:
        for output in outputs:
            match output:
                case Transmit(data, hop):
                    self.transports.send(data, hop)
                case Responded(client, response):
                    self._handle(client, response.status, response)
                case Requested(server):
                    self._serve(server)
                case Acked(ack):
                    self._guard(self._core.acked, ack)
                case Unacked(server):
                    self._guard(self._core.unacked, server)
                case TimedOut(client):
                    self._handle(client, 408, None)
                case Unreachable(client):
                    self.router.health.failed(client.hop, self.now())
                    self._handle(client, 503, None)
                case Ended(ClientTransaction() as client):
                    self._handlers.pop(client, None)
        self._arm()
        if self._idle is not None and not self._asking:
            self._idle.set()

    def _handle(self, client: ClientTransaction, status: int, response: Response | None) -> None:
        handler = self._handlers.get(client)
        if handler is not None:
            self._guard(handler, client, status, response)

    def _serve(self, server: ServerTransaction) -> None:
        try:
            self._core.requested(server)
        except ParseError as error:
            log.info("a malformed SIP request was answered with %d: %s", error.status, masked(error))
            self._guard(self.respond, server, error.status)
        except Exception:
            log.exception("a SIP request could not be handled")
            self._guard(self.respond, server, 500)

    def _guard(self, function: Callable[..., None], *arguments: object) -> None:
        """What one peer's message breaks must not touch the other calls."""
        try:
            function(*arguments)
        except ParseError as error:
            log.info("a malformed SIP message was dropped: %s", masked(error))
        except Exception:
            log.exception("a SIP message could not be handled")

    # Time

    def _overdue(self, client: ClientTransaction) -> None:
        if client.waiting:
            self._handle(client, 408, None)
            self.abandon(client)

    def _arm(self) -> None:
        due = self.timers.due
        if self._loop is None or due is None or (self._wake is not None and self._wake_at <= due):
            return
        if self._wake is not None:
            self._wake.cancel()
        self._wake_at = due
        self._wake = self._loop.call_at(due, self._woken)

    def _woken(self) -> None:
        self._wake = None
        if self._loop is not None:
            self._perform(self.layer.poll(self.now()))

    # Helpers

    @property
    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise RuntimeError("the SIP endpoint is not started")
        return self._loop

    def _stamp(self, request: Request, hop: Hop) -> None:
        host, port = self.shown(hop)
        params = (("branch", new_branch()), ("rport", None))
        request.headers.prepend("Via", str(Via(hop.transport, host, port or None, params)))
        request.headers.add("User-Agent", self.user_agent)


def _reply_hop(request: Request, hop: Hop) -> Hop:
    """Notes where the request came from in its Via (RFC 3261 18.2.1, RFC 3581) and tells where answers go."""
    via = request.via
    source = hop.remote
    if via.wants_rport:
        via = via.with_param("received", source.host).with_param("rport", str(source.port))
    elif via.host.lower() != source.host:
        via = via.with_param("received", source.host)
    if via is not request.via:
        request.headers.replace_first("Via", str(via))
    if hop.transport == "UDP" and via.wants_rport:
        return hop
    port = via.port or DEFAULT_PORTS[hop.transport]
    return Hop(hop.transport, Address(source.host, port), hop.local, hop.connection, hop.tls)


def new_branch() -> str:
    return f"{MAGIC_COOKIE}{secrets.token_hex(10)}"


def new_tag() -> str:
    return secrets.token_hex(6)
