"""Calls with the PJSIP stack, each scenario in a process of its own:
`python -m tests.sip.pjsip_scenarios NAME`.

PJSIP allows one endpoint in a process and ends the process where it is misused; a test must survive that.
"""

from __future__ import annotations

import asyncio
import inspect
import sys

import pytest

from media.leg import Answered, Cause, Digit, Held, HungUp, Ringing, TransferOutcome
from sip.digest import Credentials
from sip.message import Request, Response, response_to
from sip.stack import TrunkBusy
from sip.trunks import Trunk
from tests.sip.agents import Peer, agent, direction_of, event, eventually, from_callee, peer, until
from tests.sip.pjsip_agent import PjsipAgent, called_by, calling, descriptors, pjsip_agent


async def answers_and_is_left() -> None:
    async with pjsip_agent() as ours, agent() as theirs:
        for transport in ("udp", "tcp"):
            leg, caller = await called_by(ours, theirs, transport)
            assert leg.info.caller == "200"
            assert leg.info.called == "100"
            await eventually(lambda leg=leg: leg.quality().packets_received > 3)
            await eventually(lambda caller=caller: caller.quality().packets_received > 3)
            caller.send_digits("12#")
            assert [(await event(leg, Digit)).key for _ in range(3)] == list("12#")
            leg.send_digits("7")
            assert (await event(caller, Digit)).key == "7"
            await caller.hang_up()
            over = await event(leg, HungUp)
            assert (over.cause, over.by) == (Cause.NORMAL, "caller")
            await ours.empty()


async def answers_and_leaves() -> None:
    async with pjsip_agent() as ours, agent() as theirs:
        leg, caller = await called_by(ours, theirs)
        await leg.hang_up()
        assert (await event(leg, HungUp)).by == "us"
        assert (await until(caller, HungUp)).by == "callee"
        await ours.empty()


async def early_media_from_us() -> None:
    async with pjsip_agent() as ours, agent() as theirs:
        caller = await theirs.call(ours.uri())
        leg = await ours.called()
        await leg.ring()
        assert not (await event(caller, Ringing)).early_media
        await leg.progress()
        assert (await event(caller, Ringing)).early_media
        await eventually(lambda: caller.quality().packets_received > 3)
        await leg.answer()
        await event(caller, Answered)
        await caller.hang_up()
        await ours.empty()


async def is_cancelled() -> None:
    async with pjsip_agent() as ours, agent() as theirs:
        caller = await theirs.call(ours.uri())
        leg = await ours.called()
        await leg.ring()
        await event(caller, Ringing)
        await caller.hang_up()
        over = await event(leg, HungUp)
        assert (over.cause, over.by, over.code) == (Cause.CANCELLED, "caller", 487)
        await leg.answer()
        await leg.ring()
        await leg.hang_up()
        await ours.empty()


async def refuses() -> None:
    async with pjsip_agent() as ours, agent() as theirs:
        for cause, status, told in (
            (Cause.BUSY, 486, Cause.BUSY),
            (Cause.NOT_FOUND, 404, Cause.NOT_FOUND),
            (Cause.NO_CAPACITY, 503, Cause.UNAVAILABLE),
        ):
            caller = await theirs.call(ours.uri())
            leg = await ours.called()
            await leg.reject(cause, retry_after_s=7)
            over = await until(caller, HungUp)
            assert (over.cause, over.code) == (told, status), over
            assert (await event(leg, HungUp)).by == "us"
        await ours.empty()


