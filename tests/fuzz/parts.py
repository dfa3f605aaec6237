"""Targets of what comes with calls: keys in SDP, bodies of several parts, transfers, timers, who calls,
proofs, answers of DNS; and of what is in the audio.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Final, cast
from unittest.mock import Mock

from media.agreement import Agreement
from media.amd import AnswerDetector, GreetingWatch, Timings
from media.codecs import CODECS
from media.dtmf import KEYS
from media.inband import WINDOWS, InbandReceiver
from media.keys import MasterKey, Suite
from media.link import Link
from media.packing import PTIMES_MS
from media.ports import Datagrams, PortPair
from media.rtp import RtpPacket
from media.sounds import SoundMeter
from media.source import Address as Source
from media.srtp import Sealing, SecureSocket
from sip.challenge import Challenger, Proved, User
from sip.crypto import UnusableKey, parse_crypto
from sip.hop import Transport
from sip.identity import inbound_info
from sip.locate import MAX_PLACES, Answers, Found, Naptr, NoPlace, Query, Record, Srv, advance, locate
from sip.message import ParseError, Request, Response, parse
from sip.multipart import sdp_of
from sip.privacy import one_line
from sip.referral import ReferError, Referral, Subscription
from sip.refusal import Refused
from sip.reliable import RAck, parse_rseq
from sip.replaces import Replaces, ReplacesError
from sip.session_timer import MIN_SE_S, SessionTimer
from sip.trunks import Trunk
from sip.uri import Uri, UriError

FRAME: Final = 320


def crypto(data: bytes) -> None:
    """A crypto line: what is read can be written, and its key never shows."""
    text = data.decode("utf-8", "replace")
    with suppress(UnusableKey):
        read = parse_crypto(text)
        assert parse_crypto(read.value()) == read
        assert read.key.secret not in repr(read).encode()


def multipart(data: bytes) -> None:
    """A Content-Type, a line end, and a body: what comes out of it was in it."""
    kind, _, body = data.partition(b"\n")
    with suppress(Refused):
        assert sdp_of(kind.decode("utf-8", "surrogateescape"), body) in body


def referral(data: bytes) -> None:
    """A REFER: where it leads is allowed, and can be written into a request."""
    request = _request(data)
    if request is None:
        return
    trunk = Trunk(refer_to=("+91", "sip:pbx.example"))
    with suppress(ReferError):
        asked = Referral.asked(request)
        assert not asked.target.headers
        to = asked.destination(trunk)
        assert to is None or to.startswith("+91") or Uri.parse(to).host.lower() == "pbx.example"
        again = Request("REFER", asked.target, request.headers.copy())
        again.headers.set("CSeq", "1 REFER")  # whatever the method of this one was
        for name, value in asked.headers().items():
            again.headers.set(name, value)
        assert parse(again.to_bytes()).headers.get("Replaces") == again.headers.get("Replaces")
    with suppress(ReplacesError):
        replaces = Replaces.parse(request.headers.get("Replaces") or request.uri.user or "")
        assert Replaces.parse(str(replaces)) == replaces
    subscription, told = Subscription(1, 60.0, 0.0), 0
    for at, byte in enumerate(data[:64]):
        status = 100 + byte * 2
        notice = subscription.answered(status, at) if byte % 2 else subscription.tell(status, at)
        told += notice is not None and b"SIP/2.0 1" not in notice.body
    assert told <= 1


def session(data: bytes) -> None:
    """The headers of 100rel and of the session timer, in a request and in a response to one of ours."""
    message = _message(data)
    if message is None:
        return
    with suppress(ValueError):
        rack = RAck.parse(message.headers.get("RAck") or "")
        assert RAck.parse(str(rack)) == rack
    with suppress(ValueError):
        assert parse_rseq(message.headers.get("RSeq") or "") > 0
    timer, now = SessionTimer(1800, None), 0.0
    if isinstance(message, Request):
        with suppress(Refused):
            timer.check(message)
            timer.respond(message, now)
    else:
        timer.request()
        timer.too_small(message)
        timer.agreed(message, now)
    if timer.terms is not None:
        # RFC 4028 asks for 90; of a peer that breaks the rule, 10 seconds are the least that is believed.
        assert timer.terms.expires_s >= (MIN_SE_S if isinstance(message, Request) else 10)
    for _ in range(8):
        if (due := timer.due) is None:
            break
        assert due > now or due == 0
        now = due
        timer.poll(now)
    timer.stop()
    assert timer.due is None


def identity(data: bytes) -> None:
    """Who calls: whatever is told, the call is described."""
    request = _request(data)
    if request is not None:
        for trunk in (Trunk(), Trunk(number_format="e164")):
            info = inbound_info(request, "leg", "peer", trunk)
            assert info.direction == "inbound"
            assert info.headers["Call-ID"] == one_line(request.call_id)


def challenge(data: bytes) -> None:
    """A stranger's request: without the password, nobody proves anything."""
    request = _request(data)
    if request is None:
        return
    challenger = Challenger({"gw": User("peer", "no stranger knows")}, "ivr", b"secret")
    for host, now in (("192.0.2.1", 0.0), ("::1", 1e6)):
        with suppress(ParseError):
            assert not isinstance(challenger.judge(request, host, now), Proved)
        assert challenger.challenges(host, now)
        assert challenger.tag(request) == challenger.tag(request)


