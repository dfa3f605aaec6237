"""Two user agents call each other over loopback."""

from __future__ import annotations

import asyncio
import random

import pytest
import uvloop

from media.leg import Answered, Cause, Digit, Held, HungUp, Ringing, TransferOutcome
from sip.hop import Address, Hop
from sip.leg import SipLeg
from sip.locate import Place
from sip.resolver import Resolver
from sip.stack import BadNumber, OutboundCall, TrunkBusy, UnknownTrunk
from sip.timers import Timing
from sip.trunks import Trunk
from sip.udp import UdpTransport
from sip.user_agent import Load
from tests.sip.agents import agent, connected, event, eventually, over, until

LOCAL = ("127.0.0.0/8",)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_call_is_answered_and_the_caller_hangs_up(transport: str) -> None:
    async with agent() as a, agent() as b:
        ours = await a.call(b.uri("1860", transport))
        theirs = await b.called()
        assert (theirs.info.called, theirs.info.caller) == ("1860", "200")
        assert theirs.info.trunk == "peer"
        await theirs.ring()
        assert not (await event(ours, Ringing)).early_media
        await theirs.answer()
        await event(theirs, Answered)
        await event(ours, Answered)
        assert ours.codec.name == theirs.codec.name == "PCMA"
        await eventually(lambda: theirs.quality().packets_received > 0)
        await eventually(lambda: ours.quality().packets_received > 0)
        await ours.hang_up()
        assert await over(ours) == (Cause.NORMAL, "us")
        assert await over(theirs) == (Cause.NORMAL, "caller")
        assert a.ua.load().legs == b.ua.load().legs == 0
        assert a.plane.streams == b.plane.streams == 0


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_the_callee_hangs_up(transport: str) -> None:
    async with agent() as a, agent() as b:
        ours, theirs = await connected(a, b, transport)
        await theirs.hang_up()
        assert await over(theirs) == (Cause.NORMAL, "us")
        found = await event(ours, HungUp)
        assert (found.cause, found.by) == (Cause.NORMAL, "callee")


def test_calls_on_uvloop() -> None:
    """The server's own event loop, whose transports and handles differ a little from asyncio's."""

    async def calls() -> None:
        async with agent() as a, agent() as b:
            for transport in ("udp", "tcp"):
                ours, theirs = await connected(a, b, transport)
                await ours.hold(True)
                assert (await event(theirs, Held)).on
                await theirs.hang_up()
                await over(ours)
            unheard = await a.call("sip:100@127.0.0.1:1", ring_s=0.3)
            assert (await until(unheard, HungUp)).cause is Cause.NO_ANSWER

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(calls())


async def test_a_call_over_ipv6() -> None:
    listen = ("udp:[::1]:0", "tcp:[::1]:0")
    async with agent(listen=listen) as a, agent(listen=listen) as b:
        ours, theirs = await connected(a, b)
        await eventually(lambda: theirs.quality().packets_received > 0)
        await ours.hang_up()
        assert await over(theirs) == (Cause.NORMAL, "caller")


async def test_nothing_is_left_of_a_call_when_its_transactions_have_run_out() -> None:
    async with agent() as a, agent() as b:
        before = len(asyncio.all_tasks())
        for transport in ("udp", "tcp"):
            for who in (0, 1):
                legs = await connected(a, b, transport)
                await legs[who].hang_up()
                await over(legs[0])
                await over(legs[1])
        cancelled = await a.call(b.uri())
        await b.called()
        await cancelled.hang_up()
        assert a.plane.streams == 0
        assert len(asyncio.all_tasks()) == before
        for one in (a, b):
            await eventually(lambda one=one: one.ua.load() == Load(0, 0, 0, 0, one.ua.load().connections))
            assert one.ua.calls("peer") == 0
            assert not one.ua._dialogs._trusted
        assert a.ua.load().connections == b.ua.load().connections == 1
        assert b.plane.streams == 0


# Before the answer


async def test_the_caller_gives_up_while_it_rings() -> None:
    async with agent() as a, agent() as b:
        ours = await a.call(b.uri())
        theirs = await b.called()
        await theirs.ring()
        await event(ours, Ringing)
        await ours.hang_up()
        assert await over(ours) == (Cause.CANCELLED, "us")
        found = await event(theirs, HungUp)
        assert (found.cause, found.by, found.code) == (Cause.CANCELLED, "caller", 487)
        await theirs.answer()
        assert b.plane.streams == 0


