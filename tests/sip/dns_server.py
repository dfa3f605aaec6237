"""A name server in the test's own process, on a free loopback port."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from sip.hop import Address

SOA = "ns.test. admin.test. 1 3600 600 86400 30"


class NameServer(asyncio.DatagramProtocol):
    """Answers from `records` ((name, type) to (seconds to live, texts)); names that are not there do not
    exist. `silent`: it says nothing at all."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], tuple[int, list[str]]] = {}
        self.asked: Counter[tuple[str, str]] = Counter()
        self.silent = False
        self._transport: asyncio.DatagramTransport | None = None

    def add(self, name: str, kind: str, *texts: str, ttl: int = 60) -> None:
        self.records[name, kind] = (ttl, list(texts))

    @property
    def address(self) -> Address:
        assert self._transport is not None
        return Address(*self._transport.get_extra_info("sockname")[:2])

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name, kind = str(question.name).rstrip(".").lower(), dns.rdatatype.to_text(question.rdtype)
        self.asked[name, kind] += 1
        if self.silent:
            return
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.AA | dns.flags.RA
        found = self.records.get((name, kind))
        if found is not None:
            reply.answer.append(dns.rrset.from_text(question.name, found[0], "IN", kind, *found[1]))
        else:
            reply.authority.append(dns.rrset.from_text("test.", 30, "IN", "SOA", SOA))
            if not any(held == name for held, _ in self.records):
                reply.set_rcode(dns.rcode.NXDOMAIN)
        assert self._transport is not None
        self._transport.sendto(reply.to_wire(), addr)


@asynccontextmanager
async def name_server() -> AsyncIterator[NameServer]:
    transport, server = await asyncio.get_running_loop().create_datagram_endpoint(
        NameServer, local_addr=("127.0.0.1", 0)
    )
    try:
        yield server
    finally:
        transport.close()
