"""ICE (RFC 8445) by aioice, as a server wants it: on addresses and ports that are configured, told to the far
end as soon as they are bound, and media handed on at once, without a queue.

A `Path` outlives an ICE restart: while a new session finds its way, the old one carries on; the transports
above see nothing of it. All that is known here of aioice's insides is checked in
tests/webrtc/test_insides.py.
"""

from __future__ import annotations

import asyncio
import logging
import random
import socket
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final, Literal, cast

from aioice import Candidate, Connection
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import StunProtocol, relayed_candidate, server_reflexive_candidate

from webrtc.candidates import RemoteCandidate
from webrtc.description import Ice

log = logging.getLogger(__name__)

_QUEUED: Final = 64
"""Datagrams of DTLS that may wait: a handshake has ten."""

_MEDIA: Final = 128
_STUN_END: Final = 20
"""First bytes, by which what shares a port is told apart (RFC 7983): STUN below 4, DTLS from 20, media from
128."""

_SOCKET_BYTES: Final = 262_144

_SERVERS_S: Final = 5.0
"""How long a STUN or TURN server may take to answer us."""


@dataclass(frozen=True, slots=True)
class IceTerms:
    """Where we can be reached. `addresses` empty: every address of this machine. `advertised` is told beside
    them: the public address of a NAT that passes our ports on as they are. `stun` and `turn` are asked by us
    too, where we ourselves are behind one that does not."""

    addresses: tuple[str, ...] = ()
    ports: tuple[int, int] = (0, 0)
    advertised: str | None = None
    stun: tuple[str, int] | None = None
    turn: TurnAccount | None = None


@dataclass(frozen=True, slots=True)
class TurnAccount:
    """A TURN server, and who we are there."""

    host: str
    port: int
    username: str
    password: str
    transport: Literal["udp", "tcp"] = "udp"
    tls: bool = False


class NoIcePorts(OSError):
    """None of the configured ports is free on any address."""


class _Datagrams(StunProtocol):
    """One socket: what is no STUN goes on at once."""

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        if len(data) and cast(bytes, data)[0] >= _STUN_END:
            self.receiver.data_received(cast(bytes, data), 1)
        else:
            super().datagram_received(data, addr)


