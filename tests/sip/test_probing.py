"""When a trunk's target counts as up or down, and how the user agent shows it."""

from __future__ import annotations

import logging

import pytest

from media.leg import Cause
from sip.hop import Address, Hop
from sip.message import Response, parse, response_to
from sip.probing import DOUBT_S, TargetProbe, TrunkProbe, seen_as
from sip.stack import TargetState, UnknownTrunk
from sip.timers import Timing
from sip.trunks import Trunk
from tests.sip.agents import agent, eventually, over, peer, reply
from tests.sip.sip_parts import request

PATIENT = Timing(t1=0.1, t2=0.4, t4=0.1)
"""A probe has 0.8 s."""

A, B = "udp:192.0.2.1:5060", "udp:192.0.2.2:5060"


def test_the_first_probe_decides_at_once() -> None:
    for status, up in ((200, True), (404, True), (486, True), (503, False), (408, False)):
        probe = TargetProbe()
        assert probe.up is None
        probe.answered(status)
        assert probe.up is up


def test_one_lost_probe_takes_nothing_down() -> None:
    probe = TargetProbe()
    probe.answered(200)
    probe.silent()
    assert (probe.up, probe.doubtful) == (True, True)
    probe.answered(200)
    assert (probe.up, probe.doubtful) == (True, False)
    probe.silent()
    probe.silent()
    assert (probe.up, probe.reason) == (False, "no answer to OPTIONS")


def test_it_must_answer_twice_to_come_back() -> None:
    probe = TargetProbe()
    probe.silent("its certificate is not accepted")
    assert (probe.up, probe.reason) == (False, "its certificate is not accepted")
    probe.answered(200)
    assert probe.up is False
    probe.answered(503)
    probe.answered(200)
    assert probe.up is False
    probe.answered(200)
    assert (probe.up, probe.doubtful) == (True, False)


def test_a_trunk_is_up_while_one_of_its_targets_is() -> None:
    probe = TrunkProbe(30.0)
    assert probe.up is None
    probe.resolved([A, B])
    assert (probe.up, probe.pause_s) == (None, DOUBT_S)
    probe.silent(A, None)
    assert probe.up is None
    probe.answered(B, 200, 0.0123, None)
    assert (probe.up, probe.reason, probe.rtt_ms) == (True, "", 12.3)
    assert probe.targets == (TargetState(A, False), TargetState(B, True))
    assert probe.pause_s == DOUBT_S
    probe.silent(B, None)
    probe.silent(B, None)
    assert probe.up is False
    assert probe.reason == f"{A}: no answer to OPTIONS; {B}: no answer to OPTIONS"


def test_a_steady_trunk_is_asked_at_its_own_pace() -> None:
    probe = TrunkProbe(30.0)
    probe.resolved([A])
    probe.answered(A, 200, 0.01, None)
    assert probe.pause_s == 30.0
    probe.silent(A, None)
    assert (probe.up, probe.pause_s) == (True, DOUBT_S)
    assert TrunkProbe(1.0).pause_s == 1.0


def test_what_dns_says_changes_the_targets() -> None:
    probe = TrunkProbe(30.0)
    probe.resolved([A, B])
    probe.answered(A, 200, 0.01, None)
    probe.resolved([A])
    assert probe.targets == (TargetState(A, True),)
    probe.answered(B, 200, 0.01, None)  # too late: nobody asks it any more
    assert probe.targets == (TargetState(A, True),)
    probe.unresolved("the name gw.test has no address")
    assert (probe.up, probe.reason) == (False, "the name gw.test has no address")


def _answer(received: str) -> Response:
    response = response_to(request("OPTIONS"), 200)
    text = response.to_bytes().replace(b";branch=z9hG4bK-1", b";branch=z9hG4bK-1" + received.encode())
    found = parse(text)
    assert isinstance(found, Response)
    return found


@pytest.mark.parametrize(
    ("received", "reliable", "seen"),
    [
        ("", False, None),
        (";received=192.0.2.1;rport=5060", False, None),
        (";received=198.51.100.7;rport=5060", False, "198.51.100.7:5060"),
        (";received=192.0.2.1;rport=40123", False, "192.0.2.1:40123"),
        (";received=192.0.2.1;rport=40123", True, None),
        (";received=198.51.100.7;rport=40123", True, "198.51.100.7"),
        (";received=2001:db8::7;rport=5060", False, "[2001:db8::7]:5060"),
    ],
)
def test_how_a_peer_sees_us(received: str, reliable: bool, seen: str | None) -> None:
    assert seen_as(_answer(received), Address("192.0.2.1", 5060), reliable=reliable) == seen


