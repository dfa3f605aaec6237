"""Transfers between user agents on loopback, with media: attended, by REFER, by Replaces."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import pytest

from media.clip import Clip, ClipWriter
from media.codecs import PCMA
from media.leg import Answered, Cause, Digit, Held, Played, Replaced, Ringing, TransferOutcome
from sip.leg import SipLeg
from sip.trunks import Trunk
from sip.user_agent import Load
from tests.sip.agents import (
    Agent,
    Peer,
    agent,
    answered_by,
    connected,
    event,
    eventually,
    from_callee,
    over,
    peer,
    reply,
    until,
)

LOCAL = ("127.0.0.0/8",)
ALLOWS = Trunk(allow=LOCAL, refer_to=("sip:127.0.0.1",))
FRAME = 160


def tone(level: int, frames: int) -> Clip:
    """A clip of a constant, which a listener knows again."""
    clip = Clip(PCMA)
    writer = ClipWriter(clip, 8000)
    writer.write(array("h", [level] * FRAME * frames).tobytes())
    writer.close()
    return clip


class Ear:
    """What a listener heard: the levels of the frames, silence left out."""

    def __init__(self, leg: SipLeg) -> None:
        self.levels: list[int] = []
        leg.listen(self.take)

    def take(self, frame: bytes) -> None:
        level = array("h", frame)[FRAME // 2]
        if abs(level) > 200:
            self.levels.append(level)

    def heard(self, level: int) -> bool:
        return sum(abs(found - level) < level / 10 for found in self.levels) >= 5


@asynccontextmanager
async def agents(*trunks: Trunk | None) -> AsyncIterator[list[Agent]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(agent(trunk=trunk)) for trunk in trunks]


def _rests(one: Agent) -> bool:
    load = one.ua.load()
    return load == Load(0, 0, 0, 0, load.connections)


async def at_rest(*those: Agent) -> None:
    """Nothing is left of any call."""
    for one in those:
        await eventually(partial(_rests, one))
        assert one.plane.streams == 0
        assert one.ua.calls("peer") == 0
        assert not one.ua._dialogs._trusted


async def talk(one: SipLeg, other: SipLeg) -> None:
    """Voice and keys go both ways between two legs."""
    for speaker, listener, level, key in ((one, other, 4000, "7"), (other, one, 9000, "#")):
        ear = Ear(listener)
        speaker.play(tone(level, 40), "talk")
        await eventually(partial(ear.heard, level))
        await until(speaker, Played)
        speaker.send_digits(key)
        assert (await until(listener, Digit)).key == key
        listener.listen(None)


async def test_an_attended_transfer_joins_two_callers() -> None:
    async with agents(None, ALLOWS, None) as (a, b, c):
        to_b, at_b = await connected(a, b)
        to_c, at_c = await connected(a, c)
        assert await to_b.transfer_to(to_c, 10) is TransferOutcome.DONE
        assert await over(to_b) == (Cause.TRANSFERRED, "us")
        assert (await over(to_c))[0] is Cause.TRANSFERRED
        assert (await until(at_b, Replaced)).party == "100"
        assert (await until(at_c, Replaced)).party == "100"
        assert a.plane.streams == 0
        await talk(at_b, at_c)
        assert (b.ua.calls("peer"), c.ua.calls("peer")) == (1, 1)
        await at_b.hang_up()
        assert await over(at_c) == (Cause.NORMAL, "caller")
        await over(at_b)
        await at_rest(a, b, c)


async def test_an_attended_transfer_of_encrypted_calls() -> None:
    secret = Trunk(allow=LOCAL, refer_to=("sip:127.0.0.1",), srtp="required")
    async with agents(secret, secret, secret) as (a, b, c):
        to_b, at_b = await connected(a, b)
        to_c, at_c = await connected(a, c)
        assert await to_b.transfer_to(to_c, 10) is TransferOutcome.DONE
        await until(at_b, Replaced)
        await until(at_c, Replaced)
        await talk(at_b, at_c)


async def test_whom_we_hold_is_held_when_somebody_else_comes() -> None:
    async with agents(None, ALLOWS, None) as (a, b, c):
        to_b, at_b = await connected(a, b)
        to_c, at_c = await connected(a, c)
        assert await at_c.hold(True)
        assert (await until(to_c, Held)).on
        assert await to_b.transfer_to(to_c, 10) is TransferOutcome.DONE
        await until(at_b, Replaced)
        assert (await until(at_b, Held)).on
        assert await at_c.hold(False)
        assert not (await until(at_b, Held)).on
        await until(at_c, Replaced)
        await talk(at_b, at_c)


async def test_an_attended_transfer_that_is_refused_leaves_both_calls() -> None:
    async with agents(None, None, None) as (a, b, c):
        to_b, at_b = await connected(a, b)
        to_c, at_c = await connected(a, c)
        assert await to_b.transfer_to(to_c, 10) is TransferOutcome.FAILED
        await talk(to_b, at_b)
        await talk(to_c, at_c)


async def test_an_attended_transfer_needs_two_calls() -> None:
    async with agents(None, ALLOWS) as (a, b):
        to_b, at_b = await connected(a, b)
        ringing = await a.call(b.uri())
        assert await to_b.transfer_to(to_b, 1) is TransferOutcome.FAILED
        assert await to_b.transfer_to(ringing, 1) is TransferOutcome.FAILED
        await at_b.hang_up()
        await over(to_b)
        assert await to_b.transfer_to(ringing, 1) is TransferOutcome.FAILED


async def test_a_leg_that_is_transferred_plays_on() -> None:
    """A prompt of three seconds is heard to its end: first by the one, then by the other, no frame twice."""
    async with agents(None, ALLOWS, None) as (a, b, c):
        to_b, at_b = await connected(a, b)
        first, heard = Ear(to_b), Ear(at_b)
        at_b.play(tone(4000, 150), "long")
        await eventually(lambda: first.heard(4000))
        transfer = asyncio.create_task(to_b.transfer(c.uri("300"), 10))
        at_c = await c.called()
        assert at_c.info.caller == "100"
        await at_c.ring()
        await at_c.answer()
        second = Ear(at_c)
        await event(at_c, Answered)
        assert await transfer is TransferOutcome.DONE
        assert await over(to_b) == (Cause.TRANSFERRED, "callee")
        assert (await event(at_b, Replaced)).party == "300"
        await event(at_b, Played)
        await eventually(lambda: second.heard(4000))
        assert len(first.levels) + len(second.levels) <= 150
        at_c.play(tone(9000, 40), "back")
        await eventually(lambda: heard.heard(9000))
        await at_c.hang_up()
        assert await over(at_b) == (Cause.NORMAL, "caller")
        await at_rest(a, b, c)


async def test_a_target_that_does_not_come_leaves_the_call_as_it_was() -> None:
    async with agents(None, ALLOWS, None) as (a, b, c):
        to_b, at_b = await connected(a, b)
        transfer = asyncio.create_task(to_b.transfer(c.uri("300"), 10))
        at_c = await c.called()
        await at_c.reject(Cause.BUSY)
        assert await transfer is TransferOutcome.BUSY
        await talk(to_b, at_b)
        assert await to_b.transfer("sip:300@127.0.0.1:1", 10) is not TransferOutcome.DONE
        await talk(to_b, at_b)
        assert b.ua.calls("peer") == 1


async def test_a_second_try_after_one_that_failed() -> None:
    async with agents(None, ALLOWS, None) as (a, b, c):
        to_b, at_b = await connected(a, b)
        for outcome in (TransferOutcome.BUSY, TransferOutcome.DONE):
            transfer = asyncio.create_task(to_b.transfer(c.uri("300"), 10))
            at_c = await c.called()
            if outcome is TransferOutcome.BUSY:
                await at_c.reject(Cause.BUSY)
            else:
                await at_c.answer()
            assert await transfer is outcome
        assert (await until(at_b, Replaced)).party == "300"
        await until(at_c, Answered)
        await talk(at_b, at_c)


async def test_the_trunk_has_no_line_for_the_target() -> None:
    async with agents(None, Trunk(allow=LOCAL, refer_to=("sip:*",), max_calls=1), None) as (a, b, c):
        to_b, at_b = await connected(a, b)
        assert await to_b.transfer(c.uri("300"), 10) is TransferOutcome.FAILED
        await talk(to_b, at_b)
        assert c.incoming.empty()


async def test_the_leg_is_hung_up_while_the_target_rings() -> None:
    async with agents(None, ALLOWS, None) as (a, b, c):
        to_b, at_b = await connected(a, b)
        transfer = asyncio.create_task(to_b.transfer(c.uri("300"), 10))
        at_c = await c.called()
        await at_c.ring()
        await at_b.hang_up()
        assert (await over(at_c))[0] is Cause.CANCELLED
        assert await transfer is not TransferOutcome.DONE
        await at_rest(a, b, c)


# The other side by hand


@asynccontextmanager
async def called_by(p: Peer, a: Agent, call: str = "call-p") -> AsyncIterator[tuple[SipLeg, str]]:
    """A call of the peer's that was answered: the leg, and our tag."""
    p.send(p.message("INVITE", a.address(), call=call, branch=f"z9hG4bK-{call}", body=p.sdp()), a.address())
    leg = await a.called()
    await leg.answer()
    tag = (await p.response(200)).to.tag
    assert tag
    p.send(p.message("ACK", a.address(), call=call, branch=f"z9hG4bK-a{call}", to_tag=tag), a.address())
    await event(leg, Answered)
    await asyncio.sleep(0.02)
    yield leg, tag


