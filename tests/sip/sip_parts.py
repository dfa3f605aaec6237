"""Messages and a neighbour for the tests of the SIP layers."""

from __future__ import annotations

from sip.hop import Address, Hop
from sip.message import Request, Response, parse, response_to
from sip.outputs import Output, Transmit

UDP = Hop("UDP", Address("192.0.2.1", 5060), Address("192.0.2.2", 5060))
TCP = Hop("TCP", Address("192.0.2.1", 5060), Address("192.0.2.2", 5060))


def request(
    method: str = "INVITE",
    *,
    branch: str = "z9hG4bK-1",
    cseq: int = 1,
    to_tag: str | None = None,
    from_tag: str = "alice",
    sent_by: str = "192.0.2.1:5060",
    uri: str = "sip:bob@192.0.2.2",
    extra: str = "",
) -> Request:
    to = "<sip:bob@192.0.2.2>" + (f";tag={to_tag}" if to_tag else "")
    text = (
        f"{method} {uri} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {sent_by};branch={branch}\r\n"
        "Max-Forwards: 70\r\n"
        f"From: <sip:alice@192.0.2.1>;tag={from_tag}\r\n"
        f"To: {to}\r\n"
        "Call-ID: call-1\r\n"
        f"CSeq: {cseq} {method}\r\n"
        f"{extra}"
        "Content-Length: 0\r\n\r\n"
    )
    message = parse(text.encode())
    assert isinstance(message, Request)
    return message


def answer(to: Request, status: int, tag: str | None = "bob", extra: str = "") -> Response:
    response = response_to(to, status, to_tag=tag)
    for line in extra.splitlines():
        name, _, value = line.partition(":")
        response.headers.add(name.strip(), value.strip())
    return response


def sent(outputs: list[Output]) -> list[Request | Response]:
    """The messages among the outputs."""
    return [parse(output.data) for output in outputs if isinstance(output, Transmit)]


def names(outputs: list[Output]) -> list[str]:
    """What came out, in words: `> INVITE` and `> 200` for messages, class names for events."""
    words = []
    for output in outputs:
        if isinstance(output, Transmit):
            message = parse(output.data)
            words.append(f"> {message.method if isinstance(message, Request) else message.status}")
        else:
            words.append(type(output).__name__)
    return words
