"""The user agent is called by a peer that speaks SIP by hand, well or badly."""

from __future__ import annotations

import asyncio
import contextlib
import random

import pytest

from media.leg import Answered, Cause, Digit, Held, HungUp
from sip.hop import Hop
from sip.inbound import InboundLeg
from sip.leg import SipLeg
from sip.message import Message, ParseError, Response, parse
from sip.trunks import Trunk
from tests.sip.agents import Agent, Peer, agent, direction_of, event, eventually, peer, until

LOCAL = ("127.0.0.0/8",)


async def dial(p: Peer, b: Agent, **parts: str) -> tuple[SipLeg, Response, str]:
    """Calls `b` from the peer and has it answered: the leg, the 200 and its To tag."""
    p.send(p.message("INVITE", b.address(), body=p.sdp(), **parts), b.address())
    leg = await b.called()
    await leg.answer()
    ok = await p.response(200)
    assert ok.to.tag is not None
    return leg, ok, ok.to.tag


def ack(p: Peer, b: Agent, tag: str, cseq: int = 1, body: str = "") -> None:
    text = p.message("ACK", b.address(), branch=f"z9hG4bK-ack{cseq}", cseq=cseq, to_tag=tag, body=body)
    p.send(text, b.address())


# Who is heard at all


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS", "REGISTER", "BYE", "CANCEL", "NONSENSE"])
async def test_an_unknown_address_gets_no_answer_at_all(method: str) -> None:
    async with agent(trunk=Trunk(allow=("192.0.2.0/24",))) as b, peer() as p:
        p.send(p.message(method, b.address(), body=p.sdp()), b.address())
        p.send(f"{method} nonsense\r\n\r\n", b.address())
        p.send(b"\x00\xff" * 50, b.address())
        reader, writer = await asyncio.open_connection(*b.address("tcp"))
        writer.write(p.message(method, b.address()).encode())
        async with asyncio.timeout(5):
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
        writer.close()
        assert p.inbox.empty()
        assert b.incoming.empty()
        load = b.ua.load()
        assert (load.transactions, load.timers, load.connections) == (0, 0, 0)


async def test_a_repeated_invite_is_the_same_call() -> None:
    async with agent() as b, peer() as p:
        text = p.message("INVITE", b.address(), body=p.sdp())
        for _ in range(3):
            p.send(text, b.address())
        leg = await b.called()
        await leg.ring()
        await p.response(180)
        p.send(text, b.address())
        await p.response(180)
        await leg.answer()
        ok = await p.response(200)
        assert b.incoming.empty()
        assert b.ua.load().legs == 1
        assert p.seen[0] == "100"
        ack(p, b, ok.to.tag or "")
        await leg.hang_up()
        await p.request("BYE")


async def test_an_invite_over_a_second_path_is_merged() -> None:
    async with agent() as b, peer() as p:
        p.send(p.message("INVITE", b.address(), branch="z9hG4bK-1", body=p.sdp()), b.address())
        await b.called()
        p.send(p.message("INVITE", b.address(), branch="z9hG4bK-2", body=p.sdp()), b.address())
        await p.response(482)
        assert b.incoming.empty()


@pytest.mark.parametrize(
    ("method", "extra", "body", "status"),
    [
        ("INVITE", "Max-Forwards: 0\r\n", "sdp", 483),
        ("INVITE", "Require: precondition\r\n", "sdp", 420),
        ("INVITE", "Content-Type: text/plain\r\n", "hello", 415),
        ("INVITE", "Content-Type: application/sdp\r\n", "no sdp at all", 488),
        ("INVITE", "", "g729", 488),
        ("BYE", "", "", 481),
        ("NOTIFY", "", "", 481),
        ("REGISTER", "", "", 405),
        ("REFER", "", "", 405),
        ("UPDATE", "", "", 405),
        ("NONSENSE", "", "", 501),
        ("OPTIONS", "", "", 200),
        ("OPTIONS", "Max-Forwards: 0\r\n", "", 200),
    ],
)
async def test_requests_outside_a_dialog(method: str, extra: str, body: str, status: int) -> None:
    async with agent() as b, peer() as p:
        text = {"sdp": p.sdp(), "g729": p.sdp(codec="18 G729")}.get(body, body)
        p.send(p.message(method, b.address(), extra=extra, body=text), b.address())
        response = await p.response(status)
        if status in (405, 501):
            assert "INVITE" in (response.headers.get("Allow") or "")
        if status == 420:
            assert response.headers.get("Unsupported") == "precondition"
        assert b.incoming.empty()
        assert b.plane.streams == 0