def refer(p: Peer, a: Agent, tag: str, to: str, cseq: int = 2, extra: str = "") -> None:
    headers = f"Refer-To: {to}\r\n{extra}"
    p.send(
        p.message("REFER", a.address(), branch=f"z9hG4bK-r{cseq}", cseq=cseq, to_tag=tag, extra=headers),
        a.address(),
    )


async def notify(p: Peer, a: Agent) -> tuple[str, str]:
    """The next NOTIFY: its status line and the state of the subscription; it is answered with 200."""
    request = await p.request("NOTIFY")
    reply(p, a, request, 200)
    assert request.headers.get("Content-Type") == "message/sipfrag;version=2.0"
    state = (request.headers.get("Subscription-State") or "").partition(";expires")[0]
    return request.body.decode().strip().removeprefix("SIP/2.0 "), state


@pytest.mark.parametrize(
    ("refer_to", "status"),
    [
        ("<sip:evil@192.0.2.1>", 603),
        ("<sip:evil@127.0.0.1;method=BYE>", 603),
        ("<sips:100@127.0.0.1>", 416),
        ("<mailto:a@b.example>", 416),
        ("<sip:1@127.0.0.1>\r\nRefer-To: <sip:2@127.0.0.1>", 400),
        ("<sip:1@127.0.0.1>, <sip:2@127.0.0.1>", 400),
        ("nonsense", 400),
        ("<sip:1@127.0.0.1?Replaces=x>", 400),
    ],
)
async def test_a_refer_that_is_refused_leaves_the_call(refer_to: str, status: int) -> None:
    async with agent(trunk=ALLOWS) as a, peer() as p, called_by(p, a) as (leg, tag):
        refer(p, a, tag, refer_to)
        await p.response(status)
        p.send(p.message("BYE", a.address(), branch="z9hG4bK-b", cseq=3, to_tag=tag), a.address())
        assert await over(leg) == (Cause.NORMAL, "caller")