async def takes_as_many_as_the_build_holds() -> None:
    """The wheel holds four calls: three are for callers, the fourth refuses who comes beyond."""
    async with pjsip_agent() as ours, agent() as theirs:
        room = ours.stack._capacity
        assert room >= 3
        room = min(room, 20)
        ours.stack._capacity = room
        pairs = [await called_by(ours, theirs) for _ in range(room)]
        for _ in range(3):
            over = await until(await theirs.call(ours.uri()), HungUp)
            assert (over.cause, over.code) == (Cause.UNAVAILABLE, 503), over
        at_once = [await theirs.call(ours.uri()) for _ in range(6)]
        codes = {(await until(one, HungUp)).code for one in at_once}
        assert codes == {503}, codes
        with pytest.raises(TrunkBusy, match=f"its {room} calls"):
            await ours.call(theirs.uri())
        assert ours.stack.wait_s("peer") is not None
        assert ours.stack.calls("peer") == room
        await pairs[0][1].hang_up()
        await until(pairs[0][0], HungUp)
        await eventually(lambda: len(ours.stack._legs) == room - 1)
        leg, caller = await called_by(ours, theirs)
        for one in (leg, *(pair[0] for pair in pairs[1:])):
            await one.hang_up()
        await until(caller, HungUp)
        await ours.empty()
        assert ours.stack.calls("peer") == 0


async def holds_and_is_held() -> None:
    async with pjsip_agent() as ours, agent() as theirs:
        for leg, other in (await called_by(ours, theirs), await calling(ours, theirs)):
            for one, far in ((leg, other), (other, leg)):
                assert await one.hold(True)
                assert (await event(far, Held)).on
                assert await one.hold(False)
                assert not (await event(far, Held)).on
            await other.hang_up()
            await until(leg, HungUp)
        await ours.empty()


async def calls_and_is_answered() -> None:
    async with pjsip_agent() as ours, agent() as theirs:
        for transport in ("udp", "tcp"):
            leg = await ours.call(theirs.uri("98", transport))
            callee = await theirs.called()
            assert (callee.info.caller, callee.info.called) == ("300", "98")
            await callee.ring()
            assert not (await event(leg, Ringing)).early_media
            await callee.answer()
            await event(leg, Answered)
            await eventually(lambda leg=leg: leg.quality().packets_received > 3)
            await eventually(lambda callee=callee: callee.quality().packets_received > 3)
            callee.send_digits("5")
            assert (await event(leg, Digit)).key == "5"
            await leg.hang_up()
            assert (await event(leg, HungUp)).by == "us"
            assert (await until(callee, HungUp)).by == "caller"
        leg, callee = await calling(ours, theirs)
        await callee.hang_up()
        over = await event(leg, HungUp)
        assert (over.cause, over.by) == (Cause.NORMAL, "callee")
        await ours.empty()


async def calls_and_is_not_answered() -> None:
    async with pjsip_agent() as ours, agent() as theirs:
        leg = await ours.call(theirs.uri())
        await (await theirs.called()).reject(Cause.BUSY)
        over = await until(leg, HungUp)
        assert (over.cause, over.by, over.code) == (Cause.BUSY, "callee", 486)

        leg = await ours.call(theirs.uri(), ring_s=0.3)
        callee = await theirs.called()
        await callee.ring()
        assert (await until(leg, HungUp)).cause is Cause.NO_ANSWER
        assert (await until(callee, HungUp)).cause is Cause.CANCELLED

        leg = await ours.call(theirs.uri())
        await leg.hang_up()
        over = await until(leg, HungUp)
        assert (over.cause, over.by) == (Cause.CANCELLED, "us")
        assert (await until(await theirs.called(), HungUp)).cause is Cause.CANCELLED
        await ours.empty()

        leg = await ours.call("sip:1@127.0.0.1:1;transport=tcp")
        over = await until(leg, HungUp)
        assert (over.cause, over.by) == (Cause.UNAVAILABLE, "us"), over
        await ours.empty()


async def refuses_to_be_transferred() -> None:
    async with pjsip_agent() as ours, agent() as theirs:
        leg, caller = await called_by(ours, theirs)
        assert await caller.transfer("sip:9@127.0.0.1:9", 5) is TransferOutcome.FAILED
        await eventually(lambda: leg.quality().packets_received > 3)
        await caller.hang_up()
        await until(leg, HungUp)
        await ours.empty()