async def test_hanging_up_at_once_cancels_after_the_first_provisional_response() -> None:
    async with agent() as a, agent() as b:
        ours = await a.call(b.uri())
        await ours.hang_up()
        assert await over(ours) == (Cause.CANCELLED, "us")
        theirs = await b.called()
        assert (await until(theirs, HungUp)).cause is Cause.CANCELLED


async def test_an_answer_that_crosses_the_cancel_is_acknowledged_and_ended() -> None:
    async with agent() as a, agent() as b:
        ours = await a.call(b.uri())
        theirs = await b.called()
        await theirs.answer()
        await ours.hang_up()  # the 200 is on its way
        assert await over(ours) == (Cause.CANCELLED, "us")
        await event(theirs, Answered)
        assert (await until(theirs, HungUp)).by == "caller"
        assert len(a.ua._dialogs) == len(b.ua._dialogs) == 0


async def test_nobody_answers_in_time() -> None:
    async with agent() as a, agent() as b:
        ours = await a.call(b.uri(), ring_s=0.3)
        theirs = await b.called()
        await theirs.ring()
        assert (await until(ours, HungUp)).cause is Cause.NO_ANSWER
        assert (await until(theirs, HungUp)).cause is Cause.CANCELLED


@pytest.mark.parametrize(
    ("refused_for", "status", "told"),
    [
        (Cause.BUSY, 486, Cause.BUSY),
        (Cause.REJECTED, 603, Cause.REJECTED),
        (Cause.NOT_FOUND, 404, Cause.NOT_FOUND),
        (Cause.NO_CAPACITY, 503, Cause.UNAVAILABLE),
        (Cause.NO_ANSWER, 480, Cause.NO_ANSWER),
    ],
)
async def test_the_callee_refuses(refused_for: Cause, status: int, told: Cause) -> None:
    async with agent() as a, agent() as b:
        ours = await a.call(b.uri())
        theirs = await b.called()
        await theirs.reject(refused_for, retry_after_s=7)
        found = await until(ours, HungUp)
        assert (found.cause, found.code, found.by) == (told, status, "callee")
        assert (await event(theirs, HungUp)).by == "us"


async def test_nobody_at_the_other_end_of_a_connection() -> None:
    async with agent() as a:
        ours = await a.call("sip:100@127.0.0.1:1;transport=tcp")
        found = await until(ours, HungUp)
        assert (found.cause, found.code) == (Cause.UNAVAILABLE, 503)


async def test_nobody_at_the_other_end_of_a_datagram() -> None:
    async with agent() as a:
        ours = await a.call("sip:100@127.0.0.1:1")
        found = await until(ours, HungUp)
        assert (found.cause, found.code, found.by) == (Cause.UNAVAILABLE, 408, "us")


@pytest.mark.parametrize("proxy", ["no-such-host.invalid", "127.0.0.1:5061;transport=tls", "[2001:db8::1]"])
async def test_a_proxy_that_cannot_be_reached_is_an_unavailable_trunk(proxy: str) -> None:
    async with agent(trunk=Trunk(allow=LOCAL, proxy=proxy)) as a:
        ours = await a.call("1001")
        assert (await until(ours, HungUp)).cause is Cause.UNAVAILABLE
        assert a.ua.calls("peer") == 0


async def test_closing_while_a_name_is_looked_up_sends_no_invite(monkeypatch: pytest.MonkeyPatch) -> None:
    looking, found = asyncio.Event(), asyncio.Event()

    async def find(*asked: object) -> tuple[Place, ...]:
        looking.set()
        await found.wait()
        return (Place("UDP", Address("127.0.0.1", 5060)),)

    monkeypatch.setattr(Resolver, "find", find)
    async with agent(trunk=Trunk(allow=LOCAL, destinations=("sip:slow.example",))) as a:
        calling = asyncio.create_task(a.call("sip:1@slow.example"))
        await looking.wait()
        for leg in list(a.ua._legs):
            leg.end(Cause.NORMAL)
        found.set()
        assert (await event(await calling, HungUp)).by == "us"
        assert a.ua.load() == Load(0, 0, 0, 0, 0)
        assert a.plane.streams == 0