async def test_nobody_is_followed_without_a_word_in_the_configuration() -> None:
    async with agent() as a, peer() as p, called_by(p, a) as (_, tag):
        refer(p, a, tag, "<sip:100@127.0.0.1>")
        await p.response(603)


async def test_a_refer_to_ourselves_is_a_loop() -> None:
    async with agent(trunk=ALLOWS) as a, peer() as p, called_by(p, a) as (_, tag):
        refer(p, a, tag, f"<sip:100@127.0.0.1:{a.address().port}>")
        await p.response(482)


async def test_two_calls_of_ours_are_not_joined() -> None:
    anybody = Trunk(allow=LOCAL, refer_to=("sip:*",))
    async with (
        agent(trunk=anybody) as a,
        peer() as p,
        called_by(p, a) as (_, tag),
        called_by(p, a, "call-q") as (_, other),
    ):
        refer(p, a, tag, f"<sip:100@ivr.example?Replaces=call-q%3Bto-tag%3D{other}%3Bfrom-tag%3Dpeer>")
        await p.response(603)


async def test_what_a_transferor_is_told() -> None:
    async with agent(trunk=ALLOWS) as a, peer() as p, peer() as target, called_by(p, a) as (leg, tag):
        about = "Referred-By: <sip:boss@127.0.0.1>\r\n"
        to = f"<sip:9@127.0.0.1:{target.address.port}?Replaces=x%40y%3Bto-tag%3D1%3Bfrom-tag%3D2&Subject=z>"
        refer(p, a, tag, to, extra=about)
        assert (await p.response(202)).contact is not None
        assert await notify(p, a) == ("100 Trying", "active")
        invite = await target.request("INVITE")
        assert invite.headers.get("Replaces") == "x@y;to-tag=1;from-tag=2"
        assert invite.headers.get("Referred-By") == "<sip:boss@127.0.0.1>"
        assert invite.headers.get("Subject") is None
        assert not invite.uri.headers
        refer(p, a, tag, to, cseq=3)  # one at a time
        await p.response(491)
        reply(target, a, invite, 180, "t1")
        assert await notify(p, a) == ("180 Ringing", "active")
        await answered_by(target, a, invite)
        assert await notify(p, a) == ("200 OK", "terminated;reason=noresource")
        bye = await p.request("BYE")
        assert bye.to.tag == "peer"
        assert (await event(leg, Replaced)).party == "9"
        target.send(from_callee(target, invite, "BYE", 9), a.address())
        assert await over(leg) == (Cause.NORMAL, "caller")
        await at_rest(a)


