"""As much SIP as a load generator needs: requests as bytes, and the few fields of what comes back.

Hand-written and blunt on purpose: it must cost next to nothing, and share no code with the server it
measures.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_STATUS: Final = re.compile(rb"SIP/2\.0 (\d{3})")
_CONTACT: Final = re.compile(rb"^(?:Contact|m)[ \t]*:[^<\r\n]*<?(sip:[^>;\r\n]+)", re.I | re.M)
_FIELD: Final = r"^(?:{})[ \t]*:[ \t]*([^\r\n]*)"
_CALL_ID: Final = re.compile(_FIELD.format("Call-ID|i").encode(), re.I | re.M)
_TO: Final = re.compile(_FIELD.format("To|t").encode(), re.I | re.M)
_CSEQ: Final = re.compile(_FIELD.format("CSeq").encode(), re.I | re.M)
_MEDIA: Final = re.compile(rb"^m=audio (\d+) ", re.M)
_KEY: Final = re.compile(rb"^a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:([A-Za-z0-9+/=]+)", re.M)
_ADDRESS: Final = re.compile(rb"^c=IN IP4 ([0-9.]+)", re.M)
_COPIED: Final = re.compile(rb"^(?:Via|v|From|f|To|t|Call-ID|i|CSeq)[ \t]*:[^\r\n]*", re.I | re.M)


@dataclass(frozen=True, slots=True)
class Offer:
    """Who calls whom: `host`:`port` is ours, of SIP. With a `crypto` attribute RTP/SAVP is offered."""

    uri: str
    host: str
    port: int
    call_id: str
    crypto: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The 200 to our INVITE; `key` is theirs in base64, None for plain media."""

    to: str
    target: str
    remote: tuple[str, int]
    key: str | None = None


def _request(
    method: str, uri: str, offer: Offer, to: str, cseq: int, extra: str = "", body: str = ""
) -> bytes:
    branch = f"z9hG4bK{offer.call_id.partition('@')[0]}{method[0]}{cseq}"
    return (
        f"{method} {uri} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {offer.host}:{offer.port};branch={branch};rport\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:bench@{offer.host}>;tag=b{offer.call_id[:12]}\r\nTo: {to}\r\n"
        f"Call-ID: {offer.call_id}\r\nCSeq: {cseq} {method}\r\n"
        f"{extra}Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def invite(offer: Offer, rtp_port: int) -> bytes:
    profile, crypto = ("AVP", "") if offer.crypto is None else ("SAVP", f"a=crypto:{offer.crypto}\r\n")
    body = (
        f"v=0\r\no=- 1 1 IN IP4 {offer.host}\r\ns=-\r\nc=IN IP4 {offer.host}\r\nt=0 0\r\n"
        f"m=audio {rtp_port} RTP/{profile} 8 101\r\n{crypto}a=rtpmap:8 PCMA/8000\r\n"
        "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
    )
    extra = f"Contact: <sip:bench@{offer.host}:{offer.port}>\r\nContent-Type: application/sdp\r\n"
    return _request("INVITE", offer.uri, offer, f"<{offer.uri}>", 1, extra, body)


def ack(offer: Offer, answer: Answer) -> bytes:
    return _request("ACK", answer.target, offer, answer.to, 1)


def ack_refusal(offer: Offer, to: str) -> bytes:
    """The ACK of a final response other than 2xx; it belongs to the INVITE's transaction."""
    return _request("ACK", offer.uri, offer, to, 1).replace(b"A1;rport", b"I1;rport", 1)


def bye(offer: Offer, answer: Answer) -> bytes:
    return _request("BYE", answer.target, offer, answer.to, 2)


def ok(request: bytes) -> bytes:
    """200 to a request of the server."""
    return b"\r\n".join((b"SIP/2.0 200 OK", *_COPIED.findall(request), b"Content-Length: 0", b"", b""))


def status_of(message: bytes) -> int | None:
    """The status of a response, None for a request."""
    match = _STATUS.match(message)
    return int(match[1]) if match else None


def call_id_of(message: bytes) -> str:
    return _field(_CALL_ID, message)


def cseq_method_of(message: bytes) -> str:
    return _field(_CSEQ, message).rpartition(" ")[2]


def to_of(message: bytes) -> str:
    return _field(_TO, message)


def answer_of(message: bytes) -> Answer:
    """Raises ValueError when the 200 lacks what a call needs."""
    contact, media, address = _CONTACT.search(message), _MEDIA.search(message), _ADDRESS.search(message)
    if contact is None or media is None or address is None:
        raise ValueError("a 200 without Contact or SDP")
    key = _KEY.search(message)
    return Answer(
        to_of(message),
        contact[1].decode(),
        (address[1].decode(), int(media[1])),
        None if key is None else key[1].decode(),
    )


def _field(pattern: re.Pattern[bytes], message: bytes) -> str:
    match = pattern.search(message)
    return match[1].decode().strip() if match else ""
