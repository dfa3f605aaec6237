"""Digest: the worked examples of RFC 7616, 2617 and 2069, and challenges that must be refused."""

from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.digest import (
    Algorithm,
    Challenge,
    Credentials,
    DigestError,
    authorize,
    choose_challenge,
    parse_challenge,
)

MUFASA = Credentials("Mufasa", "Circle of Life")
NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
OPAQUE = "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
RFC_7616 = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={}, '
    f'nonce="{NONCE}", opaque="{OPAQUE}"'
)


def field(header: str, name: str) -> str | None:
    match = re.search(rf'[ ,]{name}="?([^",]*)', header)
    return match[1] if match else None


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_examples_of_rfc_7616(algorithm: str, response: str) -> None:
    challenge = parse_challenge(RFC_7616.format(algorithm))
    assert challenge.auth
    header = authorize(challenge, MUFASA, "GET", "/dir/index.html", nc=1, cnonce=CNONCE)
    assert header == (
        f'Digest username="Mufasa", realm="http-auth@example.org", nonce="{NONCE}", uri="/dir/index.html", '
        f'response="{response}", algorithm={algorithm}, qop=auth, nc=00000001, cnonce="{CNONCE}", '
        f'opaque="{OPAQUE}"'
    )


def test_the_example_of_rfc_2617() -> None:
    challenge = parse_challenge(
        'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
        'opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    )
    secret = Credentials("Mufasa", "Circle Of Life")
    header = authorize(challenge, secret, "GET", "/dir/index.html", nc=1, cnonce="0a4f113b")
    assert field(header, "response") == "6629fae49393a05397450978507c4ef1"
    assert field(header, "algorithm") is None


def test_without_qop_the_form_of_rfc_2069_is_used() -> None:
    challenge = parse_challenge(
        'digest realm=testrealm@host.com , nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"'
    )
    header = authorize(challenge, Credentials("Mufasa", "CircleOfLife"), "GET", "/dir/index.html")
    assert field(header, "response") == "1949323746fe6a43ef61f9606e7febea"  # RFC 2069 erratum 749
    assert "qop" not in header
    assert "cnonce" not in header


@pytest.mark.parametrize("algorithm", ["MD5-sess", "SHA-256-SESS"])
def test_a_session_key_hashes_both_nonces_in(algorithm: str) -> None:
    function = hashlib.md5 if algorithm.startswith("MD5") else hashlib.sha256
    challenge = parse_challenge(RFC_7616.format(algorithm))
    header = authorize(challenge, MUFASA, "INVITE", "sip:bob@example.org", nc=10, cnonce="abc")
    key = function(b"Mufasa:http-auth@example.org:Circle of Life").hexdigest()
    key = function(f"{key}:{NONCE}:abc".encode()).hexdigest()
    request = function(b"INVITE:sip:bob@example.org").hexdigest()
    expected = function(f"{key}:{NONCE}:0000000a:abc:auth:{request}".encode()).hexdigest()
    assert field(header, "response") == expected
    assert field(header, "nc") == "0000000a"


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ("", "not a Digest"),
        ('Basic realm="x"', "not a Digest"),
        ('Digest nonce="x"', "no realm"),
        ('Digest realm="x"', "no nonce"),
        ('Digest realm="x", nonce="y", qop="auth-int"', "auth-int.*not supported"),
        ('Digest realm="x", nonce="y", algorithm=SHA-512-256', "SHA-512-256.*not supported"),
        ('Digest realm="x, nonce="y"', "malformed"),
        ('Digest realm="x" nonce="y"', "malformed"),
    ],
)
def test_what_cannot_be_answered_says_why(header: str, problem: str) -> None:
    with pytest.raises(DigestError, match=problem):
        parse_challenge(header)


def test_the_first_usable_challenge_of_the_right_realm_is_chosen() -> None:
    headers = [
        'Digest realm="a", nonce="1", algorithm=SHA-512-256',
        'Digest realm="b", nonce="2", algorithm=SHA-256, stale=TRUE',
        'Digest realm="a", nonce="3"',
    ]
    assert choose_challenge(headers) == Challenge(
        "b", "2", Algorithm.SHA_256, stale=True, stated_algorithm="SHA-256"
    )
    assert choose_challenge(headers, "a").nonce == "3"
    with pytest.raises(DigestError, match=r"SHA-512-256.*'b', not 'c'"):
        choose_challenge(headers, "c")
    with pytest.raises(DigestError, match="no challenge"):
        choose_challenge([])


def test_a_missing_client_nonce_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="client nonce"):
        authorize(parse_challenge(RFC_7616.format("MD5")), MUFASA, "GET", "/")


def test_a_secret_is_not_printed() -> None:
    assert "Circle" not in repr(MUFASA)


@given(st.text(max_size=80).map(lambda text: "Digest " + text) | st.text(max_size=40))
def test_any_text_gives_a_challenge_or_a_digest_error(text: str) -> None:
    try:
        challenge = parse_challenge(text)
    except DigestError:
        return
    assert authorize(challenge, MUFASA, "INVITE", "sip:a@b", cnonce="x").startswith("Digest ")


_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=20)


@given(_TEXT, _TEXT)
def test_quoted_values_survive(realm: str, nonce: str) -> None:
    written = authorize(Challenge(realm, nonce), Credentials("u", "p"), "INVITE", "sip:a@b")
    again = parse_challenge(written)
    assert (again.realm, again.nonce) == (realm, nonce)