async def test_a_transferor_who_wants_no_news() -> None:
    async with agent(trunk=ALLOWS) as a, peer() as p, peer() as target, called_by(p, a) as (leg, tag):
        refer(p, a, tag, f"<sip:9@127.0.0.1:{target.address.port}>", extra="Refer-Sub: false\r\n")
        assert (await p.response(202)).headers.get("Refer-Sub") == "false"
        await answered_by(target, a, await target.request("INVITE"))
        await p.request("BYE")
        await event(leg, Replaced)
        assert "NOTIFY" not in p.seen


@pytest.mark.parametrize("comes", [True, False])
async def test_a_transferor_who_hangs_up_at_once(comes: bool) -> None:
    """Many phones send BYE right after the 202: the leg waits for the target, and ends with it."""
    async with agent(trunk=ALLOWS) as a, peer() as p, peer() as target, called_by(p, a) as (leg, tag):
        leg.play(tone(4000, 40), "waits")
        refer(p, a, tag, f"<sip:9@127.0.0.1:{target.address.port}>")
        await p.response(202)
        invite = await target.request("INVITE")
        p.send(p.message("BYE", a.address(), branch="z9hG4bK-b", cseq=3, to_tag=tag), a.address())
        await eventually(lambda: leg._left is not None)
        if not comes:
            reply(target, a, invite, 486, "t1")
            assert await over(leg) == (Cause.NORMAL, "caller")
            await at_rest(a)
            return
        sent = leg.quality().packets_sent
        await asyncio.sleep(0.1)
        assert leg.quality().packets_sent - sent <= 1
        await answered_by(target, a, invite)
        assert (await event(leg, Replaced)).party == "9"
        await event(leg, Played)
        await leg.hang_up()
        await target.request("BYE")
        await at_rest(a)


async def test_a_transferor_who_refuses_the_news_is_told_no_more() -> None:
    async with agent(trunk=ALLOWS) as a, peer() as p, peer() as target, called_by(p, a) as (leg, tag):
        refer(p, a, tag, f"<sip:9@127.0.0.1:{target.address.port}>")
        reply(p, a, await p.request("NOTIFY"), 481)
        invite = await target.request("INVITE")
        reply(target, a, invite, 180, "t1")
        await answered_by(target, a, invite)
        await p.request("BYE")
        await event(leg, Replaced)
        assert p.seen.count("NOTIFY") == 1