class _Session(Connection):
    """One ICE session, from its credentials to its end."""

    def __init__(self, terms: IceTerms, path: Path) -> None:
        super().__init__(ice_controlling=False)
        self._terms = terms
        self._path = path
        self._asking: asyncio.Task[None] | None = None

    @property
    def credentials(self) -> Ice:
        return Ice(self.local_username, self.local_password)

    def told(self) -> list[str]:
        """Our candidates so far, as signalling has them."""
        lines = []
        for candidate in self.local_candidates:
            advertised = self._terms.advertised
            if candidate.type == "host" and advertised is not None and ":" not in candidate.host:
                lines.append(_line(candidate, advertised))
            lines.append(_line(candidate, candidate.host))
        return lines

    @property
    def complete(self) -> bool:
        """Whether there will be no more candidates of ours."""
        return self._asking is None or self._asking.done()

    async def wait_complete(self, wait_s: float) -> None:
        if self._asking is not None:
            await asyncio.wait([self._asking], timeout=wait_s)

    async def begin(self) -> None:
        """Binds our ports; raises `NoIcePorts`. Servers are asked meanwhile."""
        await self.gather_candidates()
        if not self.local_candidates:
            raise NoIcePorts("no port for media is free (web.ports)")
        if self._terms.stun is not None or self._terms.turn is not None:
            self._asking = asyncio.create_task(self._ask_servers())

    def reaches(self, remote: Ice) -> None:
        """The far end's side; to be called before `connect`."""
        self.remote_username, self.remote_password = remote.ufrag, remote.password
        self.remote_is_lite = remote.lite

    def send_now(self, data: bytes) -> bool:
        """False when there is no way yet, or no longer."""
        pair = self._nominated.get(1)
        if pair is None:
            return False
        pair.protocol.transport.sendto(data, pair.remote_addr)
        return True

    # What aioice calls

    async def get_component_candidates(
        self, component: int, addresses: list[str], timeout: int = 5
    ) -> list[Candidate]:
        """Host candidates alone: those of servers come later, and are told later."""
        loop = asyncio.get_running_loop()
        candidates = []
        for address in self._terms.addresses or addresses or ["127.0.0.1"]:
            sock = _bound(address, self._terms.ports)
            if sock is None:
                continue
            transport, protocol = await loop.create_datagram_endpoint(lambda: _Datagrams(self), sock=sock)
            host, port = transport.get_extra_info("sockname")[:2]
            protocol.local_candidate = Candidate(
                candidate_foundation("host", "udp", host),
                component,
                "udp",
                candidate_priority(component, "host"),
                host,
                port,
                "host",
            )
            self._protocols.append(protocol)
            candidates.append(protocol.local_candidate)
        return candidates

    def data_received(self, data: bytes, component: int) -> None:
        self._path.take(data, self)

    def protocol_lost(self, protocol: StunProtocol) -> None:
        if any(pair.protocol is protocol for pair in self._nominated.values()):
            self._path.lost(self)

    def request_received(self, message: Any, addr: tuple[str, int], protocol: StunProtocol) -> None:
        self._path.alive(self)
        super().request_received(message, addr, protocol)

    async def close(self) -> None:
        """Also called by aioice itself, when the far end no longer consents to being sent to (RFC 7675)."""
        asking, self._asking = self._asking, None
        if asking is not None:
            asking.cancel()
            await asyncio.wait([asking])
        await super().close()
        self._path.lost(self)

    async def _ask_servers(self) -> None:
        """Candidates as servers see us; each counts from when it is known."""
        tasks: list[asyncio.Task[Any]] = []
        stun, turn = self._terms.stun, self._terms.turn
        if stun is not None:
            tasks += [
                asyncio.create_task(server_reflexive_candidate(protocol, stun))
                for protocol in self._protocols
                if ip_address(protocol.local_candidate.host).version == 4
            ]
        if turn is not None:
            relayed = relayed_candidate(
                component=1,
                hide_related_address=False,
                protocol_factory=lambda: _Datagrams(self),
                turn_server=(turn.host, turn.port),
                turn_username=turn.username,
                turn_password=turn.password,
                turn_ssl=turn.tls,
                turn_transport=turn.transport,
            )
            tasks.append(asyncio.create_task(relayed))
        try:
            for task in asyncio.as_completed(tasks, timeout=_SERVERS_S):
                try:
                    candidate, protocol = await task
                except Exception as error:
                    log.info("a STUN or TURN server gave no candidate: %s", error or type(error).__name__)
                    continue
                self._local_candidates.append(candidate)
                if protocol is not None:
                    self._protocols.append(protocol)
                    for remote in self.remote_candidates:
                        self._pair_remote_candidate(remote)
                    self.sort_check_list()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _line(candidate: Candidate, host: str) -> str:
    told = Candidate(
        candidate.foundation,
        candidate.component,
        candidate.transport,
        candidate.priority,
        host,
        candidate.port,
        candidate.type,
        candidate.related_address,
        candidate.related_port,
    )
    return f"candidate:{told.to_sdp()}"


def _bound(address: str, ports: tuple[int, int]) -> socket.socket | None:
    """A socket at the address, on one of the ports; None when none is free, or the address is not ours."""
    first, last = ports
    numbers: Iterable[int] = [0] if last == 0 else _from_anywhere(first, last)
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SOCKET_BYTES)
    for number in numbers:
        try:
            sock.bind((address, number))
        except OSError as error:
            fault = error
            continue
        return sock
    sock.close()
    log.warning("no port is free for media at %s: %s", address, fault.strerror)
    return None


def _from_anywhere(first: int, last: int) -> Iterable[int]:
    """All ports of a range, beginning somewhere within: one that was just given back should rest."""
    count = last - first + 1
    begin = random.randrange(count)
    return (first + (begin + step) % count for step in range(count))


