"""What is fuzzed: functions of bytes that may raise nothing at all.

Each takes what a stranger could send, feeds it to one part, and asserts what must hold whatever it was: only
the documented errors, what was read can be written and read again, and nothing is left over when it is past.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import product
from random import Random
from typing import Final
from unittest.mock import Mock

from hypothesis import strategies as st

from media.agreement import Agreement
from media.codecs import PCMA
from media.dtmf import KEYS, DigitReceiver
from media.leg import AudioTap
from media.link import Link
from media.ports import PortPair
from media.reports import Reports
from media.rtcp import RtcpError, build_compound, parse_compound
from media.rtp import RtpError, RtpPacket
from sip.call_media import codecs_named
from sip.crypto import Srtp
from sip.digest import Credentials, DigestError, authorize, choose_challenge, parse_challenge
from sip.framer import Framer
from sip.hop import Address, Hop
from sip.info import PLAIN, RELAY, key_of
from sip.message import ParseError, Request, Response, parse, response_to
from sip.offer import IncompatibleMedia, OfferAnswer
from sip.outputs import Requested
from sip.sdp import SdpError, parse_sdp
from sip.timers import Timing
from sip.transactions import TransactionLayer
from sip.transfer import Transfer
from sip.uri import NameAddr, Uri, UriError
from tests.fuzz import parts, seeds, web
from tests.fuzz.agent import agent

Target = Callable[[bytes], None]

PEER: Final = Hop("UDP", Address("127.0.0.1", 5060), Address("127.0.0.1", 5070))


def sip_message(data: bytes) -> None:
    """A datagram: read, looked at, written, and read again."""
    message = _parsed(data)
    if isinstance(message, ParseError):
        assert 400 <= message.status <= 699
        if message.request is not None:
            assert response_to(message.request, message.status, to_tag="x").to_bytes()
        return
    with suppress(ParseError):
        for read in ("vias", "from_", "to", "contact", "routes", "record_routes", "call_id", "cseq"):
            getattr(message, read)
        written = message.to_bytes()
        again = parse(written)
        assert (again.call_id, again.cseq, again.body) == (message.call_id, message.cseq, message.body)
        assert again.to_bytes() == written
    if isinstance(message, Request):
        answer = parse(response_to(message, 200, to_tag="x").to_bytes())
        assert isinstance(answer, Response)
        assert answer.cseq == message.cseq


def _parsed(data: bytes) -> Request | Response | ParseError:
    try:
        return parse(data)
    except ParseError as error:
        return error


def sip_stream(data: bytes) -> None:
    """A byte stream: however it is cut, the same messages come out."""
    if not data:
        return
    step, stream = data[0] % 64 + 1, data[1:]
    assert _framed([stream]) == _framed([stream[at : at + step] for at in range(0, len(stream), step)])


def _framed(chunks: Iterable[bytes]) -> list[str]:
    framer, found = Framer(), list[str]()
    for chunk in chunks:
        found += [type(item).__name__ for item in framer.feed(chunk)]
    return [*found, str(framer.lost)]


def uri(data: bytes) -> None:
    """A URI and a name-addr: what is written means the same."""
    text = data.decode("utf-8", "replace")
    with suppress(UriError):
        one = Uri.parse(text)
        again = Uri.parse(str(one))
        assert str(again) == str(one)
        assert again == one or one.scheme not in ("sip", "sips", "tel")
    with suppress(UriError):
        address = NameAddr.parse(text)
        assert str(NameAddr.parse(str(address)).uri) == str(address.uri)


def sdp(data: bytes) -> None:
    """A description: read, written, and answered for each way of treating encryption."""
    try:
        described = parse_sdp(data)
    except SdpError:
        return
    with suppress(SdpError):  # a lone CR in a value is read, but never written
        assert parse_sdp(described.to_bytes()).media == described.media
    treatments: tuple[Srtp, ...] = ("refused", "offered", "required")
    for local, srtp in product(("127.0.0.1", "::1"), treatments):
        offers = OfferAnswer(local, 4000, codecs_named(("PCMA", "PCMU", "G722")), 1, srtp)
        with suppress(IncompatibleMedia):
            answer = offers.receive_offer(described)
            assert len(answer.media) == len(described.media)
            assert parse_sdp(answer.to_bytes()).media == answer.media
            assert offers.negotiated is not None
            assert offers.negotiated.security is not None or srtp != "required"
        offers = OfferAnswer(local, 4000, codecs_named(("PCMA",)), 1, srtp)
        offers.make_offer()
        with suppress(IncompatibleMedia):
            offers.receive_answer(described)


def digest(data: bytes) -> None:
    """A challenge, and our answer to it."""
    header = data.decode("utf-8", "replace")
    with suppress(DigestError):
        parse_challenge(header)
    with suppress(DigestError):
        challenge = choose_challenge([header])
        value = authorize(challenge, Credentials("u", "p"), "INVITE", "sip:a@b", nc=1, cnonce="c")
        assert "\r" not in value
        assert "\n" not in value


def info(data: bytes) -> None:
    """The bodies of INFO and NOTIFY."""
    for kind in (RELAY, PLAIN):
        key = key_of(kind, data)
        assert key is None or key in KEYS
    transfer = Transfer()
    transfer.responded(202)
    transfer.notified(data, data.decode("latin-1"))


def transactions(data: bytes) -> None:
    """Messages in any order: nothing of them is left when their time is over."""
    layer, now = TransactionLayer(Timing()), 0.0
    for at, part in enumerate(data.split(seeds.SEPARATOR)[:12]):
        now += 0.1
        with suppress(ParseError):
            outputs = layer.receive(parse(part), PEER, now)
            for output in outputs:
                if isinstance(output, Requested):
                    status = (200, 404, 180, 487)[(len(part) + at) % 4]
                    server = output.transaction
                    layer.respond(server, response_to(server.request, status, to_tag="t"), now)
                    if status == 180:
                        layer.abandon(server, now)
    for _ in range(200):
        if layer.due is None:
            break
        now = max(now, layer.due)
        layer.poll(now)
    assert len(layer) == 0, f"{len(layer)} transactions are left"
    assert len(layer.timers) == 0


def rtp(data: bytes) -> None:
    """Packets from two sources to one stream that is heard, recorded and sends."""
    with suppress(RtpError):
        packet = RtpPacket.parse(data)
        assert len(packet.payload) <= len(data)
    link = Link(
        PortPair(4000, Mock(), Mock()),
        Mock(),
        Agreement(("127.0.0.1", 5000), PCMA, 8, 101),
        "c@name",
        20.0,
        0.0,
    )
    frames: list[bytes] = []
    link.listen(frames.append)
    link.record(Mock(spec=AudioTap))
    now = 0.0
    for ticks, chunk in seeds.pieces(data):
        link.receive(bytearray(chunk), len(chunk), ("127.0.0.1", 5000 + 2 * (ticks >> 7)), now)
        for _ in range(ticks & 7):
            now += 0.02
            link.tick(now)
    link.quality()
    link.end(now)
    assert all(len(frame) == 320 for frame in frames)


def rtcp(data: bytes) -> None:
    """A compound: read, written again, and taken into the reports of a stream."""
    with suppress(RtcpError):
        packets = parse_compound(data)
        with suppress(struct.error):  # a sender may tell of more blocks than we would ever write
            assert parse_compound(build_compound(packets)) == packets
    reports = Reports(1, "a@b", 8000, Random(0))
    with suppress(RtcpError):
        reports.handle(data, 1.0, 1 << 40)
    reports.remote_jitter_ms()


def telephone_events(data: bytes) -> None:
    """Event packets in any order: only keys come out, and no more than there were packets."""
    receiver, now, keys, packets = DigitReceiver(), 0.0, 0, 0
    for at in range(0, len(data) - 4, 9):
        wait_ms, timestamp = struct.unpack_from("!BI", data, at)
        now += wait_ms / 1000
        packets += 1
        key = receiver.handle(data[at + 5 : at + 9], timestamp, now)
        assert key is None or key in KEYS
        keys += key is not None
    assert keys <= packets


def _joined(*messages: bytes) -> bytes:
    return seeds.SEPARATOR.join(messages)


TARGETS: Final[dict[str, tuple[Target, tuple[bytes, ...]]]] = {
    "sip_message": (sip_message, seeds.SIP),
    "sip_stream": (
        sip_stream,
        tuple(b"\x07" + one + two for one, two in zip(seeds.SIP, seeds.SIP[1:], strict=False)),
    ),
    "uri": (uri, seeds.URIS),
    "sdp": (sdp, (seeds.SDP, seeds.SDP6)),
    "digest": (digest, seeds.CHALLENGES),
    "info": (info, (b"Signal=5\r\nDuration=160\r\n", b"SIP/2.0 200 OK\r\n", b"*")),
    "transactions": (
        transactions,
        (_joined(*seeds.REQUESTS), _joined(*seeds.REQUESTS[::-1], *seeds.RESPONSES)),
    ),
    "rtp": (rtp, seeds.RTP),
    "rtcp": (rtcp, seeds.RTCP),
    "telephone_events": (telephone_events, seeds.EVENTS),
    "crypto": (parts.crypto, seeds.CRYPTO),
    "multipart": (parts.multipart, seeds.MULTIPARTS),
    "referral": (parts.referral, seeds.REFERS),
    "session": (parts.session, (seeds.INVITE, *seeds.PRACKS, *seeds.RESPONSES)),
    "identity": (parts.identity, (seeds.INVITE,)),
    "challenge": (parts.challenge, (seeds.AUTHORIZED,)),
    "places": (parts.places, seeds.PLACES),
    "tones": (parts.tones, seeds.AUDIO),
    "rtp_kinds": (parts.rtp_kinds, seeds.STREAMS),
    "srtp": (parts.srtp, (b"".join(len(one).to_bytes(2) + one for one in parts.sealed()),)),
    "web_offer": (web.offer, web.OFFERS),
    "web_candidates": (web.candidates, web.CANDIDATES),
    "web_channel": (web.channel, web.CHANNEL),
    "exotel_message": (web.exotel_message, web.EXOTEL),
    "opus": (web.opus, web.OPUS_PACKETS),
    "agent": (agent, (*seeds.CALLS, *(_joined(seeds.INVITE, one) for one in seeds.SIP))),
}
"""By name: the function, and what its fuzzing starts from."""


@st.composite
def inputs(draw: st.DrawFn, starts: tuple[bytes, ...]) -> bytes:
    """A seed with some of it cut out, doubled, replaced or changed; or anything."""
    data = bytearray(
        draw(st.sampled_from(starts)) if draw(st.integers(0, 9)) else draw(st.binary(max_size=300))
    )
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(data)))
        end = min(len(data), at + draw(st.integers(0, 40)))
        match draw(st.integers(0, 3)):
            case 0:
                del data[at:end]
            case 1:
                data[at:at] = data[at:end] * draw(st.integers(1, 4))
            case 2:
                data[at:end] = draw(st.binary(max_size=12))
            case _:
                data[at:end] = draw(st.sampled_from(_NASTY))
    return bytes(data)


_NASTY: Final = (
    *(b"", b"\r\n", b"\r\n\r\n", b"\r\n ", b"\x00", b"%00", b'"', b"\\", b"<", b">", b",", b";", b"=", b"-1"),
    *(
        b"4294967296",
        b"9" * 40,
        b"\xff\xfe",
        "\u0967\u0968".encode(),
        b"[::",
        b"sip:",
        b"Content-Length: 9",
        b"\x80" * 9,
    ),
)
