"""RFC 5118, each message to a user agent from its trunk at ::1: by UDP, and by TCP."""

from __future__ import annotations

from typing import Final

import pytest

from sip.message import Request, parse
from tests.sip.agents import Agent, agent
from tests.sip.torture.harness import (
    INVITED,
    Expected,
    Line,
    datagrams,
    errors,
    fired,
    left_over,
    stream,
)
from tests.sip.torture.rfc5118 import MESSAGES

LISTEN: Final = ("udp:[::1]:0", "tcp:[::1]:0")
BOTH: Final = (*LISTEN, "udp:127.0.0.1:0")
"""With media by either version of IP."""

NO_REGISTRAR: Final = "well-formed; we are no registrar"
NO_CODEC: Final = "well-formed; G.726 is all that it offers, which we do not speak"

TABLE: Final = {
    "4.1": Expected("4.1", ("405",), NO_REGISTRAR),
    "4.2": Expected("4.2", ("400",), "must respond with a 400: the brackets are missing"),
    "4.3": Expected("4.3", ("405",), NO_REGISTRAR + "; 5070 belongs to the address"),
    "4.4": Expected("4.4", ("405",), NO_REGISTRAR + "; 5070 is the port"),
    "4.5a": Expected("4.5a", ("481",), "well-formed: received may have its brackets; no such dialog"),
    "4.5b": Expected("4.5b", ("200",), "well-formed: received has none"),
    "4.6": Expected("4.6", ("100", "488"), NO_CODEC),
    "4.7": Expected("4.7", ("481",), "well-formed, with addresses of both kinds; no such dialog"),
    "4.8": Expected("4.8", ("100", "488"), "well-formed; but IPv4 audio cannot go to a call by IPv6"),
    "4.9": Expected("4.9", ("100", "488"), NO_CODEC + "; the addresses are IPv4-mapped"),
    "4.10a": Expected("4.10a", ("200",), "three colons as RFC 3261's grammar makes them: be liberal"),
    "4.10b": Expected("4.10b", ("200",), "two colons, as they should be"),
}


def test_the_table_is_complete() -> None:
    assert list(TABLE) == list(MESSAGES)


@pytest.mark.parametrize("section", [name for name in MESSAGES if name not in ("4.7", "4.9")])
async def test_by_udp(
    section: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """4.7 and 4.9 name ports that may not be free."""
    async with agent(listen=BOTH) as a, datagrams(a.address("udp:["), 0, monkeypatch) as line:
        await _fire(a, line, section)
    assert errors(caplog) == []


@pytest.mark.parametrize("section", MESSAGES)
async def test_by_tcp(section: str, caplog: pytest.LogCaptureFixture) -> None:
    async with agent(listen=BOTH) as a, stream(a.address("tcp:[")) as line:
        await _fire(a, line, section)
    assert errors(caplog) == []


async def _fire(a: Agent, line: Line, section: str) -> None:
    expected = TABLE[section]
    assert await fired(a, line, MESSAGES[section]) == expected.outcome, expected.why
    load = left_over(a)
    assert (load.legs, load.dialogs, load.transactions, load.timers) == (0, 0, 0, 0)
    assert a.plane.streams == 0


def _read(section: str) -> Request:
    message = parse(MESSAGES[section])
    assert isinstance(message, Request)
    return message


@pytest.mark.parametrize(
    ("section", "host", "port"),
    [
        ("4.1", "2001:db8::10", None),
        ("4.3", "2001:db8::10:5070", None),
        ("4.4", "2001:db8::10", 5070),
        ("4.10b", "2001:db8::192.0.2.1", None),
    ],
)
def test_what_is_address_and_what_is_port(section: str, host: str, port: int | None) -> None:
    uri = _read(section).uri
    assert (uri.host, uri.port) == (host, port)


@pytest.mark.parametrize("section", ["4.5a", "4.5b"])
def test_4_5_where_a_hop_received_from(section: str) -> None:
    assert _read(section).via.received == "2001:db8::9:255"


def test_4_7_every_via_has_its_address() -> None:
    vias = _read("4.7").vias
    assert [(via.host, via.port, via.received) for via in vias] == [
        ("2001:db8::9:1", 6050, None),
        ("192.0.2.1", None, None),
        ("2001:db8::9:255", None, "192.0.2.200"),
    ]


async def test_4_6_with_a_codec_of_ours_it_is_a_call() -> None:
    data = MESSAGES["4.6"].replace(b"G726-32/8000", b"PCMA/8000   ")
    async with agent(listen=BOTH) as a, stream(a.address("tcp:[")) as line:
        assert await fired(a, line, data) == INVITED
        assert left_over(a).legs == 0


@pytest.mark.parametrize("section", ["4.8", "4.9"])
async def test_4_8_and_4_9_are_calls_where_we_are_called_by_ipv4(section: str) -> None:
    """Addresses that are mapped into IPv6 are IPv4 all the same."""
    data = MESSAGES[section].replace(b"G726-32/8000", b"PCMA/8000   ")
    async with agent() as a, stream(a.address("tcp")) as line:
        assert await fired(a, line, data) == INVITED
        assert left_over(a).legs == 0