async def test_the_server_stops_while_a_transfer_is_told() -> None:
    async with peer() as p, peer() as target:
        async with agent(trunk=ALLOWS) as a, called_by(p, a) as (leg, tag):
            refer(p, a, tag, f"<sip:9@127.0.0.1:{target.address.port}>")
            await answered_by(target, a, await target.request("INVITE"))
            await event(leg, Replaced)
        await p.request("BYE")
        await target.request("BYE")


# Replaces in


def replacing(p: Peer, a: Agent, replaces: str, call: str = "call-n", body: bool = True) -> None:
    lines = "".join(f"Replaces: {value}\r\n" for value in replaces.split("|"))
    p.send(
        p.message(
            "INVITE",
            a.address(),
            call=call,
            branch=f"z9hG4bK-{call}",
            extra=lines,
            body=p.sdp(port=41000) if body else "",
        ),
        a.address(),
    )


@pytest.mark.parametrize("late", [False, True])
async def test_an_invite_with_replaces_takes_the_call_over(late: bool) -> None:
    async with agent() as a, peer() as p, peer() as n, called_by(p, a) as (leg, tag):
        leg.play(tone(4000, 20), "on")
        replacing(n, a, f"call-p;from-tag=peer;to-tag={tag}", body=not late)
        ok = await n.response(200)
        if late:
            assert "BYE" not in p.seen
        sdp = n.sdp(port=41000) if late else ""
        n.send(
            n.message("ACK", a.address(), call="call-n", branch="z9hG4bK-n", to_tag=ok.to.tag, body=sdp),
            a.address(),
        )
        await p.request("BYE")
        assert (await event(leg, Replaced)).party == "peer"
        await event(leg, Played)
        assert a.incoming.empty()
        n.send(
            n.message("BYE", a.address(), call="call-n", branch="z9hG4bK-m", cseq=2, to_tag=ok.to.tag),
            a.address(),
        )
        assert await over(leg) == (Cause.NORMAL, "caller")
        await at_rest(a)


@pytest.mark.parametrize(
    ("replaces", "status"),
    [
        ("call-x;from-tag=peer;to-tag={tag}", 481),
        ("call-p;from-tag={tag};to-tag=peer", 481),
        ("call-p;from-tag=peer;to-tag={tag};early-only", 486),
        ("call-p;from-tag=peer", 400),
        ("call-p;from-tag=peer;to-tag={tag}|call-p;from-tag=peer;to-tag={tag}", 400),
        ("call-p;from-tag=peer;to-tag={tag},call-q;from-tag=a;to-tag=b", 400),
    ],
)
async def test_a_replaces_that_does_not_fit(replaces: str, status: int) -> None:
    async with agent() as a, peer() as p, peer() as n, called_by(p, a) as (leg, tag):
        replacing(n, a, replaces.format(tag=tag))
        await n.response(status)
        p.send(p.message("BYE", a.address(), branch="z9hG4bK-b", cseq=3, to_tag=tag), a.address())
        assert await over(leg) == (Cause.NORMAL, "caller")
        await at_rest(a)


async def test_media_that_does_not_fit_leaves_the_old_call() -> None:
    async with agent() as a, peer() as p, peer() as n, called_by(p, a) as (leg, tag):
        n.send(
            n.message(
                "INVITE",
                a.address(),
                call="call-n",
                extra=f"Replaces: call-p;from-tag=peer;to-tag={tag}\r\n",
                body=n.sdp(codec="0 PCMU"),  # PCMA is in use
            ),
            a.address(),
        )
        await n.response(488)
        p.send(p.message("BYE", a.address(), branch="z9hG4bK-b", cseq=3, to_tag=tag), a.address())
        assert await over(leg) == (Cause.NORMAL, "caller")
        await at_rest(a)


