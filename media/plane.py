"""The RTP plane: all streams of the process, driven by one timer on the event loop.

Every 5 ms one of four groups of streams is due, and each of its streams sends one packet; then whatever came
to any socket is taken in one sweep over an epoll set of the plane's own. So a wake of the event loop serves
many packets, however many calls there are, and a packet waits 5 ms at most. A wake for each packet
(`add_reader`), when they come one by one as from many callers, measured twice the processor time.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import select
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from media.carrying import Carriage, CarriedStream, Carrier
from media.link import Link
from media.pace import FRAME_S, Lateness, Pace
from media.ports import Datagrams, PortPair, PortPool, Sockets
from media.source import Address
from media.stream import RtpStream, StreamEvents

logger = logging.getLogger(__name__)

DATAGRAM_BYTES: Final = 2048

GROUPS: Final = 4
SLOT_S: Final = FRAME_S / GROUPS

_IDLE_S: Final = 0.1
_SWEEPS: Final = 8
_BACKLOG: Final = 512

_Receive = Callable[[bytearray], tuple[int, Address]]
_Handler = Callable[[bytearray, int, Address, float], None]


@dataclass(slots=True)
class Totals:
    """Packets of all streams since the start; `skipped` counts ticks that a late loop left out."""

    packets_in: int = 0
    packets_out: int = 0
    dropped: int = 0
    send_errors: int = 0
    skipped: int = 0


class _Group:
    """Streams that send at the same time.

    The tuple is replaced, never changed, so that a stream may end within the tick of its group.
    """

    __slots__ = ("links", "pace")

    def __init__(self) -> None:
        self.pace = Pace(0.0)
        self.links: tuple[Link, ...] = ()


class RtpPlane:
    """Opens streams; between `start` and `close`."""

    def __init__(self, ports: PortPool, *, timeout_s: float, address: str) -> None:
        """`timeout_s` is how long a far end may send nothing; `address` names us in RTCP (CNAME)."""
        self.timeout_s = timeout_s
        self.cname = f"{secrets.token_hex(6)}@{address}"
        self._ports = ports
        self._groups = tuple(_Group() for _ in range(GROUPS))
        self._streams: set[RtpStream] = set()
        self._pairs: dict[RtpStream, PortPair] = {}
        self._readers: dict[int, tuple[_Receive, _Handler]] = {}
        self._buffer = bytearray(DATAGRAM_BYTES)
        self._past = Totals()
        self._lateness = Lateness()
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._loop = loop
        self.time = loop.time
        self._epoll = select.epoll()
        self._set_out(loop.time())

    async def close(self) -> None:
        """Ends all streams; does nothing before `start` and after the first time."""
        if self._timer is None:
            return
        for stream in list(self._streams):
            stream.close()
        self._timer.cancel()
        self._timer = None
        self._epoll.close()

    def open(self, events: StreamEvents, ipv6: bool | None = None) -> RtpStream:
        """Binds a pair of ports for a new stream, of that IP version where it is told; raises `NoPorts`."""
        now = self.time()
        pair = self._ports.acquire(now, ipv6)
        stream = RtpStream(self, pair, events, pair.port)
        self._pairs[stream] = pair
        self._join(stream, now)
        return stream

    def carry(self, events: StreamEvents, carrier: Carrier) -> CarriedStream:
        """A new stream whose packets go through something else than ports of ours."""
        stream = CarriedStream(self, Carriage(carrier), events)
        self._join(stream, self.time())
        return stream

    @property
    def streams(self) -> int:
        """How many are open."""
        return len(self._streams)

    @property
    def lateness_ms(self) -> float:
        """How late the event loop woke the plane, at worst within the last seconds; shows saturation."""
        return self._lateness.worst_s * 1000

    def totals(self) -> Totals:
        """Counts of all streams, closed ones included."""
        totals = replace(self._past)
        for stream in self._streams:
            _add(totals, stream.link)
        return totals

    # What streams ask for

    def turn(self, link: Link, pair: Sockets) -> None:
        """Ticks the link and gives it its packets from now on; it joins the smallest group."""
        if not isinstance(pair, Carriage):
            for sock in (pair.rtp, pair.rtcp):
                link.dropped += _empty(sock)
                self._epoll.register(sock.fileno(), select.EPOLLIN)
        self.read(link, pair)
        group = min(self._groups, key=lambda g: len(g.links))
        group.links = (*group.links, link)

    def read(self, link: Link, pair: Sockets) -> None:
        """Takes the link's packets through these, which are around the sockets that it was turned with."""
        if isinstance(pair, Carriage):
            return  # who carries gives them to the stream himself
        for sock, handler in ((pair.rtp, link.receive), (pair.rtcp, link.receive_report)):
            self._readers[sock.fileno()] = (sock.recvfrom_into, handler)

    def leave(self, stream: RtpStream) -> None:
        """Forgets the stream and gives its ports back."""
        self._streams.discard(stream)
        link, pair = stream.link, self._pairs.pop(stream, None)
        if link is not None:
            for group in self._groups:
                if link in group.links:
                    group.links = tuple(other for other in group.links if other is not link)
            for sock in () if pair is None else (pair.rtp, pair.rtcp):
                self._epoll.unregister(sock.fileno())
                del self._readers[sock.fileno()]
        _add(self._past, link)
        if pair is not None:
            self._ports.release(pair, self.time())

    def _join(self, stream: RtpStream, now: float) -> None:
        if not self._streams and self._timer is not None:
            self._timer.cancel()
            self._set_out(now)
        self._streams.add(stream)

    # The wheel

    def _set_out(self, now: float) -> None:
        for index, group in enumerate(self._groups):
            group.pace = Pace(now + (index + 1) * SLOT_S)
        self._due = now + SLOT_S
        self._timer = self._loop.call_at(self._due, self._wake)

    def _wake(self) -> None:
        now = self.time()
        self._lateness.note(now - self._due, now)
        for group in self._groups:
            if group.pace.ready(now):
                self._tick(group, now)
        self._sweep(now)
        self._due += SLOT_S if self._streams else _IDLE_S
        if self._due <= now:
            self._due += (int((now - self._due) / SLOT_S) + 1) * SLOT_S
        self._timer = self._loop.call_at(self._due, self._wake)

    def _tick(self, group: _Group, now: float) -> None:
        skipped = group.pace.advance(now)
        if skipped:
            self._past.skipped += skipped * len(group.links)
            for link in group.links:
                link.skip(skipped)
        for link in group.links:
            try:
                link.tick(now)
            except Exception:
                logger.exception("a stream failed in its tick")

    def _sweep(self, now: float) -> None:
        """Takes one datagram of every socket that has some, until none has or it was the last round."""
        buffer, readers, poll = self._buffer, self._readers, self._epoll.poll
        for _ in range(_SWEEPS):
            ready = poll(0)
            if not ready:
                return
            for fd, _mask in ready:
                reader = readers.get(fd)
                if reader is None:
                    continue  # closed by what came before it in this round
                receive, handle = reader
                try:
                    size, address = receive(buffer)
                    handle(buffer, size, address, now)
                except OSError:
                    continue
                except Exception:
                    logger.exception("a stream failed on a packet")


def _add(totals: Totals, link: Link | None) -> None:
    if link is not None:
        totals.packets_in += link.packets_received
        totals.packets_out += link.packets_sent
        totals.dropped += link.dropped
        totals.send_errors += link.send_errors


def _empty(sock: Datagrams) -> int:
    """Throws away what came before anybody was expected."""
    for count in range(_BACKLOG):
        try:
            sock.recv_into(bytearray(1))
        except OSError:
            return count
    return _BACKLOG