async def keeps_strangers_out() -> None:
    """From an address that belongs to no trunk nothing comes back, on either transport."""
    stranger = Trunk(allow=("127.0.0.2",), destinations=("sip:*",))
    async with pjsip_agent(trunk=stranger) as ours, agent() as theirs:
        silent = await theirs.call(ours.uri(), ring_s=0.5)
        assert (await until(silent, HungUp)).cause is Cause.NO_ANSWER
        _, _, port = ours.uri(transport="tcp").partition(";")[0].rpartition(":")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.open_connection("127.0.0.1", int(port)), 0.5)
        # Whom we call may answer, and end the call; then its address is a stranger's again.
        leg, callee = await calling(ours, theirs)
        await callee.hang_up()
        await until(leg, HungUp)
        await ours.empty()
        again = await theirs.call(ours.uri(), ring_s=0.5)
        assert (await until(again, HungUp)).cause is Cause.NO_ANSWER


async def drains_and_closes() -> None:
    async with agent() as theirs:
        async with pjsip_agent() as ours:
            ours.retry_after = 9
            assert (await until(await theirs.call(ours.uri()), HungUp)).code == 503
            ours.retry_after = None
            leg, caller = await called_by(ours, theirs)
            await ours.stack.drain()
            assert (await until(await theirs.call(ours.uri()), HungUp)).code == 503
            await eventually(lambda: leg.quality().packets_received > 3)
            async with asyncio.timeout(2):
                await ours.stack.close()
            assert (await until(leg, HungUp)).by == "us"
        assert (await until(caller, HungUp)).by == "callee"
        # The same process can have another.
        async with pjsip_agent() as ours:
            leg, caller = await called_by(ours, theirs)
            await leg.hang_up()
            await until(caller, HungUp)


async def proves_itself_to_its_trunk_only() -> None:
    """A 407 of the trunk is answered with the credentials; one from elsewhere is a refusal."""
    async with peer() as p:
        trunk = Trunk(
            allow=("127.0.0.1",),
            destinations=("sip:*", "+"),
            proxy=f"127.0.0.1:{p.address.port}",
            number_format="national",
            credentials=Credentials("ivr", "secret", None),
            headers={"X-Campaign": "7"},
            asserted_identity=False,
        )
        async with pjsip_agent(trunk=trunk) as ours:
            leg = await ours.call("+91 98765 43210")
            invite = await p.request("INVITE")
            assert invite.uri.user == "09876543210"
            assert "Route" not in invite.headers
            assert invite.headers.get("X-Campaign") == "7"
            assert invite.from_.uri.user == "300"
            send(
                p,
                ours,
                response_to(invite, 407, to_tag="c"),
                proxy_authenticate='Digest realm="r", nonce="n"',
            )
            invite = await p.request("INVITE")
            proof = invite.headers.get("Proxy-Authorization") or ""
            assert 'username="ivr"' in proof
            assert invite.cseq.number > 1
            ring = response_to(invite, 183, to_tag="t1")
            ring.headers.add("Contact", f"<sip:peer@127.0.0.1:{p.address.port}>")
            ring.headers.add("Content-Type", "application/sdp")
            ring.body = p.sdp().encode()
            send(p, ours, ring)
            assert (await event(leg, Ringing)).early_media
            await eventually(lambda: leg.quality().packets_sent > 3)
            accept(p, ours, invite)
            await p.request("ACK")
            await event(leg, Answered)
            await leg.hang_up()
            bye = await p.request("BYE")
            assert "Q.850" in (bye.headers.get("Reason") or "")
            await ours.empty()
    async with peer() as p:
        trunk = Trunk(
            allow=("127.0.0.2",), destinations=("sip:*",), credentials=Credentials("ivr", "secret", None)
        )
        async with pjsip_agent(trunk=trunk) as ours:
            leg = await ours.call(f"sip:1@127.0.0.1:{p.address.port}")
            invite = await p.request("INVITE")
            send(
                p, ours, response_to(invite, 401, to_tag="c"), www_authenticate='Digest realm="r", nonce="n"'
            )
            over = await until(leg, HungUp)
            assert (over.by, over.code) == ("callee", 401)
            await ours.empty()