# During the call


async def test_hold_and_taking_back_from_both_sides() -> None:
    async with agent() as a, agent() as b:
        ours, theirs = await connected(a, b)
        for one, other in ((ours, theirs), (theirs, ours)):
            await one.hold(True)
            assert (await event(other, Held)).on
            await one.hold(False)
            assert not (await event(other, Held)).on
        await ours.hang_up()
        await over(theirs)


async def test_both_put_each_other_on_hold_at_once() -> None:
    async with agent() as a, agent() as b:
        ours, theirs = await connected(a, b)
        async with asyncio.timeout(20):
            await asyncio.gather(ours.hold(True), theirs.hold(True))
        assert (await event(ours, Held)).on
        assert (await event(theirs, Held)).on


async def test_a_hang_up_during_a_hold_ends_the_hold() -> None:
    async with agent() as a, agent() as b:
        ours, theirs = await connected(a, b)
        holding = asyncio.create_task(ours.hold(True))
        await asyncio.sleep(0)
        await theirs.hang_up()
        await over(ours)
        async with asyncio.timeout(5):
            await holding


async def test_keys_by_telephone_event() -> None:
    async with agent() as a, agent() as b:
        ours, theirs = await connected(a, b)
        ours.send_digits("12#")
        keys = [(await event(theirs, Digit)).key for _ in range(3)]
        assert keys == ["1", "2", "#"]


async def test_what_comes_after_the_end_does_nothing() -> None:
    async with agent() as a, agent() as b:
        ours, theirs = await connected(a, b)
        await ours.hang_up()
        await over(ours)
        await ours.hang_up()
        await ours.answer()
        await ours.hold(True)
        ours.stop()
        ours.send_digits("1")
        assert await ours.transfer("sip:x@127.0.0.1", 0.1) is TransferOutcome.FAILED
        with pytest.raises(RuntimeError, match="HungUp was its last event"):
            await ours.next_event()
        await over(theirs)


async def test_a_user_agent_refuses_to_be_transferred() -> None:
    async with agent() as a, agent() as b:
        ours, theirs = await connected(a, b)
        assert await ours.transfer("sip:300@127.0.0.1", 5) is TransferOutcome.FAILED
        await ours.hang_up()
        await over(theirs)


# Trunks


async def test_the_concurrency_of_a_trunk_is_limited_both_ways() -> None:
    one = Trunk(allow=LOCAL, max_calls=1)
    async with agent(trunk=one) as a, agent(trunk=one) as b:
        ours, theirs = await connected(a, b)
        with pytest.raises(TrunkBusy):
            await a.call(b.uri())
        async with agent() as c:
            third = await c.call(b.uri())
            found = await until(third, HungUp)
            assert (found.cause, found.code) == (Cause.UNAVAILABLE, 503)
        await ours.hang_up()
        await over(theirs)
        again, _ = await connected(a, b)
        await again.hang_up()


async def test_a_number_goes_to_the_proxy_of_the_trunk() -> None:
    async with agent() as b:
        trunk = Trunk(
            allow=LOCAL,
            proxy=f"127.0.0.1:{b.address('tcp').port};transport=tcp",
            number_format="e164",
            caller_id="02261234567",
            headers={"X-Campaign": "7"},
        )
        async with agent(trunk=trunk) as a:
            leg = await a.ua.call(OutboundCall("098765 43210", "peer"))
            theirs = await b.called()
            assert theirs.info.called == "+919876543210"
            assert theirs.info.caller == "+912261234567"
            assert theirs.info.headers["X-Campaign"] == "7"
            await leg.hang_up()


async def test_calls_that_cannot_be_placed() -> None:
    async with agent() as a:
        with pytest.raises(UnknownTrunk, match="there is no trunk 'nowhere'"):
            await a.call("sip:1@127.0.0.1", trunk="nowhere")
        with pytest.raises(BadNumber, match="no proxy"):
            await a.call("1001")
        with pytest.raises(BadNumber, match="only plain sip"):
            await a.call("sip:1@127.0.0.1?Subject=x")
        assert a.ua.load() == Load(0, 0, 0, 0, 0)


# The whole


