"""Client transactions: RFC 3261 17.1 with the Accepted state of RFC 6026."""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from sip.hop import Hop
from sip.message import MAX_FORWARDS, Headers, Request, Response
from sip.outputs import Ended, Responded, TimedOut, Transmit, Unreachable
from sip.server_transactions import Host, Key
from sip.timers import Timer


class ClientState(Enum):
    CALLING = auto()
    """Sent, nothing heard yet (`Trying` of a non-INVITE)."""
    PROCEEDING = auto()
    ACCEPTED = auto()
    COMPLETED = auto()
    TERMINATED = auto()


_WAITING: Final = (ClientState.CALLING, ClientState.PROCEEDING)


class ClientTransaction:
    """One request sent; the base of both kinds."""

    __slots__ = ("_data", "_deadline", "_host", "_interval", "_resend", "hop", "key", "request", "state")

    def __init__(self, host: Host, key: Key, request: Request, hop: Hop, now: float) -> None:
        self._host: Final = host
        self.key: Final = key
        self.request: Final = request
        self.hop: Final = hop
        self.state = ClientState.CALLING
        self._data = request.to_bytes()
        self._interval = host.timing.t1
        self._resend: Timer | None = None
        self._transmit(self._data)
        if not hop.reliable:
            self._resend = host.timers.set(now + self._interval, self._repeat)  # A, E
        self._deadline: Timer | None = host.timers.set(now + host.timing.timeout, self._expire)  # B, F

    @property
    def waiting(self) -> bool:
        """Whether the final response is still to come."""
        return self.state in _WAITING

    def receive(self, response: Response, now: float) -> None:
        raise NotImplementedError

    def unreachable(self, now: float) -> None:
        """The transport failed."""
        if self.waiting:
            self._host.emit(Unreachable(self))
            self.end(now)

    def quiet(self) -> None:
        """Repeats the request no more, but still takes its answers."""
        self._host.timers.cancel(self._resend)

    def end(self, now: float) -> None:
        """Forgets the transaction, in whatever state."""
        if self.state is not ClientState.TERMINATED:
            self._stop_timers()
            self.state = ClientState.TERMINATED
            self._host.emit(Ended(self))

    def _next_interval(self) -> float:
        raise NotImplementedError

    def _repeat(self, now: float) -> None:
        self._transmit(self._data)
        self._interval = self._next_interval()
        self._resend = self._host.timers.set(now + self._interval, self._repeat)

    def _expire(self, now: float) -> None:
        self._host.emit(TimedOut(self))
        self.end(now)

    def _linger(self, seconds: float, now: float) -> None:
        self._stop_timers()
        if seconds:
            self._deadline = self._host.timers.set(now + seconds, self.end)
        else:
            self.end(now)

    def _stop_timers(self) -> None:
        self._host.timers.cancel(self._resend)
        self._host.timers.cancel(self._deadline)

    def _transmit(self, data: bytes) -> None:
        self._host.emit(Transmit(data, self.hop))

    def _deliver(self, response: Response) -> None:
        self._host.emit(Responded(self, response))


class NonInviteClient(ClientTransaction):
    """RFC 3261 17.1.2."""

    __slots__ = ()

    def receive(self, response: Response, now: float) -> None:
        if not self.waiting:
            return
        self._deliver(response)
        if response.status < 200:
            self.state = ClientState.PROCEEDING
        else:
            self.state = ClientState.COMPLETED
            self._linger(0 if self.hop.reliable else self._host.timing.t4, now)  # K

    def _next_interval(self) -> float:
        timing = self._host.timing
        return timing.t2 if self.state is ClientState.PROCEEDING else min(2 * self._interval, timing.t2)


class InviteClient(ClientTransaction):
    """RFC 3261 17.1.1 and RFC 6026 7.2. The ACK of a refusal is made here, that of a 2xx by the dialog."""

    __slots__ = ()

    def receive(self, response: Response, now: float) -> None:
        status = response.status
        match self.state:
            case ClientState.CALLING | ClientState.PROCEEDING if status < 200:
                self._stop_timers()
                self.state = ClientState.PROCEEDING
                self._deliver(response)
            case ClientState.CALLING | ClientState.PROCEEDING if status < 300:
                self.state = ClientState.ACCEPTED
                self._linger(self._host.timing.timeout, now)  # M
                self._deliver(response)
            case ClientState.CALLING | ClientState.PROCEEDING:
                self.state = ClientState.COMPLETED
                self._acknowledge(response)
                self._deliver(response)
                self._linger(0 if self.hop.reliable else self._host.timing.timeout, now)  # D
            case ClientState.ACCEPTED if 200 <= status < 300:
                self._deliver(response)
            case ClientState.COMPLETED if status >= 300:
                self._acknowledge(response)
            case _:
                pass

    def _next_interval(self) -> float:
        return 2 * self._interval

    def _acknowledge(self, response: Response) -> None:
        self._transmit(refusal_ack(self.request, response).to_bytes())


def refusal_ack(invite: Request, response: Response) -> Request:
    """The ACK of a 3xx to 6xx (RFC 3261 17.1.1.3): the INVITE's branch and route, the response's To."""
    ack = _same_hop(invite, "ACK")
    ack.headers.set("To", response.headers.get("To") or "")
    return ack


def cancel_of(invite: Request) -> Request:
    """The CANCEL of an INVITE (RFC 3261 9.1)."""
    return _same_hop(invite, "CANCEL")


def _same_hop(invite: Request, method: str) -> Request:
    """A request that goes the INVITE's way, with its one Via and its identity."""
    source = invite.headers
    headers = Headers()
    headers.add("Via", str(invite.via))
    headers.add("Max-Forwards", MAX_FORWARDS)
    for name in ("From", "To", "Call-ID"):
        headers.add(name, source.get(name) or "")
    headers.add("CSeq", f"{invite.cseq.number} {method}")
    for route in source.get_all("Route"):
        headers.add("Route", route)
    return Request(method, invite.uri, headers, b"")
