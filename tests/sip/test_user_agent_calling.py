"""The user agent calls a peer that speaks SIP by hand: what the other side may answer."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from media.leg import Answered, Cause, HungUp, Ringing, TransferOutcome
from sip.digest import Credentials
from sip.leg import SipLeg
from sip.message import response_to
from sip.trunks import Trunk
from tests.sip.agents import (
    Agent,
    Peer,
    agent,
    answered_by,
    direction_of,
    event,
    eventually,
    from_callee,
    over,
    peer,
    reply,
)

LOCAL = ("127.0.0.0/8",)


async def placed(a: Agent, p: Peer) -> SipLeg:
    """A call of `a` that the peer has answered."""
    leg = await a.call(f"sip:9@127.0.0.1:{p.address.port}")
    await answered_by(p, a, await p.request("INVITE"))
    await p.request("ACK")
    await event(leg, Answered)
    return leg


async def test_early_media_and_several_provisional_responses() -> None:
    async with agent() as a, peer() as p:
        leg = await a.call(f"sip:9@127.0.0.1:{p.address.port}")
        invite = await p.request("INVITE")
        reply(p, a, invite, 100)
        reply(p, a, invite, 180, "t1")
        assert not (await event(leg, Ringing)).early_media
        progress = response_to(invite, 183, to_tag="t1")
        progress.headers.add("Content-Type", "application/sdp")
        progress.body = p.sdp().encode()
        p.send(progress.to_bytes(), a.address())
        assert (await event(leg, Ringing)).early_media
        reply(p, a, invite, 180, "t1")
        await answered_by(p, a, invite)
        await event(leg, Answered)
        assert (await p.request("ACK")).to.tag == "t1"


async def test_each_repeated_200_gets_its_ack_and_a_second_fork_is_ended() -> None:
    async with agent() as a, peer() as p:
        leg = await a.call(f"sip:9@127.0.0.1:{p.address.port}")
        invite = await p.request("INVITE")
        await answered_by(p, a, invite, "one")
        first = await p.request("ACK")
        await answered_by(p, a, invite, "one")
        second = await p.request("ACK")
        assert first.to_bytes() == second.to_bytes()
        await answered_by(p, a, invite, "two")
        assert (await p.request("ACK")).to.tag == "two"
        bye = await p.request("BYE")
        assert bye.to.tag == "two"
        reply(p, a, bye, 200)
        await event(leg, Answered)
        assert a.ua.load().legs == 1
        assert "BYE" not in p.seen[p.seen.index("BYE") + 1 :]


async def test_no_cancel_before_a_provisional_response() -> None:
    async with agent() as a, peer() as p:
        leg = await a.call(f"sip:9@127.0.0.1:{p.address.port}")
        invite = await p.request("INVITE")
        await leg.hang_up()
        await p.request("INVITE")  # repeated: nothing was heard
        assert "CANCEL" not in p.seen
        reply(p, a, invite, 100)
        cancel = await p.request("CANCEL")
        assert cancel.via.branch == invite.via.branch
        reply(p, a, cancel, 200)
        reply(p, a, invite, 487, "t1")
        assert (await p.request("ACK")).cseq.number == 1


async def test_an_invite_that_is_never_answered_after_its_cancel_is_forgotten() -> None:
    async with agent() as a, peer() as p:
        leg = await a.call(f"sip:9@127.0.0.1:{p.address.port}")
        invite = await p.request("INVITE")
        reply(p, a, invite, 180, "t1")
        await event(leg, Ringing)
        await leg.hang_up()
        reply(p, a, await p.request("CANCEL"), 200)
        await eventually(lambda: a.ua.load().transactions == a.ua.load().timers == 0)


async def test_an_answer_without_common_media_is_acknowledged_and_ended() -> None:
    async with agent() as a, peer() as p:
        leg = await a.call(f"sip:9@127.0.0.1:{p.address.port}")
        invite = await p.request("INVITE")
        ok = response_to(invite, 200, to_tag="t1")
        ok.headers.add("Contact", f"<sip:peer@127.0.0.1:{p.address.port}>")
        p.send(ok.to_bytes(), a.address())
        await p.request("ACK")
        reply(p, a, await p.request("BYE"), 200)
        assert (await event(leg, HungUp)).cause is Cause.INCOMPATIBLE_MEDIA
        assert a.plane.streams == 0


async def test_a_hold_that_is_refused_leaves_the_call_as_it_was() -> None:
    async with agent() as a, peer() as p:
        leg = await placed(a, p)
        holding = asyncio.create_task(leg.hold(True))
        offer = await p.request("INVITE")
        assert direction_of(offer) == "sendonly"
        reply(p, a, offer, 488)
        await p.request("ACK")
        await holding
        assert a.ua.load().legs == 1
        again = asyncio.create_task(leg.hold(False))
        await answered_by(p, a, await p.request("INVITE"))
        assert (await p.request("ACK")).cseq.number == 3
        await again


async def test_a_hold_that_crosses_the_far_ends_is_tried_again() -> None:
    async with agent() as a, peer() as p:
        leg = await placed(a, p)
        holding = asyncio.create_task(leg.hold(True))
        reply(p, a, await p.request("INVITE"), 491)
        await p.request("ACK")
        await answered_by(p, a, await p.request("INVITE"))
        await p.request("ACK")
        await holding


@pytest.mark.parametrize("status", [481, None])
async def test_a_hold_that_finds_no_dialog_or_no_answer_ends_the_call(status: int | None) -> None:
    async with agent() as a, peer() as p:
        leg = await placed(a, p)
        holding = asyncio.create_task(leg.hold(True))
        offer = await p.request("INVITE")
        reply(p, a, offer, status or 180)
        await p.request("BYE")
        found = await event(leg, HungUp)
        assert (found.cause, found.code) == (Cause.FAILED, status or 408)
        await holding
        assert a.plane.streams == 0


async def test_the_far_end_hangs_up_while_our_offer_is_open() -> None:
    async with agent() as a, peer() as p:
        leg = await a.call(f"sip:9@127.0.0.1:{p.address.port}")
        invite = await p.request("INVITE")
        await answered_by(p, a, invite)
        await p.request("ACK")
        await event(leg, Answered)
        holding = asyncio.create_task(leg.hold(True))
        offer = await p.request("INVITE")
        p.send(from_callee(p, invite, "BYE", 9), a.address())
        await p.response(200)
        assert await over(leg) == (Cause.NORMAL, "callee")
        await holding
        await answered_by(p, a, offer)  # what crossed the BYE is acknowledged all the same
        assert (await p.request("ACK")).cseq.number == offer.cseq.number


async def test_a_transfer_with_its_notifies() -> None:
    async with agent() as a, peer() as p:
        leg = await a.call(f"sip:9@127.0.0.1:{p.address.port}")
        invite = await p.request("INVITE")
        await answered_by(p, a, invite)
        await p.request("ACK")
        await event(leg, Answered)
        assert await leg.transfer("sip:agent@192.0.2.7", 10) is TransferOutcome.FAILED  # not the trunk's host
        transferring = asyncio.create_task(leg.transfer("sip:agent@127.0.0.7", 10))
        refer = await p.request("REFER")
        assert refer.headers.get("Refer-To") == "<sip:agent@127.0.0.7>"
        reply(p, a, refer, 202)
        about = "Event: refer\r\nSubscription-State: active\r\nContent-Type: message/sipfrag\r\n"
        for number, line in enumerate(["100 Trying", "180 Ringing", "200 OK"], start=1):
            news = from_callee(p, invite, "NOTIFY", number, about, f"SIP/2.0 {line}\r\n")
            p.send(news, a.address())
            await p.response(200)
        assert await transferring is TransferOutcome.DONE
        p.send(from_callee(p, invite, "BYE", 9), a.address())
        assert await over(leg) == (Cause.TRANSFERRED, "callee")


PAST = Trunk(allow=("192.0.2.0/24",), destinations=("sip:127.0.0.1",))
"""A trunk that calls a host which is not its own."""

CHALLENGE = 'Digest realm="trunk.example", nonce="n1", algorithm=SHA-256, qop="auth"'


@pytest.mark.parametrize(("realm", "answers"), [("trunk.example", True), ("other.example", False)])
async def test_a_challenge_is_answered_for_the_trunk_and_its_realm_only(realm: str, answers: bool) -> None:
    async with peer() as p:
        trunk = Trunk(
            allow=LOCAL,
            proxy=f"127.0.0.1:{p.address.port}",
            credentials=Credentials("alice", "secret", realm),
        )
        async with agent(trunk=trunk) as a:
            leg = await a.call("100")
            invite = await p.request("INVITE")
            reply(p, a, invite, 407, "t1", Proxy_Authenticate=CHALLENGE)
            await p.request("ACK")
            if not answers:
                assert (await event(leg, HungUp)).code == 407
                return
            again = await p.request("INVITE")
            assert again.cseq.number == invite.cseq.number + 1
            assert (again.call_id, again.from_.tag) == (invite.call_id, invite.from_.tag)
            assert again.via.branch != invite.via.branch
            assert 'username="alice"' in (again.headers.get("Proxy-Authorization") or "")
            await answered_by(p, a, again)
            assert (await p.request("ACK")).headers.get("Proxy-Authorization")
            await event(leg, Answered)
            p.answers_bye = False
            await leg.hang_up()
            bye = await p.request("BYE")
            reply(p, a, bye, 407, "t1", Proxy_Authenticate=CHALLENGE.replace("n1", "n2"))
            proven = await p.request("BYE")
            assert 'nonce="n2"' in (proven.headers.get("Proxy-Authorization") or "")


async def test_a_wrong_password_is_tried_once() -> None:
    async with peer() as p:
        trunk = Trunk(
            allow=LOCAL, proxy=f"127.0.0.1:{p.address.port}", credentials=Credentials("alice", "wrong")
        )
        async with agent(trunk=trunk) as a:
            leg = await a.call("100")
            reply(p, a, await p.request("INVITE"), 401, "t1", WWW_Authenticate=CHALLENGE)
            await p.request("ACK")
            reply(p, a, await p.request("INVITE"), 401, "t1", WWW_Authenticate=CHALLENGE)
            assert (await event(leg, HungUp)).code == 401


async def test_the_far_end_of_a_call_past_the_trunks_may_go_on_with_it_and_no_more() -> None:
    async with agent(trunk=PAST) as a, peer() as p:
        leg = await a.call(f"sip:9@127.0.0.1:{p.address.port}")
        invite = await p.request("INVITE")
        await answered_by(p, a, invite)
        await p.request("ACK")
        await event(leg, Answered)
        p.send(p.message("OPTIONS", a.address()), a.address())
        p.send(p.message("INVITE", a.address(), branch="z9hG4bK-2", body=p.sdp()), a.address())
        p.send(from_callee(p, invite, "BYE", 9), a.address())
        assert (await p.response(200)).cseq.method == "BYE"
        assert (await event(leg, HungUp)).by == "callee"
        p.send(p.message("OPTIONS", a.address(), branch="z9hG4bK-3"), a.address())
        await asyncio.sleep(0.1)
        assert p.seen == ["INVITE", "ACK", "200"]


async def test_a_call_past_the_trunk_gets_no_credentials() -> None:
    async with (
        agent(trunk=replace(PAST, credentials=Credentials("a", "b"))) as a,
        peer() as p,
    ):
        leg = await a.call(f"sip:9@127.0.0.1:{p.address.port}")
        reply(p, a, await p.request("INVITE"), 401, "t1", WWW_Authenticate=CHALLENGE)
        assert (await event(leg, HungUp)).code == 401
