"""A web leg and its page over loopback, without a server: aiortc is the page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack

from media.leg import Answered, Cause, Digit, Held, HungUp, LegEvent, LegInfo, Party
from media.plane import RtpPlane
from media.ports import PortPool
from webrtc.description import parse_offer
from webrtc.ice import IceTerms
from webrtc.leg import OtherCall, WebLeg, WebTerms

INFO = LegInfo("session", "inbound", "", "flow", "web", {})
WAIT_S = 20.0


class Ended:
    def __init__(self) -> None:
        self.told: list[tuple[Cause, Party]] = []

    def __call__(self, cause: Cause, by: Party) -> None:
        self.told.append((cause, by))


async def next_event(leg: WebLeg, kind: type[LegEvent]) -> LegEvent:
    async with asyncio.timeout(WAIT_S):
        while not isinstance(event := await leg.next_event(), kind):
            pass
        return event


@asynccontextmanager
async def connected(
    audio: bool = True, **terms: Any
) -> AsyncIterator[tuple[WebLeg, RTCPeerConnection, Ended]]:
    """A page and its leg that have found each other; without `audio` the page has no microphone."""
    plane = RtpPlane(PortPool(0, 0, 0.0, "127.0.0.1"), timeout_s=0.5, address="127.0.0.1")
    await plane.start()
    page = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    if audio:
        page.addTrack(AudioStreamTrack())
    else:
        page.addTransceiver("audio", direction="recvonly")
    page.createDataChannel("ivr")
    await page.setLocalDescription(await page.createOffer())
    ended = Ended()
    leg = WebLeg(
        INFO,
        plane,
        parse_offer(page.localDescription.sdp),
        WebTerms(IceTerms(("127.0.0.1",)), **terms),
        ended,
        lambda: None,
        lambda: None,
    )
    try:
        answer = await leg.accept()
        leg.begin()
        await page.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        async with asyncio.timeout(WAIT_S):
            await leg.answer()
        await next_event(leg, Answered)
        yield leg, page, ended
    finally:
        await leg.hang_up()
        leg.part_with()
        await leg.wait_closed()
        await page.close()
        await plane.close()


async def test_a_page_that_only_listens_is_not_given_up_for_its_silence() -> None:
    """The plane would give a far end up after half a second without audio: this one has none to send."""
    async with connected(audio=False) as (leg, _, ended):
        await asyncio.sleep(1.2)
        assert not leg.over
        assert ended.told == []


async def test_keys_are_told_once_and_in_order() -> None:
    async with connected() as (leg, _, _ended):
        for key in "15#":
            leg.message(f'{{"type":"key","key":"{key}"}}')
        assert [(await next_event(leg, Digit)).key for _ in range(3)] == ["1", "5", "#"]  # type: ignore[union-attr]


async def test_a_page_that_vanishes_is_held_and_then_given_up() -> None:
    async with connected(reconnect_s=0.3) as (leg, page, ended):
        await page.close()
        assert (await next_event(leg, Held)).on  # type: ignore[union-attr]
        gone = await next_event(leg, HungUp)
        assert isinstance(gone, HungUp)
        assert (gone.cause, gone.reason) == (Cause.MEDIA_TIMEOUT, "the far end closed the connection")
        assert ended.told == [(Cause.MEDIA_TIMEOUT, "us")]


async def test_an_offer_without_a_restart_is_answered_by_the_same_way() -> None:
    """A page that is heard no longer, and hears: nothing of its connection changes."""
    async with connected() as (leg, page, _):
        first = page.remoteDescription.sdp
        (transceiver,) = page.getTransceivers()
        transceiver.direction = "recvonly"
        await page.setLocalDescription(await page.createOffer())
        answer = await leg.renew(parse_offer(page.localDescription.sdp))
        await page.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        assert "a=sendonly" in answer
        assert lines_of(answer, "a=ice-ufrag") == lines_of(first, "a=ice-ufrag")
        assert transceiver.currentDirection == "recvonly"
        leg.message('{"type":"key","key":"1"}')
        assert await leg.next_event() == Digit(pytest.approx(leg._now(), abs=60), "1")  # no Held before it


def lines_of(sdp: str, beginning: str) -> set[str]:
    return {line for line in sdp.splitlines() if line.startswith(beginning)}


async def test_an_offer_of_another_rate_cannot_go_on_with_the_call() -> None:
    async with connected() as (leg, page, _):
        offer = page.localDescription.sdp.replace("SAVPF 96 9 0 8", "SAVPF 0")
        with pytest.raises(OtherCall, match="opus"):
            await leg.renew(parse_offer(offer))
        assert not leg.over


async def test_a_hang_up_before_the_answer_lets_the_answer_return() -> None:
    plane = RtpPlane(PortPool(0, 0, 0.0, "127.0.0.1"), timeout_s=20.0, address="127.0.0.1")
    await plane.start()
    page = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    page.addTransceiver("audio")
    await page.setLocalDescription(await page.createOffer())
    offer = parse_offer(page.localDescription.sdp)
    leg = WebLeg(INFO, plane, offer, WebTerms(IceTerms(("127.0.0.1",))), Ended(), lambda: None, lambda: None)
    await leg.accept()
    answering = asyncio.create_task(leg.answer())
    await leg.hang_up()
    async with asyncio.timeout(WAIT_S):
        await answering
        assert isinstance(await leg.next_event(), HungUp)
    leg.part_with()
    await leg.wait_closed()
    await page.close()
    await plane.close()
    assert plane.streams == 0
