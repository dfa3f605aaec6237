"""Trunks: whose address is whose, and how numbers are written."""

from __future__ import annotations

from dataclasses import replace

import pytest

from media.leg import Cause
from sip.causes import cause_of, reason, status_of, warning
from sip.stack import BadNumber, NotAllowed, OutboundCall, UnknownTrunk
from sip.trunks import Trunk, TrunkTable, canonical, formatted, target_of, transfer_uri

E164 = Trunk(proxy="sip:trunk.example:5070;transport=tcp", number_format="e164")
NATIONAL = Trunk(proxy="192.0.2.9", number_format="national", caller_id="02261234567")
PLAIN = Trunk(proxy="192.0.2.9")


def test_the_narrowest_network_wins_then_the_first() -> None:
    table = TrunkTable(
        {
            "wide": Trunk(allow=("192.0.2.0/24", "2001:db8::/32")),
            "narrow": Trunk(allow=("192.0.2.128/25",)),
            "single": Trunk(allow=("192.0.2.200",)),
            "late": Trunk(allow=("192.0.2.0/24",)),
        }
    )
    assert table.match("192.0.2.1") == "wide"
    assert table.match("192.0.2.129") == "narrow"
    assert table.match("192.0.2.200") == "single"
    assert table.match("::ffff:192.0.2.200") == "single"
    assert table.match("2001:db8::5") == "wide"
    assert table.match("198.51.100.1") is None
    assert table.match("not an address") is None
    with pytest.raises(UnknownTrunk, match="'other'"):
        table["other"]


@pytest.mark.parametrize(
    "trunk",
    [
        Trunk(allow=("192.0.2.0/33",)),
        Trunk(proxy="sip:"),
        Trunk(proxy="a b"),
        Trunk(headers={"Contact": "<sip:x@y>"}),
    ],
    ids=str,
)
def test_a_trunk_that_makes_no_sense_is_named(trunk: Trunk) -> None:
    with pytest.raises(ValueError, match="trunk exotel: "):
        TrunkTable({"exotel": trunk})


@pytest.mark.parametrize(
    ("number", "same"),
    [
        ("+919876543210", "+919876543210"),
        ("+91 98765-43210", "+919876543210"),
        ("09876543210", "+919876543210"),
        ("9876543210", "+919876543210"),
        ("919876543210", "+919876543210"),
        ("00919876543210", "+919876543210"),
        ("00442079460000", "+442079460000"),
        ("+442079460000", "+442079460000"),
        ("1860", "1860"),
        ("anonymous", "anonymous"),
    ],
)
def test_one_spelling_for_a_number(number: str, same: str) -> None:
    assert canonical(number, E164) == canonical(number, NATIONAL) == same
    assert canonical(number, PLAIN) == number


@pytest.mark.parametrize(
    ("number", "e164", "national"),
    [
        ("9876543210", "+919876543210", "09876543210"),
        ("+91 98765 43210", "+919876543210", "09876543210"),
        ("+44 20 7946 0000", "+442079460000", "00442079460000"),
        ("1860", "1860", "1860"),
    ],
)
def test_numbers_as_the_trunk_wants_them(number: str, e164: str, national: str) -> None:
    assert formatted(number, E164) == e164
    assert formatted(number, NATIONAL) == national


@pytest.mark.parametrize(
    "number", ["", "12", "98765x43210", "+12", "1" * 20, "100;phone-context=x", "a\r\nb"]
)
def test_numbers_that_cannot_be_called(number: str) -> None:
    with pytest.raises(BadNumber):
        formatted(number, E164)


def test_a_plain_trunk_takes_extensions_but_no_injection() -> None:
    assert formatted("*72", PLAIN) == "*72"
    assert formatted("sales", PLAIN) == "sales"
    with pytest.raises(BadNumber):
        formatted("x@evil.example;lr", PLAIN)


def test_a_number_goes_to_the_proxy_itself() -> None:
    target = target_of(OutboundCall("9876543210", "t", caller_id="02261234567"), E164)
    assert str(target.uri) == "sip:+919876543210@trunk.example:5070;transport=tcp"
    assert str(target.next_hop) == "sip:trunk.example:5070;transport=tcp"
    assert target.routes == ()
    assert (target.number, target.caller) == ("+919876543210", "+912261234567")


def test_a_uri_goes_through_the_proxy_as_a_route() -> None:
    through = replace(E164, destinations=("sip:pbx.example",))
    target = target_of(OutboundCall("sip:agent@pbx.example", "t"), through)
    assert str(target.uri) == "sip:agent@pbx.example"
    assert target.next_hop.host == "trunk.example"
    assert target.routes == ("<sip:trunk.example:5070;transport=tcp;lr>",)
    direct = target_of(OutboundCall("sip:agent@pbx.example", "t"), Trunk(destinations=("sip:pbx.example",)))
    assert direct.next_hop.host == "pbx.example"
    assert direct.routes == ()
    assert direct.caller == "anonymous"


