"""What no RFC foresaw: messages and streams made to hurt, and storms of them. Counted is what comes back, and
what is left.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import socket
import ssl
import struct
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest

from media.leg import Answered, Cause, Digit
from media.rtp import RtpPacket
from sip.crypto import usable
from sip.digest import parse_answer, parse_challenge
from sip.framer import Framer
from sip.headers import CSeq, Via
from sip.info import PLAIN, RELAY, key_of
from sip.message import MAX_HEADER, MAX_HEADERS, MAX_MESSAGE, Response, parse
from sip.multipart import sdp_of
from sip.params import parse_params, split_commas
from sip.referral import Referral
from sip.refusal import Refused
from sip.reliable import RAck
from sip.replaces import Replaces
from sip.sdp import parse_sdp
from sip.trunks import Trunk
from sip.uri import NameAddr, Uri
from tests.sip.agents import WAIT_S, Agent, agent, answered_by, connected, peer, reply, until
from tests.sip.certificates import Authority
from tests.sip.torture.harness import Line, Stream, asked, datagrams, errors, fired, left_over, stream

CPU_S: Final = 5.0
"""What takes time by the square of its length takes minutes for such inputs, all else milliseconds."""

HEAD: Final = (
    "Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKr{n}\r\nFrom: <sip:a@192.0.2.7>;tag=a{n}\r\n"
    "To: <sip:100@192.0.2.1>{tag}\r\nCall-ID: robust-{n}\r\nCSeq: 1 {method}\r\nMax-Forwards: 70\r\n"
    "Contact: <sip:a@192.0.2.7>\r\n"
)
SDP: Final = "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n{audio}"
AUDIO: Final = "m=audio 4000 RTP/AVP 8\r\n"


def request(
    method: str = "OPTIONS",
    n: int | str = 0,
    extra: str = "",
    body: str = "",
    length: int | None = None,
    tag: str = "",
) -> bytes:
    head = HEAD.format(n=n, method=method, tag=tag and f";tag={tag}")
    size = len(body) if length is None else length
    kind = "Content-Type: application/sdp\r\n" if body else ""
    return (
        f"{method} sip:100@192.0.2.1 SIP/2.0\r\n{head}{extra}{kind}Content-Length: {size}\r\n\r\n{body}"
    ).encode()


def offer(audio: str = AUDIO, **changed: str) -> bytes:
    body = SDP.format(audio=audio)
    for old, new in changed.items():
        body = body.replace(f"{old}=IN IP4 192.0.2.7", f"{old}=IN {new}")
    return request("INVITE", body=body)


# Messages


@pytest.mark.parametrize(
    ("data", "outcome"),
    [
        (request(extra="X: 1\r\n" * (MAX_HEADERS - 9)), ("200",)),
        (request(extra="X: 1\r\n" * MAX_HEADERS), ("513",)),
        (request(extra="X: 1\r\n" * 9000), ("513",)),
        (request(extra=f"X: {'x' * (MAX_HEADER - 10)}\r\n"), ("200",)),
        (request(extra=f"X: {'x' * 60_000}\r\n"), ("400",)),
        (request(extra="X: 1\r\n" + " 2\r\n" * 15_000), ("400",)),
        (request(body="x" * 64_000), ("200",)),
        (request("INVITE", body="x" * 64_000), ("100", "488")),
        (request("x" * 7000), ("501",)),
        (request(extra=f"Require: {','.join('a' * 9 for _ in range(800))}\r\n"), ("420",)),
        (request(extra=f"Contact: {'<' * 8000}\r\n"), ("200",)),
        (request().replace(b"sip:100@", b"sip:" + b"1" * 3000 + b"@", 1), ("414",)),
        (request().replace(b"<sip:a@192.0.2.7>;tag", b'"' + b"\\" * 8001 + b'" <sip:a@b>;tag', 1), ("400",)),
        (request().replace(b"From: ", b"From: " + b'"<' * 4000, 1), ("400",)),
    ],
)  # fmt: skip
async def test_a_message_too_large_in_some_way_gets_an_answer(
    data: bytes, outcome: tuple[str, ...], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with agent() as a, datagrams(a.address(), 0, monkeypatch) as line:
        assert await fired(a, line, data) == outcome
        _nothing_left(a)
    assert errors(caplog) == []


@pytest.mark.parametrize(
    ("data", "outcome"),
    [
        (offer(), "487"),
        (offer("m=audio 0 RTP/AVP 8\r\n"), "488"),
        (offer("m=audio 65536 RTP/AVP 8\r\n"), "488"),
        (offer("m=audio 99999999999 RTP/AVP 8\r\n"), "488"),
        (offer(c="IP4 media.example.com"), "488"),
        (offer(c="IP4 239.1.2.3"), "488"),
        (offer(c="IP4 256.1.1.1"), "488"),
        (offer(c="IP6 ::1"), "488"),
        (offer(AUDIO * 16), "487"),
        (offer(AUDIO * 17), "488"),
        (offer(AUDIO * 1000), "488"),
        (offer(AUDIO + "a=x:y\r\n" * 400), "487"),
        (offer(AUDIO + "a=x:y\r\n" * 1000), "488"),
        (offer(AUDIO + "a=rtpmap:" + "9" * 9000 + " PCMA/8000\r\n"), "487"),
        (offer("m=audio 4000 RTP/AVP " + " 8" * 5000 + "\r\n"), "487"),
        (offer("m=audio 4000 RTP/AVP 8\r\na=ptime:0\r\na=maxptime:0\r\na=rtcp:70000\r\n"), "487"),
    ],
)  # fmt: skip
async def test_descriptions_that_make_no_sense_are_refused(
    data: bytes, outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """487 is the end of a call that was taken."""
    async with agent() as a, datagrams(a.address(), 0, monkeypatch) as line:
        assert (await fired(a, line, data))[-1] == outcome
        _nothing_left(a)


def _refer(value: str) -> object:
    message = parse(request("REFER", tag="b", extra=f"Refer-To: {value[: MAX_HEADER - 12]}\r\n"))
    assert not isinstance(message, Response)
    return Referral.asked(message)


PARSERS: Final[dict[str, Callable[[str], Any]]] = {
    "params": parse_params,
    "commas": split_commas,
    "uri": Uri.parse,
    "address": NameAddr.parse,
    "via": Via.parse,
    "cseq": CSeq.parse,
    "challenge": parse_challenge,
    "answer": parse_answer,
    "crypto": lambda text: usable([text]),
    "rack": RAck.parse,
    "replaces": Replaces.parse,
    "refer": _refer,
    "relay": lambda text: key_of(RELAY, text.encode()),
    "key": lambda text: key_of(PLAIN, text.encode()),
    "boundary": lambda text: sdp_of(f"multipart/mixed;boundary={text}", b"--a\r\n\r\n--a--"),
    "parts": lambda text: sdp_of("multipart/mixed;boundary=a", text.encode()),
    "sdp": lambda text: [media.rtpmaps for media in parse_sdp(text.encode()).media],
    "message": lambda text: parse(text.encode()),
    "stream": lambda text: Framer().feed(text.encode()),
}
BEGINNINGS: Final = (
    *(
        "",
        '"',
        "<",
        "sip:",
        "sip:a@b;",
        "Digest a=",
        'Digest realm="',
        "SIP/2.0/UDP ",
        "1 ",
        "x\n",
        "--a\r\n",
    ),
    *("1 AES_CM_128_HMAC_SHA1_80 inline:", "v=0\nm=audio 1 RTP/AVP ", "v=0\nm=audio 1 RTP/AVP 8\na=rtpmap:"),
    *("INVITE sip:a SIP/2.0\r\nX: ", "INVITE ", "call;to-tag=a;from-tag="),
)
REPEATED: Final = (
    *(
        " ",
        "\t",
        "\n",
        "\r\n",
        "\r\n ",
        " \n",
        '"',
        "\\",
        '\\"',
        "<",
        ">",
        ",",
        ";",
        ";a",
        ";a=",
        ' "',
        '"a" ',
        "a,",
    ),
    *("=", "%", "@", ":", "[", "/", "?", "&", "1", "1 ", "a", "|", "--a", "\r\n--a ", "signal", "\0", "é"),
)


@pytest.mark.parametrize("name", PARSERS)
def test_no_parser_takes_time_by_the_square(name: str) -> None:
    """60,000 characters of all that a regular expression could stumble over, at each place where it could."""
    parser = PARSERS[name]
    for beginning in BEGINNINGS:
        for repeated in REPEATED:
            text = (beginning + repeated * (60_000 // len(repeated)) + "!")[:MAX_MESSAGE]
            began = time.process_time()
            with suppress(ValueError, Refused):  # each parser's own error is one of these
                parser(text)
            assert time.process_time() - began < CPU_S, (beginning, repeated)


# Streams


async def test_a_message_may_come_a_byte_at_a_time() -> None:
    data = request("OPTIONS", "slow", body="x" * 40)
    async with agent() as a, stream(a.address("tcp")) as line:
        for at in range(len(data)):
            line.send(data[at : at + 1])
            await asyncio.sleep(0)
        await line.status(200, "OPTIONS")
        assert len(line.heard) == 1


async def test_many_requests_in_one_piece_are_all_answered_in_order() -> None:
    async with agent() as a, stream(a.address("tcp")) as line:
        line.send(b"".join(request("OPTIONS", f"{n:03}") for n in range(300)))
        await line.answer_to("robust-299")
        calls = [parse(data).call_id for data in line.heard]
        assert calls == [f"robust-{n:03}" for n in range(300)]
        _nothing_left(a)


async def test_a_header_without_end_closes_the_connection() -> None:
    async with agent() as a, stream(a.address("tcp")) as line, stream(a.address("tcp")) as other:
        line.send(b"OPTIONS sip:a SIP/2.0\r\n" + b"X: 1\r\n" * (MAX_MESSAGE // 5))
        await _closed(line)
        assert line.heard == []
        assert await fired(a, other, request()) == ("200",)


async def test_a_body_too_long_is_refused_and_the_connection_closed() -> None:
    async with agent() as a, stream(a.address("tcp")) as line:
        line.send(request("INVITE", length=2**31))
        await _closed(line)
        assert [data[:11] for data in line.heard] == [b"SIP/2.0 513"]
        _nothing_left(a)


async def test_a_length_that_is_too_short_costs_the_next_message_at_most() -> None:
    """What is left of the body is taken for the beginning of its first line."""
    async with agent() as a, stream(a.address("tcp")) as line:
        line.send(
            request("OPTIONS", 1, body="x" * 90, length=10) + request("OPTIONS", 2) + request("OPTIONS", 3)
        )
        await line.answer_to("robust-3")
        told = [(data.split()[1], parse(data).call_id) for data in line.heard]
        assert told == [(b"200", "robust-1"), (b"400", "robust-2"), (b"200", "robust-3")]


async def test_who_says_no_more_still_hears_the_answer() -> None:
    async with agent() as a:
        reader, writer = await asyncio.open_connection(*a.address("tcp"))
        writer.write(request())
        writer.write_eof()
        async with asyncio.timeout(WAIT_S):
            assert (await reader.read()).startswith(b"SIP/2.0 200 ")
        writer.close()


async def test_strangers_cannot_hold_a_connection() -> None:
    async with agent(trunk=Trunk(allow=("192.0.2.1",))) as a:
        lines = [await asyncio.open_connection(*a.address("tcp")) for _ in range(50)]
        for reader, writer in lines:
            async with asyncio.timeout(WAIT_S):
                assert await reader.read() == b""
            writer.close()
        assert a.ua.load().connections == 0


@pytest.mark.parametrize("hurt", ["garbage", "endless", "too long", "a byte at a time", "half a handshake"])
async def test_tls_holds_out_as_tcp_does(hurt: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    authority = Authority(tmp_path)
    context = ssl.create_default_context(cafile=authority.path)
    async with agent(tls=authority.server("127.0.0.1"), listen=("udp:127.0.0.1:0", "tls:127.0.0.1:0")) as a:
        to = a.address("tls")
        if hurt == "half a handshake":
            reader, writer = await asyncio.open_connection(*to)
            writer.write(b"\x16\x03\x01\x02\x00")
            writer.close()
        else:
            reader, writer = await asyncio.open_connection(*to, ssl=context)
            data = {
                "garbage": secrets.token_bytes(100_000).replace(b"\n", b"") + b"x" * MAX_MESSAGE,
                "endless": b"OPTIONS sip:a SIP/2.0\r\n" + b"X: 1\r\n" * (MAX_MESSAGE // 5),
                "too long": request(length=10**9),
                "a byte at a time": request(),
            }[hurt]
            pieces = [data] if hurt != "a byte at a time" else [data[at : at + 1] for at in range(len(data))]
            for piece in pieces:
                writer.write(piece)
                await asyncio.sleep(0)
            async with asyncio.timeout(WAIT_S):
                if hurt == "a byte at a time":
                    assert (await reader.readuntil(b"\r\n")).startswith(b"SIP/2.0 200 ")
                else:
                    told = await reader.read()
                    assert told.startswith(b"SIP/2.0 513 ") if hurt == "too long" else told == b""
            writer.close()
        reader, writer = await asyncio.open_connection(*to, ssl=context)
        writer.write(request())
        async with asyncio.timeout(WAIT_S):
            assert (await reader.readuntil(b"\r\n")).startswith(b"SIP/2.0 200 ")
        writer.close()
    assert errors(caplog) == []


# Storms


async def test_a_flood_of_invites_takes_no_more_than_the_trunk_may_have() -> None:
    trunk = Trunk(allow=("127.0.0.0/8",), max_calls=5)
    body = SDP.format(audio=AUDIO)
    async with agent(trunk=trunk) as a, stream(a.address("tcp")) as line:
        line.send(b"".join(request("INVITE", f"{n:03}", body=body) for n in range(200)))
        await line.answer_to("robust-199")
        await asked(a, line)
        assert _counted(line) == {"100": 200, "503": 195}
        assert sum(b"Retry-After: " in data for data in line.heard) == 195
        assert a.incoming.qsize() == a.plane.streams == a.ua.load().legs == 5
        while not a.incoming.empty():
            await a.incoming.get_nowait().reject(Cause.BUSY)
        _nothing_left(a)


@pytest.mark.parametrize(
    ("method", "tag", "extra", "status"),
    [
        ("ACK", "", "", None),
        ("ACK", "b", "", None),
        ("CANCEL", "", "", "481"),
        ("BYE", "b", "", "481"),
        ("BYE", "", "", "481"),
        ("PRACK", "b", "RAck: 1 1 INVITE\r\n", "481"),
        ("UPDATE", "b", "", "481"),
        ("INFO", "b", "", "481"),
        ("NOTIFY", "b", "Event: refer\r\nSubscription-State: active\r\n", "481"),
        ("REFER", "b", "Refer-To: <sip:1@192.0.2.9>\r\n", "481"),
        ("INVITE", "b", "", "481"),
    ],
)
async def test_a_storm_about_calls_that_nobody_knows(
    method: str, tag: str, extra: str, status: str | None
) -> None:
    async with agent() as a, stream(a.address("tcp")) as line:
        line.send(b"".join(request(method, n, extra, tag=tag) for n in range(300)))
        await asked(a, line)
        assert _counted(line) == ({} if status is None else {status: 300})
        _nothing_left(a)


async def test_responses_with_guessed_branches_change_nothing() -> None:
    async with agent() as a, peer() as p:
        host, port = p.address
        call = asyncio.create_task(a.call(f"sip:9@{host}:{port};transport=udp"))
        invite = await p.request("INVITE")
        leg = await call
        for n in range(300):
            status = (180, 200, 401, 486, 603)[n % 5]
            guess = invite.to_bytes().replace((invite.via.branch or "").encode(), b"z9hG4bK%020x" % n)
            forged = parse(guess)
            assert not isinstance(forged, Response)
            reply(p, a, forged, status, tag="forged")
            if n % 50 == 49:
                await _asked_by(p, a)
        await answered_by(p, a, invite)
        await until(leg, Answered)
        assert p.seen.count("ACK") <= 1
        await leg.hang_up()
        await p.request("BYE")


async def test_strangers_cannot_speak_into_a_call(caplog: pytest.LogCaptureFixture) -> None:
    """Keys, audio and reports from elsewhere, thousands of them: only the far end's own key is taken."""
    async with agent() as caller, agent() as callee:
        ours, theirs = await connected(caller, callee)
        ours.send_digits("1")
        assert (await until(theirs, Digit)).key == "1"
        assert theirs._media is not None
        port = theirs._media.stream.local_port
        packets, noise = 0, random.Random(5)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind(("127.0.0.1", 0))
            for n in range(1000):
                key = struct.pack("!BBH", 7, 0x80, 800)
                stranger.sendto(
                    RtpPacket(101, n, 160 * n, 7, key, marker=True).to_bytes(), ("127.0.0.1", port)
                )
                stranger.sendto(RtpPacket(8, n, 160 * n, 7, b"\x55" * 160).to_bytes(), ("127.0.0.1", port))
                stranger.sendto(noise.randbytes(noise.randrange(1, 1500)), ("127.0.0.1", port))
                stranger.sendto(noise.randbytes(noise.randrange(1, 1500)), ("127.0.0.1", port + 1))
                packets += 4
                if n % 50 == 0:
                    await asyncio.sleep(0)
        assert packets == 4000
        ours.send_digits("2")
        assert (await until(theirs, Digit)).key == "2"
        await ours.hang_up()
    assert errors(caplog) == []


# Helpers


def _nothing_left(a: Agent) -> None:
    load = left_over(a)
    assert (load.legs, load.dialogs, load.transactions, load.timers) == (0, 0, 0, 0)
    assert a.plane.streams == 0


def _counted(line: Line) -> dict[str, int]:
    return dict(Counter(data.split()[1].decode() for data in line.heard if b"z9hG4bKask" not in data))


async def _closed(line: Stream) -> None:
    async with asyncio.timeout(WAIT_S):
        await line.closed.wait()


async def _asked_by(p: Any, a: Agent) -> None:
    """Everything that the peer sent before has been read when this is answered."""
    mark = secrets.token_hex(4)
    p.send(p.message("OPTIONS", a.address(), branch=f"z9hG4bK{mark}", call=mark), a.address())
    await p.response(200)
