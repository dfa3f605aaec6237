"""One torture message, a user agent, and what comes of it."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

import pytest

from media.leg import HungUp
from sip.hop import Address
from sip.locate import DEFAULT_PORTS
from sip.message import Headers, ParseError, Request, parse
from sip.user_agent import Load
from tests.sip.agents import WAIT_S, Agent, event

INVITED = ("100", "call", "180", "200", "487")
"""An INVITE that is taken: it rings, and is cancelled (200 for the CANCEL, 487 for the INVITE)."""


@dataclass(frozen=True, slots=True)
class Expected:
    """`outcome`: the status lines that come back, `call` where a call is offered to the layer above; empty is
    silence. `why`: what the RFC says. `holds`: texts of the responses. `stream`: the outcome over TCP where
    the end of the message is in doubt, so that nothing can be asked behind it; `closed`: its connection ends.
    """

    section: str
    outcome: tuple[str, ...]
    why: str
    holds: tuple[str, ...] = ()
    stream: tuple[str, ...] | None = None
    closed: bool = False


class Line:
    """What came back from the agent, in order."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self._more = asyncio.Event()

    def hear(self, data: bytes) -> None:
        self.heard.append(data)
        self._more.set()

    async def answer_to(self, mark: str) -> None:
        """Waits for a response that has this text."""
        async with asyncio.timeout(WAIT_S):
            while not any(mark.encode() in data for data in self.heard):
                self._more.clear()
                await self._more.wait()

    async def status(self, code: int, method: str) -> None:
        """Waits for a response of that status to a request of that method."""
        async with asyncio.timeout(WAIT_S):
            while not any(_is(data, code, method) for data in self.heard):
                self._more.clear()
                await self._more.wait()

    def send(self, data: bytes) -> None:
        raise NotImplementedError


class Datagrams(Line, asyncio.DatagramProtocol):
    def __init__(self, to: Address) -> None:
        super().__init__()
        self._to = to
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.hear(data)

    def send(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.sendto(data, self._to)


class Stream(Line, asyncio.Protocol):
    """Bodies of responses are empty here: a response ends with its head."""

    def __init__(self) -> None:
        super().__init__()
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self.closed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()

    def data_received(self, data: bytes) -> None:
        *whole, self._rest = (self._rest + data).split(b"\r\n\r\n")
        for head in whole:
            if head:
                self.hear(head + b"\r\n\r\n")

    def send(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(data)


@asynccontextmanager
async def datagrams(to: Address, port: int, patch: pytest.MonkeyPatch) -> AsyncIterator[Datagrams]:
    """A socket that hears the answers to its requests: they go to the port that the Via names, `port`, or,
    where that is 0, to the usual one, which then is that of the socket."""
    loop = asyncio.get_running_loop()
    for _ in range(50):
        host = "::1" if ":" in to.host else f"127.{secrets.randbelow(200) + 20}.{secrets.randbelow(256)}.9"
        try:
            transport, line = await loop.create_datagram_endpoint(
                lambda: Datagrams(to), local_addr=(host, port)
            )
            break
        except OSError:
            continue
    else:
        raise AssertionError(f"no address is free at port {port}")
    patch.setitem(DEFAULT_PORTS, "UDP", transport.get_extra_info("sockname")[1])
    try:
        yield line
    finally:
        transport.close()


@asynccontextmanager
async def stream(to: Address) -> AsyncIterator[Stream]:
    transport, line = await asyncio.get_running_loop().create_connection(Stream, *to)
    try:
        yield line
    finally:
        transport.close()


def options(to: Address, mark: str, transport: str) -> bytes:
    """A question to which the answer is 200 while all is well."""
    host = f"[{to.host}]" if ":" in to.host else to.host
    return (
        f"OPTIONS sip:{host} SIP/2.0\r\nVia: SIP/2.0/{transport} {host};rport;branch=z9hG4bK{mark}\r\n"
        f"From: <sip:t@{host}>;tag={mark}\r\nTo: <sip:{host}>\r\nCall-ID: {mark}\r\n"
        "CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    ).encode()


async def fired(a: Agent, line: Line, data: bytes, *, asked_on: Line | None = None) -> tuple[str, ...]:
    """Sends the message and gives its outcome (as in `Expected`); ends the call that it may begin.

    An OPTIONS behind it tells that all its answers have come: they come in order.
    """
    line.send(data)
    await asked(a, asked_on or line)
    found = statuses(line)
    if not a.incoming.empty():
        leg = a.incoming.get_nowait()
        await leg.ring()
        request = _invite(data)
        line.send(_following(request, "CANCEL"))
        await line.status(487, "INVITE")
        assert (await event(leg, HungUp)).by == "caller"
        line.send(_following(request, "ACK"))
        await asked(a, asked_on or line)
        found = ("100", "call", *statuses(line)[1:])
        assert found[1:] == ("call", "180", "200", "487") or found[1:] == INVITED[1:], found
    return found


def statuses(line: Line) -> tuple[str, ...]:
    """Of the responses that are no answer to our own questions."""
    return tuple(data.split(b" ", 2)[1].decode() for data in line.heard if b"z9hG4bKask" not in data)


def left_over(a: Agent) -> Load:
    """What is left when every timer has run out; that is now."""
    endpoint = a.ua._endpoint
    for _ in range(1000):
        due = endpoint.layer.due
        if due is None:
            break
        endpoint._perform(endpoint.layer.poll(due))
    return a.ua.load()


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


async def asked(a: Agent, line: Line) -> None:
    """Asks, and waits for the answer: what was sent before on the line has been read then, and answered."""
    mark = f"ask{secrets.token_hex(6)}"
    kind = "udp" if isinstance(line, Datagrams) else "tcp"
    line.send(options(a.address(kind), mark, kind.upper()))
    await line.answer_to(mark)


def _invite(data: bytes) -> Request:
    """The INVITE among the bytes."""
    try:
        message = parse(data[data.index(b"INVITE") :])
    except ParseError as error:
        raise AssertionError(f"a call from what we cannot read: {error}") from error
    assert isinstance(message, Request)
    return message


def _following(invite: Request, method: str) -> bytes:
    """The CANCEL of an INVITE, or the ACK of its 487: the same Via, From, To, Call-ID (RFC 3261 9.1)."""
    headers = Headers()
    for name in ("From", "To", "Call-ID"):
        headers.add(name, invite.headers.get(name) or "")
    headers.add("Via", str(invite.via))
    headers.add("CSeq", f"{invite.cseq.number} {method}")
    headers.add("Max-Forwards", "70")
    return Request(method, invite.uri, headers).to_bytes()


def _is(data: bytes, code: int, method: str) -> bool:
    head = data.decode("utf-8", "replace")
    return head.startswith(f"SIP/2.0 {code} ") and f" {method}\r\n" in head
