"""RFC 4475, each message to a user agent from its trunk: by UDP, and by TCP.

A deviation stands in the table with the words of the RFC that allow it.
"""

from __future__ import annotations

import asyncio
import re
from typing import Final

import pytest

from tests.sip.agents import WAIT_S, Agent, agent
from tests.sip.torture.harness import (
    INVITED,
    Expected,
    datagrams,
    errors,
    fired,
    left_over,
    options,
    stream,
)
from tests.sip.torture.rfc4475 import MESSAGES

NO_REGISTRAR: Final = "a request that is no business of ours: we are no registrar (405 with Allow)"

TABLE: Final[dict[str, Expected]] = {
    "wsinv": Expected("3.1.1.1", ("481",), "well-formed; it names a dialog that does not exist"),
    "intmeth": Expected("3.1.1.2", ("501",), "well-formed, with a method that nobody knows"),
    "esc01": Expected("3.1.1.3", INVITED, "well-formed; the user is unescaped, and is no sips: URI"),
    "escnull": Expected("3.1.1.4", ("405",), NO_REGISTRAR, ("\r\nAllow: ",)),
    "esc02": Expected("3.1.1.5", ("501",), "the method is not REGISTER: nothing in it is an escape"),
    "lwsdisp": Expected("3.1.1.6", ("200",), "well-formed: no space is needed between name and <"),
    "longreq": Expected("3.1.1.7", INVITED, "well-formed; all 34 Via values come back, in order"),
    "dblreq": Expected(
        "3.1.1.8",
        ("405",),
        "the second request in a datagram is ignored; in a stream it counts, and its SDP holds 'm ='",
        ("\r\nAllow: ",),
        stream=("405", "100", "400"),
    ),
    "semiuri": Expected("3.1.1.9", ("200",), "well-formed: the semicolon is part of the user"),
    "transports": Expected("3.1.1.10", ("200",), "well-formed, whatever transports the Via values name"),
    "mpart01": Expected(
        "3.1.1.11", ("405",), "well-formed, null bytes in the body and all; MESSAGE does nothing here"
    ),
    "unreason": Expected("3.1.1.12", (), "well-formed, and the response to no request of ours"),
    "noreason": Expected("3.1.1.13", (), "well-formed, and the response to no request of ours"),
    "badinv01": Expected("3.1.2.1", ("400",), "an element should respond with a 400"),
    "clerr": Expected(
        "3.1.2.2", ("400",), "a 400 for a datagram; a stream waits for the rest of the body", stream=()
    ),
    "ncl": Expected("3.1.2.3", ("400",), "a 400, and the connection of a stream is closed", closed=True),
    "scalar02": Expected("3.1.2.4", ("400",), "a 400, for the CSeq alone"),
    "scalarlg": Expected("3.1.2.5", (), "the response is discarded"),
    "quotbal": Expected("3.1.2.6", ("400",), "should be rejected with a 400: the quote could end anywhere"),
    "ltgtruri": Expected("3.1.2.7", ("400",), "it is reasonable to reject it with a 400"),
    "lwsruri": Expected("3.1.2.8", ("400",), "it is acceptable to reject it with a 400"),
    "lwsstart": Expected(
        "3.1.2.9", INVITED, "who is liberal in what it accepts may ignore these extra SP characters"
    ),
    "trws": Expected(
        "3.1.2.10", ("200",), "who is liberal in what it accepts may ignore these extra SP characters"
    ),
    "escruri": Expected("3.1.2.11", INVITED, "who is liberal may ignore the escaped headers in the URI"),
    "baddate": Expected("3.1.2.12", INVITED, "who does not need the Date could ignore its value altogether"),
    "regbadct": Expected("3.1.2.13", ("405",), NO_REGISTRAR),
    "badaspec": Expected("3.1.2.14", ("200",), "who is liberal may ignore the spaces in the addr-spec"),
    "baddn": Expected("3.1.2.15", ("200",), "who is liberal may take the display name as if it were quoted"),
    "badvers": Expected("3.1.2.16", ("505",), "should respond with a 505"),
    "mismatch01": Expected("3.1.2.17", ("400",), "will respond with a 400"),
    "mismatch02": Expected("3.1.2.18", ("400",), "501 should be the answer, but a 400 is acceptable too"),
    "bigcode": Expected("3.1.2.19", (), "the response is discarded"),
    "badbranch": Expected(
        "3.2.1", ("200",), "it could fall back to the matching of RFC 2543, for the branch is empty"
    ),
    "insuf": Expected("3.3.1", ("400",), "ideally, it will respond with a 400"),
    "unkscm": Expected("3.3.2", ("416",), "an unknown scheme gets a 416"),
    "novelsc": Expected("3.3.3", ("416",), "a scheme that SIP cannot use gets a 416"),
    "unksm2": Expected("3.3.4", ("405",), NO_REGISTRAR),
    "bext01": Expected(
        "3.3.5",
        ("420",),
        "only what a UAS is asked is refused: Proxy-Require means others",
        ("\r\nUnsupported: nothingSupportsThis, nothingSupportsThisEither\r\n",),
    ),
    "invut": Expected(
        "3.3.6", ("100", "415"), "must respond with a 415", ("\r\nAccept: application/sdp\r\n",)
    ),
    "regaut01": Expected("3.3.7", ("405",), NO_REGISTRAR + "; the unknown scheme is ignored"),
    "multi01": Expected("3.3.8", ("400",), "should respond with a 400"),
    "mcl01": Expected("3.3.9", ("400",), "a 400, and the connection of a stream is closed", closed=True),
    "bcast": Expected("3.3.10", (), "the response is discarded: its Via is not ours"),
    "zeromf": Expected("3.3.11", ("200",), "an endpoint processes it as if the value were still positive"),
    "cparam01": Expected("3.3.12", ("405",), NO_REGISTRAR),
    "cparam02": Expected("3.3.13", ("405",), NO_REGISTRAR),
    "regescrt": Expected("3.3.14", ("405",), NO_REGISTRAR),
    "sdp01": Expected(
        "3.3.15",
        INVITED,
        "could be answered with a 406; but all user agents that support INVITE must support SDP, and a call "
        "is worth more than what an Accept field forgot",
    ),
    "inv2543": Expected(
        "3.4.1",
        ("100", "400"),
        "who wants to maintain compatibility takes it: no tag, branch, Max-Forwards or length is fine "
        "with us, but without a Contact (RFC 3261 8.1.1.8) there is nowhere to send a BYE",
        ("\r\nTo: sip:+16505552222@ss1.example.net;user=phone;tag=",),
        stream=("100", "400"),
    ),
}