async def hides_the_caller() -> None:
    """With `privacy` the number stands nowhere but in the P-Asserted-Identity (RFC 3325)."""
    async with peer() as p:
        trunk = Trunk(allow=("127.0.0.1",), proxy=f"127.0.0.1:{p.address.port}", privacy=True)
        async with pjsip_agent(trunk=trunk) as ours:
            leg = await ours.call("1001")
            invite = await p.request("INVITE")
            assert str(invite.from_.uri) == "sip:anonymous@anonymous.invalid"
            assert invite.headers.get("Privacy") == "id"
            assert [name for name, value in invite.headers if "300" in value] == ["P-Asserted-Identity"]
            send(p, ours, response_to(invite, 486, to_tag="c"))
            assert (await until(leg, HungUp)).cause is Cause.BUSY
            await ours.empty()


async def takes_an_invite_without_an_offer() -> None:
    async with pjsip_agent() as ours, peer() as p:
        to = ours.address()
        p.send(p.message("INVITE", to, extra="X-Order: 9\r\nP-Asserted-Identity: <sip:1@x>\r\n"), to)
        leg = await ours.called()
        assert leg.info.headers["X-Order"] == "9"
        assert leg.info.headers["P-Asserted-Identity"] == "<sip:1@x>"
        answering = asyncio.create_task(leg.answer())
        ok = await p.response(200)
        assert direction_of(ok) == "sendrecv"
        assert b"PCMA" in ok.body
        tag = ok.to.tag
        p.send(p.message("ACK", to, branch="z9hG4bK-p2", to_tag=tag, body=p.sdp()), to)
        await answering
        await event(leg, Answered)
        await eventually(lambda: leg.quality().packets_sent > 3)
        # A re-INVITE without an offer, whose answer puts us on hold.
        p.send(p.message("INVITE", to, branch="z9hG4bK-p3", cseq=2, to_tag=tag), to)
        ok = await p.response(200)
        assert b"m=audio" in ok.body
        ack = p.message("ACK", to, branch="z9hG4bK-p4", cseq=2, to_tag=tag, body=p.sdp("sendonly"))
        p.send(ack, to)
        assert (await event(leg, Held)).on
        # One that nothing can be agreed on changes nothing.
        g729 = p.sdp(codec="18 G729")
        p.send(p.message("INVITE", to, branch="z9hG4bK-p5", cseq=3, to_tag=tag, body=g729), to)
        await p.response(488)
        p.send(p.message("ACK", to, branch="z9hG4bK-p5", cseq=3, to_tag=tag), to)
        info = "Content-Type: application/dtmf-relay\r\n"
        body = "Signal=5\r\nDuration=160\r\n"
        p.send(p.message("INFO", to, branch="z9hG4bK-p6", cseq=4, to_tag=tag, extra=info, body=body), to)
        await p.response(200)
        assert (await event(leg, Digit)).key == "5"
        why = 'Reason: Q.850;cause=27;text="Destination out of order"\r\n'
        p.send(p.message("BYE", to, branch="z9hG4bK-p7", cseq=5, to_tag=tag, extra=why), to)
        await p.response(200)
        over = await event(leg, HungUp)
        assert over.by == "caller"
        assert "27" in (over.reason or "")
        await ours.empty()