# The user agent


async def test_a_trunk_that_answers_is_up_and_says_how_it_sees_us(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "sip.prober")
    async with peer() as p:
        trunk = Trunk(allow=("127.0.0.1",), proxy=f"127.0.0.1:{p.address.port}", options_s=0.05)
        async with agent(trunk=trunk, timing=PATIENT) as a:
            assert a.ua.trunk_state("peer").up is None
            for _ in range(3):
                asked = await p.request("OPTIONS")
                answer = response_to(asked, 200, to_tag="t")
                via = asked.via.with_param("received", "198.51.100.7").with_param("rport", "4321")
                answer.headers.replace_first("Via", str(via))
                p.send(answer.to_bytes(), a.address())
            await eventually(lambda: a.ua.trunk_state("peer").up is True)
            state = a.ua.trunk_state("peer")
            assert state.targets == (TargetState(f"udp:127.0.0.1:{p.address.port}", True),)
            assert state.seen_as == "198.51.100.7:4321"
            assert state.rtt_ms is not None
            assert state.registered is None
            with pytest.raises(UnknownTrunk):
                a.ua.trunk_state("nobody")
            # Nobody answers from here on.
            await eventually(lambda: a.ua.trunk_state("peer").up is False)
            assert a.ua.trunk_state("peer").reason.endswith("no answer to OPTIONS")
            await eventually(lambda: "trunk peer is down" in caplog.text)
    told = [record.message for record in caplog.records]
    assert told[0] == "trunk peer is up"
    assert [text.partition(": ")[0] for text in told] == ["trunk peer is up", "trunk peer is down"]


async def test_a_watch_that_breaks_off_begins_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("sip.watch.RESTART_S", 0.01)
    async with peer() as p:
        trunk = Trunk(allow=("127.0.0.1",), proxy=f"127.0.0.1:{p.address.port}", options_s=0.05)
        async with agent(trunk=trunk, timing=PATIENT) as a:
            shown, tries = a.ua._endpoint.shown, iter([OSError(24, "Too many open files")])

            def once_without(hop: Hop) -> Address:
                for error in tries:
                    raise error
                return shown(hop)

            monkeypatch.setattr(a.ua._endpoint, "shown", once_without)
            await eventually(lambda: "broke off" in caplog.text)
            reply(p, a, await p.request("OPTIONS"), 200, "t")
            await eventually(lambda: a.ua.trunk_state("peer").up is True)


async def test_a_draining_trunk_is_down() -> None:
    async with peer() as p:
        trunk = Trunk(allow=("127.0.0.1",), proxy=f"127.0.0.1:{p.address.port}", options_s=0.05)
        async with agent(trunk=trunk, timing=PATIENT) as a:
            reply(p, a, await p.request("OPTIONS"), 503, "t")
            await eventually(lambda: a.ua.trunk_state("peer").up is False)
            assert "it answers OPTIONS with 503" in a.ua.trunk_state("peer").reason


async def test_a_proxy_without_an_address_is_down_and_calls_fail_at_once() -> None:
    trunk = Trunk(allow=("127.0.0.1",), proxy="gw.invalid", options_s=0.05)
    async with agent(trunk=trunk, timing=PATIENT) as a:
        await eventually(lambda: a.ua.trunk_state("peer").up is False)
        assert "gw.invalid" in a.ua.trunk_state("peer").reason
        cause, _ = await over(await a.call("100"))
        assert cause is Cause.UNAVAILABLE


async def test_two_user_agents_probe_each_other() -> None:
    async with agent() as b:
        trunk = Trunk(allow=("127.0.0.1",), proxy=b.uri(transport="tcp"), options_s=0.05)
        async with agent(trunk=trunk, timing=PATIENT) as a:
            await eventually(lambda: a.ua.trunk_state("peer").up is True)
            state = a.ua.trunk_state("peer")
            assert state.seen_as is None
            assert state.targets[0].address == f"tcp:127.0.0.1:{b.address('tcp').port}"