async def test_a_call_that_rings_here_is_not_taken_over() -> None:
    async with agent() as a, peer() as p, peer() as n:
        p.send(p.message("INVITE", a.address(), body=p.sdp()), a.address())
        leg = await a.called()
        await leg.ring()
        tag = (await p.response(180)).to.tag
        replacing(n, a, f"call-p;from-tag=peer;to-tag={tag}")
        await n.response(481)
        await leg.reject(Cause.BUSY)
        await p.response(486)


@pytest.mark.parametrize("crosses", [False, True])
async def test_a_call_that_rings_there_is_picked_up_elsewhere(crosses: bool) -> None:
    """An INVITE that replaces our own early dialog: ours is cancelled, and the leg is answered."""
    async with agent() as a, peer() as p, peer() as n:
        leg = await a.call(f"sip:9@127.0.0.1:{p.address.port}")
        invite = await p.request("INVITE")
        reply(p, a, invite, 180, "t1", Contact=f"<sip:peer@127.0.0.1:{p.address.port}>")
        await event(leg, Ringing)
        replacing(n, a, f"{invite.call_id};from-tag=t1;to-tag={invite.from_.tag};early-only")
        ok = await n.response(200)
        n.send(
            n.message("ACK", a.address(), call="call-n", branch="z9hG4bK-n", to_tag=ok.to.tag), a.address()
        )
        await event(leg, Answered)
        assert (await event(leg, Replaced)).party == "peer"
        cancel = await p.request("CANCEL")
        assert (cancel.headers.get("Reason") or "").startswith("SIP;cause=200;")
        reply(p, a, cancel, 200, "t1")
        if crosses:
            await answered_by(p, a, invite)
            await p.request("ACK")
            await p.request("BYE")
        else:
            reply(p, a, invite, 487, "t1")
            await p.request("ACK")
        leg.play(tone(4000, 5), "on")
        await event(leg, Played)
        await leg.hang_up()
        await n.request("BYE")
        await at_rest(a)


async def test_a_call_that_is_picked_up_elsewhere_and_never_ended_there_is_forgotten() -> None:
    async with agent() as a, peer() as p, peer() as n:
        leg = await a.call(f"sip:9@127.0.0.1:{p.address.port}")
        invite = await p.request("INVITE")
        reply(p, a, invite, 180, "t1", Contact=f"<sip:peer@127.0.0.1:{p.address.port}>")
        await event(leg, Ringing)
        replacing(n, a, f"{invite.call_id};from-tag=t1;to-tag={invite.from_.tag};early-only")
        ok = await n.response(200)
        n.send(
            n.message("ACK", a.address(), call="call-n", branch="z9hG4bK-n", to_tag=ok.to.tag), a.address()
        )
        await event(leg, Answered)
        reply(p, a, await p.request("CANCEL"), 200, "t1")
        await leg.hang_up()
        await n.request("BYE")
        await eventually(lambda: a.ua.load().transactions == a.ua.load().timers == 0)


async def test_another_trunk_may_not_take_a_call_over() -> None:
    async with agent() as a, peer() as p, peer() as n, called_by(p, a) as (leg, tag):
        leg._info = type(leg.info)(leg.info.id, "inbound", "1", "2", "elsewhere", {})  # type: ignore[misc]
        replacing(n, a, f"call-p;from-tag=peer;to-tag={tag}")
        await n.response(403)


async def test_a_transfer_before_the_caller_has_acknowledged_waits_for_that() -> None:
    async with agent() as a, peer() as p, peer() as target:
        p.send(p.message("INVITE", a.address(), body=p.sdp()), a.address())
        leg = await a.called()
        await leg.answer()
        tag = (await p.response(200)).to.tag
        transfer = asyncio.create_task(leg.transfer(f"sip:9@127.0.0.1:{target.address.port}", 10))
        await asyncio.sleep(0.05)
        assert "REFER" not in p.seen
        p.send(p.message("ACK", a.address(), branch="z9hG4bK-ack", to_tag=tag), a.address())
        request = await p.request("REFER")
        assert request.headers.get("Refer-To") == f"<sip:9@127.0.0.1:{target.address.port}>"
        p.send(p.message("BYE", a.address(), branch="z9hG4bK-b", cseq=2, to_tag=tag), a.address())
        assert await transfer is TransferOutcome.FAILED
