"""In an answered call: session timers, UPDATE, changes from both sides, and why the far end leaves."""

from __future__ import annotations

import asyncio
import re

import pytest

from media.leg import Answered, Cause, Held, HungUp, Ringing
from sip.hop import Address, Hop
from sip.leg import SipLeg
from sip.message import Message, Request, response_to
from sip.transports import Transports
from sip.trunks import Trunk
from sip.uri import Uri
from tests.sip.agents import (
    Agent,
    Peer,
    agent,
    connected,
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
UPDATES = "INVITE, ACK, BYE, UPDATE"


@pytest.fixture
def quick_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions of two seconds."""
    monkeypatch.setattr("sip.session_timer.MIN_SE_S", 2)
    monkeypatch.setattr("sip.session_timer._LEAST_S", 1)
    monkeypatch.setattr("sip.session_timer._RETRY_S", 0.2)


def trunk(**settings: object) -> Trunk:
    return Trunk(allow=LOCAL, **settings)  # type: ignore[arg-type]


async def taken(a: Agent, p: Peer, **headers: str) -> tuple[SipLeg, Request]:
    """A call of `a` that the peer has answered, and its INVITE."""
    leg = await a.call(f"sip:9@127.0.0.1:{p.address.port}")
    invite = await p.request("INVITE")
    accept(p, a, invite, **headers)
    await p.request("ACK")
    await event(leg, Answered)
    return leg, invite


def accept(p: Peer, a: Agent, invite: Request, direction: str = "sendrecv", **headers: str) -> None:
    ok = response_to(invite, 200, to_tag="t1")
    ok.headers.add("Contact", f"<sip:peer@127.0.0.1:{p.address.port}>")
    for name, value in headers.items():
        ok.headers.add(name.replace("_", "-"), value)
    if invite.body:
        ok.headers.add("Content-Type", "application/sdp")
        ok.body = p.sdp(direction).encode()
    p.send(ok.to_bytes(), a.address())


def origin_of(message: Message) -> str:
    found = re.search(rb"^o=.*$", message.body, re.MULTILINE)
    assert found is not None
    return found[0].decode()


# Session timers


@pytest.mark.parametrize("refresher", [None, "us", "them"])
@pytest.mark.usefixtures("quick_sessions")
async def test_a_call_between_two_agents_outlives_its_session_interval(refresher: str | None) -> None:
    async with agent(trunk=trunk(session_expires_s=2, refresher=refresher)) as a, agent() as b:
        ours, theirs = await connected(a, b)
        await asyncio.sleep(3.5)
        await ours.hang_up()
        assert await over(theirs) == (Cause.NORMAL, "caller")


@pytest.mark.usefixtures("quick_sessions")
async def test_a_refresh_by_reinvite_says_the_same_as_before() -> None:
    async with agent(trunk=trunk(session_expires_s=2)) as a, peer() as p:
        leg, invite = await taken(a, p, Session_Expires="2;refresher=uac", Require="timer")
        again = await p.request("INVITE")
        assert origin_of(again) == origin_of(invite)
        assert again.headers.get("Session-Expires") == "2;refresher=uac"
        accept(p, a, again, Session_Expires="2;refresher=uac")
        await p.request("ACK")
        third = await p.request("INVITE")
        assert origin_of(third) == origin_of(invite)
        reply(p, a, third, 481)
        ended = await until(leg, HungUp)
        assert (ended.cause, ended.by, ended.code) == (Cause.FAILED, "us", 481)


@pytest.mark.usefixtures("quick_sessions")
async def test_a_refresh_by_update_where_the_far_end_takes_it_else_by_reinvite() -> None:
    async with agent(trunk=trunk(session_expires_s=2)) as a, peer() as p:
        leg, _ = await taken(a, p, Session_Expires="2;refresher=uac", Allow=UPDATES)
        update = await p.request("UPDATE")
        assert not update.body
        assert update.headers.get("Session-Expires") == "2;refresher=uac"
        reply(p, a, update, 422, Min_SE="3")
        update = await p.request("UPDATE")
        assert update.headers.get("Session-Expires") == "3;refresher=uac"
        assert update.headers.get("Min-SE") == "3"
        reply(p, a, update, 405)
        assert (await p.request("INVITE")).body
        await leg.hang_up()


@pytest.mark.usefixtures("quick_sessions")
async def test_a_far_end_that_never_refreshes_is_left_with_a_reason() -> None:
    async with agent(trunk=trunk(session_expires_s=2)) as a, peer() as p:
        leg, _ = await taken(a, p, Session_Expires="2;refresher=uas")
        bye = await p.request("BYE")
        assert bye.headers.get("Reason") == 'SIP;cause=408;text="Session timer expired"'
        ended = await event(leg, HungUp)
        assert (ended.cause, ended.by) == (Cause.FAILED, "us")
        assert ended.reason == "SIP;cause=408 Session timer expired"


async def test_an_interval_that_is_too_small_is_raised() -> None:
    async with agent(trunk=trunk(session_expires_s=120)) as a, peer() as p:
        await a.call(f"sip:9@127.0.0.1:{p.address.port}")
        first = await p.request("INVITE")
        assert first.headers.get("Session-Expires") == "120"
        assert "timer" in (first.headers.get("Supported") or "")
        reply(p, a, first, 422, "t1", Min_SE="600")
        second = await p.request("INVITE")
        assert second.headers.get("Session-Expires") == "600"
        assert second.headers.get("Min-SE") == "600"
        assert second.cseq.number == first.cseq.number + 1
        assert second.call_id == first.call_id


async def test_a_caller_is_told_what_we_agree_to() -> None:
    async with agent() as b, peer() as p:
        timer = "Supported: timer\r\nSession-Expires: 60\r\n"
        p.send(p.message("INVITE", b.address(), extra=timer, body=p.sdp()), b.address())
        assert (await p.response(422)).headers.get("Min-SE") == "90"
        timer = "Supported: timer\r\nSession-Expires: 600;refresher=uac\r\n"
        p.send(
            p.message("INVITE", b.address(), branch="z9hG4bK-2", cseq=2, extra=timer, body=p.sdp()),
            b.address(),
        )
        leg = await b.called()
        await leg.answer()
        ok = await p.response(200)
        assert ok.headers.get("Session-Expires") == "600;refresher=uac"
        assert ok.headers.get("Require") == "timer"


async def test_no_timer_where_the_trunk_wants_none() -> None:
    async with agent(trunk=trunk(session_expires_s=0)) as a, peer() as p:
        _, invite = await taken(a, p)
        assert "Session-Expires" not in invite.headers
        assert "timer" not in (invite.headers.get("Supported") or "")


# UPDATE, and changes from both sides


async def test_an_update_changes_the_media_and_refreshes() -> None:
    async with agent() as a, peer() as p:
        leg, invite = await taken(a, p, Session_Expires="600;refresher=uas")
        timer = "Supported: timer\r\nSession-Expires: 300;refresher=uac\r\n"
        kind = "Content-Type: application/sdp\r\n"
        p.send(from_callee(p, invite, "UPDATE", 1, timer + kind, p.sdp("sendonly")), a.address())
        ok = await p.response(200)
        assert direction_of(ok) == "recvonly"
        assert ok.headers.get("Session-Expires") == "300;refresher=uac"
        assert "UPDATE" in (ok.headers.get("Allow") or "")
        assert (await event(leg, Held)).on
        p.send(from_callee(p, invite, "UPDATE", 2, timer.replace("300", "30")), a.address())
        assert (await p.response(422)).headers.get("Min-SE") == "90"
        p.send(from_callee(p, invite, "UPDATE", 3, kind, p.sdp(codec="18 G729")), a.address())
        await p.response(488)


async def test_an_offer_that_crosses_ours_gets_491() -> None:
    async with agent() as a, peer() as p:
        leg, invite = await taken(a, p)
        holding = asyncio.create_task(leg.hold(True))
        ours = await p.request("INVITE")
        kind = "Content-Type: application/sdp\r\n"
        for number, method in enumerate(("UPDATE", "INVITE"), 1):
            p.send(from_callee(p, invite, method, number, kind, p.sdp()), a.address())
            assert (await p.response(491)).cseq.method == method
        p.send(from_callee(p, invite, "UPDATE", 3), a.address())
        assert (await p.response(200)).cseq.method == "UPDATE"
        accept(p, a, ours, "recvonly")
        await p.request("ACK")
        assert await holding


async def test_a_reinvite_that_only_rings_is_cancelled_and_the_call_lives() -> None:
    async with agent() as a, peer() as p:
        leg, _ = await taken(a, p)
        holding = asyncio.create_task(leg.hold(True))
        ours = await p.request("INVITE")
        reply(p, a, ours, 180)
        reply(p, a, await p.request("CANCEL"), 200)
        reply(p, a, ours, 487)
        await p.request("ACK")
        assert not await holding
        assert a.ua.load().legs == 1


async def test_a_cancel_of_a_reinvite_comes_too_late() -> None:
    async with agent() as a, peer() as p:
        leg, invite = await taken(a, p)
        text = from_callee(p, invite, "INVITE", 1, "Content-Type: application/sdp\r\n", p.sdp("sendonly"))
        p.send(text, a.address())
        await p.response(200)
        p.send(
            re.sub(r"\r\nContent-Type.*", "\r\n\r\n", text, flags=re.DOTALL).replace("INVITE", "CANCEL"),
            a.address(),
        )
        while (await p.response(200)).cseq.method != "CANCEL":
            pass
        assert (await event(leg, Held)).on
        assert a.ua.load().legs == 1


async def test_the_session_description_of_an_answer_among_other_parts() -> None:
    async with agent() as a, peer() as p:
        leg = await a.call(f"sip:9@127.0.0.1:{p.address.port}")
        invite = await p.request("INVITE")
        ok = response_to(invite, 200, to_tag="t1")
        ok.headers.add("Contact", f"<sip:peer@127.0.0.1:{p.address.port}>")
        ok.headers.add("Content-Type", 'multipart/mixed; boundary="-"')
        ok.body = f"---\r\nContent-Type: application/sdp\r\n\r\n{p.sdp()}\r\n-----\r\n".encode()
        p.send(ok.to_bytes(), a.address())
        await event(leg, Answered)


# Why the far end leaves


@pytest.mark.parametrize(
    ("reason", "cause", "kept"),
    [
        ("", Cause.NORMAL, None),
        ('Q.850;cause=16;text="Normal call clearing"', Cause.NORMAL, "Q.850;cause=16 Normal call clearing"),
        ("Q.850 ;cause=38", Cause.NO_CAPACITY, "Q.850;cause=38"),
        ('SIP;cause=408;text="Session timer expired"', Cause.FAILED, "SIP;cause=408 Session timer expired"),
        ("nonsense", Cause.NORMAL, None),
    ],
)
async def test_why_the_far_end_hung_up(reason: str, cause: Cause, kept: str | None) -> None:
    async with agent() as a, peer() as p:
        leg, invite = await taken(a, p)
        extra = f"Reason: {reason}\r\n" if reason else ""
        p.send(from_callee(p, invite, "BYE", 1, extra), a.address())
        ended = await event(leg, HungUp)
        assert (ended.cause, ended.by, ended.reason) == (cause, "callee", kept)


@pytest.mark.parametrize("reliable", ["supported", "required"])
async def test_a_whole_call_where_every_message_is_lost_once_and_comes_twice(
    monkeypatch: pytest.MonkeyPatch, reliable: str
) -> None:
    """Ringing, early media, answer, hold and back, BYE: retransmissions alone carry it."""
    seen: set[bytes] = set()
    sending = Transports.send

    def send(transports: Transports, data: bytes, hop: Hop) -> None:
        if data in seen:
            sending(transports, data, hop)
            sending(transports, data, hop)
        seen.add(data)

    monkeypatch.setattr(Transports, "send", send)
    async with agent(trunk=trunk(rel100=reliable)) as a, agent(trunk=trunk(rel100=reliable)) as b:
        ours = await a.call(b.uri())
        theirs = await b.called()
        await theirs.ring()
        await theirs.progress()
        assert (await until(ours, Ringing)).early_media is False
        assert (await until(ours, Ringing)).early_media
        await theirs.answer()
        await event(theirs, Answered)
        await event(ours, Answered)
        assert await ours.hold(True)
        assert (await event(theirs, Held)).on
        assert await theirs.hold(True)
        assert await ours.hold(False)
        await ours.hang_up()
        assert await over(theirs) == (Cause.NORMAL, "caller")
        await eventually(lambda: b.ua.load().legs == b.ua.load().dialogs == 0)


async def test_a_phone_behind_a_nat_gets_our_requests_where_its_own_came_from() -> None:
    """Its Contact is an address of its own network: nothing that we send there arrives."""
    async with agent() as a:
        near = Hop("UDP", Address("203.0.113.9", 40123), a.address())
        found: list[Hop] = []
        router = a.ua._endpoint.router
        router.route(Uri.parse("sip:200@192.168.1.20:5060"), near, found.append)
        router.route(Uri.parse("sip:200@198.51.100.4:5060"), near, found.append)
        assert [hop.remote for hop in found] == [near.remote, Address("198.51.100.4", 5060)]
