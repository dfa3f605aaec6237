"""Server transactions: RFC 3261 17.2 with the Accepted state of RFC 6026."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Final, Protocol

from sip.hop import Hop
from sip.message import Request, Response
from sip.outputs import Ended, Output, Requested, Transmit, Unacked
from sip.timers import Timer, TimerHeap, Timing

Key = tuple[object, ...]


class Host(Protocol):
    """What a transaction needs of its layer."""

    timers: TimerHeap
    timing: Timing

    def emit(self, output: Output) -> None: ...


class ServerState(Enum):
    TRYING = auto()
    PROCEEDING = auto()
    ACCEPTED = auto()
    COMPLETED = auto()
    CONFIRMED = auto()
    TERMINATED = auto()


class ServerTransaction:
    """One request received; the base of both kinds. `hop` is where its responses go."""

    __slots__ = ("_host", "_last", "_timers", "hop", "key", "request", "state")

    def __init__(self, host: Host, key: Key, request: Request, hop: Hop, state: ServerState) -> None:
        self._host: Final = host
        self.key: Final = key
        self.request: Final = request
        self.hop: Final = hop
        self.state = state
        self._last: bytes | None = None
        self._timers: list[Timer] = []
        host.emit(Requested(self))

    def respond(self, response: Response, now: float) -> None:
        """Sends a response; one that comes too late for the state (487 after 200) is dropped."""
        raise NotImplementedError

    def repeated(self, now: float) -> None:
        """The request came again."""
        if self._last is not None and self.state in (ServerState.PROCEEDING, ServerState.COMPLETED):
            self._transmit(self._last)

    def _send(self, response: Response) -> None:
        self._last = response.to_bytes()
        self._transmit(self._last)

    def _transmit(self, data: bytes) -> None:
        self._host.emit(Transmit(data, self.hop))

    def _after(self, seconds: float, action: Callable[[float], None], now: float) -> None:
        self._timers.append(self._host.timers.set(now + seconds, action))

    def _stop_timers(self) -> None:
        for timer in self._timers:
            self._host.timers.cancel(timer)
        self._timers.clear()

    def end(self, now: float) -> None:
        """Forgets the transaction, in whatever state."""
        if self.state is not ServerState.TERMINATED:
            self._stop_timers()
            self.state = ServerState.TERMINATED
            self._last = None
            self._host.emit(Ended(self))


class NonInviteServer(ServerTransaction):
    """RFC 3261 17.2.2."""

    __slots__ = ()

    def __init__(self, host: Host, key: Key, request: Request, hop: Hop) -> None:
        super().__init__(host, key, request, hop, ServerState.TRYING)

    def respond(self, response: Response, now: float) -> None:
        if self.state not in (ServerState.TRYING, ServerState.PROCEEDING):
            return
        self._send(response)
        if response.status < 200:
            self.state = ServerState.PROCEEDING
            return
        self.state = ServerState.COMPLETED
        if self.hop.reliable:
            self.end(now)
        else:
            self._after(self._host.timing.timeout, self.end, now)  # J


class InviteServer(ServerTransaction):
    """RFC 3261 17.2.1 and RFC 6026 7.1.

    It also repeats our 2xx until it is acknowledged (13.3.1.4), so that all timers of an INVITE stand here.
    """

    __slots__ = ("_interval",)

    def __init__(self, host: Host, key: Key, request: Request, hop: Hop) -> None:
        super().__init__(host, key, request, hop, ServerState.PROCEEDING)
        self._interval = host.timing.t1

    def respond(self, response: Response, now: float) -> None:
        if self.state is not ServerState.PROCEEDING:
            return
        self._send(response)
        if response.status < 200:
            return
        timing = self._host.timing
        if response.status < 300:
            self.state = ServerState.ACCEPTED
            self._after(timing.timeout, self._expire_accepted, now)  # L
            self._after(self._interval, self._repeat, now)  # over every transport: the next hop may lose it
            return
        self.state = ServerState.COMPLETED
        self._after(timing.timeout, self.end, now)  # H
        if not self.hop.reliable:
            self._after(self._interval, self._repeat, now)  # G

    @property
    def acknowledged(self) -> bool:
        """Whether our 2xx was acknowledged."""
        return self.state is ServerState.ACCEPTED and self._last is None

    def acknowledge(self) -> None:
        """The ACK of our 2xx came: the 2xx is no longer repeated. Further ACKs change nothing."""
        if self.state is ServerState.ACCEPTED:
            self._last = None

    def ack(self, now: float) -> bool:
        """An ACK with our branch came; False when it acknowledges a 2xx and so belongs to the dialog."""
        if self.state is ServerState.ACCEPTED:
            return False
        if self.state is ServerState.COMPLETED:
            self._stop_timers()
            self.state = ServerState.CONFIRMED
            if self.hop.reliable:
                self.end(now)
            else:
                self._after(self._host.timing.t4, self.end, now)  # I
        return True

    def _repeat(self, now: float) -> None:
        if self._last is not None:
            self._transmit(self._last)
            self._interval = min(2 * self._interval, self._host.timing.t2)
            self._after(self._interval, self._repeat, now)

    def _expire_accepted(self, now: float) -> None:
        if self._last is not None:
            self._host.emit(Unacked(self))
        self.end(now)