async def test_a_malformed_request_gets_400_and_leaves_nothing() -> None:
    async with agent() as b, peer() as p:
        text = p.message("INVITE", b.address(), body=p.sdp()).replace("CSeq: 1 INVITE", "CSeq: 1 BYE")
        p.send(text, b.address())
        await p.response(400)
        no_contact = p.message("INVITE", b.address(), branch="z9hG4bK-2", body=p.sdp(), call="two")
        p.send(no_contact.replace("Contact:", "X-Contact:"), b.address())
        await p.response(400)
        broken = p.message("INVITE", b.address(), branch="z9hG4bK-3", body=p.sdp(), call="three")
        p.send(broken.replace("Contact: <sip:", "Contact: <<<"), b.address())
        await p.response(400)
        assert b.ua.load().legs == b.plane.streams == 0


# The 200 and its ACK


async def test_a_lost_ack_has_the_200_repeated_and_the_first_ack_ends_that() -> None:
    async with agent() as b, peer() as p:
        leg, ok, tag = await dial(p, b)
        again = await p.response(200)
        assert again.to_bytes() == ok.to_bytes()
        ack(p, b, tag)
        ack(p, b, tag)
        p.send(p.message("BYE", b.address(), branch="z9hG4bK-b", cseq=2, to_tag=tag), b.address())
        await p.response(200)
        assert (await until(leg, HungUp)).by == "caller"


async def test_an_ack_with_a_strange_to_tag_is_an_ack_all_the_same() -> None:
    async with agent() as b, peer() as p:
        leg, _, _ = await dial(p, b)
        ack(p, b, "a-tag-of-its-own")
        await leg.hang_up()
        await p.request("BYE")


async def test_without_any_ack_the_call_is_ended_with_bye() -> None:
    async with agent() as b, peer() as p:
        leg, _, _ = await dial(p, b)
        bye = await p.request("BYE")
        assert "cause=" in (bye.headers.get("Reason") or "")
        found = await until(leg, HungUp)
        assert (found.cause, found.by) == (Cause.FAILED, "us")


async def test_a_hang_up_before_the_ack_waits_for_it() -> None:
    async with agent() as b, peer() as p:
        leg, _, tag = await dial(p, b)
        await leg.hang_up()
        await p.response(200)  # repeated: no BYE may come before the ACK
        assert "BYE" not in p.seen
        ack(p, b, tag)
        await p.request("BYE")


async def test_a_late_offer_is_answered_in_the_ack() -> None:
    async with agent() as b, peer() as p:
        p.send(p.message("INVITE", b.address()), b.address())
        leg = await b.called()
        answering = asyncio.create_task(leg.answer())
        ok = await p.response(200)
        assert b"m=audio" in ok.body
        assert not answering.done()
        ack(p, b, ok.to.tag or "", body=p.sdp())
        await answering
        await event(leg, Answered)
        await leg.hang_up()
        await p.request("BYE")


async def test_a_late_offer_without_an_answer_ends_the_call() -> None:
    async with agent() as b, peer() as p:
        p.send(p.message("INVITE", b.address()), b.address())
        leg = await b.called()
        answering = asyncio.create_task(leg.answer())
        ok = await p.response(200)
        ack(p, b, ok.to.tag or "")
        await p.request("BYE")
        assert (await event(leg, HungUp)).cause is Cause.INCOMPATIBLE_MEDIA
        await answering
        assert b.plane.streams == 0


# In the dialog