def places(data: bytes) -> None:
    """A URI, a line end, and what the DNS answers."""
    text, _, rest = data.partition(b"\n")
    reach: tuple[tuple[Transport, bool], ...] = (("UDP", False), ("TCP", True), ("TLS", False))
    records = _records(rest)
    with suppress(UriError, NoPlace):
        uri = Uri.parse(text.decode("utf-8", "replace"))
        search, asked = locate(uri, reach, lambda: 0.5), 0
        step = advance(search)
        while not isinstance(step, Found):
            asked += 1
            assert asked <= 4
            step = advance(search, _answers(step, records))
        assert 0 < len(step.places) <= MAX_PLACES
        assert all((p.transport, ":" in p.address.host) in reach for p in step.places)


def _records(data: bytes) -> Iterator[Record]:
    for line in data.split(b"\n")[:200]:
        words = line.decode("utf-8", "replace").split(" ")
        numbers = [ord(word[:1] or "0") for word in words]
        if len(words) >= 5:
            yield Naptr(numbers[0], numbers[1], words[2], words[3], words[4])
        elif len(words) >= 3:
            yield Srv(numbers[0] % 4, numbers[1], numbers[2] * 50, words[-1])
        else:
            yield words[0]


def _answers(questions: tuple[Query, ...], records: Iterator[Record]) -> Answers:
    found: dict[Query, tuple[Record, ...]] = {}
    for question in questions:
        found[question] = tuple(record for _, record in zip(range(20), records, strict=False))
    return found


def tones(data: bytes) -> None:
    """Any audio: the keys heard in it are keys, and no more than fit; who answered is told once."""
    frames = [data[at : at + FRAME] for at in range(0, len(data) - FRAME + 1, FRAME)][:400]
    receiver, meter = InbandReceiver(8000), SoundMeter(8000)
    detector, watch, verdicts, heard_keys = AnswerDetector(Timings()), GreetingWatch(1000, 20000), 0, 0
    for at, frame in enumerate(frames):
        if at % 17 == 16:
            receiver.missing()
        key = receiver.take(frame)
        heard_keys += key is not None
        assert key is None or key in KEYS
        heard = meter.take(frame)
        assert 0.0 <= heard.hz < 4000.0
        if not verdicts:
            verdicts += detector.take(heard) is not None
        watch.take(heard)
    assert heard_keys <= len(frames) * WINDOWS / 8 + 1