def test_the_table_is_complete() -> None:
    assert list(TABLE) == list(MESSAGES)
    assert len(TABLE) == 49


def test_the_messages_are_as_long_as_they_say() -> None:
    odd = []
    for name, data in MESSAGES.items():
        head, _, body = data.partition(b"\r\n\r\n")
        lengths = re.findall(rb"\r\n(?:content-length|l) *: *(\S+)", head, re.IGNORECASE)
        if lengths != [str(len(body)).encode()]:
            odd.append(name)
    assert odd == ["dblreq", "clerr", "ncl", "mcl01", "inv2543"]  # the RFC means to


@pytest.mark.parametrize("name", MESSAGES)
async def test_by_udp(name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    data, expected = MESSAGES[name], TABLE[name]
    named = re.search(rb"^v(?:ia)? *:[^\r\n,;]*?:([0-9]+)", data, re.MULTILINE | re.IGNORECASE)
    async with agent() as a, datagrams(a.address(), int(named[1]) if named else 0, monkeypatch) as line:
        assert await fired(a, line, data) == expected.outcome, expected.why
        _check(a, line.heard, expected)
    assert errors(caplog) == []


@pytest.mark.parametrize("name", MESSAGES)
async def test_by_tcp(name: str, caplog: pytest.LogCaptureFixture) -> None:
    data, expected = MESSAGES[name], TABLE[name]
    outcome = expected.outcome if expected.stream is None else expected.stream
    async with agent() as a, stream(a.address("tcp")) as line, stream(a.address("tcp")) as other:
        asked_on = other if expected.closed or expected.stream is not None else line
        if expected.closed:
            line.send(data)
            async with asyncio.timeout(WAIT_S):
                await line.closed.wait()
            assert tuple(text.split()[1].decode() for text in line.heard) == outcome, expected.why
        else:
            assert await fired(a, line, data, asked_on=asked_on) == outcome, expected.why
        _check(a, line.heard, expected)
    assert errors(caplog) == []


def _check(a: Agent, heard: list[bytes], expected: Expected) -> None:
    load = left_over(a)
    assert (load.legs, load.dialogs, load.transactions, load.timers) == (0, 0, 0, 0)
    assert a.plane.streams == 0
    told = b"".join(heard).decode("utf-8", "replace")
    for text in expected.holds:
        assert text in told


async def test_3_1_1_7_the_long_list_of_vias_comes_back_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    async with agent() as a, datagrams(a.address(), 0, monkeypatch) as line:
        await fired(a, line, MESSAGES["longreq"])
        ringing = next(data.decode() for data in line.heard if data.startswith(b"SIP/2.0 180"))
        hosts = re.findall(r"^Via: SIP/2.0/TCP ([a-z0-9]+)\.example\.com", ringing, re.MULTILINE)
        assert hosts == [*(f"sip{number}" for number in range(33, 0, -1)), "host"]


async def test_3_2_1_requests_with_an_empty_branch_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    first = MESSAGES["badbranch"]
    async with agent() as a, datagrams(a.address(), 0, monkeypatch) as line:
        line.send(first)
        line.send(first.replace(b"Call-ID: badbranch", b"Call-ID: another"))
        line.send(options(a.address(), "ask", "UDP"))
        await line.answer_to("z9hG4bKask")
        calls = [re.search(rb"Call-ID: ([a-z]+)", data) for data in line.heard]
        assert [found[1] for found in calls if found] == [b"badbranch", b"another", b"ask"]


async def test_3_4_1_a_call_of_an_older_age_needs_no_more_than_a_contact(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = MESSAGES["inv2543"].replace(b"CSeq:", b"Contact: <sip:gw@192.0.2.5>\r\nCSeq:")
    async with agent() as a, datagrams(a.address(), 0, monkeypatch) as line:
        assert await fired(a, line, data) == INVITED
        assert left_over(a).transactions == 0
