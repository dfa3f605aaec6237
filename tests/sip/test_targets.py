"""Calls over TLS and IPv6, to names in DNS, and to the next target when one is dead."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from media.leg import Answered, Cause, HungUp
from sip.health import DOWN_S, MAX_DOWN_S, Health
from sip.hop import Address, Hop
from sip.inbound import InboundLeg
from sip.message import Request, parse, response_to
from sip.resolver import Resolver
from sip.timers import Timing
from sip.tls import ClientTls
from sip.trunks import Trunk
from tests.sip.agents import (
    WAIT_S,
    Peer,
    agent,
    answered_by,
    connected,
    event,
    eventually,
    over,
    peer,
    reply,
    until,
)
from tests.sip.certificates import Authority
from tests.sip.dns_server import NameServer, name_server

LOCAL = ("127.0.0.0/8", "::1")
PATIENT = Timing(t1=0.1, t2=0.4, t4=0.1)
"""A target has 0.8 s to say something, while there is another."""


@pytest.fixture
def ca(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def no_route(dns: NameServer) -> Resolver:
    return Resolver([dns.address], Path("/nonexistent"))


# TLS


async def test_a_call_over_tls_both_ways(ca: Authority) -> None:
    trunk = Trunk(allow=LOCAL, tls=ca.client())
    listen = ("tls:127.0.0.1:0",)
    async with (
        agent(trunk=trunk, listen=listen, tls=ca.server("127.0.0.1")) as a,
        agent(trunk=trunk, listen=listen, tls=ca.server("127.0.0.1")) as b,
    ):
        for caller, callee in ((a, b), (b, a)):
            ours, theirs = await connected(caller, callee, "tls")
            assert theirs.info.trunk == "peer"
            await ours.hold(True)
            await eventually(lambda theirs=theirs: theirs.quality().packets_received > 0)
            await theirs.hang_up()
            await over(ours)


async def test_a_sips_call_is_sips_on_both_sides(ca: Authority) -> None:
    trunk = Trunk(allow=LOCAL, tls=ca.client())
    listen = ("tls:127.0.0.1:0",)
    async with (
        agent(trunk=trunk, listen=listen, tls=ca.server("127.0.0.1")) as a,
        agent(trunk=trunk, listen=listen, tls=ca.server("127.0.0.1")) as b,
    ):
        to = b.address("tls")
        ours = await a.call(f"sips:100@{to.host}:{to.port}")
        theirs = await b.called()
        await theirs.answer()
        await until(ours, Answered)
        assert isinstance(theirs, InboundLeg)
        assert theirs.dialog.remote_target.scheme == "sips"
        await theirs.hold(True)
        await theirs.hang_up()
        await over(ours)


async def test_a_dialog_whose_connection_is_gone_dials_the_contact(ca: Authority) -> None:
    trunk = Trunk(allow=LOCAL, tls=ca.client())
    listen = ("tls:127.0.0.1:0",)
    async with (
        agent(trunk=trunk, listen=listen, tls=ca.server("127.0.0.1")) as a,
        agent(trunk=trunk, listen=listen, tls=ca.server("127.0.0.1")) as b,
    ):
        ours, theirs = await connected(a, b, "tls")
        for stream in a.ua._endpoint.transports._sockets.values():
            for connection in list(stream._by_id.values()):  # type: ignore[union-attr]
                connection.abort()
        await eventually(lambda: a.ua.load().connections == b.ua.load().connections == 0)
        await theirs.hang_up()
        assert await over(ours) == (Cause.NORMAL, "callee")


async def test_only_dialling_by_tls_needs_no_certificate(ca: Authority) -> None:
    """As a trunk by TLS 443 wants it: their requests come back over the connection that we opened."""
    async with (
        agent(trunk=Trunk(allow=LOCAL, tls=ca.client())) as a,
        agent(listen=("tls:127.0.0.1:0",), tls=ca.server("127.0.0.1")) as b,
    ):
        ours, theirs = await connected(a, b, "tls")
        await theirs.hang_up()
        assert await over(ours) == (Cause.NORMAL, "callee")
        assert a.ua.load().connections == 1


async def test_a_peer_that_proves_nothing_is_an_unavailable_trunk(ca: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other")
    async with agent(listen=("tls:127.0.0.1:0",), tls=ca.server("127.0.0.1")) as b:
        trunk = Trunk(allow=LOCAL, proxy=b.uri(transport="tls"), tls=other.client(), options_s=0.05)
        async with agent(trunk=trunk) as a:
            await eventually(lambda: a.ua.trunk_state("peer").up is False)
            assert "certificate is not accepted" in a.ua.trunk_state("peer").reason
            assert (await over(await a.call("100")))[0] is Cause.UNAVAILABLE
            assert b.incoming.empty()


async def test_the_name_in_the_proxy_must_be_in_the_certificate(ca: Authority) -> None:
    async with (
        name_server() as dns,
        agent(listen=("tls:127.0.0.1:0",), tls=ca.server("sip.provider.test")) as b,
    ):
        dns.add("sip.provider.test", "A", "127.0.0.1")
        dns.add("other.test", "A", "127.0.0.1")
        port = b.address("tls").port
        for host, right in (("sip.provider.test", True), ("other.test", False)):
            trunk = Trunk(allow=LOCAL, proxy=f"sips:{host}:{port}", tls=ca.client())
            async with agent(trunk=trunk, resolver=no_route(dns)) as a:
                ours = await a.call("100")
                if right:
                    await (await b.called()).hang_up()
                    await over(ours)
                else:
                    assert (await over(ours))[0] is Cause.UNAVAILABLE
                    assert b.incoming.empty()


async def test_a_trunk_whose_certificate_file_is_missing_stops_the_start() -> None:
    with pytest.raises(OSError, match=r"trunk peer: /nowhere/ca.pem"):
        async with agent(trunk=Trunk(tls=ClientTls(ca="/nowhere/ca.pem"))):
            pass


# IPv6


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_call_over_ipv6(transport: str) -> None:
    async with (
        agent(listen=("udp:[::1]:0", "tcp:[::1]:0")) as a,
        agent(listen=("udp:127.0.0.1:0", "tcp:127.0.0.1:0", "udp:[::1]:0", "tcp:[::1]:0")) as b,
    ):
        to = next(text for text in b.ua.addresses() if text.startswith(f"{transport}:["))
        ours = await a.call(f"sip:100@{to.partition(':')[2]};transport={transport}")
        theirs = await b.called()
        await theirs.answer()
        await until(ours, Answered)
        for leg in (ours, theirs):
            await eventually(lambda leg=leg: leg.quality().packets_received > 0)
        await theirs.hang_up()
        await over(ours)
        # The same server still has media for its IPv4 trunks.
        async with agent() as c:
            ours, theirs = await connected(c, b)
            await eventually(lambda: theirs.quality().packets_received > 0)
            await ours.hang_up()
            await over(theirs)


# From one target to the next


async def services(dns: NameServer, *ports: int, name: str = "trunk.test") -> None:
    """An SRV record for each port, in this order."""
    records = [f"{rank} 0 {port} gw.test." for rank, port in enumerate(ports)]
    dns.add(f"_sip._udp.{name}", "SRV", *records)
    dns.add("gw.test", "A", "127.0.0.1")


async def test_a_dead_first_target_costs_one_short_wait() -> None:
    async with name_server() as dns, peer() as dead, agent() as b:
        await services(dns, dead.address.port, b.address().port)
        trunk = Trunk(allow=LOCAL, proxy="trunk.test")
        async with agent(trunk=trunk, resolver=no_route(dns), timing=PATIENT) as a:
            ours = await a.call("100")
            theirs = await b.called()
            await theirs.answer()
            await until(ours, Answered)
            await ours.hang_up()
            await over(theirs)
            lost = await dead.request("INVITE")
            # The next call knows, and asks the one that answers first.
            while not dead.inbox.empty():
                dead.inbox.get_nowait()
            ours = await a.call("100")
            await (await b.called()).hang_up()
            await over(ours)
            assert dead.inbox.empty()
            assert lost.cseq.number == 1


async def test_a_busy_target_is_passed_over_at_once_and_a_refusal_is_not() -> None:
    async with name_server() as dns, peer() as first, peer() as second:
        await services(dns, first.address.port, second.address.port)
        trunk = Trunk(allow=LOCAL, proxy="trunk.test")
        async with agent(trunk=trunk, resolver=no_route(dns)) as a:
            ours = await a.call("100")
            one = await first.request("INVITE")
            reply(first, a, one, 503, "x")
            two = await second.request("INVITE")
            assert (two.call_id, two.from_.tag) == (one.call_id, one.from_.tag)
            assert two.cseq.number > one.cseq.number
            assert two.via.branch != one.via.branch
            reply(second, a, two, 486, "y")
            assert (await over(ours))[0] is Cause.BUSY


async def test_a_target_that_wakes_too_late_is_told_so() -> None:
    """It answers after the call went elsewhere: its ringing is cancelled, its answer is ended."""
    async with name_server() as dns, peer() as late, peer() as prompt:
        await services(dns, late.address.port, prompt.address.port)
        trunk = Trunk(allow=LOCAL, proxy="trunk.test")
        async with agent(trunk=trunk, resolver=no_route(dns)) as a:
            ours = await a.call("100")
            lost = await late.request("INVITE")
            taken = await prompt.request("INVITE")
            await answered_by(prompt, a, taken)
            await until(ours, Answered)
            reply(late, a, lost, 180, "late")
            cancel = await late.request("CANCEL")
            assert cancel.via.branch == lost.via.branch
            await answered_by(late, a, lost, "late")
            assert (await late.request("ACK")).to.tag == "late"
            assert (await late.request("BYE")).to.tag == "late"
            assert a.ua.load().legs == 1
            await ours.hang_up()
            await prompt.request("BYE")


async def test_a_target_that_wakes_too_late_and_says_no_more_is_forgotten() -> None:
    async with name_server() as dns, peer() as late, peer() as prompt:
        await services(dns, late.address.port, prompt.address.port)
        trunk = Trunk(allow=LOCAL, proxy="trunk.test")
        async with agent(trunk=trunk, resolver=no_route(dns)) as a:
            ours = await a.call("100")
            lost = await late.request("INVITE")
            await answered_by(prompt, a, await prompt.request("INVITE"))
            await until(ours, Answered)
            reply(late, a, lost, 180, "late")
            reply(late, a, await late.request("CANCEL"), 200)
            await ours.hang_up()
            await prompt.request("BYE")
            await eventually(lambda: a.ua.load().transactions == a.ua.load().timers == 0)


async def test_all_targets_down_is_unavailable_soon() -> None:
    async with name_server() as dns, peer() as one, peer() as two:
        dns.add(
            "_sip._tcp.trunk.test",
            "SRV",
            f"0 0 {one.address.port} gw.test.",
            f"1 0 {two.address.port} gw.test.",
        )
        dns.add("gw.test", "A", "127.0.0.1")
        trunk = Trunk(allow=LOCAL, proxy="trunk.test;transport=tcp")
        async with agent(trunk=trunk, resolver=no_route(dns), timing=Timing()) as a:
            began = time.monotonic()
            cause, by = await over(await a.call("100"))
            assert (cause, by) == (Cause.UNAVAILABLE, "us")
            assert time.monotonic() - began < 5.0  # nobody listens there: no deadline is waited for


async def test_a_target_that_is_known_to_be_silent_is_not_waited_for_long() -> None:
    async with peer() as dead:
        trunk = Trunk(allow=LOCAL, proxy=f"127.0.0.1:{dead.address.port}", options_s=0.1)
        async with agent(trunk=trunk, timing=Timing(t1=0.05, t2=2.0)) as a:
            await eventually(lambda: a.ua.trunk_state("peer").up is False)
            began = time.monotonic()
            ours = await a.call("100")
            lost = await dead.request("INVITE")
            assert (await over(ours))[0] is Cause.UNAVAILABLE
            assert time.monotonic() - began < 2.0  # of 3.2 s, which 64*T1 are
            reply(dead, a, lost, 180, "late")
            await dead.request("CANCEL")
            await answered_by(dead, a, lost, "late")
            assert (await dead.request("BYE")).to.tag == "late"


async def test_hanging_up_asks_no_further_target() -> None:
    async with name_server() as dns, peer() as first, peer() as second:
        await services(dns, first.address.port, second.address.port)
        trunk = Trunk(allow=LOCAL, proxy="trunk.test")
        async with agent(trunk=trunk, resolver=no_route(dns), timing=PATIENT) as a:
            ours = await a.call("100")
            lost = await first.request("INVITE")
            await ours.hang_up()
            await event(ours, HungUp)
            reply(first, a, lost, 503, "x")
            await first.request("ACK")
            await asyncio.sleep(1.0)
            assert second.inbox.empty()


async def test_a_connection_that_breaks_before_an_answer_leads_to_the_next_target() -> None:
    async with name_server() as dns, agent() as b:
        asked = asyncio.Event()

        async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            asked.set()
            writer.close()

        broken = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        ports = (broken.sockets[0].getsockname()[1], b.address("tcp").port)
        dns.add("_sip._tcp.trunk.test", "SRV", *(f"{n} 0 {port} gw.test." for n, port in enumerate(ports)))
        dns.add("gw.test", "A", "127.0.0.1")
        trunk = Trunk(allow=LOCAL, proxy="trunk.test;transport=tcp")
        async with agent(trunk=trunk, resolver=no_route(dns), timing=Timing()) as a:
            ours = await a.call("100")
            theirs = await b.called()
            assert asked.is_set()
            await theirs.hang_up()
            await over(ours)
        broken.close()


# Who is down


def hop(port: int) -> Hop:
    return Hop("UDP", Address("192.0.2.1", port), Address("192.0.2.2", 5060))


def test_those_that_failed_are_tried_last_for_a_while() -> None:
    health, hops = Health(), [hop(1), hop(2), hop(3)]
    assert health.ordered(hops, 0.0) == hops
    health.failed(hop(1), 0.0)
    assert health.ordered(hops, 1.0) == [hop(2), hop(3), hop(1)]
    assert health.ordered(hops, DOWN_S) == hops
    health.failed(hop(2), 0.0, for_s=1e9)
    assert health.down(hop(2), MAX_DOWN_S - 1)
    assert not health.down(hop(2), MAX_DOWN_S)
    health.worked(hop(2))
    assert health.ordered(hops, 1.0) == [hop(2), hop(3), hop(1)]


def test_what_is_remembered_has_a_limit() -> None:
    health = Health()
    for port in range(5000):
        health.failed(hop(port), 0.0)
    assert health.down(hop(4999), 1.0)
    assert sum(health.down(hop(port), 1.0) for port in range(5000)) <= 1024


async def test_a_request_of_a_call_goes_to_the_next_target_when_its_connection_breaks() -> None:
    async def read(reader: asyncio.StreamReader) -> Request:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        message = parse(head + await reader.readexactly(length))
        assert isinstance(message, Request)
        return message

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        invite = await read(reader)
        ok = response_to(invite, 200, to_tag="t1")
        ok.headers.add("Contact", "<sip:100@pbx.test;transport=tcp>")
        ok.headers.add("Content-Type", "application/sdp")
        ok.body = Peer().sdp().encode()
        writer.write(ok.to_bytes())
        for method in ("ACK", "BYE"):
            message = await read(reader)
            assert message.method == method
        lost.put_nowait(message)
        first.close()
        writer.close()

    async def take_over(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        bye = await read(reader)
        writer.write(response_to(bye, 200).to_bytes())
        taken.put_nowait(bye)
        await reader.read()
        writer.close()

    lost: asyncio.Queue[Request] = asyncio.Queue()
    taken: asyncio.Queue[Request] = asyncio.Queue()
    first = await asyncio.start_server(accept, "127.0.0.1", 0)
    second = await asyncio.start_server(take_over, "127.0.0.1", 0)
    ports = [server.sockets[0].getsockname()[1] for server in (first, second)]
    async with name_server() as dns:
        dns.add("_sip._tcp.pbx.test", "SRV", *(f"{n} 0 {port} gw.test." for n, port in enumerate(ports)))
        dns.add("gw.test", "A", "127.0.0.1")
        trunk = Trunk(allow=LOCAL, proxy="pbx.test;transport=tcp")
        async with agent(trunk=trunk, resolver=no_route(dns), timing=Timing()) as a:
            ours = await a.call("100")
            await until(ours, Answered)
            await ours.hang_up()
            bye = await asyncio.wait_for(lost.get(), WAIT_S)
            again = await asyncio.wait_for(taken.get(), WAIT_S)
            assert (again.method, again.call_id, again.cseq) == ("BYE", bye.call_id, bye.cseq)
            assert again.via.branch != bye.via.branch
            assert len(again.headers.get_all("Via")) == 1
    second.close()