def rtp_kinds(data: bytes) -> None:
    """As `rtp`, for each codec, packet length, and with comfort noise: the first byte chooses."""
    if not data:
        return
    chosen = data[0]
    codec = list(CODECS.values())[chosen % len(CODECS)]
    link = Link(
        PortPair(4000, Mock(), Mock()),
        Mock(),
        Agreement(
            ("127.0.0.1", 5000),
            codec,
            codec.payload_type,
            None if chosen & 64 else 101,
            ptime_ms=PTIMES_MS[chosen % len(PTIMES_MS)],
            comfort_noise=13,
        ),
        "c@name",
        20.0,
        0.0,
    )
    frames: list[bytes] = []
    link.listen(frames.append)
    now, at, sequence = 0.0, 1, 0
    while at + 4 <= len(data) and sequence < 200:
        step, kind, size = data[at], data[at + 1], data[at + 2] * 2
        payload = data[at + 3 : at + 3 + size]
        at += 3 + size
        sequence += step % 8 if step & 8 else 1
        kinds = (codec.payload_type, 13, 101, kind & 127)
        packet = RtpPacket(
            kinds[kind % 4], sequence & 0xFFFF, (sequence * 160 * (step >> 6 or 1)) & 0xFFFFFFFF, 7, payload
        ).to_bytes()
        buffer = bytearray(packet)
        link.receive(buffer, len(buffer), ("127.0.0.1", 5000), now)
        for _ in range(step >> 4 & 3):
            now += 0.02
            link.tick(now)
    link.quality()
    link.end(now)
    assert len({len(frame) for frame in frames}) <= 1


_KEY: Final = MasterKey(Suite.AES_CM_128_HMAC_SHA1_80, bytes(range(30)))
_PLAIN: Final = tuple(RtpPacket(8, n, 160 * n, 7, b"\x55" * 160).to_bytes() for n in range(4))


class _Wire:
    """Sends into a list, receives what it is given."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.given = b""

    def fileno(self) -> int:
        return -1

    def sendto(self, packet: bytes | bytearray, to: Source, /) -> int:
        self.sent.append(bytes(packet))
        return len(packet)

    def recvfrom_into(self, buffer: bytearray, /) -> tuple[int, Source]:
        buffer[: len(self.given)] = self.given
        return len(self.given), ("127.0.0.1", 5000)

    def recv_into(self, buffer: bytearray, /) -> int:
        return 0


def sealed() -> tuple[bytes, ...]:
    """Packets that are authentic under the key of `srtp`."""
    wire = _Wire()
    sock = SecureSocket(
        cast(Datagrams, wire), Sealing(_KEY, outbound=True), Sealing(_KEY, outbound=False), control=False
    )
    for packet in _PLAIN:
        sock.sendto(packet, ("127.0.0.1", 5000))
    return tuple(wire.sent)


def srtp(data: bytes) -> None:
    """Packets, each after its length: only what was sealed with the key is opened, and once."""
    wire, buffer = _Wire(), bytearray(2048)
    seals = Sealing(_KEY, outbound=True), Sealing(_KEY, outbound=False)
    audio = SecureSocket(cast(Datagrams, wire), *seals, control=False)
    control = SecureSocket(cast(Datagrams, wire), *seals, control=True)
    opened: list[bytes] = []
    at = 0
    for _ in range(64):
        if at + 2 > len(data):
            break
        size = int.from_bytes(data[at : at + 2]) % 2000
        wire.given = data[at + 2 : at + 2 + size]
        at += 2 + size
        size, _ = audio.recvfrom_into(buffer)
        if size:
            opened.append(bytes(buffer[:size]))
        assert control.recvfrom_into(buffer)[0] == 0
    assert set(opened) <= set(_PLAIN)
    assert len(opened) == len(set(opened))


def _message(data: bytes) -> Request | Response | None:
    try:
        return parse(data)
    except ParseError:
        return None


def _request(data: bytes) -> Request | None:
    message = _message(data)
    return message if isinstance(message, Request) else None