async def asks_for_a_transfer() -> None:
    async with pjsip_agent() as ours, peer() as p:
        for first, final, outcome in (
            (20, "200 OK", TransferOutcome.DONE),
            (30, "486 Busy Here", TransferOutcome.BUSY),
        ):
            leg = await ours.call(f"sip:9@127.0.0.1:{p.address.port}")
            invite = await p.request("INVITE")
            accept(p, ours, invite)
            await p.request("ACK")
            await until(leg, Answered)
            asked = asyncio.create_task(leg.transfer("sip:desk@127.0.0.1:5999", 10))
            refer = await p.request("REFER")
            assert refer.headers.get("Refer-To") == "<sip:desk@127.0.0.1:5999>"
            send(p, ours, response_to(refer, 202))
            for cseq, line, state in (
                (first, "100 Trying", "active"),
                (first + 1, final, "terminated;reason=noresource"),
            ):
                extra = (
                    f"Event: refer\r\nSubscription-State: {state}\r\n"
                    f"Contact: <sip:peer@127.0.0.1:{p.address.port}>\r\n"
                    "Content-Type: message/sipfrag\r\n"
                )
                notify = from_callee(p, invite, "NOTIFY", cseq, extra, f"SIP/2.0 {line}\r\n")
                p.send(notify, ours.address())
                await p.response(200)
            assert await asked is outcome, line
            await leg.hang_up()
            await p.request("BYE")
            await ours.empty()
        leg = await ours.call(f"sip:9@127.0.0.1:{p.address.port}")
        accept(p, ours, await p.request("INVITE"))
        await until(leg, Answered)
        asked = asyncio.create_task(leg.transfer("sip:desk@127.0.0.1:5999", 10))
        send(p, ours, response_to(await p.request("REFER"), 603))
        assert await asked is TransferOutcome.FAILED
        await leg.hang_up()
        await ours.empty()


async def bad_answers_and_bad_offers() -> None:
    async with pjsip_agent() as ours, peer() as p:
        to = ours.address()
        p.send(p.message("INVITE", to, body=p.sdp(codec="18 G729")), to)
        refused = await p.response(488)
        assert refused.to.tag
        p.send(p.message("ACK", to, to_tag=refused.to.tag), to)
        leg = await ours.call(f"sip:9@127.0.0.1:{p.address.port}")
        invite = await p.request("INVITE")
        accept(p, ours, invite, p.sdp(codec="18 G729"))
        await p.request("ACK")
        await p.request("BYE")
        assert (await until(leg, HungUp)).cause in (Cause.INCOMPATIBLE_MEDIA, Cause.FAILED)
        await ours.empty()


async def names_an_address_that_is_taken() -> None:
    async with agent() as theirs:
        port = theirs.address().port
        with pytest.raises(OSError, match=f"cannot listen on udp:127.0.0.1:{port}"):
            async with pjsip_agent(listen=[f"udp:127.0.0.1:{port}"]):
                pass
        async with pjsip_agent() as ours:  # nothing is left of the first try
            leg, caller = await called_by(ours, theirs)
            await leg.hang_up()
            await until(caller, HungUp)


async def many_calls_one_after_the_other() -> None:
    """Nothing is left of 300 calls: no line, stream, socket, descriptor; memory stays."""
    async with pjsip_agent() as ours, agent() as theirs:
        before = 0
        for number in range(300):
            if number == 20:
                before = descriptors()
            leg, other = await (called_by if number % 2 else calling)(ours, theirs)
            await (leg if number % 3 else other).hang_up()
            await until(leg, HungUp)
            await until(other, HungUp)
            if number % 10 == 0:
                cancelled = await theirs.call(ours.uri())
                await ours.called()
                await cancelled.hang_up()
            await ours.empty()
        assert descriptors() <= before + 1, (before, descriptors())


def send(p: Peer, ours: PjsipAgent, response: Response, **headers: str) -> None:
    for name, value in headers.items():
        response.headers.add(name.replace("_", "-"), value)
    p.send(response.to_bytes(), ours.address())


def accept(p: Peer, ours: PjsipAgent, invite: Request, sdp: str | None = None) -> None:
    """Answers an INVITE of the stack's with 200."""
    ok = response_to(invite, 200, to_tag="t1")
    ok.headers.add("Contact", f"<sip:peer@127.0.0.1:{p.address.port}>")
    ok.headers.add("Content-Type", "application/sdp")
    ok.body = (sdp or p.sdp()).encode()
    p.send(ok.to_bytes(), ours.address())


async def _main(name: str) -> None:
    async with asyncio.timeout(60):
        await globals()[name]()


def names() -> list[str]:
    """The scenarios."""
    return [
        name
        for name, value in globals().items()
        if inspect.iscoroutinefunction(value) and value.__module__ == __name__ and not name.startswith("_")
    ]


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1]))
