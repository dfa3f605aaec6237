"""Before the answer: reliable provisional responses, early media, UPDATE and forks, against a peer by hand
and between two user agents."""

from __future__ import annotations

import asyncio

import pytest

from media.leg import Answered, Cause, HungUp, Ringing
from sip.leg import SipLeg
from sip.message import Request, Response, response_to
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
    until,
)

LOCAL = ("127.0.0.0/8",)
OFF = Trunk(allow=LOCAL, rel100="off")
SUPPORTED = Trunk(allow=LOCAL)
REQUIRED = Trunk(allow=LOCAL, rel100="required")


async def calling(a: Agent, p: Peer) -> tuple[SipLeg, Request]:
    leg = await a.call(f"sip:9@127.0.0.1:{p.address.port}")
    return leg, await p.request("INVITE")


def provisional(
    p: Peer, a: Agent, invite: Request, status: int, tag: str = "t1", rseq: int = 0, sdp: str = ""
) -> None:
    response = response_to(invite, status, to_tag=tag)
    response.headers.add("Contact", f"<sip:peer@127.0.0.1:{p.address.port}>")
    if rseq:
        response.headers.add("Require", "100rel")
        response.headers.add("RSeq", str(rseq))
    if sdp:
        response.headers.add("Content-Type", "application/sdp")
        response.body = sdp.encode()
    p.send(response.to_bytes(), a.address())


async def prack(p: Peer, b: Agent, of: Response, cseq: int = 2, body: str = "", **parts: str) -> Response:
    """Acknowledges a reliable response of `b`: what it answers."""
    rack = parts.get("rack") or f"{of.headers.get('RSeq')} 1 INVITE"
    text = p.message(
        "PRACK",
        b.address(),
        branch=f"z9hG4bK-prack{cseq}",
        cseq=cseq,
        to_tag=of.to.tag,
        extra=f"RAck: {rack}\r\n",
        body=body,
    )
    p.send(text, b.address())
    return await answer_to(p, "PRACK")


async def answer_to(p: Peer, method: str) -> Response:
    async with asyncio.timeout(10):
        while True:
            message = await p.inbox.get()
            if isinstance(message, Response) and message.cseq.method == method and message.status >= 200:
                return message


def spoken(leg: SipLeg) -> str:
    """The codec that media flows in now; what the leg calls its own is that of its beginning."""
    assert leg._media is not None
    agreed = leg._media._connected
    return "" if agreed is None else agreed.codec.name


# We are the callee


@pytest.mark.parametrize("callee", [SUPPORTED, REQUIRED])
async def test_two_agents_ring_reliably_and_hear_early_media(callee: Trunk) -> None:
    async with agent() as a, agent(trunk=callee) as b:
        ours = await a.call(b.uri())
        theirs = await b.called()
        await theirs.ring()
        assert not (await event(ours, Ringing)).early_media
        await theirs.progress()
        assert (await event(ours, Ringing)).early_media
        await eventually(lambda: ours.quality().packets_received > 5)
        await theirs.answer()
        await event(ours, Answered)
        await event(theirs, Answered)
        before = ours.quality().packets_received
        await eventually(lambda: ours.quality().packets_received > before + 5)
        await theirs.hang_up()
        assert await over(ours) == (Cause.NORMAL, "callee")


async def test_an_answer_waits_for_the_prack_of_the_description() -> None:
    async with agent() as b, peer() as p:
        p.send(p.message("INVITE", b.address(), extra="Supported: 100rel\r\n", body=p.sdp()), b.address())
        leg = await b.called()
        await leg.progress()
        first = await p.response(183)
        answering = asyncio.create_task(leg.answer())
        again = await p.response(183)
        assert again.headers.get("RSeq") == first.headers.get("RSeq")
        assert "200" not in p.seen
        wrong = await prack(p, b, first, rack="1 1 INVITE") if first.headers.get("RSeq") != "1" else None
        assert wrong is None or wrong.status == 481
        assert (await prack(p, b, first, cseq=3)).status == 200
        ok = await p.response(200)
        assert ok.cseq.method == "INVITE"
        assert not ok.body
        await answering
        await event(leg, Answered)


