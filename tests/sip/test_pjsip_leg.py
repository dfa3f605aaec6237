"""A leg of the PJSIP stack, told by hand what PJSIP tells; none of it needs pjsua2."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from media.leg import Digit, HungUp, LegEvent, LegInfo
from media.plane import RtpPlane
from media.ports import PortPool
from sip.pjsip.leg import PjsipLeg, Ties
from sip.trunks import Trunk


@pytest.fixture
async def leg() -> AsyncIterator[PjsipLeg]:
    plane = RtpPlane(PortPool(0, 0, 0.0, "127.0.0.1"), timeout_s=60, address="127.0.0.1")
    await plane.start()
    info = LegInfo("leg-1", "inbound", "200", "100", "peer", {})
    yield PjsipLeg(
        info,
        Ties(
            loop=asyncio.get_running_loop(),
            trunk=Trunk(),
            plane=plane,
            trust=lambda _: None,
            distrust=lambda _: None,
            over=lambda _: None,
            gone=lambda _: None,
            asked=lambda: None,
        ),
    )
    await plane.close()


def info(key: str) -> bytes:
    body = f"Signal={key}\r\nDuration=160\r\n"
    return (
        "INFO sip:100@127.0.0.1 SIP/2.0\r\n"
        "Via: SIP/2.0/UDP 127.0.0.1:5062;branch=z9hG4bK-1\r\n"
        "From: <sip:200@127.0.0.1>;tag=a\r\nTo: <sip:100@127.0.0.1>;tag=b\r\n"
        "Call-ID: c\r\nCSeq: 2 INFO\r\nMax-Forwards: 70\r\n"
        f"Content-Type: application/dtmf-relay\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


async def told(leg: PjsipLeg) -> list[LegEvent]:
    """All that the leg tells until its end."""
    events: list[LegEvent] = []
    async with asyncio.timeout(5):
        while not events or not isinstance(events[-1], HungUp):
            events.append(await leg.next_event())
    return events


async def test_a_key_that_comes_by_info_and_in_the_media_is_one_press(leg: PjsipLeg) -> None:
    leg.digit("5", asyncio.get_running_loop().time())
    leg.informed(info("5"))
    leg.informed(info("6"))
    leg.disconnected(200, heard=True)
    assert [event.key for event in await told(leg) if isinstance(event, Digit)] == ["5", "6"]
