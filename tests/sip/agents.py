"""Two user agents on loopback, and a peer that speaks raw SIP, for the tests of the shells."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar, cast
from unittest.mock import patch

from media.leg import Answered, Began, Cause, HungUp, LegEvent
from media.plane import RtpPlane
from media.ports import PortPool
from sip.guard import Dropped
from sip.hop import Address
from sip.leg import SipLeg
from sip.message import Message, ParseError, Request, Response, parse, response_to
from sip.resolver import Resolver
from sip.stack import OutboundCall
from sip.timers import Timing
from sip.tls import ServerTls
from sip.trunks import Trunk
from sip.user_agent import Load, UserAgent

QUICK = Timing(t1=0.03, t2=0.15, t4=0.1)
"""Timers much faster than the RFC's: lingering transactions are gone after 1.9 s."""

WAIT_S = 10.0

E = TypeVar("E", bound=LegEvent)


class Agent:
    """A user agent with its media, and the legs that came in."""

    def __init__(self, ua: UserAgent, plane: RtpPlane, incoming: asyncio.Queue[SipLeg]) -> None:
        self.ua = ua
        self.plane = plane
        self.incoming = incoming
        self.retry_after: int | None = None
        self.dropped: Counter[Dropped] = Counter()

    def address(self, transport: str = "udp") -> Address:
        text = next(a for a in self.ua.addresses() if a.startswith(transport))
        host, _, port = text.partition(":")[2].rpartition(":")
        return Address(host.strip("[]"), int(port))

    def uri(self, user: str = "100", transport: str = "udp") -> str:
        host, port = self.address(transport)
        host = f"[{host}]" if ":" in host else host
        return f"sip:{user}@{host}:{port};transport={transport}"

    async def call(self, to: str, trunk: str = "peer", ring_s: float = 45.0) -> SipLeg:
        leg = await self.ua.call(OutboundCall(to, trunk, caller_id="200", ring_s=ring_s))
        assert isinstance(leg, SipLeg)
        return leg

    async def called(self) -> SipLeg:
        async with asyncio.timeout(WAIT_S):
            return await self.incoming.get()


@asynccontextmanager
async def agent(
    *,
    trunk: Trunk | None = None,
    listen: Sequence[str] = ("udp:127.0.0.1:0", "tcp:127.0.0.1:0"),
    timing: Timing = QUICK,
    tls: ServerTls | None = None,
    resolver: Resolver | None = None,
) -> AsyncIterator[Agent]:
    hosts = list(dict.fromkeys("::1" if "[::1]" in text else "127.0.0.1" for text in listen))
    plane = RtpPlane(PortPool(0, 0, 0.0, *hosts), timeout_s=60, address=hosts[0])
    await plane.start()
    incoming: asyncio.Queue[SipLeg] = asyncio.Queue()
    holder: list[Agent] = []
    ua = UserAgent(
        listen=list(listen),
        advertise=None,
        trunks={"peer": trunk or Trunk(allow=("127.0.0.0/8", "::1"))},
        plane=plane,
        admit=lambda: holder[0].retry_after,
        on_incoming=incoming.put_nowait,  # type: ignore[arg-type]
        user_agent="test",
        timing=timing,
        tls=tls,
        resolver=resolver,
        on_dropped=lambda reason: holder[0].dropped.update([reason]),
    )
    holder.append(Agent(ua, plane, incoming))
    await ua.start()
    try:
        yield holder[0]
    finally:
        with patch("sip.user_agent.CLOSE_S", 0.2):  # a peer that is gone will not answer our BYE
            await ua.close()
        await plane.close()
        assert ua.load() == Load(0, 0, 0, 0, 0) or ua.load().legs == ua.load().dialogs == 0
        assert plane.streams == 0


async def event(leg: SipLeg, kind: type[E]) -> E:
    """The next event, which must be of that kind; that a clip began to play is passed over."""
    async with asyncio.timeout(WAIT_S):
        while isinstance(found := await leg.next_event(), Began):
            pass
    assert isinstance(found, kind), found
    return found


async def until(leg: SipLeg, kind: type[E]) -> E:
    """The next event of that kind."""
    async with asyncio.timeout(WAIT_S):
        while True:
            found = await leg.next_event()
            if isinstance(found, kind):
                return found
            assert not isinstance(found, HungUp), found


async def connected(caller: Agent, callee: Agent, transport: str = "udp") -> tuple[SipLeg, SipLeg]:
    """A call that is answered: the legs of caller and callee."""
    ours = await caller.call(callee.uri(transport=transport))
    theirs = await callee.called()
    await theirs.answer()
    await event(theirs, Answered)
    await until(ours, Answered)
    return ours, theirs


async def over(leg: SipLeg) -> tuple[Cause, str]:
    found = await until(leg, HungUp)
    return found.cause, found.by


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0.01)