async def test_a_prack_whose_contact_is_broken_lets_the_answer_go() -> None:
    """A PRACK moves no target, so its Contact says nothing."""
    async with agent() as b, peer() as p:
        p.send(p.message("INVITE", b.address(), extra="Supported: 100rel\r\n", body=p.sdp()), b.address())
        leg = await b.called()
        await leg.progress()
        first = await p.response(183)
        answering = asyncio.create_task(leg.answer())
        text = p.message(
            "PRACK",
            b.address(),
            branch="z9hG4bK-prack2",
            cseq=2,
            to_tag=first.to.tag,
            extra=f"RAck: {first.headers.get('RSeq')} 1 INVITE\r\n",
        )
        p.send(text.replace("Contact: <sip:", "Contact: <<sip"), b.address())
        assert (await answer_to(p, "PRACK")).status == 200
        ok = await p.response(200)
        p.send(p.message("ACK", b.address(), branch="z9hG4bK-a", to_tag=ok.to.tag), b.address())
        await answering
        await leg.hang_up()


async def test_an_update_whose_contact_is_broken_changes_nothing() -> None:
    async with agent() as b, peer() as p:
        p.send(p.message("INVITE", b.address(), extra="Supported: 100rel\r\n", body=p.sdp()), b.address())
        leg = await b.called()
        await leg.progress()
        first = await p.response(183)
        assert (await prack(p, b, first)).status == 200
        text = p.message(
            "UPDATE",
            b.address(),
            branch="z9hG4bK-u",
            cseq=3,
            to_tag=first.to.tag,
            body=p.sdp(codec="0 PCMU"),
        )
        p.send(text.replace("Contact: <sip:", "Contact: <<sip"), b.address())
        assert (await answer_to(p, "UPDATE")).status == 400
        assert spoken(leg) == "PCMA"
        await leg.hang_up()


async def test_a_caller_that_never_acknowledges_gets_504() -> None:
    async with agent() as b, peer() as p:
        p.send(p.message("INVITE", b.address(), extra="Require: 100rel\r\n", body=p.sdp()), b.address())
        leg = await b.called()
        await leg.ring()
        assert (await p.response(180)).headers.get("Require") == "100rel"
        await p.response(504)
        ended = await event(leg, HungUp)
        assert (ended.cause, ended.code, ended.reason) == (Cause.FAILED, 504, "SIP;cause=504 No PRACK came")


async def test_an_offer_of_ours_in_a_reliable_response_is_answered_in_its_prack() -> None:
    async with agent() as b, peer() as p:
        p.send(p.message("INVITE", b.address(), extra="Require: 100rel\r\n"), b.address())
        leg = await b.called()
        await leg.ring()
        offer = await p.response(183)
        assert b"m=audio" in offer.body
        assert (await prack(p, b, offer, body=p.sdp(codec="0 PCMU"))).status == 200
        await leg.answer()
        assert not (await p.response(200)).body
        assert spoken(leg) == "PCMU"
        await event(leg, Answered)


async def test_a_new_offer_in_a_prack_is_answered_in_its_200() -> None:
    async with agent() as b, peer() as p:
        p.send(p.message("INVITE", b.address(), extra="Supported: 100rel\r\n", body=p.sdp()), b.address())
        leg = await b.called()
        await leg.progress()
        ok = await prack(p, b, await p.response(183), body=p.sdp("recvonly"))
        assert (ok.status, direction_of(ok)) == (200, "sendonly")


async def test_an_update_before_the_answer() -> None:
    async with agent() as b, peer() as p:
        p.send(p.message("INVITE", b.address(), extra="Supported: 100rel\r\n", body=p.sdp()), b.address())
        leg = await b.called()
        await leg.ring()
        ringing = await p.response(180)
        await prack(p, b, ringing)

        async def update(cseq: int, body: str = "") -> Response:
            text = p.message(
                "UPDATE", b.address(), branch=f"z9hG4bK-u{cseq}", cseq=cseq, to_tag=ringing.to.tag, body=body
            )
            p.send(text, b.address())
            return await answer_to(p, "UPDATE")

        early = await update(3, p.sdp())
        assert early.status == 500
        assert "Retry-After" in early.headers
        await leg.progress()
        await prack(p, b, await p.response(183), cseq=4)
        ok = await update(5, p.sdp("sendonly"))
        assert (ok.status, direction_of(ok)) == (200, "recvonly")
        assert (await update(6)).status == 200
        await leg.answer()
        assert not (await p.response(200)).body


