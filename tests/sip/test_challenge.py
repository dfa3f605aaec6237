"""Peers without a fixed address: what proves who they are, and what does not."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sip.challenge import FRESH_S, Challenger, Doubt, Proved, User
from sip.digest import Credentials, DigestError, authorize, parse_answer, parse_challenge
from sip.message import Headers, Request
from tests.sip.sip_parts import request

HOST = "203.0.113.7"
ALICE = Proved("alice", "office")


@pytest.fixture
def challenger() -> Challenger:
    return Challenger({"alice": User("office", "secret")}, "ivr", b"k" * 32)


def answered(challenge: str, password: str = "secret", *, nc: int = 1, user: str = "alice") -> Request:
    asked = request()
    parsed = parse_challenge(challenge)
    value = authorize(parsed, Credentials(user, password), "INVITE", str(asked.uri), nc=nc, cnonce="c")
    asked.headers.add("Authorization", value)
    return asked


def test_a_stranger_is_not_even_asked(challenger: Challenger) -> None:
    stranger = request(from_tag="x")
    stranger.headers.set("From", "<sip:100@203.0.113.7>;tag=x")
    assert challenger.judge(stranger, HOST, 0.0) is Doubt.STRANGER
    stranger.headers.add("Contact", "<sip:alice@203.0.113.7>")
    assert challenger.judge(stranger, HOST, 0.0) is Doubt.UNPROVED
    assert challenger.judge(request(), HOST, 0.0) is Doubt.UNPROVED


@pytest.mark.parametrize("place", [0, 1], ids=["SHA-256", "MD5"])
def test_the_right_password_proves_it_in_both_algorithms(challenger: Challenger, place: int) -> None:
    challenges = challenger.challenges(HOST, 100.0)
    assert [parse_challenge(text).algorithm.value for text in challenges] == ["SHA-256", "MD5"]
    assert all(parse_challenge(text).auth for text in challenges)
    assert challenger.judge(answered(challenges[place]), HOST, 100.5) == ALICE


def test_an_answer_without_qop_counts_once(challenger: Challenger) -> None:
    old = challenger.challenges(HOST, 1.0)[1].replace(', qop="auth"', "")
    assert not parse_challenge(old).auth
    assert challenger.judge(answered(old), HOST, 1.0) == ALICE
    assert challenger.judge(answered(old), HOST, 1.0) is Doubt.STALE


def test_wrong_passwords_other_requests_and_nonsense(challenger: Challenger) -> None:
    challenge = challenger.challenges(HOST, 1.0)[0]
    assert challenger.judge(answered(challenge, "guess"), HOST, 1.0) is Doubt.WRONG
    moved = answered(challenge)
    moved.uri = request(uri="sip:00900123456@192.0.2.2").uri
    assert challenger.judge(moved, HOST, 1.0) is Doubt.WRONG
    moved = answered(challenge)
    moved.method = "BYE"
    assert challenger.judge(moved, HOST, 1.0) is Doubt.WRONG
    assert challenger.judge(answered(challenge, user="bob"), HOST, 1.0) is Doubt.WRONG
    nonsense = request(extra="Authorization: Digest username=alice, \x80\r\n")
    assert challenger.judge(nonsense, HOST, 1.0) is Doubt.WRONG
    elsewhere = answered(challenge.replace('"ivr"', '"other"'))
    assert challenger.judge(elsewhere, HOST, 1.0) is Doubt.UNPROVED


def test_old_foreign_and_used_nonces_are_asked_for_again(challenger: Challenger) -> None:
    challenge = challenger.challenges(HOST, 1.0)[0]
    assert challenger.judge(answered(challenge), HOST, 1.0 + FRESH_S + 0.1) is Doubt.STALE
    assert challenger.judge(answered(challenge), "203.0.113.8", 1.0) is Doubt.STALE
    other = Challenger({"alice": User("office", "secret")}, "ivr", b"q" * 32)
    assert other.judge(answered(challenge), HOST, 1.0) is Doubt.STALE
    assert challenger.judge(answered(challenge, nc=2), HOST, 1.0) == ALICE
    assert challenger.judge(answered(challenge, nc=2), HOST, 1.0) is Doubt.STALE
    assert challenger.judge(answered(challenge, nc=1), HOST, 1.0) is Doubt.STALE
    assert challenger.judge(answered(challenge, nc=3), HOST, 1.0) == ALICE
    assert "stale=true" in challenger.challenges(HOST, 1.0, stale=True)[0]
    for nonce in ("", ".", "zz.1.x", "\udcff.1.2"):
        assert challenger.judge(answered(f'Digest realm="ivr", nonce="{nonce}"'), HOST, 1.0) is Doubt.STALE


def test_the_counts_that_are_kept_are_bounded(
    challenger: Challenger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sip.challenge._NONCES", 2)
    for now in (0.0, 1.0):
        assert challenger.judge(answered(challenger.challenges(HOST, now)[0]), HOST, now) == ALICE
    third = challenger.challenges(HOST, 2.0)[0]
    assert challenger.judge(answered(third), HOST, 2.0) is Doubt.STALE  # no room to remember it
    late = 2.0 + FRESH_S
    assert challenger.judge(answered(challenger.challenges(HOST, late)[0]), HOST, late) == ALICE


def test_a_repeated_request_gets_the_same_tag(challenger: Challenger) -> None:
    assert challenger.tag(request()) == challenger.tag(request(branch="z9hG4bK-2"))
    assert challenger.tag(request()) != challenger.tag(request(cseq=2))


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ("Basic abc", "not a Digest answer"),
        ('Digest username="a"', "no realm"),
        (
            'Digest username="a", realm="r", nonce="n", uri="sip:x@y", response="zz"',
            "not hexadecimal",
        ),
        (
            f'Digest username="a", realm="r", nonce="n", uri="sip:x@y", response="{"0" * 32}", qop=auth-int',
            "only the quality of protection auth",
        ),
        (
            f'Digest username="a", realm="r", nonce="n", uri="x:y", response="{"0" * 32}", algorithm=SHA-512',
            "was not offered",
        ),
    ],
)
def test_answers_that_make_no_sense(header: str, why: str) -> None:
    with pytest.raises(DigestError, match=why):
        parse_answer(header)


@given(st.text(max_size=80).map(lambda text: f"Digest {text}"))
@example(
    'Digest username="alice", realm="ivr", nonce="\udcff", uri="sip:\udc80@x", response="' + "0" * 32 + '"'
)
def test_any_text_is_judged_without_a_fault(value: str) -> None:
    challenger = Challenger({"alice": User("office", "secret")}, "ivr", b"k" * 32)
    asked = request()
    asked.headers = Headers([*asked.headers, ("Authorization", value.replace("\r", "").replace("\n", ""))])
    assert challenger.judge(asked, HOST, 0.0) in (Doubt.WRONG, Doubt.UNPROVED)
