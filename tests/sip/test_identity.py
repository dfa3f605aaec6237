"""Who calls, as the headers of an INVITE tell it; and who we are, as ours tells it."""

from __future__ import annotations

import pytest

from media.leg import LegInfo
from sip.identity import inbound_info
from sip.stack import OutboundCall
from sip.trunks import Trunk, target_of
from tests.sip.agents import agent, peer
from tests.sip.sip_parts import request

E164 = Trunk(proxy="sip:trunk.example:5070", number_format="e164", caller_id="02261234567")
HIDDEN = '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1'


def told(extra: str, from_: str = "<sip:09876543210@192.0.2.1>;tag=1", *, trusted: bool = True) -> LegInfo:
    invite = request(extra=extra, uri="sip:02261234567@192.0.2.2")
    invite.headers.set("From", from_)
    return inbound_info(invite, "leg", "t", E164, trusted=trusted)


def test_what_is_told_can_be_stored_and_logged() -> None:
    """A caller chooses these texts: they end no line, and every encoding carries them."""
    info = told("X-Note: a\x1b[2Jb\tc\r\n", "<sip:1%0d%0aroot%ff@192.0.2.1>;tag=1")
    assert info.caller == "1??root?"
    assert info.headers["X-Note"] == "a?[2Jb\tc"


def test_the_from_tells_the_caller_where_it_tells_one() -> None:
    info = told("P-Asserted-Identity: <sip:+911140001000@trunk.example>\r\n")
    assert (info.caller, info.called, info.privacy) == ("+919876543210", "+912261234567", False)


@pytest.mark.parametrize(
    ("extra", "caller"),
    [
        ("P-Asserted-Identity: <sip:09811111111@trunk.example>\r\n", "+919811111111"),
        ('P-Asserted-Identity: "A" <sip:trunk.example>, <tel:+919811111111;x=y>\r\n', "+919811111111"),
        ("P-Asserted-Identity: <broken\r\n", "anonymous"),
        ("Remote-Party-ID: <sip:9811111111@t.example>;party=calling;privacy=full\r\n", "+919811111111"),
        ("Remote-Party-ID: <sip:9811111111@t.example>;party=called\r\n", "anonymous"),
        ("", "anonymous"),
    ],
)
def test_an_anonymous_caller_is_who_the_network_says(extra: str, caller: str) -> None:
    assert told(extra, HIDDEN).caller == caller
    assert told(extra, HIDDEN, trusted=False).caller == "anonymous"


@pytest.mark.parametrize(
    ("extra", "private"),
    [
        ("Privacy: id\r\n", True),
        ("Privacy: header; critical\r\n", True),
        ("Privacy: none\r\n", False),
        ("Remote-Party-ID: <sip:1@t.example>;privacy=full\r\n", True),
        ("Remote-Party-ID: <sip:1@t.example>;privacy=off\r\n", False),
        ("", False),
    ],
)
def test_a_caller_may_want_his_number_kept(extra: str, private: bool) -> None:
    assert told(extra).privacy is private


@pytest.mark.parametrize(
    ("extra", "number"),
    [
        ("Diversion: <sip:09822222222@a.example>;reason=no-answer, <sip:1@b.example>\r\n", "+919822222222"),
        ("Diversion: <tel:+919822222222>;reason=unconditional\r\n", "+919822222222"),
        (
            "History-Info: <sip:9822222222@a.example?Reason=x%3Bcause%3D302>;index=1, <sip:1@b.example>\r\n",
            "+919822222222",
        ),
        ("History-Info: <sip:02261234567@b.example>;index=1\r\n", None),
        ("Diversion: <>\r\n", None),
        ("", None),
    ],
)
def test_who_sent_the_call_on_to_us(extra: str, number: str | None) -> None:
    assert told(extra).diverted_from == number


def test_an_outbound_call_asserts_its_caller() -> None:
    trunk = Trunk(proxy="trunk.example", number_format="e164", asserted_identity=True)
    target = target_of(OutboundCall("9876543210", "t", "02261234567"), trunk)
    assert target.headers == (("P-Asserted-Identity", "<sip:+912261234567@trunk.example>"),)
    assert str(target.shown("192.0.2.1")) == "<sip:+912261234567@192.0.2.1>"
    direct = Trunk(allow=("192.0.2.0/24",), asserted_identity=True)
    assert dict(target_of(OutboundCall("sip:1@192.0.2.9", "t", "+912261234567"), direct).headers) == {
        "P-Asserted-Identity": "<tel:+912261234567>"
    }
    assert target_of(OutboundCall("sip:1@192.0.2.9", "t"), direct).headers == ()


async def test_a_private_call_hides_its_caller_everywhere_but_from_the_network() -> None:
    async with peer() as p:
        trunk = Trunk(
            allow=("127.0.0.0/8",), proxy=f"127.0.0.1:{p.address.port}", caller_id="2261234567", privacy=True
        )
        async with agent(trunk=trunk) as a:
            leg = await a.ua.call(OutboundCall("1860", "peer"))
            invite = await p.request("INVITE")
            assert str(invite.from_.with_tag("x")) == '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=x'
            assert invite.headers.get("P-Asserted-Identity") == "<sip:2261234567@127.0.0.1>"
            assert invite.headers.get("Privacy") == "id"
            assert invite.contact is not None
            assert invite.contact.uri.user == "anonymous"
            assert leg.info.caller == "2261234567"
            for name in ("Via", "From", "Contact"):
                assert "2261234567" not in (invite.headers.get(name) or "")
            await leg.hang_up()
