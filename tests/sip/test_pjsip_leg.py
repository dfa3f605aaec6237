"""A leg of the PJSIP stack, told by hand what PJSIP tells; none of it needs pjsua2."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from media.leg import CallLeg, Cause, Digit, HungUp, LegEvent, LegInfo, TransferOutcome
from media.plane import RtpPlane
from media.ports import PortPool
from sip.message import Request, parse
from sip.pjsip import stack
from sip.pjsip.call import Headers, PjsipError
from sip.pjsip.leg import PjsipLeg, Ties
from sip.pjsip.library import Library
from sip.pjsip.reading import homes
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
            trunk=Trunk(allow=("127.0.0.1",)),
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


class Asked:
    """A call of PJSIP that takes everything, and answers nothing by itself."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def place(self, to: str, caller: str, headers: Headers) -> None:
        self.asked.append("place")

    def answer(self, status: int, headers: Headers = ()) -> None:
        self.asked.append(f"answer {status}")

    def hang_up(self, status: int, headers: Headers = ()) -> None:
        self.asked.append(f"hang up {status}")

    def reinvite(self) -> None:
        self.asked.append("reinvite")

    def refer(self, target: str) -> None:
        self.asked.append(f"refer {target}")

    def remote_media(self) -> None:
        return None


OFFER = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 9 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n"
)


def invite(contact: str = "sip:200@127.0.0.1:5062") -> Request:
    message = parse(
        (
            "INVITE sip:100@127.0.0.1 SIP/2.0\r\n"
            "Via: SIP/2.0/UDP 127.0.0.1:5062;branch=z9hG4bK-1\r\n"
            "From: <sip:200@127.0.0.1>;tag=a\r\nTo: <sip:100@127.0.0.1>\r\n"
            "Call-ID: c\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n"
            f"Contact: <{contact}>\r\nContent-Type: application/sdp\r\n"
            f"Content-Length: {len(OFFER)}\r\n\r\n{OFFER}"
        ).encode()
    )
    assert isinstance(message, Request)
    return message


async def in_call(leg: PjsipLeg) -> Asked:
    line = Asked()
    leg.take(invite(), "127.0.0.1")
    leg.joined(line)
    assert b"a=sendrecv" in leg.describe()
    await leg.answer()
    return line


async def test_a_transfer_ends_when_the_far_end_has_told_how_it_went(leg: PjsipLeg) -> None:
    line = await in_call(leg)
    asked = asyncio.create_task(leg.transfer("sip:desk@127.0.0.1", 5.0))
    await asyncio.sleep(0)
    assert line.asked[-1] == "refer <sip:desk@127.0.0.1>"
    assert await leg.transfer("sip:other@127.0.0.1", 5.0) is TransferOutcome.FAILED
    leg.transferring(202, final=False)
    leg.transferring(486, final=True)
    assert await asked is TransferOutcome.BUSY
    leg.end(Cause.NORMAL)


async def test_a_far_end_that_leaves_after_it_took_the_transfer_has_gone_over(leg: PjsipLeg) -> None:
    await in_call(leg)
    asked = asyncio.create_task(leg.transfer("sip:desk@127.0.0.1", 5.0))
    await asyncio.sleep(0)
    leg.transferring(202, final=False)
    leg.disconnected(200, heard=True)
    assert await asked is TransferOutcome.DONE
    over = (await told(leg))[-1]
    assert isinstance(over, HungUp)
    assert over.cause is Cause.TRANSFERRED


async def test_a_hold_that_nobody_answers_ends_with_the_call(leg: PjsipLeg) -> None:
    line = await in_call(leg)
    held = asyncio.create_task(leg.hold(True))
    await asyncio.sleep(0)
    assert line.asked[-1] == "reinvite"
    assert b"a=sendonly" in leg.describe()
    leg.disconnected(200, heard=True)
    assert await held is False


@pytest.mark.parametrize(
    ("host", "known"),
    [("192.0.2.9", {"192.0.2.9"}), ("pbx.example", set()), ("[2001:db8::9]", {"2001:db8::9"})],
)
def test_a_far_end_is_where_its_contact_says_if_that_is_an_address(host: str, known: set[str]) -> None:
    assert homes(invite(f"sip:200@{host}:5060")) == known


class FullEngine:
    """PJSIP's filter has room for the trunks alone."""

    calls = 4

    def __init__(self, *_: object) -> None:
        self.accounts = 0

    def start(self, *_: object) -> None: ...

    def close(self) -> None: ...

    def hurry(self) -> None: ...

    def add_account(self, trunk: Trunk) -> int:
        self.accounts += 1
        return self.accounts - 1

    def admit_only(self, networks: list[object]) -> None:
        if len(networks) > 1:
            raise ValueError("too many networks")


@pytest.fixture
async def full(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[stack.PjsipStack, list[CallLeg]]]:
    """A stack whose filter is full, and the legs that come to it; no stream is left at its end."""
    monkeypatch.setattr(stack, "load", lambda: Library(None, lambda: 4, "none"))
    monkeypatch.setattr(stack, "Engine", FullEngine)
    plane = RtpPlane(PortPool(0, 0, 0.0, "127.0.0.1"), timeout_s=60, address="127.0.0.1")
    await plane.start()
    legs: list[CallLeg] = []
    ours = stack.PjsipStack(
        listen=["udp:127.0.0.1:5060"],
        advertise=None,
        trunks={"peer": Trunk(allow=("127.0.0.1",))},
        plane=plane,
        admit=lambda: None,
        on_incoming=legs.append,
        user_agent="test",
    )
    await ours.start()
    yield ours, legs
    assert ours.calls("peer") == 0
    assert plane.streams == 0
    await ours.close()
    await plane.close()


async def test_a_call_whose_far_end_finds_no_room_in_the_filter_is_taken_all_the_same(
    full: tuple[stack.PjsipStack, list[CallLeg]],
) -> None:
    ours, legs = full
    line = Asked()
    ours.invited("127.0.0.1", invite("sip:200@192.0.2.9:5060").to_bytes(), lambda _: line)
    assert len(legs) == 1
    await legs[0].reject(Cause.BUSY)
    assert line.asked == ["hang up 486"]
    legs[0].disconnected(486, heard=False)  # type: ignore[attr-defined]


async def test_a_call_that_pjsip_does_not_give_leaves_nothing_behind(
    full: tuple[stack.PjsipStack, list[CallLeg]],
) -> None:
    ours, legs = full

    def gone(_: object) -> Asked:
        raise PjsipError("the call is gone")

    with pytest.raises(PjsipError):
        ours.invited("127.0.0.1", invite().to_bytes(), gone)
    assert legs == []
