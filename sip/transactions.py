"""The transaction layer (RFC 3261 17, RFC 6026): which message belongs to what, and what is sent when.

No I/O and no clock: every call takes the time and returns, in order, what is to be transmitted and what
happened. Call `poll` when `due` has come.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sip.client_transactions import ClientState, ClientTransaction, InviteClient, NonInviteClient, cancel_of
from sip.hop import Hop
from sip.message import Request, Response
from sip.outputs import Acked, Ended, Output
from sip.server_transactions import InviteServer, Key, NonInviteServer, ServerTransaction
from sip.timers import TimerHeap, Timing

MAGIC_COOKIE: Final = "z9hG4bK"
"""Begins every branch made by RFC 3261's rules."""


class TransactionLayer:
    """All transactions of one user agent. `timers` may be shared with the layer above."""

    def __init__(self, timing: Timing | None = None, timers: TimerHeap | None = None) -> None:
        self.timing = timing or Timing()
        self.timers = TimerHeap() if timers is None else timers
        self._servers: dict[Key, ServerTransaction] = {}
        self._clients: dict[Key, ClientTransaction] = {}
        self._origins: dict[Key, ServerTransaction] = {}
        self._out: list[Output] = []

    def __len__(self) -> int:
        """How many transactions live."""
        return len(self._servers) + len(self._clients)

    @property
    def due(self) -> float | None:
        """When `poll` is to be called next."""
        return self.timers.due

    def poll(self, now: float) -> list[Output]:
        self.timers.run(now)
        return self._taken()

    def receive(self, message: Request | Response, hop: Hop, now: float) -> list[Output]:
        """Takes a message off the wire. For a request, `hop` is where its responses will go."""
        if isinstance(message, Response):
            client = self._clients.get((message.via.branch, message.cseq.method))
            if client is not None:
                client.receive(message, now)
            return self._taken()
        key = server_key(message, message.method)
        server = self._servers.get(key)
        if message.method == "ACK":
            if not (isinstance(server, InviteServer) and server.ack(now)):
                self.emit(Acked(message, hop))
        elif server is not None:
            server.repeated(now)
        else:
            kind = InviteServer if message.method == "INVITE" else NonInviteServer
            server = self._servers[key] = kind(self, key, message, hop)
            if message.to.tag is None:
                self._origins.setdefault(_origin(message), server)
        return self._taken()

    def send(self, request: Request, hop: Hop, now: float) -> tuple[ClientTransaction, list[Output]]:
        """Sends a request (not ACK); its topmost Via has a branch that was never used before."""
        key = (request.via.branch, request.method)
        kind = InviteClient if request.method == "INVITE" else NonInviteClient
        client = self._clients[key] = kind(self, key, request, hop, now)
        return client, self._taken()

    def cancel(
        self, invite: ClientTransaction, now: float, extra: Iterable[tuple[str, str]] = ()
    ) -> tuple[ClientTransaction, list[Output]]:
        """Sends the CANCEL of an INVITE that has had a provisional response, with `extra` header fields."""
        cancel = cancel_of(invite.request)
        for name, value in extra:
            cancel.headers.add(name, value)
        return self.send(cancel, invite.hop, now)

    def respond(self, server: ServerTransaction, response: Response, now: float) -> list[Output]:
        """Sends a response; one that comes too late for the state of the transaction is dropped."""
        server.respond(response, now)
        return self._taken()

    def acknowledged(self, server: ServerTransaction) -> None:
        """The ACK of our 2xx came (it has a branch of its own, so the dialog tells which INVITE it means)."""
        if isinstance(server, InviteServer):
            server.acknowledge()

    def abandon(self, transaction: ClientTransaction | ServerTransaction, now: float) -> list[Output]:
        """Forgets a request without an answer: ours, 64*T1 after its CANCEL (RFC 3261 9.1), or theirs."""
        transaction.end(now)
        return self._taken()

    def unreachable(self, hop: Hop, now: float) -> list[Output]:
        """The transport could not deliver to that neighbour."""
        for client in [c for c in self._clients.values() if c.hop.neighbour == hop.neighbour]:
            client.unreachable(now)
        return self._taken()

    def disconnected(self, hop: Hop, now: float) -> list[Output]:
        """A connection is gone: what nobody has answered yet was perhaps never read. What was answered
        provisionally goes on, for its final response may come by another connection (RFC 3261 18.2.2)."""
        for client in [c for c in self._clients.values() if c.hop.neighbour == hop.neighbour]:
            if client.state is ClientState.CALLING:
                client.unreachable(now)
        return self._taken()

    def cancelled_by(self, cancel: Request) -> ServerTransaction | None:
        """The INVITE that a received CANCEL means (RFC 3261 9.2)."""
        return self._servers.get(server_key(cancel, "INVITE"))

    def merged(self, server: ServerTransaction) -> bool:
        """Whether the request came before by another path (RFC 3261 8.2.2.2): answer it with 482."""
        request = server.request
        return request.to.tag is None and self._origins.get(_origin(request)) is not server

    def emit(self, output: Output) -> None:
        """For the transactions: what they have to say."""
        self._out.append(output)
        if isinstance(output, Ended):
            self._forget(output.transaction)

    def _forget(self, transaction: ClientTransaction | ServerTransaction) -> None:
        if isinstance(transaction, ClientTransaction):
            self._clients.pop(transaction.key, None)
            return
        self._servers.pop(transaction.key, None)
        origin = _origin(transaction.request)
        if self._origins.get(origin) is transaction:
            del self._origins[origin]

    def _taken(self) -> list[Output]:
        out, self._out = self._out, []
        return out


def server_key(request: Request, method: str) -> Key:
    """Identifies the server transaction of a request (RFC 3261 17.2.3); an ACK has its INVITE's.

    A branch without the magic cookie comes from an RFC 2543 client: all that such a client repeats counts.
    So it does where nothing follows the cookie (RFC 4475 3.2.1).
    """
    kind = "INVITE" if method == "ACK" else method
    via = request.via
    if via.branch is not None and via.branch.startswith(MAGIC_COOKIE) and via.branch != MAGIC_COOKIE:
        return (via.branch, via.host.lower(), via.port, kind)
    to_tag = None if kind == "INVITE" else request.to.tag
    sent_by = (via.host.lower(), via.port, via.branch)
    return (str(request.uri), to_tag, request.from_.tag, request.call_id, request.cseq.number, sent_by, kind)


def _origin(request: Request) -> Key:
    return (request.from_.tag, request.call_id, request.cseq.number, request.method)
