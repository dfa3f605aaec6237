"""An SDP answer, put together again from what PJSIP tells of a stream. Pure."""

from __future__ import annotations

from typing import Final

from sip.sdp import Direction

_KEYS: Final = 101
"""Payload type under which we offer telephone-event."""


def settled_sdp(remote: str, payload_type: int, codec: str, ours: Direction) -> bytes:
    """The answer of a far end at `remote` (`192.0.2.1:4000`, `[2001:db8::1]:4000`); empty when none is told.

    `ours` is what we may do now.
    PJSIP does not say which payload type keys have; an answerer takes the offerer's (RFC 3264 6.1).
    """
    host, colon, port = remote.rpartition(":")
    host = host.strip("[]")
    if not colon or not host or not port.isdigit():
        return b""
    family = "IP6" if ":" in host else "IP4"
    lines = [
        "v=0",
        f"o=- 1 1 IN {family} {host}",
        "s=-",
        f"c=IN {family} {host}",
        "t=0 0",
        f"m=audio {port} RTP/AVP {payload_type} {_KEYS}",
        f"a=rtpmap:{payload_type} {codec}/8000",
        f"a=rtpmap:{_KEYS} telephone-event/8000",
        f"a={ours.reversed.value}",
        "",
    ]
    return "\r\n".join(lines).encode("ascii", "replace")