async def test_a_caller_without_100rel_hears_early_media_too_and_gets_the_answer_twice() -> None:
    async with agent() as b, peer() as p:
        extra = "P-Early-Media: supported\r\n"
        p.send(p.message("INVITE", b.address(), extra=extra, body=p.sdp()), b.address())
        leg = await b.called()
        await leg.progress()
        progress = await p.response(183)
        assert "RSeq" not in progress.headers
        assert progress.headers.get("P-Early-Media") == "sendonly"
        await leg.answer()
        assert (await p.response(200)).body == progress.body


async def test_a_caller_that_cannot_do_what_its_trunk_requires() -> None:
    async with agent(trunk=REQUIRED) as b, peer() as p:
        p.send(p.message("INVITE", b.address(), body=p.sdp()), b.address())
        assert (await p.response(421)).headers.get("Require") == "100rel"
        assert b.ua.load().legs == 0


async def test_what_is_switched_off_is_not_known() -> None:
    async with agent(trunk=OFF) as b, peer() as p:
        p.send(p.message("INVITE", b.address(), extra="Require: 100rel\r\n", body=p.sdp()), b.address())
        assert (await p.response(420)).headers.get("Unsupported") == "100rel"


async def test_the_session_description_among_other_parts() -> None:
    async with agent() as b, peer() as p:
        kind = "Content-Type: multipart/mixed;boundary=x\r\n"
        isup = "--x\r\nContent-Type: application/isup\r\n\r\n\x01\r\n"
        body = f"{isup}--x\r\nContent-Type: application/sdp\r\n\r\n{p.sdp()}\r\n--x--\r\n"
        p.send(p.message("INVITE", b.address(), extra=kind, body=body), b.address())
        leg = await b.called()
        await leg.answer()
        assert b"m=audio" in (await p.response(200)).body
        bad = p.message("INVITE", b.address(), branch="z9hG4bK-b", call="other", extra=kind, body=isup)
        p.send(bad, b.address())
        await p.response(400)
        bad = p.message(
            "INVITE", b.address(), branch="z9hG4bK-c", call="third", extra=kind, body=isup + "--x--"
        )
        p.send(bad, b.address())
        assert (await p.response(415)).headers.get("Accept") == "application/sdp"


@pytest.mark.parametrize(
    ("reason", "cause"),
    [('SIP;cause=200;text="Call completed elsewhere"', Cause.NORMAL), ("Q.850;cause=16", Cause.CANCELLED)],
)
async def test_a_call_that_was_answered_elsewhere_is_not_a_missed_one(reason: str, cause: Cause) -> None:
    async with agent() as b, peer() as p:
        p.send(p.message("INVITE", b.address(), body=p.sdp()), b.address())
        leg = await b.called()
        p.send(p.message("CANCEL", b.address(), extra=f"Reason: {reason}\r\n"), b.address())
        ended = await event(leg, HungUp)
        assert (ended.cause, ended.by) == (cause, "caller")
        assert ended.reason is not None


# We are the caller