async def test_no_capacity_and_draining_refuse_new_calls_but_keep_the_live_one() -> None:
    async with agent() as a, agent() as b:
        ours, theirs = await connected(a, b)
        b.retry_after = 9
        assert (await until(await a.call(b.uri()), HungUp)).code == 503
        b.retry_after = None
        await b.ua.drain()
        assert (await until(await a.call(b.uri()), HungUp)).code == 503
        with pytest.raises(TrunkBusy):
            await b.call(a.uri())
        await theirs.hang_up()
        await over(ours)


async def test_closing_ends_every_leg() -> None:
    async with agent() as a:
        async with agent() as b:
            ours, theirs = await connected(a, b)
            ringing = await a.call(b.uri())
            third = await b.called()
            async with asyncio.timeout(2):
                await b.ua.close()
            assert (await until(theirs, HungUp)).by == "us"
            assert (await until(third, HungUp)).by == "us"
        assert (await until(ours, HungUp)).by == "callee"
        assert (await until(ringing, HungUp)).code == 480


async def test_an_address_that_is_taken_is_named() -> None:
    async with agent() as a:
        host, port = a.address()
        with pytest.raises(OSError, match=f"cannot listen on udp:{host}:{port}"):
            async with agent(listen=[f"udp:{host}:{port}"]):
                pass


async def test_calls_over_a_bad_network_end_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fifth of all datagrams is lost, a tenth doubled, and the order is shaken."""
    dice = random.Random(11)
    send = UdpTransport.send

    def bad(self: UdpTransport, data: bytes, hop: Hop) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(0 if dice.random() < 0.2 else 2 if dice.random() < 0.1 else 1):
            loop.call_later(dice.random() * 0.03, send, self, data, hop)

    monkeypatch.setattr(UdpTransport, "send", bad)
    timing = Timing(t1=0.05, t2=0.2, t4=0.3)
    async with agent(timing=timing) as a, agent(timing=timing) as b:
        ended: list[Cause] = []

        async def caller(number: int) -> None:
            leg = await a.call(b.uri(str(number)))
            if number % 5 == 0:
                await asyncio.sleep(dice.random() * 0.3)
                await leg.hang_up()
            else:
                await until(leg, Answered)
                if number % 3 == 0:
                    await leg.hold(True)
                if number % 2:
                    await leg.hang_up()
            ended.append((await until(leg, HungUp)).cause)

        async def callee(leg: SipLeg) -> None:
            await leg.answer()
            if int(leg.info.called) % 2 == 0:
                await asyncio.sleep(0.5)
                await leg.hang_up()
            ended.append((await until(leg, HungUp)).cause)

        async def answer(group: asyncio.TaskGroup) -> None:
            while True:
                group.create_task(callee(await b.incoming.get()))

        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            answering = group.create_task(answer(group))
            callers = [group.create_task(caller(number)) for number in range(20)]
            await asyncio.wait(callers)
            await eventually(lambda: b.ua.load().legs == 0)
            answering.cancel()
        assert len(ended) >= 20
        assert set(ended) <= {Cause.NORMAL, Cause.CANCELLED}
        for one in (a, b):
            assert one.plane.streams == 0
            await eventually(lambda one=one: one.ua.load() == Load(0, 0, 0, 0, 0))


async def test_many_calls_at_once_keep_apart() -> None:
    async with agent() as a, agent() as b:

        async def one(number: int) -> None:
            leg = await a.call(b.uri(str(1000 + number)))
            await until(leg, Answered)
            leg.send_digits(str(number % 10))
            assert (await until(leg, HungUp)).by == "callee"

        async def answer() -> None:
            leg = await b.called()
            await leg.answer()
            assert (await until(leg, Digit)).key == leg.info.called[-1]
            await leg.hang_up()

        async with asyncio.TaskGroup() as group:
            for number in range(30):
                group.create_task(one(number))
                group.create_task(answer())
        assert a.plane.streams == b.plane.streams == 0


async def test_a_timer_that_fails_holds_up_no_other(caplog: pytest.LogCaptureFixture) -> None:
    async with agent() as a:
        endpoint, rung = a.ua._endpoint, asyncio.Event()

        def broken(now: float) -> None:
            raise RuntimeError("out of order")

        endpoint.later(0.01, broken)
        endpoint.later(0.02, lambda now: rung.set())
        async with asyncio.timeout(10):
            await rung.wait()
        assert "out of order" in caplog.text