async def test_hold_by_re_invite_and_a_session_refresh() -> None:
    async with agent() as b, peer() as p:
        leg, _, tag = await dial(p, b)
        ack(p, b, tag)
        await event(leg, Answered)
        held = p.message(
            "INVITE", b.address(), branch="z9hG4bK-2", cseq=2, to_tag=tag, body=p.sdp("sendonly")
        )
        p.send(held, b.address())
        ok = await p.response(200)
        while ok.cseq.number != 2:
            ok = await p.response(200)
        assert direction_of(ok) == "recvonly"
        ack(p, b, tag, cseq=2)
        assert (await event(leg, Held)).on
        p.send(
            p.message("INVITE", b.address(), branch="z9hG4bK-3", cseq=3, to_tag=tag, body=p.sdp()),
            b.address(),
        )
        while ok.cseq.number != 3:
            ok = await p.response(200)
        ack(p, b, tag, cseq=3)
        assert not (await event(leg, Held)).on
        p.send(p.message("INVITE", b.address(), branch="z9hG4bK-4", cseq=4, to_tag=tag), b.address())
        while ok.cseq.number != 4:
            ok = await p.response(200)
        assert b"m=audio" in ok.body
        ack(p, b, tag, cseq=4, body=p.sdp())
        bad = p.message(
            "INVITE", b.address(), branch="z9hG4bK-5", cseq=5, to_tag=tag, body=p.sdp(codec="18 G729")
        )
        p.send(bad, b.address())
        await p.response(488)
        assert b.ua.load().legs == 1  # a refused re-INVITE leaves the call as it was
        await leg.hang_up()
        await p.request("BYE")


async def test_requests_in_the_dialog() -> None:
    async with agent() as b, peer() as p:
        leg, _, tag = await dial(p, b)
        ack(p, b, tag)
        await event(leg, Answered)
        number = 1

        async def ask(method: str, status: int, extra: str = "", body: str = "", cseq: int = 0) -> Response:
            nonlocal number
            number += 1
            text = p.message(
                method,
                b.address(),
                branch=f"z9hG4bK-d{number}",
                cseq=cseq or number,
                to_tag=tag,
                extra=extra,
                body=body,
            )
            p.send(text, b.address())
            found = await p.response(status)
            while found.cseq.method != method:
                found = await p.response(status)
            return found

        relay = "Content-Type: application/dtmf-relay\r\n"
        await ask("INFO", 200, relay, "Signal=5\r\nDuration=160\r\n")
        await ask("INFO", 200, relay, "Signal=11\r\nDuration=160\r\n")
        await ask("INFO", 200, "Content-Type: application/dtmf\r\n", "*")
        await ask("INFO", 415, "Content-Type: text/plain\r\n", "hello")
        assert [(await event(leg, Digit)).key for _ in range(3)] == ["5", "#", "*"]
        await ask("OPTIONS", 200)
        await ask("UPDATE", 200)
        assert direction_of(await ask("UPDATE", 200, body=p.sdp("sendonly"))) == "recvonly"
        assert (await event(leg, Held)).on
        await ask("REFER", 603, "Refer-To: <sip:evil@192.0.2.1>\r\n")
        await ask("NOTIFY", 481, "Event: refer\r\n")
        await ask("MESSAGE", 405)
        await ask("INFO", 500, cseq=1)  # out of order
        await ask("BYE", 200)
        assert (await event(leg, HungUp)).by == "caller"
        await ask("BYE", 481)


async def test_a_bye_from_the_caller_before_the_answer() -> None:
    async with agent() as b, peer() as p:
        p.send(p.message("INVITE", b.address(), body=p.sdp()), b.address())
        leg = await b.called()
        await leg.ring()
        ringing = await p.response(180)
        bye = p.message("BYE", b.address(), branch="z9hG4bK-2", cseq=2, to_tag=ringing.to.tag)
        p.send(bye, b.address())
        await p.response(200)
        await p.response(487)
        assert (await event(leg, HungUp)).cause is Cause.CANCELLED


async def test_a_cancel_that_finds_nothing() -> None:
    async with agent() as b, peer() as p:
        p.send(p.message("CANCEL", b.address()), b.address())
        await p.response(481)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_record_routes_are_followed_and_not_the_contact(host: str) -> None:
    async with agent() as b, peer() as p, peer() as proxy:
        via_proxy = f"Record-Route: sip:{host}:{proxy.address.port};lr\r\n"
        leg, _, tag = await dial(p, b, extra=via_proxy)
        ack(p, b, tag)
        await leg.hang_up()
        bye = await proxy.request("BYE")
        assert bye.uri.port == p.address.port
        assert bye.routes[0].uri.port == proxy.address.port
        assert "BYE" not in p.seen


