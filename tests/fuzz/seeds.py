"""What the fuzzers start from: messages and packets as phones and trunks send them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from struct import pack, unpack_from
from typing import Final

from media.rtcp import ReceiverReport, ReportBlock, SenderReport, SourceDescription, build_compound
from media.rtp import RtpPacket

SEPARATOR: Final = b"\n%%\n"
"""Between the messages of one input."""


def pieces(data: bytes) -> Iterator[tuple[int, bytes]]:
    """An input as packets, 64 at most: of each one byte that says what passes after it, two with its length,
    and the packet."""
    at = 0
    for _ in range(64):
        if at + 3 > len(data):
            return
        after, size = unpack_from("!BH", data, at)
        at += 3
        packet = data[at : at + min(size, 2000)]
        at += len(packet)
        yield after, packet


SDP: Final = b"""v=0\r
o=- 20518 0 IN IP4 127.0.0.1\r
s=-\r
c=IN IP4 127.0.0.1\r
t=0 0\r
m=audio 54400 RTP/SAVP 0 8 9 13 96\r
a=rtpmap:96 telephone-event/8000\r
a=fmtp:96 0-15\r
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4\r
a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20\r
a=rtcp:54401 IN IP4 127.0.0.1\r
a=ptime:20\r
a=maxptime:60\r
a=sendonly\r
m=video 0 RTP/AVP 31\r
"""

SDP6: Final = b"""v=0\r
o=Exotel 1 1 IN IP6 2001:db8::1\r
c=IN IP6 2001:db8::1\r
t=0 0\r
m=audio 4000 RTP/AVP 8 101\r
a=rtpmap:8 PCMA/8000/1\r
a=rtpmap:101 telephone-event/8000\r
a=inactive\r
"""


def message(start: str, *headers: str, body: bytes = b"", to_tag: str = "") -> bytes:
    """A SIP message with the headers that every one has."""
    method = "INVITE" if start.startswith("SIP") else start.split()[0]
    to = f"<sip:100@127.0.0.1>{to_tag and ';tag=' + to_tag}"
    lines = [
        start,
        "Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK776;rport",
        "Max-Forwards: 70",
        'From: "A. G. Bell" <sip:+919876543210@127.0.0.1>;tag=1928301774',
        f"To: {to}",
        "Call-ID: a84b4c76e66710@127.0.0.1",
        f"CSeq: 314159 {method}",
        *headers,
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


CONTACT: Final = "Contact: <sip:200@127.0.0.1:5060;transport=udp>"
TYPE: Final = "Content-Type: application/sdp"

INVITE: Final = message(
    "INVITE sip:100@127.0.0.1 SIP/2.0",
    CONTACT,
    "Supported: 100rel, timer, replaces",
    "Session-Expires: 1800;refresher=uac",
    "Min-SE: 90",
    "P-Asserted-Identity: <sip:+919876543210@example.com>, tel:+919876543210",
    "Diversion: <sip:+912240001234@example.com>;reason=unconditional;counter=1",
    "History-Info: <sip:100@example.com?Reason=SIP%3Bcause%3D302>;index=1",
    "X-Exotel-CallSid: 7f1a",
    TYPE,
    body=SDP,
)
MULTIPART: Final = message(
    "INVITE sip:100@127.0.0.1 SIP/2.0",
    CONTACT,
    "Content-Type: multipart/mixed;boundary=b",
    body=b"--b\r\nContent-Type: application/sdp\r\n\r\n"
    + SDP6
    + b"\r\n--b\r\nContent-Type: x/y\r\n\r\nz\r\n--b--\r\n",
)
PLAIN: Final = message(
    "INVITE sip:100@127.0.0.1 SIP/2.0", CONTACT, TYPE, body=SDP6.replace(b"IP6 2001:db8::1", b"IP4 127.0.0.1")
)
LATE: Final = message("INVITE sip:100@127.0.0.1 SIP/2.0", CONTACT, "Require: 100rel")
REQUESTS: Final = (
    INVITE,
    MULTIPART,
    PLAIN,
    LATE,
    message("INVITE sip:100@127.0.0.1 SIP/2.0", CONTACT, "Replaces: a@b;to-tag=1;from-tag=2;early-only"),
    message("ACK sip:100@127.0.0.1 SIP/2.0", to_tag="1"),
    message("BYE sip:100@127.0.0.1 SIP/2.0", 'Reason: Q.850;cause=16;text="Normal"', to_tag="1"),
    message("CANCEL sip:100@127.0.0.1 SIP/2.0", 'Reason: SIP;cause=200;text="elsewhere"'),
    message("OPTIONS sip:100@127.0.0.1 SIP/2.0", "Accept: application/sdp"),
    message("PRACK sip:100@127.0.0.1 SIP/2.0", "RAck: 1 314159 INVITE", to_tag="1"),
    message("UPDATE sip:100@127.0.0.1 SIP/2.0", CONTACT, TYPE, to_tag="1", body=SDP),
    message(
        "REFER sip:100@127.0.0.1 SIP/2.0", CONTACT, "Refer-To: <sip:b@c?Replaces=1%3Bto-tag%3D2>", to_tag="1"
    ),
    message(
        "NOTIFY sip:100@127.0.0.1 SIP/2.0",
        "Event: refer;id=2",
        "Subscription-State: terminated;reason=noresource",
        "Content-Type: message/sipfrag",
        to_tag="1",
        body=b"SIP/2.0 200 OK\r\n",
    ),
    message(
        "INFO sip:100@127.0.0.1 SIP/2.0",
        "Content-Type: application/dtmf-relay",
        to_tag="1",
        body=b"Signal=5\r\nDuration=160\r\n",
    ),
    message("REGISTER sip:127.0.0.1 SIP/2.0", "Contact: *", "Expires: 0"),
)
ACK: Final = message("ACK sip:100@127.0.0.1 SIP/2.0", to_tag="1")
PRACKS: Final = (
    message("PRACK sip:100@127.0.0.1 SIP/2.0", "RAck: 1 314159 INVITE", to_tag="1"),
    message("PRACK sip:100@127.0.0.1 SIP/2.0", "RAck: 2 314159 INVITE", to_tag="1"),
    message("PRACK sip:100@127.0.0.1 SIP/2.0", "RAck: 1 314159 INVITE", TYPE, to_tag="1", body=SDP),
)
RESPONSES: Final = (
    message("SIP/2.0 180 Ringing", CONTACT, "Require: 100rel", "RSeq: 1", to_tag="9"),
    message("SIP/2.0 200 OK", CONTACT, "Record-Route: sip:proxy.example.com;lr", TYPE, to_tag="9", body=SDP6),
    message(
        "SIP/2.0 401 Unauthorized",
        'WWW-Authenticate: Digest realm="a", nonce="b", qop="auth,auth-int", algorithm=SHA-256, stale=true',
        to_tag="9",
    ),
    message("SIP/2.0 422 Session Interval Too Small", "Min-SE: 3600", to_tag="9"),
)
COMPACT: Final = (
    b"OPTIONS sip:user@[2001:db8::10]:5070;lr SIP/2.0\r\n"
    b"v: SIP/2.0/TCP [2001:db8::9:1]:5060;received=[2001:db8::9];branch=z9hG4bKas3-111\r\n"
    b"m: *\r\nf: sip:a@b;tag=1\r\nt: sip:c@d\r\ni: x\r\nCSeq: 1 OPTIONS\r\nl: 0\r\n\r\n"
)
CALLS: Final = tuple(
    SEPARATOR.join(messages)
    for messages in (
        (INVITE, PRACKS[0], PRACKS[1], ACK),
        (LATE, PRACKS[2], ACK),
        *((PLAIN, ACK, one) for one in REQUESTS),
        *((one,) for one in RESPONSES),
        RESPONSES,
    )
)
"""Of the agent: what leads to a call that is up, and what comes then."""
SIP: Final = (*REQUESTS, *RESPONSES, COMPACT)

URIS: Final = (
    b"sip:alice:secret@example.com:5060;transport=tls;lr?subject=x&priority=urgent",
    b"sips:%61lice@[2001:db8::1]:5061",
    b"tel:+91-98765-43210;phone-context=+91",
    b'"Bell \\"A\\"" <sip:a@b;x=y>;tag=1;q=0.5',
    b"sip:proxy.example.com;lr",
)
CHALLENGES: Final = (
    b'Digest realm="exotel", nonce="84a4cc6f3082121f32b42a2187831a9e", algorithm=MD5, qop="auth"',
    b'Digest realm="a\\"b", nonce="x", opaque="y", stale=TRUE, algorithm=SHA-512-256, qop="auth-int"',
)


def _packets(*payload_types: int) -> bytes:
    """Packets as the RTP target takes them: each after its length."""
    data = b""
    for at, kind in enumerate(payload_types):
        payload = pack("!BBH", 5, 0x80 if at % 2 else 10, 160 * at) if kind == 101 else b"\xd5" * 160
        packet = RtpPacket(kind, at, 160 * at, 0x1234, payload, marker=at == 0).to_bytes()
        data += pack("!BH", at % 4, len(packet)) + packet
    return data


RTP: Final = (
    _packets(8, 8, 8, 8),
    _packets(101, 101, 101, 8, 101),
    _packets(13, 8, 13, 8),
    _packets(9, 0, 8),
)
EVENTS: Final = tuple(
    b"".join(
        pack("!BIBBH", 20, 8000 + step * (at // 3), at // 3, 0x80 if at % 3 == 2 else 0, 160 * (at % 3 + 1))
        for at in range(9)
    )
    for step in (0, 160, 4000)
)
_BLOCK: Final = ReportBlock(1, 12, 3, 4000, 90, 0x12345678, 6553)
RTCP: Final = (
    build_compound([SenderReport(1, 2, 3, 4, 5, (_BLOCK,)), SourceDescription(1, "a@b")]),
    build_compound([ReceiverReport(1, (_BLOCK, _BLOCK))]),
)

CRYPTO: Final = (
    b"1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4 KDR=1",
    b"2 AES_256_CM_HMAC_SHA1_32 inline:" + b"QUFB" * 15 + b"QQ==|2^31 -X=1 WSH=64",
)
MULTIPARTS: Final = (
    b"multipart/mixed;boundary=b\n--b\r\nc: application/sdp\r\n\r\nv=0\r\n\r\n--b\r\n\r\nz\r\n--b--\r\n",
    b'multipart/related ; boundary="a b"\n--a b\n\nx\n--a b \nc: application/sdp\n\nv=0\n--a b--',
    b"application/sdp;charset=utf-8\nv=0\r\n",
)
REFERS: Final = tuple(
    message("REFER sip:100@127.0.0.1 SIP/2.0", f"Refer-To: {to}", *more, to_tag="1")
    for to, *more in (
        (
            "<sip:+919876543210@pbx.example;user=phone?Replaces=c%40h%3Bto-tag%3D1%3Bfrom-tag%3D0>",
            "Refer-Sub: false",
        ),
        ('"A" <tel:+91-98765-43210>;x', "Referred-By: <sip:a@b>;cid=1"),
        ("sip:098765@[2001:db8::1];method=INVITE", "Event: refer"),
    )
)
AUTHORIZED: Final = message(
    "INVITE sip:100@127.0.0.1 SIP/2.0",
    "Contact: <sip:gw@127.0.0.1>",
    'Authorization: Digest username="gw", realm="ivr", nonce="0.1.00", uri="sip:100@127.0.0.1", '
    'response="0123456789abcdef0123456789abcdef", qop=auth, nc=00000001, cnonce="x", algorithm=SHA-256',
)
PLACES: Final = (
    b"sip:a@pbx.example\n1 2 3 sip.pbx.example\n192.0.2.1\n192.0.2.2",
    b"sips:pbx.example\n2001:db8::1\n1 2 s SIPS+D2T _sips._tcp.pbx.example\n1 2 3 a.example",
    b"sip:pbx.example;transport=tcp\n1 2 s SIP+D2U _sip._udp.x\n0 0 0 \n\n",
)


def _tone(*frequencies: float) -> bytes:
    """80 ms at 8 kHz, and as much silence."""
    samples = [
        int(sum(6000 * math.sin(2 * math.pi * hz * n / 8000) for hz in frequencies)) for n in range(640)
    ]
    return pack("<640h", *samples) + bytes(1280)


AUDIO: Final = (_tone(697.0, 1209.0) + _tone(941.0, 1477.0), _tone(1000.0) * 3, _tone(2100.0) * 2)
STREAMS: Final = tuple(
    bytes([chosen])
    + b"".join(bytes([step, kind, 80]) + b"\x55" * 160 for step in (16, 41, 80) for kind in (0, 1, 4))
    for chosen in (0, 1, 2, 66)
)
