"""What comes by the web: offers, candidates, messages of pages and of Exotel, and Opus."""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import Final
from unittest.mock import Mock

from media.agreement import Agreement
from media.codecs import G722, PCMA
from media.leg import AudioTap
from media.link import Link
from media.opus import OPUS
from media.ports import PortPair
from media.rtp import RtpPacket
from tests.fuzz import seeds
from webrtc import exotel
from webrtc.candidates import MAX_CANDIDATES, CandidateRefused, Trickle
from webrtc.channel import ChannelGuard, key_in
from webrtc.description import Fingerprint, Ice, Local, SdpRefused, answer, parse_offer

_OURS: Final = Local(
    Ice("ours", "p" * 22),
    (Fingerprint("sha-256", ":".join(["AB"] * 32)),),
    ("candidate:1 1 udp 1 a 9",),
    True,
)

OFFERS: Final = (
    b"v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\na=msid-semantic: WMS\r\n"
    b"m=audio 9 UDP/TLS/RTP/SAVPF 111 0 8 110 126\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n"
    b"a=candidate:1 1 udp 2113937151 192.0.2.4 51000 typ host generation 0\r\n"
    b"a=ice-ufrag:Ab3d\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=fingerprint:sha-256 "
    + b":".join([b"0F"] * 32)
    + b"\r\na=setup:actpass\r\na=mid:0\r\na=sendrecv\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n"
    b"a=rtpmap:110 telephone-event/48000\r\na=rtpmap:126 telephone-event/8000\r\n"
    b"m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\n"
    b"a=sctp-port:5000\r\n",
)
CANDIDATES: Final = (
    b"candidate:1 1 udp 2113937151 192.0.2.4 51000 typ host generation 0 ufrag Ab3d",
    b"a=candidate:2 1 UDP 1 abc-1.local 51000 typ host\n\ncandidate:3 1 tcp 1 ::1 9 typ relay tcptype active",
)
CHANNEL: Final = (b'{"type": "key", "key": "5"}', b'{"type": "ping", "t": 12}', b"[1e400]")
EXOTEL: Final = (
    b'{"event":"connected"}',
    (
        b'{"event":"start","sequence_number":"1","stream_sid":"s","start":{"stream_sid":"s","call_sid":"c",'
        b'"account_sid":"a","from":"+911","to":"+912","custom_parameters":{"order":"1"},'
        b'"media_format":{"encoding":"raw","sample_rate":"8000","bit_rate":"128kbps"}}}'
    ),
    b'{"event":"media","sequence_number":2,"streamSid":"s","media":{"chunk":1,"payload":"AAAB"}}',
    b'{"event":"dtmf","sequence_number":3,"stream_sid":"s","dtmf":{"digit":"5","duration":"100"}}',
    b'{"event":"mark","stream_sid":"s","mark":{"name":"7"}}',
    b'{"event":"stop","stop":{"call_sid":"c","account_sid":"a","reason":"callended"}}',
)


def _opus(count: int) -> bytes:
    encode, packets = OPUS.new_encoder(), []
    for number in range(count):
        pcm = struct.pack("<320h", *((at * 700 + number) % 9000 for at in range(320)))
        packet = RtpPacket(111, number, number * 960, 7, encode(pcm)).to_bytes()
        packets.append(b"\x01" + len(packet).to_bytes(2) + packet)
    return b"".join(packets)


OPUS_PACKETS: Final = (_opus(4), b"\x01\x00\x0e" + RtpPacket(111, 1, 1, 7, b"\xf8\xff").to_bytes())


def offer(data: bytes) -> None:
    """A browser's offer: read and answered, or refused."""
    text = data.decode("utf-8", "replace")
    try:
        offered = parse_offer(text)
    except SdpRefused:
        return
    answered = answer(offered, _OURS, 1, 1)
    assert answered.count("\r\nm=") == len(offered.sections)
    assert answered.splitlines()[0] == "v=0"
    assert all(line[1:2] == "=" for line in answered.splitlines())


def candidates(data: bytes) -> None:
    """Candidates line by line: never more than the limit are taken, whatever they are."""
    trickle, taken = Trickle(), 0
    for line in data.decode("utf-8", "replace").split("\n"):
        with suppress(CandidateRefused):
            taken += len(trickle.take([line]))
    assert taken <= trickle.count <= MAX_CANDIDATES


def channel(data: bytes) -> None:
    """A page's messages: a key, an answer, or nothing."""
    misused = Mock()
    guard = ChannelGuard(misused)
    for number, part in enumerate(data.split(seeds.SEPARATOR)[:20]):
        text = part.decode("utf-8", "replace")
        if guard.admits(text, number / 100):
            assert key_in(text) is None or len(key_in(text) or "") == 1
            guard.reply(text)


def exotel_message(data: bytes) -> None:
    """A message of Exotel's stream: understood, or refused with its fault."""
    for text in (data, data.decode("utf-8", "replace")):
        with suppress(exotel.ExotelError):
            assert exotel.read(text).part is not None


def opus(data: bytes) -> None:
    """Packets to a stream that speaks Opus, is heard, recorded, and bridged to one of G.711."""
    links = [
        Link(
            PortPair(4000, Mock(), Mock()),
            Mock(),
            Agreement(("127.0.0.1", 5000), codec, number, 101),
            "c@name",
            20.0,
            0.0,
        )
        for codec, number in ((OPUS, 111), (PCMA, 8), (G722, 9))
    ]
    link, other, operator = links
    frames: list[bytes] = []
    link.listen(frames.append)
    link.record(Mock(spec=AudioTap))
    link.ties.bridge(other.ties)
    operator.ties.overhear(link.ties)
    operator.ties.whisper(other.ties)
    now = 0.0
    for ticks, chunk in seeds.pieces(data):
        link.receive(chunk, len(chunk), ("127.0.0.1", 5000), now)
        for _ in range(ticks & 7):
            now += 0.02
            link.tick(now)
            other.tick(now)
            operator.tick(now)
    link.quality()
    link.end(now)
    assert all(len(frame) == 640 for frame in frames)
