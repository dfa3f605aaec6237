"""Two user agents call each other over loopback."""

from __future__ import annotations

import pytest

from media.leg import Answered, Cause, HungUp, Ringing
from tests.sip.agents import agent, connected, event, eventually, over


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
