"""Silence: who gets no answer at all, on every transport, and how much of a flood is read."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections import Counter

import pytest

from media.leg import Answered, Cause, HungUp
from sip.digest import Credentials, authorize, parse_challenge
from sip.guard import Dropped, Guard
from sip.message import Response
from sip.trunks import Trunk, TrunkTable
from tests.sip.agents import Agent, Peer, agent, event, eventually, over, peer

OFFICE = Trunk(allow=("192.0.2.1",), users={"alice": "secret"})
"""Whoever calls from loopback is a stranger, but may be alice."""


def guard(*, asks: bool = True) -> tuple[Guard, Counter[Dropped]]:
    counted: Counter[Dropped] = Counter()
    return Guard(asks=asks, on_dropped=lambda reason: counted.update([reason])), counted


def test_strangers_are_not_read_where_nobody_may_prove_himself() -> None:
    assert guard(asks=False)[0].refuses("203.0.113.7", 0.0) is Dropped.STRANGER


def test_a_flood_is_read_slowly_for_each_source_and_in_all() -> None:
    one, _ = guard()
    read = [one.refuses("203.0.113.7", 0.0) for _ in range(100)]
    assert read.count(None) == 20
    assert read[20] is Dropped.FLOOD
    assert one.refuses("203.0.113.8", 0.0) is None
    assert [one.refuses("203.0.113.7", at) for at in (0.5, 0.6)] == [None, Dropped.FLOOD]
    many, _ = guard()
    read = [many.refuses(f"203.0.{n // 256}.{n % 256}", 0.0) for n in range(1000)]
    assert read.count(None) == 200


def test_wrong_passwords_end_in_silence_for_a_while() -> None:
    one, _ = guard()
    for _ in range(5):
        assert not one.barred("203.0.113.7", 0.0)
        one.wrong("203.0.113.7", 0.0)
    assert one.barred("203.0.113.7", 1.0)
    assert not one.barred("203.0.113.8", 1.0)
    assert not one.barred("203.0.113.7", 61.0)


def test_a_source_is_logged_once_a_minute_and_counted_each_time() -> None:
    one, counted = guard()
    told = [one.dropped(Dropped.STRANGER, "203.0.113.7", at) for at in (0.0, 1.0, 30.0, 61.0)]
    assert told == [True, False, False, True]
    assert counted == {Dropped.STRANGER: 4}
    lines = [one.dropped(Dropped.FLOOD, f"198.51.100.{n}", 70.0) for n in range(100)]
    assert lines.count(True) == 10


@pytest.mark.parametrize(
    ("user_agent", "scans"),
    [
        ("friendly-scanner", True),
        ("VaxSIPUserAgent/3.1", True),
        ("Exotel", False),
        ("", False),
        (None, False),
    ],
)
def test_scanners_are_known_by_their_name(user_agent: str | None, scans: bool) -> None:
    assert guard()[0].scans(user_agent) is scans


def test_a_user_belongs_to_one_trunk() -> None:
    with pytest.raises(ValueError, match="trunk b: the user alice belongs to the trunk a"):
        TrunkTable({"a": Trunk(users={"alice": "1"}), "b": Trunk(users={"alice": "2"})})


# On the wire


async def silent(p: Peer) -> None:
    """Nothing came back, while what was sent before has surely been read."""
    await asyncio.sleep(0.15)
    assert p.seen == []


def from_user(p: Peer, a: Agent, method: str = "INVITE", user: str = "alice", **more: object) -> str:
    text = p.message(method, a.address(), **more)  # type: ignore[arg-type]
    return text.replace("<sip:peer@", f"<sip:{user}@")


def proof(
    challenged: Response, a: Agent, method: str = "INVITE", password: str = "secret", nc: int = 1
) -> str:
    challenge = parse_challenge(challenged.headers.get_all("WWW-Authenticate")[0])
    to = a.address()
    uri = f"sip:100@{to.host}:{to.port}"
    value = authorize(challenge, Credentials("alice", password), method, uri, nc=nc, cnonce="c")
    return f"Authorization: {value}\r\n"


async def test_a_stranger_gets_no_answer_by_datagram() -> None:
    async with agent(trunk=Trunk(allow=("192.0.2.1",))) as a, peer() as p:
        for method in ("INVITE", "OPTIONS", "REGISTER", "BYE", "CANCEL"):
            p.send(p.message(method, a.address(), branch=f"z9hG4bK-{method}"), a.address())
        p.send("INVITE sip:x SIP/2.0\r\nnonsense", a.address())
        await silent(p)
        assert a.dropped == {Dropped.STRANGER: 6}
        assert a.ua.load().transactions == 0


async def test_a_strangers_connection_is_closed_without_a_byte() -> None:
    async with agent(trunk=Trunk(allow=("192.0.2.1",))) as a:
        to = a.address("tcp")
        reader, writer = await asyncio.open_connection(to.host, to.port)
        writer.write(b"OPTIONS sip:x SIP/2.0\r\n\r\n\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
        assert a.ua.load().connections == 0


async def test_a_scanner_gets_no_answer_even_from_a_trunk() -> None:
    async with agent() as a, peer() as p:
        p.send(p.message("OPTIONS", a.address(), extra="User-Agent: friendly-scanner\r\n"), a.address())
        await silent(p)
        assert a.dropped == {Dropped.SCANNER: 1}
        assert a.ua.load().transactions == 0
        p.send(p.message("OPTIONS", a.address(), branch="z9hG4bK-2", call="two"), a.address())
        await p.response(200)


async def test_only_a_users_name_is_challenged_and_only_the_password_gets_in(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "sip.door")
    async with agent(trunk=OFFICE) as a, peer() as p:
        p.send(from_user(p, a, user="919876543210"), a.address())
        p.send("INVITE sip:x SIP/2.0\r\nVia: nonsense\r\n\r\n", a.address())
        await silent(p)
        p.send(from_user(p, a, branch="z9hG4bK-2"), a.address())
        challenged = await p.response(401)
        assert a.ua.load().transactions == 0  # nothing is kept for one who was only asked
        p.send(
            from_user(p, a, branch="z9hG4bK-3", cseq=2, extra=proof(challenged, a), body=p.sdp()), a.address()
        )
        leg = await a.called()
        assert leg.info.trunk == "peer"
        await leg.answer()
        await event(leg, Answered)
        answer = await p.response(200)
        p.send(from_user(p, a, "ACK", branch="z9hG4bK-4", cseq=2, to_tag=answer.to.tag), a.address())
        p.send(from_user(p, a, "BYE", branch="z9hG4bK-5", cseq=3, to_tag=answer.to.tag), a.address())
        await p.response(200)
        assert await over(leg) == (Cause.NORMAL, "caller")
        # The call is over, and with it the trust.
        p.send(from_user(p, a, "BYE", branch="z9hG4bK-6", cseq=4, to_tag=answer.to.tag), a.address())
        await p.response(401)
        told = [record.message for record in caplog.records if record.name == "sip.door"]
        assert told == ["SIP from 127.0.0.1 is dropped: stranger "]


async def test_a_user_may_cancel_while_it_rings() -> None:
    async with agent(trunk=OFFICE) as a, peer() as p:
        p.send(from_user(p, a, branch="z9hG4bK-1"), a.address())
        extra = proof(await p.response(401), a)
        p.send(from_user(p, a, branch="z9hG4bK-2", cseq=2, extra=extra, body=p.sdp()), a.address())
        leg = await a.called()
        p.send(from_user(p, a, "CANCEL", branch="z9hG4bK-2", cseq=2), a.address())
        assert (await event(leg, HungUp)).cause is Cause.CANCELLED
        await p.response(487)
        await eventually(lambda: not a.ua._dialogs.trusts("127.0.0.1"))


async def test_what_a_user_may_ask_outside_a_call() -> None:
    async with agent(trunk=OFFICE) as a, peer() as p:
        for number, (method, status) in enumerate((("OPTIONS", 200), ("REGISTER", 405)), 1):
            ask = {"call": method, "cseq": 1, "branch": f"z9hG4bK-{method}"}
            p.send(from_user(p, a, method, **ask), a.address())
            extra = proof(await p.response(401), a, method)
            ask |= {"cseq": 2, "branch": f"z9hG4bK-{number}"}
            p.send(from_user(p, a, method, **ask, extra=extra), a.address())
            await p.response(status)


async def test_a_wrong_password_is_asked_again_five_times_and_then_not() -> None:
    async with agent(trunk=OFFICE) as a, peer() as p:
        p.send(from_user(p, a, branch="z9hG4bK-0"), a.address())
        challenged = await p.response(401)
        for attempt in range(1, 8):
            extra = proof(challenged, a, password="guess", nc=attempt)
            text = from_user(p, a, branch=f"z9hG4bK-w{attempt}", cseq=1 + attempt, extra=extra)
            p.send(text, a.address())
        await eventually(lambda: a.dropped[Dropped.STRANGER] == 3)
        assert a.dropped[Dropped.PASSWORD] == 5
        await asyncio.sleep(0.1)
        assert p.seen == ["401"] * 5
        right = from_user(p, a, branch="z9hG4bK-r", cseq=20, extra=proof(challenged, a, nc=20))
        p.send(right, a.address())
        await asyncio.sleep(0.1)
        assert p.seen == ["401"] * 5
        assert a.incoming.empty()


async def test_on_a_connection_too_a_stranger_is_read_slowly_and_asked() -> None:
    async with agent(trunk=OFFICE) as a:
        to = a.address("tcp")
        reader, writer = await asyncio.open_connection(to.host, to.port)
        text = (
            "OPTIONS sip:100@{host} SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK-{n}\r\n"
            "From: <sip:{user}@127.0.0.1>;tag=1\r\nTo: <sip:100@{host}>\r\nCall-ID: {n}\r\n"
            "CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        )
        for number in range(30):
            user = "bob" if number < 10 else "alice"
            writer.write(text.format(host=to.host, n=number, user=user).encode())
        await eventually(lambda: sum(a.dropped.values()) >= 10 + 11)
        assert a.dropped[Dropped.STRANGER] == 10
        assert a.dropped[Dropped.FLOOD] >= 10
        heard = (await asyncio.wait_for(reader.read(65536), 5)).decode()
        assert set(re.findall(r"SIP/2.0 (\d+)", heard)) == {"401"}
        writer.close()


async def test_strangers_leave_room_for_the_trunks_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sip.tcp.MAX_STRANGERS", 2)
    monkeypatch.setattr("sip.tcp.STRANGER_IDLE_S", 0.2)
    async with agent(trunk=OFFICE) as a:
        to = a.address("tcp")
        opened = [await asyncio.open_connection(to.host, to.port) for _ in range(3)]
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(opened[2][0].read(), 5) == b""
        assert a.ua.load().connections == 2
        await eventually(lambda: a.ua.load().connections == 0)
        for _, writer in opened:
            writer.close()


@pytest.mark.parametrize(
    ("extra", "status"),
    [
        (f"X-A: {'b' * 9000}\r\n", 400),
        ("Content-Length: 99999\r\n", 400),
        ("Max-Forwards: 999\r\n", 400),
    ],
    ids=["a long field", "a body that is not there", "a hop count that is none"],
)
async def test_what_is_too_much_or_broken_is_refused_to_a_trunk(extra: str, status: int) -> None:
    async with agent() as a, agent(trunk=OFFICE) as b, peer() as p:
        p.send(p.message("OPTIONS", a.address(), extra=extra), a.address())
        async with asyncio.timeout(5):
            while not p.seen:
                await asyncio.sleep(0.01)
        assert p.seen == [str(status)]
        p.seen.clear()
        p.send(p.message("OPTIONS", b.address(), extra=extra), b.address())
        await silent(p)
        assert a.ua.load().transactions == b.ua.load().transactions == 0


async def test_a_message_of_more_fields_than_one_has_is_not_read_on() -> None:
    async with agent() as a, peer() as p:
        p.send(p.message("OPTIONS", a.address(), extra="X-A: b\r\n" * 300), a.address())
        await p.response(513)
        p.send(p.message("OPTIONS", a.address(), branch="z9hG4bK-2", extra="X-A: b\r\n" * 200), a.address())
        await p.response(200)


async def test_what_requests_outside_calls_are_told() -> None:
    async with agent() as a, peer() as p:

        async def told(method: str, uri: str = "", status: int = 200) -> Response:
            text = p.message(method, a.address(), branch=f"z9hG4bK-{method}{len(uri)}", call=f"{method}{uri}")
            line = text.partition("\r\n")[0]
            p.send(text.replace(line, f"{method} {uri} SIP/2.0") if uri else text, a.address())
            return await p.response(status)

        options = await told("OPTIONS")
        assert options.headers.get("Accept") == "application/sdp"
        assert "INVITE" in options.headers.get_all("Allow")
        assert "timer" in options.headers.get_all("Supported")
        a.retry_after = 7
        assert (await told("OPTIONS", "sip:busy@127.0.0.1", 503)).headers.get("Retry-After") == "7"
        a.retry_after = None
        for method, status in (("REGISTER", 405), ("SUBSCRIBE", 405), ("FROBNICATE", 501)):
            assert "INVITE" in (await told(method, status=status)).headers.get_all("Allow")
        await told("OPTIONS", "mailto:100@127.0.0.1", 416)
        await told("OPTIONS", "tel:+919876543210", 200)
