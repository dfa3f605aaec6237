"""How the torture messages are written down."""

from __future__ import annotations


def wire(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


class Messages(dict[str, bytes]):
    """By the name that the RFC gives them, in its order."""

    def add(self, name: str, text: str, body: str | bytes = "") -> None:
        self[name] = wire(text) + (body if isinstance(body, bytes) else wire(body))


def sdp(origin: str, connection: str = "", times: str = "0 0") -> str:
    return f"""v=0
o=mhandley 29739 7272939 IN IP4 {origin}
s=-
c=IN IP4 {connection or origin}
t={times}
m=audio 49217 RTP/AVP 0 12
m=video 3227 RTP/AVP 31
a=rtpmap:31 LPC
"""
