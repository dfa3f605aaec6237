"""Whom we prove ourselves to, and with what: our own requests, the trunk's addresses, its realm."""

from __future__ import annotations

import logging
import re

import pytest

from sip.authenticator import Authenticator, carried, credentials_of, why_unanswered
from sip.challenge import Challenger, Proved, User
from sip.digest import Credentials
from sip.hop import Address, Hop
from sip.message import Request, Response
from tests.sip.sip_parts import UDP, answer, request

SECRET = Credentials("alice", "secret", "trunk.example")
ELSEWHERE = Hop("UDP", Address("203.0.113.66", 5060), UDP.local)
MD5 = 'Digest realm="trunk.example", nonce="n1", qop="auth"'


def prover(credentials: Credentials | None = SECRET) -> Authenticator:
    return Authenticator(credentials, lambda host: host == "192.0.2.1")


def challenged(to: Request, *values: str, status: int = 401) -> Response:
    name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    return answer(to, status, extra="\n".join(f"{name}: {value}" for value in values))


def again(sent: Request, proof: tuple[str, str]) -> Request:
    repeated = request()
    for name, value in carried(sent, proof):
        repeated.headers.set(name, value)
    return repeated


@pytest.mark.parametrize("place", [0, 1], ids=["SHA-256", "MD5"])
def test_what_we_answer_is_what_a_challenger_takes(place: int) -> None:
    challenger = Challenger({"alice": User("t", "secret")}, "trunk.example", b"k" * 32)
    invite = request()
    offered = challenger.challenges("192.0.2.1", 1.0)[place]
    proof = prover().answer(challenged(invite, offered), invite, UDP)
    assert proof is not None
    assert challenger.judge(again(invite, proof), "192.0.2.1", 1.0) == Proved("alice", "t")


def test_only_the_trunk_in_its_realm_gets_an_answer() -> None:
    invite = request()
    response = challenged(invite, MD5)
    assert prover().answer(response, invite, UDP) is not None
    assert prover().answer(response, invite, ELSEWHERE) is None  # redirected, or past the trunk
    assert prover(None).answer(response, invite, UDP) is None
    assert prover(Credentials("alice", "secret", "other")).answer(response, invite, UDP) is None
    assert prover().answer(answer(invite, 403), invite, UDP) is None


def test_the_first_of_several_challenges_that_can_be_answered() -> None:
    invite = request()
    response = challenged(
        invite,
        MD5.replace("qop", "algorithm=SHA-512-256, qop"),
        MD5.replace("trunk.example", "other.example"),
        MD5.replace("n1", "n2").replace("qop", "algorithm=SHA-256, qop"),
        MD5,
    )
    proof = prover().answer(response, invite, UDP)
    assert proof is not None
    assert 'nonce="n2"' in proof[1]
    assert "algorithm=SHA-256" in proof[1]


def test_integrity_alone_is_refused_in_words(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    invite = request()
    signed = challenged(invite, MD5.replace('"auth"', '"auth-int"'))
    assert prover().answer(signed, invite, UDP) is None
    assert "'auth-int' is not supported, only auth" in caplog.text
    assert "only auth" in why_unanswered(signed, SECRET)
    assert "no credentials" in why_unanswered(signed, None)
    both = challenged(invite, MD5.replace('"auth"', '"auth-int,auth"'))
    proof = prover().answer(both, invite, UDP)
    assert proof is not None
    assert "qop=auth," in proof[1]


def test_a_wrong_password_is_tried_once_and_a_stale_nonce_a_few_times(
    caplog: pytest.LogCaptureFixture,
) -> None:
    one, invite = prover(), request()
    sent = again(invite, one.answer(challenged(invite, MD5), invite, UDP) or ("", ""))
    assert one.answer(challenged(sent, MD5), sent, UDP) is None
    assert "not accepted" in caplog.text
    stale = 0
    while (
        proof := one.answer(challenged(sent, f"{MD5.replace('n1', f's{stale}')}, stale=true"), sent, UDP)
    ) is not None:
        stale += 1
        sent = again(invite, proof)
        assert stale < 10
    assert stale == 2


def test_a_nonce_that_is_used_again_is_counted() -> None:
    one, invite = prover(), request()
    counts = [
        re.findall("nc=([0-9a-f]+)", (one.answer(challenged(invite, MD5), invite, UDP) or ("", ""))[1])
        for _ in range(2)
    ]
    assert counts == [["00000001"], ["00000002"]]


def test_a_proxy_and_its_registrar_are_both_answered() -> None:
    one, invite = prover(), request()
    first = one.answer(challenged(invite, MD5, status=407), invite, UDP)
    assert first is not None
    sent = again(invite, first)
    second = one.answer(challenged(sent, MD5.replace("n1", "w1")), sent, UDP)
    assert second is not None
    both = again(sent, second)
    assert [name for name, _ in credentials_of(both)] == ["Proxy-Authorization", "Authorization"]
