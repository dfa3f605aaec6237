"""A PJSIP stack on loopback with its media, in a process of its own: see `pjsip_scenarios`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from media.leg import Answered
from media.plane import RtpPlane
from media.ports import PortPool
from sip.hop import Address
from sip.leg import SipLeg
from sip.pjsip.leg import PjsipLeg
from sip.pjsip.stack import PjsipStack
from sip.stack import OutboundCall
from sip.trunks import Trunk
from tests.sip.agents import WAIT_S, Agent, event, eventually, until

LOCAL = ("127.0.0.0/8", "::1")


class PjsipAgent:
    """The stack under test, its media, and the legs that came in."""

    def __init__(self, stack: PjsipStack, plane: RtpPlane, incoming: asyncio.Queue[PjsipLeg]) -> None:
        self.stack = stack
        self.plane = plane
        self.incoming = incoming
        self.retry_after: int | None = None

    def address(self, transport: str = "udp") -> Address:
        text = next(a for a in self.stack.addresses() if a.startswith(transport))
        host, _, port = text.partition(":")[2].rpartition(":")
        return Address(host.strip("[]"), int(port))

    def uri(self, user: str = "100", transport: str = "udp") -> str:
        address = next(a for a in self.stack.addresses() if a.startswith(transport)).partition(":")[2]
        return f"sip:{user}@{address};transport={transport}"

    async def call(self, to: str, trunk: str = "peer", ring_s: float = 45.0) -> PjsipLeg:
        leg = await self.stack.call(OutboundCall(to, trunk, caller_id="300", ring_s=ring_s))
        assert isinstance(leg, PjsipLeg)
        return leg

    async def called(self) -> PjsipLeg:
        async with asyncio.timeout(WAIT_S):
            return await self.incoming.get()

    async def empty(self) -> None:
        """No call is left in the stack."""
        await eventually(lambda: not self.stack._legs)
        assert self.plane.streams == 0
        assert not self.stack._guests


@asynccontextmanager
async def pjsip_agent(
    *, trunk: Trunk | None = None, listen: Sequence[str] = ("udp:127.0.0.1:0", "tcp:127.0.0.1:0")
) -> AsyncIterator[PjsipAgent]:
    host = "127.0.0.1"
    plane = RtpPlane(PortPool(0, 0, 0.0, host), timeout_s=60, address=host)
    await plane.start()
    incoming: asyncio.Queue[PjsipLeg] = asyncio.Queue()
    holder: list[PjsipAgent] = []
    stack = PjsipStack(
        listen=list(listen),
        advertise=None,
        trunks={"peer": trunk or Trunk(allow=LOCAL)},
        plane=plane,
        admit=lambda: holder[0].retry_after,
        on_incoming=incoming.put_nowait,  # type: ignore[arg-type]
        user_agent="test",
    )
    holder.append(PjsipAgent(stack, plane, incoming))
    await stack.start()
    try:
        yield holder[0]
    finally:
        await stack.close()
        await plane.close()
        assert plane.streams == 0


async def called_by(ours: PjsipAgent, theirs: Agent, transport: str = "udp") -> tuple[PjsipLeg, SipLeg]:
    """A call from our own user agent that the stack has answered: the stack's leg, and the caller's."""
    caller = await theirs.call(ours.uri(transport=transport))
    leg = await ours.called()
    await leg.answer()
    await event(leg, Answered)  # type: ignore[arg-type]
    await until(caller, Answered)
    return leg, caller


async def calling(ours: PjsipAgent, theirs: Agent, transport: str = "udp") -> tuple[PjsipLeg, SipLeg]:
    """A call of the stack's that our own user agent has answered."""
    leg = await ours.call(theirs.uri(transport=transport))
    callee = await theirs.called()
    await callee.answer()
    await event(callee, Answered)
    await until(leg, Answered)  # type: ignore[arg-type]
    return leg, callee


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))
