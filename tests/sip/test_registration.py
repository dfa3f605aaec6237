"""Registering with a trunk: the machine, then the user agent against a registrar by hand."""

from __future__ import annotations

import asyncio

import pytest

from sip.digest import Credentials
from sip.message import Request, Response, parse, response_to
from sip.registration import (
    MAX_RETRY_S,
    REFUSED_S,
    Outcome,
    Registration,
    Result,
    granted_s,
)
from sip.trunks import Registration as Settings
from sip.trunks import Trunk
from sip.uri import Uri
from tests.sip.agents import Agent, Peer, agent, eventually, peer
from tests.sip.sip_parts import request

OK = Outcome(Result.ACCEPTED, 200, 600)


def machine(expires_s: int = 600) -> Registration:
    return Registration(expires_s, lambda: 0.5)


def test_a_registration_is_refreshed_before_it_ends() -> None:
    one = machine()
    assert not one.registered(0.0)
    pause = one.heard(OK, 0.0)
    assert 480 < pause < 540
    assert one.registered(599.9)
    assert not one.registered(600.0)
    assert one.heard(Outcome(Result.ACCEPTED, 200, 60), 0.0) <= 30  # what is granted counts
    assert 480 < one.heard(Outcome(Result.ACCEPTED, 200, None), 0.0) < 540  # as asked for


def test_a_lost_refresh_leaves_the_binding_until_it_runs_out() -> None:
    one = machine()
    one.heard(OK, 0.0)
    assert one.heard(Outcome(Result.SILENT), 540.0) <= 3.0
    assert one.registered(541.0)
    assert one.reason == "the registrar does not answer"
    assert not one.registered(600.0)


def test_pauses_grow_and_start_over_after_a_success() -> None:
    one = machine()
    pauses = [one.heard(Outcome(Result.SILENT), 0.0) for _ in range(12)]
    assert pauses[:4] == [2.0, 4.0, 8.0, 16.0]
    assert pauses[-1] == MAX_RETRY_S
    one.heard(OK, 0.0)
    assert one.heard(Outcome(Result.SILENT), 0.0) == 2.0


def test_too_brief_asks_for_what_the_registrar_takes() -> None:
    one = machine(60)
    assert one.heard(Outcome(Result.TOO_BRIEF, 423, 1800.0), 0.0) == 0.0
    assert one.asks_s == 1800
    # A registrar that wants less than it was offered makes no sense, and must not be asked in a circle.
    assert one.heard(Outcome(Result.TOO_BRIEF, 423, 1800.0), 0.0) > 0.0
    assert one.heard(Outcome(Result.TOO_BRIEF, 423, None), 0.0) > 0.0


def test_a_refused_password_is_not_tried_again_soon() -> None:
    one = machine()
    pauses = [one.heard(Outcome(Result.PASSWORD_REFUSED, 401), 0.0) for _ in range(3)]
    assert one.reason == "the password is refused"
    assert pauses == [REFUSED_S, 2 * REFUSED_S, 4 * REFUSED_S]


def test_a_refusal_ends_the_binding_and_says_its_status() -> None:
    one = machine()
    one.heard(OK, 0.0)
    assert one.heard(Outcome(Result.REFUSED, 503, 120.0), 10.0) >= 120.0
    assert not one.registered(10.0)
    assert one.reason == "the registrar answers 503"


@pytest.mark.parametrize(
    ("fields", "granted"),
    [
        ("Contact: <sip:u@192.0.2.1:5060>;expires=120", 120.0),
        ("Contact: <sip:x@192.0.2.9>;expires=5, <sip:u@192.0.2.1:5060>;expires=121\nExpires: 9", 121.0),
        ("Contact: <sip:u@192.0.2.1:5060>\nExpires: 90", 90.0),
        ("Expires: 77", 77.0),
        ("Contact: nonsense", None),
        ("", None),
    ],
)
def test_what_was_granted(fields: str, granted: float | None) -> None:
    response = response_to(request("REGISTER"), 200)
    for line in fields.splitlines():
        name, _, value = line.partition(": ")
        response.headers.add(name, value)
    parsed = parse(response.to_bytes())
    assert isinstance(parsed, Response)
    assert granted_s(parsed, Uri.parse("sip:u@192.0.2.1:5060")) == granted


# The user agent