def test_headers_of_the_call_win_over_the_trunks() -> None:
    trunk = Trunk(proxy="192.0.2.9", headers={"X-A": "1", "X-B": "1"})
    target = target_of(OutboundCall("1860", "t", headers={"X-B": "2"}), trunk)
    assert dict(target.headers) == {"X-A": "1", "X-B": "2"}


@pytest.mark.parametrize(
    "headers",
    [
        {"Via": "x"},
        {"contact": "x"},
        {"v": "SIP/2.0/UDP x"},  # the compact names mean the same
        {"F": "<sip:x@y>"},
        {"k": "x"},
        {"X A": "x"},
        {"X-A": "a\r\nEvil: yes"},
        {"X-A": "\x00"},
        {"X-A": "\ud800"},
    ],
)
def test_headers_that_a_call_cannot_set(headers: dict[str, str]) -> None:
    with pytest.raises(BadNumber, match="header"):
        target_of(OutboundCall("1860", "t", headers=headers), PLAIN)


def test_where_a_transfer_goes() -> None:
    assert str(transfer_uri("sip:agent@192.0.2.9:5080", PLAIN)) == "sip:agent@192.0.2.9:5080"
    assert str(transfer_uri("9876543210", NATIONAL)) == "sip:09876543210@192.0.2.9"
    for bad in (
        "sips:x@y.example?Subject=1",
        "sip:x@192.0.2.9?Replaces=z",
        "sip:x:pw@192.0.2.9",
        "sip:x@192.0.2.9;maddr=y.example",
        "sip:",
    ):
        with pytest.raises(BadNumber):
            transfer_uri(bad, PLAIN)


def test_every_cause_has_a_status_and_a_reason_and_comes_back_sensibly() -> None:
    for cause in Cause:
        assert 400 <= status_of(cause) < 700
        protocol = (
            "SIP" if cause is Cause.ELSEWHERE else "Q.850"
        )  # RFC 3326: a phone then shows no missed call
        assert reason(cause).startswith(f"{protocol};cause=")
    assert [cause_of(status) for status in (486, 600)] == [Cause.BUSY, Cause.BUSY]
    assert [cause_of(status) for status in (408, 480)] == [Cause.NO_ANSWER, Cause.NO_ANSWER]
    assert [cause_of(status) for status in (403, 603, 302)] == [Cause.REJECTED] * 3
    assert [cause_of(status) for status in (404, 488, 503, 487)] == [
        Cause.NOT_FOUND,
        Cause.INCOMPATIBLE_MEDIA,
        Cause.UNAVAILABLE,
        Cause.CANCELLED,
    ]
    assert cause_of(499) is Cause.FAILED


def test_a_warning_holds_no_foreign_quotes() -> None:
    assert warning('bad "sdp" \r\n\\ line') == '399 ivr "bad sdp  line"'


INDIA = replace(E164, allow=("198.51.100.0/24",), destinations=("+91", "1860", "sip:pbx.example"))


@pytest.mark.parametrize(
    "to",
    [
        *("+919876543210", "98765 43210", "00919876543210", "1860", "18605"),
        *("sip:9876543210@trunk.example", "sip:+919876543210@198.51.100.7:5080", "sip:1860@TRUNK.example"),
        *("sip:+442079460000@pbx.example", "sip:PBX.example"),
    ],
)
def test_what_may_be_called(to: str) -> None:
    assert transfer_uri(to, INDIA)


@pytest.mark.parametrize(
    "to",
    [
        *("+442079460000", "00442079460000", "+9", "112"),
        *("sip:00442079460000@trunk.example", "sip:+442079460000@198.51.100.7", "sip:desk@198.51.100.7"),
        *("sip:+91x;phone-context=evil@trunk.example", "sip:%2b44207946@trunk.example", "sip:trunk.example"),
        *("sip:+919876543210@203.0.113.1", "sip:x@evil.example", "sip:x@pbx.example.evil.example"),
    ],
)
def test_what_may_not_be_called(to: str) -> None:
    with pytest.raises(BadNumber):
        transfer_uri(to, INDIA)
    with pytest.raises(BadNumber):
        target_of(OutboundCall(to, "t"), INDIA)


def test_without_destinations_a_sip_address_must_still_be_the_trunks() -> None:
    trunk = Trunk(allow=("127.0.0.0/8", "2001:db8::/32"))
    assert transfer_uri("sip:desk@127.0.0.1:5070", trunk)
    assert transfer_uri("sip:desk@[2001:db8::1]", trunk)
    for to in ("sip:desk@192.0.2.1", "sip:desk@localhost", "sip:desk@[2001:db9::1]"):
        with pytest.raises(NotAllowed, match="`destinations` as sip:HOST"):
            transfer_uri(to, trunk)
    assert transfer_uri("sip:x@anywhere.example", replace(trunk, destinations=("sip:*",)))
