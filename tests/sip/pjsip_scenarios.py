"""Calls with the PJSIP stack, each scenario in a process of its own: `python -m tests.sip.pjsip_scenarios NAME`.

PJSIP allows one endpoint in a process and ends the process where it is misused; a test must survive that.
"""

from __future__ import annotations

import asyncio
import inspect
import sys

from media.leg import Cause, Digit, HungUp
from tests.sip.agents import agent, event, eventually, until
from tests.sip.pjsip_agent import called_by, pjsip_agent


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