async def test_a_route_over_a_transport_that_we_lack_is_gone_back_the_way_it_came() -> None:
    async with agent() as b, peer() as p:
        leg, _, tag = await dial(p, b, extra="Record-Route: <sip:127.0.0.1:443;transport=tls;lr>\r\n")
        ack(p, b, tag)
        await leg.hang_up()
        assert (await p.request("BYE")).routes[0].uri.port == 443


@pytest.mark.parametrize("open_still", [True, False])
async def test_a_dialog_over_tcp_keeps_to_its_connection_while_that_is_open(open_still: bool) -> None:
    async with agent() as b, peer() as p:
        dialled: asyncio.Queue[bytes] = asyncio.Queue()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            dialled.put_nowait(await reader.readuntil(b"\r\n\r\n"))
            writer.close()

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        contact = server.sockets[0].getsockname()[1]
        to = b.address("tcp")
        reader, writer = await asyncio.open_connection(*to)

        def written(text: str) -> bytes:
            ours = f"Contact: <sip:peer@127.0.0.1:{p.address.port}>"
            theirs = f"Contact: <sip:peer@127.0.0.1:{contact};transport=tcp>"
            return text.replace("SIP/2.0/UDP", "SIP/2.0/TCP").replace(ours, theirs).encode()

        writer.write(written(p.message("INVITE", to, body=p.sdp())))
        leg = await b.called()
        await leg.answer()
        tag = (await reader.readuntil(b"tag=peer\r\nTo: ")) and await reader.readuntil(b"\r\n")
        while b"tag=" not in tag:
            await reader.readuntil(b"To: ")
            tag = await reader.readuntil(b"\r\n")
        to_tag = tag.partition(b"tag=")[2].strip().decode()
        writer.write(written(p.message("ACK", to, branch="z9hG4bK-2", to_tag=to_tag)))
        await eventually(lambda: leg._session is not None and leg._session.accepted is None)
        if not open_still:
            writer.close()
            await eventually(lambda: b.ua.load().connections == 0)
        await leg.hang_up()
        if open_still:
            assert await asyncio.wait_for(reader.readuntil(b"BYE sip:peer@"), 5)
            assert dialled.empty()
        else:
            assert (await asyncio.wait_for(dialled.get(), 5)).startswith(b"BYE sip:peer@")
        writer.close()
        server.close()


async def test_what_a_broken_peer_sends_harms_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Messages with bytes changed, cut or repeated: answered or dropped, no error, no leak."""
    dice = random.Random(7)
    async with agent() as b, peer() as p:
        hop = Hop("UDP", p.address, b.address())
        whole = [
            p.message(method, b.address(), body=p.sdp(), to_tag=tag, extra=extra).encode()
            for method in ("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO", "NOTIFY", "UPDATE")
            for tag in (None, "x")
            for extra in ("", "Record-Route: <sip:192.0.2.1;lr>\r\nRequire: x\r\n", "Event: refer\r\n")
        ]
        for number in range(3000):
            data = bytearray(dice.choice(whole).replace(b"call-p", b"call-%d" % dice.randrange(400)))
            for _ in range(dice.randrange(4)):
                at = dice.randrange(len(data))
                match dice.randrange(3):
                    case 0:
                        data[at] = dice.choice(b'<>;,:"= \r\n\t\x00\xff@0A')
                    case 1:
                        del data[at : at + dice.randrange(40)]
                    case _:
                        data[at:at] = data[at : at + dice.randrange(40)]
            try:
                message: Message | ParseError = parse(bytes(data))
            except ParseError as error:
                message = error
            b.ua._endpoint.received(message, hop)
            if number % 100 == 0:
                await asyncio.sleep(0)
        assert b.ua.load().legs > 0
        while not b.incoming.empty():
            leg = b.incoming.get_nowait()
            if isinstance(leg, InboundLeg) and leg._sdp and dice.randrange(2):
                await leg.answer()
            await leg.hang_up()
        assert b.ua.load().legs == b.plane.streams == 0
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []
