"""Exotel's trunk: its samples with their traps, and a peer that behaves as it does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ivr.config import Config
from ivr.profiles import with_profile
from ivr.trunks import trunks_of
from media.leg import Answered, Cause, HungUp, Ringing
from sip.framer import Framer
from sip.message import Message, Request, Response, response_to
from sip.sdp import parse_sdp
from sip.stack import BadNumber, NotAllowed, OutboundCall
from sip.trunks import Trunk, target_of
from sip.uri import NameAddr
from tests.sip.agents import WAIT_S, agent, event, over, until

EXOPHONE = "08047112233"

SDP = """v=0\r
o=Exotel 1700000000 1700000001 IN IP4 127.0.0.1\r
c=IN IP4 127.0.0.1\r
t=0 0\r
m=audio {port} RTP/AVP 8 0 96\r
a=rtpmap:8 PCMA/8000\r
a=rtpmap:0 PCMU/8000\r
a=rtpmap:96 telephone-event/8000\r
a=fmtp:96 0-16\r
a=ptime:20\r
a=sendrecv\r
"""
"""Without an `s=` line, and with telephone-event as 96."""

INVITE = """INVITE sip:+918047112233@127.0.0.1:{port};transport=tcp SIP/2.0\r
Record-Route: sip:192.0.2.4:443;transport=tls;lr;ftag=gK0c\r
Record-Route: <sip:192.0.2.5:5070;transport=tcp;r2=on;lr>\r
Via: SIP/2.0/TCP 192.0.2.4:5070;branch=z9hG4bK-exo1;rport\r
Via: SIP/2.0/UDP 192.0.2.6:5060;branch=z9hG4bK-exo0\r
From: "09876543210" <sip:09876543210@pstn.in2.exotel.com>;tag=gK0c\r
To: <sip:+918047112233@127.0.0.1:{port}>\r
Call-ID: exo-1@192.0.2.6\r
CSeq: 1 INVITE\r
Contact: <sip:09876543210@192.0.2.6:5060>\r
Max-Forwards: 66\r
Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER\r
Supported: replaces\r
P-Asserted-Identity: <sip:+919876543210@pstn.in2.exotel.com>\r
P-Early-Media: supported\r
X-Exotel-CallSid: 8a9d1e4c5b6f7081\r
X-Exotel-LegSid: 1b2c3d\r
X-Exotel-TrunkSid: trmum1\r
Content-Type: application/sdp\r
Content-Length: {length}\r
\r
{body}"""


class Edge:
    """One connection of a peer that speaks SIP by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._framer = Framer()
        self._waiting: list[Message] = []

    def send(self, message: Message | str) -> None:
        self._writer.write(message.encode() if isinstance(message, str) else message.to_bytes())

    async def request(self, method: str) -> Request:
        while True:
            message = await self._next()
            if isinstance(message, Request) and message.method == method:
                return message

    async def response(self, status: int) -> Response:
        while True:
            message = await self._next()
            if isinstance(message, Response) and message.status == status:
                return message

    async def _next(self) -> Message:
        async with asyncio.timeout(WAIT_S):
            while not self._waiting:
                data = await self._reader.read(65536)
                assert data, "the connection was closed"
                found = self._framer.feed(data)
                items = found if isinstance(found, list) else found.items
                self._waiting += [item for item in items if isinstance(item, Request | Response)]
        return self._waiting.pop(0)

    def close(self) -> None:
        self._writer.close()


@asynccontextmanager
async def edge() -> AsyncIterator[tuple[int, asyncio.Queue[Edge]]]:
    """A listening edge: its port, and the connections that come."""
    edges: asyncio.Queue[Edge] = asyncio.Queue()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        edges.put_nowait(Edge(reader, writer))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], edges
    finally:
        server.close()


def exotel(**changes: object) -> Trunk:
    """The trunk of a configuration with the profile; no probes, for there is nobody to answer them."""
    fixed = {"profile": "exotel", "caller_id": EXOPHONE, "allow": ["127.0.0.1"], "options_s": 0}
    written = {**fixed, **changes}
    return trunks_of(Config.model_validate({"trunks": {"exotel": written}}))["exotel"]


# The profile


def test_the_profile_needs_little_else() -> None:
    trunk = exotel()
    assert (trunk.number_format, trunk.codecs, trunk.srtp) == ("e164", ("PCMA", "PCMU"), "refused")
    assert (trunk.calls_per_minute, trunk.destinations) == (200, ("+91",))
    target = target_of(OutboundCall("098765 43210", "exotel"), trunk)
    assert str(target.uri) == "sip:+919876543210@pstn.in2.exotel.com:5070;transport=tcp"
    assert target.caller == "+918047112233"
    with pytest.raises(NotAllowed):
        target_of(OutboundCall("+442079460000", "exotel"), trunk)
    with pytest.raises(BadNumber):
        target_of(OutboundCall("sip:1@192.0.2.9", "exotel"), trunk)