class Path:
    """The way to one far end. `media` takes what is encrypted media, `gone` is called when the way is lost (a
    restart may find another); `heard_at` is when anything of the far end came last, by the loop's clock.

    It stands where DTLS (aiortc) expects an ICE transport: `role`, `_recv`, `_send`.
    """

    role: Final = "controlled"

    def __init__(self, terms: IceTerms, media: Callable[[bytes], None], gone: Callable[[str], None]) -> None:
        self._terms = terms
        self._media = media
        self._gone = gone
        self._time = asyncio.get_running_loop().time
        self._datagrams: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._session: _Session | None = None
        self._next: _Session | None = None
        self._closing = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.heard_at = self._time()

    async def begin(self, remote: Ice) -> _Session:
        """A new ICE session, the first or after a restart; raises `NoIcePorts`."""
        session = _Session(self._terms, self)
        try:
            await session.begin()
        except BaseException:
            await session.close()
            raise
        session.reaches(remote)
        before, self._next = self._next, session
        if before is not None:
            self._drop(before)
        return session

    @property
    def telling(self) -> _Session:
        """The session that signalling is about: the newest."""
        session = self._next or self._session
        if session is None:
            raise ConnectionError("the path is closed")
        return session

    def add(self, candidates: Iterable[RemoteCandidate], *, ended: bool) -> None:
        """Candidates of the far end for the newest session. A name is looked up meanwhile (mDNS)."""
        session = self.telling
        for remote in candidates:
            candidate = Candidate(
                remote.foundation, 1, "udp", remote.priority, remote.host, remote.port, remote.kind
            )
            self._spawn(_add(session, candidate))
        if ended:
            self._spawn(_add(session, None))

    async def connect(self) -> None:
        """Finds a way by the newest session, and sends by it from then on; raises ConnectionError. A session
        that gives way to another meanwhile is no failure."""
        while (session := self._next) is not None:
            try:
                await session.connect()
            except ConnectionError as error:
                if session is self._next:
                    raise ConnectionError("ICE found no way to any of the far end's addresses") from error
                continue
            if session is self._next:
                before, self._session, self._next = self._session, session, None
                self.heard_at = self._time()
                if before is not None:
                    self._drop(before)

    @property
    def connected(self) -> bool:
        return self._session is not None

    def send(self, data: bytes) -> None:
        """Sends now, or drops it."""
        if self._session is not None:
            self._session.send_now(data)

    async def close(self) -> None:
        self._closing = True
        self._datagrams.put_nowait(None)
        for session in (self._session, self._next):
            if session is not None:
                await session.close()
        self._session = self._next = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # What sessions tell

    def take(self, data: bytes, session: _Session) -> None:
        if session is self._session or session is self._next:
            self.heard_at = self._time()
            if data[0] >= _MEDIA:
                self._media(data)
            elif self._datagrams.qsize() < _QUEUED:
                self._datagrams.put_nowait(data)

    def alive(self, session: _Session) -> None:
        if session is self._session:
            self.heard_at = self._time()

    def lost(self, session: _Session) -> None:
        if session is self._session and not self._closing:
            self._session = None
            self._gone("the way to the far end is lost")

    # What DTLS asks for

    async def _recv(self) -> bytes:
        data = await self._datagrams.get()
        if data is None:
            self._datagrams.put_nowait(None)
            raise ConnectionError("the path is closed")
        return data

    async def _send(self, data: bytes) -> None:
        self.send(data)

    def _drop(self, session: _Session) -> None:
        self._spawn(session.close())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _add(session: _Session, candidate: Candidate | None) -> None:
    """A name that nobody answers for is no fault: the far end's own checks show its address (RFC 8445,
    7.3.1.3)."""
    try:
        await session.add_remote_candidate(candidate)
    except (OSError, ValueError) as error:
        log.info("a candidate of the far end is of no use: %s", error)