async def test_a_reliable_response_is_acknowledged_once_and_in_order() -> None:
    async with agent() as a, peer() as p:
        leg, invite = await calling(a, p)
        assert "100rel" in (invite.headers.get("Supported") or "")
        provisional(p, a, invite, 180, rseq=10)
        first = await p.request("PRACK")
        assert (first.headers.get("RAck"), first.to.tag) == ("10 1 INVITE", "t1")
        reply(p, a, first, 200)
        assert not (await event(leg, Ringing)).early_media
        provisional(p, a, invite, 180, rseq=10)  # repeated
        provisional(p, a, invite, 183, rseq=12, sdp=p.sdp(port=1))  # out of order
        provisional(p, a, invite, 183, rseq=11, sdp=p.sdp())
        second = await p.request("PRACK")
        assert second.headers.get("RAck") == "11 1 INVITE"
        assert second.cseq.number == first.cseq.number + 1
        reply(p, a, second, 200)
        assert (await event(leg, Ringing)).early_media
        ok = response_to(invite, 200, to_tag="t1")
        ok.headers.add("Contact", f"<sip:peer@127.0.0.1:{p.address.port}>")
        p.send(ok.to_bytes(), a.address())
        await event(leg, Answered)
        assert (await p.request("ACK")).cseq.number == 1
        await leg.hang_up()
        assert (await p.request("BYE")).cseq.number == second.cseq.number + 1


async def test_a_callee_that_must_be_reliable() -> None:
    async with agent(trunk=REQUIRED) as a, peer() as p:
        leg, invite = await calling(a, p)
        assert invite.headers.get("Require") == "100rel"
        reply(p, a, invite, 420, "t1", Unsupported="100rel")
        assert (await event(leg, HungUp)).code == 420


async def test_each_fork_has_its_own_early_media_and_the_one_that_answers_wins() -> None:
    async with agent() as a, peer() as p:
        leg, invite = await calling(a, p)
        for tag, codec in (("one", "0 PCMU"), ("two", "8 PCMA")):
            provisional(p, a, invite, 183, tag, rseq=7, sdp=p.sdp(codec=codec))
            found = await p.request("PRACK")
            assert found.to.tag == tag
            assert found.headers.get("RAck") == "7 1 INVITE"
            reply(p, a, found, 200)
        assert (await event(leg, Ringing)).early_media
        await eventually(lambda: spoken(leg) == "PCMA")
        assert a.ua.load().dialogs == 2
        provisional(p, a, invite, 199, "two")
        await eventually(lambda: a.ua.load().dialogs == 1)
        ok = response_to(invite, 200, to_tag="one")
        ok.headers.add("Contact", f"<sip:peer@127.0.0.1:{p.address.port}>")
        p.send(ok.to_bytes(), a.address())
        await event(leg, Answered)
        assert spoken(leg) == "PCMU"
        assert a.ua.load().dialogs == 1
        await answered_by(p, a, invite, "two")
        bye = await p.request("BYE")
        assert bye.to.tag == "two"


async def test_a_callee_changes_its_early_media_by_update() -> None:
    async with agent() as a, peer() as p:
        leg, invite = await calling(a, p)
        provisional(p, a, invite, 183, rseq=1)
        reply(p, a, await p.request("PRACK"), 200)
        p.send(from_callee(p, invite, "UPDATE", 1, "Content-Type: application/sdp\r\n", p.sdp()), a.address())
        await p.response(491)  # our own offer has no answer yet
        provisional(p, a, invite, 183, rseq=2, sdp=p.sdp())
        reply(p, a, await p.request("PRACK"), 200)
        changed = p.sdp("sendonly", codec="0 PCMU")
        p.send(from_callee(p, invite, "UPDATE", 2, "Content-Type: application/sdp\r\n", changed), a.address())
        assert direction_of(await p.response(200)) == "recvonly"
        assert spoken(leg) == "PCMU"
        p.send(from_callee(p, invite, "UPDATE", 3), a.address())
        assert (await p.response(200)).body == b""


@pytest.mark.parametrize("hung_up", [True, False])
async def test_the_bye_of_a_fork_that_answers_too_late_counts_its_prack(hung_up: bool) -> None:
    """An answer that crosses our CANCEL, or comes second: the far end has had a PRACK, and takes no BYE with
    the same CSeq (RFC 3261 12.2.2)."""
    async with agent() as a, peer() as p:
        leg, invite = await calling(a, p)
        provisional(p, a, invite, 183, "one", rseq=7, sdp=p.sdp())
        prack = await p.request("PRACK")
        reply(p, a, prack, 200)
        if hung_up:
            await leg.hang_up()
            await p.request("CANCEL")
        else:
            await answered_by(p, a, invite, "two")
            await until(leg, Answered)
        await answered_by(p, a, invite, "one")
        bye = await p.request("BYE")
        assert bye.to.tag == "one"
        assert bye.cseq.number > prack.cseq.number
        await leg.hang_up()