def test_what_is_written_goes_before_the_profile() -> None:
    trunk = exotel(destinations=["+91", "+1"], calls_per_minute=60, codecs=["PCMU"])
    assert (trunk.destinations, trunk.calls_per_minute, trunk.codecs) == (("+91", "+1"), 60, ("PCMU",))
    tls = exotel(proxy="sip:pstn.in4.exotel.com:443;transport=tls")
    assert tls.srtp == "required"
    assert exotel(proxy="sip:pstn.in4.exotel.com:443;transport=tls", srtp="offered").srtp == "offered"
    assert with_profile({"allow": []}) == {"allow": []}


def test_without_an_exophone_the_configuration_is_refused() -> None:
    with pytest.raises(ValueError, match="caller_id is needed with the profile exotel"):
        Config.model_validate({"trunks": {"exotel": {"profile": "exotel"}}})


# The traps


def test_an_sdp_without_a_name_is_read() -> None:
    description = parse_sdp(SDP.format(port=40000).encode())
    assert [each.port for each in description.media] == [40000]


@pytest.mark.parametrize("event_type", [96, 101])
async def test_a_call_from_exotel_along_its_route_and_connection(event_type: int) -> None:
    async with agent(trunk=exotel()) as a:
        to = a.address("tcp")
        e = Edge(*await asyncio.open_connection(to.host, to.port))
        body = SDP.format(port=40000).replace("96", str(event_type))
        e.send(INVITE.format(port=to.port, body=body, length=len(body)))
        leg = await a.called()
        assert (leg.info.caller, leg.info.called) == ("+919876543210", "+918047112233")
        assert leg.info.headers["X-Exotel-CallSid"] == "8a9d1e4c5b6f7081"
        assert leg.info.headers["X-Exotel-TrunkSid"] == "trmum1"
        await leg.ring()
        await leg.answer()
        await event(leg, Answered)
        answer = await e.response(200)
        assert f"a=rtpmap:{event_type} telephone-event/8000" in answer.body.decode()
        assert answer.headers.get_all("Record-Route")[0].startswith("sip:192.0.2.4:443")
        assert answer.contact is not None
        ack = (
            f"ACK {answer.contact.uri} SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.4:5070;branch=z9hG4bK-exo2\r\n"
            f"From: {answer.headers.get('From')}\r\nTo: {answer.headers.get('To')}\r\n"
            "Call-ID: exo-1@192.0.2.6\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n"
        )
        e.send(ack)
        await leg.hang_up()
        # The route says TLS to port 443; what can be reached is the connection that the call came by.
        bye = await e.request("BYE")
        assert str(bye.uri) == "sip:09876543210@192.0.2.6:5060"
        assert [NameAddr.parse_route(each).uri.host for each in bye.headers.get_all("Route")] == [
            "192.0.2.4",
            "192.0.2.5",
        ]
        e.send(response_to(bye, 200))
        assert await over(leg) == (Cause.NORMAL, "us")
        e.close()


async def test_a_call_to_exotel_is_acknowledged_along_its_route() -> None:
    async with edge() as (port, edges):
        trunk = exotel(proxy=f"sip:127.0.0.1:{port};transport=tcp")
        async with agent(trunk=trunk) as a:
            leg = await a.ua.call(OutboundCall("9876543210", "peer", headers={"X-Order-Id": "7"}))
            async with asyncio.timeout(WAIT_S):
                e = await edges.get()
            invite = await e.request("INVITE")
            assert invite.uri.user == "+919876543210"
            assert invite.from_.uri.user == "+918047112233"
            assert invite.headers.get("X-Order-Id") == "7"
            assert invite.body.decode().index("PCMA") < invite.body.decode().index("PCMU")
            routes = (
                ("Record-Route", "<sip:192.0.2.5:5070;transport=tcp;lr>"),
                ("Record-Route", "sip:192.0.2.4:443;transport=tls;lr"),
                ("Contact", "<sip:+919876543210@192.0.2.6:5060>"),
                ("Content-Type", "application/sdp"),
            )
            for status in (183, 200):
                response = response_to(invite, status, to_tag="exo")
                for name, value in routes:
                    response.headers.add(name, value)
                response.body = SDP.format(port=40000).encode()
                e.send(response)
            assert (await event(leg, Ringing)).early_media  # type: ignore[arg-type]
            await until(leg, Answered)  # type: ignore[arg-type]
            ack = await e.request("ACK")
            assert str(ack.uri) == "sip:+919876543210@192.0.2.6:5060"
            hosts = [NameAddr.parse_route(each).uri.host for each in ack.headers.get_all("Route")]
            assert hosts == ["192.0.2.4", "192.0.2.5"]
            await leg.hang_up()
            bye = await e.request("BYE")
            assert len(bye.headers.get_all("Route")) == 2
            e.send(response_to(bye, 200))
            assert (await until(leg, HungUp)).by == "us"  # type: ignore[arg-type]
            e.close()
