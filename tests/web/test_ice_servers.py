from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import pytest
from pydantic import ValidationError

from ivr.web.book import FlowCall, SessionBook
from ivr.web.config import Web
from ivr.web.ice_servers import IceUrl, rest_credentials
from ivr.web.sessions import Sessions
from ivr.web.terms import terms_of


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("stun:stun.example", IceUrl("stun", "stun.example", 3478, "udp")),
        ("turn:192.0.2.9:3479?transport=tcp", IceUrl("turn", "192.0.2.9", 3479, "tcp")),
        ("turn:turn.example", IceUrl("turn", "turn.example", 3478, "udp")),
        ("turns:turn.example", IceUrl("turns", "turn.example", 5349, "tcp")),
        ("turn:[2001:db8::9]:3478", IceUrl("turn", "2001:db8::9", 3478, "udp")),
    ],
)
def test_urls_are_read(text: str, url: IceUrl) -> None:
    assert IceUrl.parse(text) == url


@pytest.mark.parametrize(
    "text", ["", "http://x", "stun:", "stun:a?transport=tcp", "turn:a:99999", "turn:a?x=y"]
)
def test_what_is_no_url_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"port|write it as"):
        IceUrl.parse(text)


def test_credentials_are_those_that_coturn_computes() -> None:
    given = rest_credentials("shared", "abc", 1_700_000_000.9)
    assert given.username == "1700000000:abc"
    digest = hmac.new(b"shared", b"1700000000:abc", hashlib.sha1).digest()
    assert given.password == base64.b64encode(digest).decode()


def test_a_session_has_credentials_of_its_own_and_others_learn_none() -> None:
    servers = [
        {"urls": ["stun:stun.example"]},
        {"urls": ["turn:turn.example"], "secret": "a-shared-secret"},
        {"urls": ["turn:old.example"], "username": "u", "credential": "c"},
    ]
    web = Web.model_validate({"ice": {"servers": servers}, "session_s": 60})
    sessions = Sessions(SessionBook(), web, 1800.0, lambda: 1000.0)
    session = sessions.issue(FlowCall("f"), 3600.0)
    assert session["expires_at"] == 1060.0
    stun, turn, old = session["ice_servers"]
    assert stun == {"urls": ["stun:stun.example"]}
    assert turn["username"] == f"2860:{session['session_id']}"
    assert (old["username"], old["credential"]) == ("u", "c")
    assert sessions.ice_servers() == [{"urls": ["stun:stun.example"]}]
    assert "a-shared-secret" not in str(session)


@pytest.mark.parametrize(
    ("ice", "said"),
    [
        ({"servers": [{"urls": ["turn:a"]}]}, "needs either a secret"),
        ({"servers": [{"urls": ["stun:a"], "secret": "12345678"}]}, "takes no credentials"),
        ({"servers": [{"urls": ["turn:a"], "username": "u"}]}, "go together"),
        ({"servers": [{"urls": ["ftp:a"]}]}, "write it as stun:HOST"),
        ({"ports": [2000, 1000]}, "first and the last port"),
        ({"addresses": ["here"]}, "does not appear to be an IPv4 or IPv6"),
    ],
)
def test_mistakes_are_named(ice: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Web.model_validate({"ice": ice})


def test_we_ask_servers_only_where_we_are_told_to() -> None:
    servers = [
        {"urls": ["stun:stun.example", "stun:other.example"]},
        {"urls": ["turn:t"], "secret": "12345678"},
    ]
    assert terms_of(Web.model_validate({"ice": {"servers": servers}})).ice.stun is None
    asking = terms_of(Web.model_validate({"ice": {"servers": servers, "ask_servers": True}})).ice
    assert asking.stun == ("stun.example", 3478)
    assert asking.turn is not None
    assert (asking.turn.host, asking.turn.transport) == ("t", "udp")