async def test_an_update_of_the_callee_whose_contact_is_broken_changes_nothing() -> None:
    async with agent() as a, peer() as p:
        leg, invite = await calling(a, p)
        provisional(p, a, invite, 183, rseq=1, sdp=p.sdp())
        reply(p, a, await p.request("PRACK"), 200)
        await event(leg, Ringing)
        extra = "Contact: <<sip:x>\r\nContent-Type: application/sdp\r\n"
        p.send(from_callee(p, invite, "UPDATE", 1, extra, p.sdp(codec="0 PCMU")), a.address())
        assert (await answer_to(p, "UPDATE")).status == 400
        assert spoken(leg) == "PCMA"
        await leg.hang_up()


async def test_ringing_is_told_when_it_changes() -> None:
    async with agent() as a, peer() as p:
        leg, invite = await calling(a, p)
        for status in (181, 182, 180, 180, 182):
            provisional(p, a, invite, status)
        provisional(p, a, invite, 183, sdp=p.sdp())
        provisional(p, a, invite, 180)
        await answered_by(p, a, invite)
        early = [(await event(leg, Ringing)).early_media for _ in range(2)]
        await event(leg, Answered)
        assert early == [False, True]


@pytest.mark.parametrize(
    ("status", "reason", "cause"),
    [
        (480, 'Q.850;cause=17;text="User busy"', Cause.BUSY),
        (503, "Q.850;cause=34", Cause.NO_CAPACITY),
        (302, "", Cause.REJECTED),
    ],
)
async def test_why_a_call_was_refused(status: int, reason: str, cause: Cause) -> None:
    async with agent() as a, peer() as p:
        leg, invite = await calling(a, p)
        extra = {"Reason": reason} if reason else {}
        reply(p, a, invite, status, "t1", Contact="<sip:elsewhere@192.0.2.9>", **extra)
        ended = await until(leg, HungUp)
        assert (ended.cause, ended.by, ended.code) == (cause, "callee", status)
        assert (ended.reason is None) == (not reason)
        assert p.seen.count("INVITE") == 1  # a redirection is not followed


async def test_an_early_dialog_leaves_nothing_behind() -> None:
    async with agent() as a, peer() as p:
        leg, invite = await calling(a, p)
        for number in range(20):
            provisional(p, a, invite, 180, f"fork{number}")
        await event(leg, Ringing)
        await eventually(lambda: a.ua.load().dialogs == 16)
        await leg.hang_up()
        assert a.ua.load().dialogs == 0
        reply(p, a, await p.request("CANCEL"), 200)
        reply(p, a, invite, 487, "fork1")
        await eventually(lambda: a.ua.load().timers == 0)


async def test_no_address_stays_trusted_when_its_calls_are_over() -> None:
    """Answered, refused, taken back, and lost as a fork: whose requests came in is a stranger again."""
    async with agent() as a, agent() as b, peer() as p:
        for end in ("answer", "reject", "cancel"):
            ours = await a.call(b.uri())
            theirs = await b.called()
            await theirs.progress()
            await event(ours, Ringing)
            if end == "answer":
                await theirs.answer()
                await event(ours, Answered)
                await ours.hang_up()
            elif end == "reject":
                await theirs.reject(Cause.BUSY)
            else:
                await ours.hang_up()
            await until(theirs, HungUp) if end != "answer" else await over(theirs)
        leg, invite = await calling(a, p)
        provisional(p, a, invite, 183, "lost", rseq=1)
        reply(p, a, await p.request("PRACK"), 200)
        await answered_by(p, a, invite, "won")
        await until(leg, Answered)
        await leg.hang_up()
        await eventually(lambda: not any(agent.ua._dialogs.trusts("127.0.0.1") for agent in (a, b)))