def trunk_at(p: Peer, **more: object) -> Trunk:
    settings = Settings("line7", f"sip:127.0.0.1:{p.address.port}", 60)
    return Trunk(allow=(), registration=settings, credentials=Credentials("line7", "secret"), **more)  # type: ignore[arg-type]


def accept(p: Peer, a: Agent, asked: Request, expires: int = 60) -> None:
    answer = response_to(asked, 200, to_tag="r")
    answer.headers.add(
        "Contact", f"{asked.headers.get('Contact')}".partition(";expires")[0] + f";expires={expires}"
    )
    p.send(answer.to_bytes(), a.address())


def challenge(p: Peer, a: Agent, asked: Request, nonce: str = "n1") -> None:
    answer = response_to(asked, 401, to_tag="r")
    answer.headers.add(
        "WWW-Authenticate", f'Digest realm="pbx", nonce="{nonce}", algorithm=SHA-256, qop="auth"'
    )
    p.send(answer.to_bytes(), a.address())


async def test_registers_with_a_password_and_leaves_at_the_end() -> None:
    async with peer() as p:
        async with agent(trunk=trunk_at(p)) as a:
            state = a.ua.trunk_state("peer")
            assert (state.up, state.registered) == (False, False)
            first = await p.request("REGISTER")
            assert str(first.uri) == "sip:127.0.0.1"
            assert (str(first.to.uri), str(first.from_.uri)) == ("sip:line7@127.0.0.1",) * 2
            assert "Authorization" not in first.headers
            challenge(p, a, first)
            second = await p.request("REGISTER")
            assert (second.call_id, second.cseq.number) == (first.call_id, first.cseq.number + 1)
            assert 'username="line7"' in (second.headers.get("Authorization") or "")
            assert "secret" not in (second.headers.get("Authorization") or "")
            accept(p, a, second)
            await eventually(lambda: a.ua.trunk_state("peer").registered is True)
            assert a.ua.trunk_state("peer").up is True
            closing = asyncio.create_task(p.request("REGISTER"))
        last = await closing
        assert last.headers.get("Expires") == "0"
        assert (last.call_id, last.cseq.number) == (first.call_id, second.cseq.number + 1)


async def test_calls_from_the_registrar_are_the_trunks() -> None:
    async with peer() as p, agent(trunk=trunk_at(p)) as a:
        accept(p, a, await p.request("REGISTER"))
        await eventually(lambda: a.ua.trunk_state("peer").registered is True)
        p.send(p.message("INVITE", a.address(), body=p.sdp()), a.address())
        leg = await a.called()
        assert leg.info.trunk == "peer"
        await leg.hang_up()


async def test_a_wrong_password_is_said_in_words() -> None:
    async with peer() as p, agent(trunk=trunk_at(p)) as a:
        challenge(p, a, await p.request("REGISTER"))
        challenge(p, a, await p.request("REGISTER"), "n2")
        await eventually(lambda: "password" in a.ua.trunk_state("peer").reason)
        state = a.ua.trunk_state("peer")
        assert (state.registered, state.reason) == (False, "not registered: the password is refused")


async def test_a_longer_time_is_asked_for_when_the_registrar_wants_it() -> None:
    async with peer() as p, agent(trunk=trunk_at(p)) as a:
        asked = await p.request("REGISTER")
        assert asked.headers.get("Expires") == "60"
        answer = response_to(asked, 423, to_tag="r")
        answer.headers.add("Min-Expires", "900")
        p.send(answer.to_bytes(), a.address())
        asked = await p.request("REGISTER")
        assert asked.headers.get("Expires") == "900"
        accept(p, a, asked, 900)
        await eventually(lambda: a.ua.trunk_state("peer").registered is True)


async def test_a_refused_registration_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sip.registration.RETRY_S", 0.05)
    async with peer() as p, agent(trunk=trunk_at(p)) as a:
        p.send(response_to(await p.request("REGISTER"), 500, to_tag="r").to_bytes(), a.address())
        await eventually(lambda: "answers 500" in a.ua.trunk_state("peer").reason)
        accept(p, a, await p.request("REGISTER"))
        await eventually(lambda: a.ua.trunk_state("peer").registered is True)


async def test_a_trunk_that_cannot_be_registered_with_is_named() -> None:
    for settings in (Settings("u"), Settings("u", "sip:"), Settings("u", "http://pbx")):
        with pytest.raises(ValueError, match="trunk peer: "):
            async with agent(trunk=Trunk(registration=settings)):
                pass