class Peer(asyncio.DatagramProtocol):
    """A UDP socket that speaks SIP by hand."""

    def __init__(self) -> None:
        self.inbox: asyncio.Queue[Message] = asyncio.Queue()
        self.transport: asyncio.DatagramTransport | None = None
        self.seen: list[str] = []
        self.answers_bye = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        try:
            message = parse(data)
        except ParseError:
            return
        self.seen.append(message.method if isinstance(message, Request) else str(message.status))
        self.inbox.put_nowait(message)
        if isinstance(message, Request) and message.method == "BYE" and self.answers_bye:
            self.send(response_to(message, 200).to_bytes(), Address(*addr[:2]))

    @property
    def address(self) -> Address:
        assert self.transport is not None
        return Address(*self.transport.get_extra_info("sockname")[:2])

    def send(self, text: str | bytes, to: Address) -> None:
        assert self.transport is not None
        data = text if isinstance(text, bytes) else text.encode()
        self.transport.sendto(data, to)

    async def request(self, method: str) -> Request:
        """The next request of that method; what comes before it is dropped."""
        async with asyncio.timeout(WAIT_S):
            while True:
                message = await self.inbox.get()
                if isinstance(message, Request) and message.method == method:
                    return message

    async def response(self, status: int) -> Response:
        """The next response of that status; what comes before it is dropped."""
        async with asyncio.timeout(WAIT_S):
            while True:
                message = await self.inbox.get()
                if isinstance(message, Response) and message.status == status:
                    return message

    def message(
        self,
        method: str,
        to: Address,
        *,
        branch: str = "z9hG4bK-p1",
        call: str = "call-p",
        cseq: int = 1,
        to_tag: str | None = None,
        extra: str = "",
        body: str = "",
    ) -> str:
        host, port = self.address
        tag = f";tag={to_tag}" if to_tag else ""
        kind = "Content-Type: application/sdp\r\n" if body and "Content-Type" not in extra else ""
        return (
            f"{method} sip:100@{to.host}:{to.port} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {host}:{port};branch={branch};rport\r\n"
            f"{'' if 'Max-Forwards' in extra else 'Max-Forwards: 70' + chr(13) + chr(10)}"
            f"From: <sip:peer@{host}>;tag=peer\r\n"
            f"To: <sip:100@{to.host}>{tag}\r\n"
            f"Call-ID: {call}\r\n"
            f"CSeq: {cseq} {method}\r\n"
            f"Contact: <sip:peer@{host}:{port}>\r\n"
            f"{extra}{kind}"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        )

    def sdp(self, direction: str = "sendrecv", codec: str = "8 PCMA", port: int = 40000) -> str:
        number, name = codec.split()
        return (
            f"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP {number} 96\r\na=rtpmap:{number} {name}/8000\r\n"
            f"a=rtpmap:96 telephone-event/8000\r\na={direction}\r\n"
        )


@asynccontextmanager
async def peer(host: str = "127.0.0.1") -> AsyncIterator[Peer]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(Peer, local_addr=(host, 0))
    try:
        yield protocol
    finally:
        transport.close()


async def answered_by(p: Peer, a: Agent, to: Request, tag: str = "t1") -> None:
    """Answers an INVITE of `a` with 200."""
    ok = response_to(to, 200, to_tag=tag)
    ok.headers.add("Contact", f"<sip:peer@127.0.0.1:{p.address.port}>")
    ok.headers.add("Content-Type", "application/sdp")
    ok.body = p.sdp().encode()
    p.send(ok.to_bytes(), a.address())


def reply(p: Peer, a: Agent, to: Request, status: int, tag: str | None = None, **headers: str) -> None:
    response = response_to(to, status, to_tag=tag)
    for name, value in headers.items():
        response.headers.add(name.replace("_", "-"), value)
    p.send(response.to_bytes(), a.address())


def from_callee(p: Peer, invite: Request, method: str, cseq: int, extra: str = "", body: str = "") -> str:
    """A request in the dialog of an INVITE that the peer answered with tag t1."""
    assert invite.contact is not None
    return (
        f"{method} {invite.contact.uri} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP 127.0.0.1:{p.address.port};branch=z9hG4bK-c{cseq};rport\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:9@127.0.0.1>;tag=t1\r\nTo: {invite.headers.get('From')}\r\n"
        f"Call-ID: {invite.call_id}\r\nCSeq: {cseq} {method}\r\n"
        f"{extra}Content-Length: {len(body)}\r\n\r\n{body}"
    )


def direction_of(message: Message) -> str:
    """The direction attribute of an SDP body."""
    match = re.search(rb"a=(sendrecv|sendonly|recvonly|inactive)", message.body)
    return match[1].decode() if match else "sendrecv"
