"""Bodies of several parts (RFC 2046 5.1, RFC 5621): finds the one part of a type that we understand. Pure."""

from __future__ import annotations

import re
from typing import Final

from sip.message import Message
from sip.params import param, parse_params
from sip.refusal import Refused

SDP: Final = "application/sdp"

_MAX_PARTS: Final = 16
_MAX_HEAD: Final = 4096
"""Bytes of one part's header fields."""
_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")


class MultipartError(Refused):
    """The body is not what its Content-Type says."""

    def __init__(self, text: str) -> None:
        super().__init__(text, 400)


class NoSdp(Refused):
    """The body holds nothing that we understand."""

    def __init__(self, text: str) -> None:
        super().__init__(text, 415, (("Accept", SDP),))


def sdp_in(message: Message) -> bytes:
    """As `sdp_of`, for a message."""
    return sdp_of(message.headers.get("Content-Type"), message.body)


def sdp_of(content_type: str | None, body: bytes) -> bytes:
    """The session description of a message with that Content-Type; empty when there is no body at all.

    Raises `NoSdp`, or `MultipartError` for a multipart body that is broken. Of several descriptions the first
    counts. A body without a Content-Type is taken for SDP, as it always was.
    """
    if not body:
        return b""
    if content_type is None:
        return body
    kind, _, rest = content_type.partition(";")
    kind = "".join(kind.split()).lower()
    if kind == SDP:
        return body
    if not kind.startswith("multipart/"):
        raise NoSdp(f"{kind[:60]} is not understood here")
    for part_type, content in _parts(_boundary(rest), body):
        if part_type == SDP:
            return content
    raise NoSdp("no part of the body is a session description")


def _boundary(params: str) -> bytes:
    try:
        boundary = param(parse_params(params), "boundary") or ""
    except ValueError as error:
        raise MultipartError(f"Content-Type: {error}") from error
    if not _BOUNDARY.fullmatch(boundary):
        raise MultipartError("a multipart body without a usable boundary")
    return boundary.encode("ascii")


def _parts(boundary: bytes, body: bytes) -> list[tuple[str, bytes]]:
    """(media type, content) of each part, in order."""
    # A delimiter begins a line, may have blanks behind it, and takes the line break before it with itself.
    delimiter = re.compile(rb"(?:\A|\r?\n)--" + re.escape(boundary) + rb"(--)?[ \t]*(?:\r?\n|\Z)")
    parts: list[tuple[str, bytes]] = []
    begins: int | None = None
    at = 0
    while True:
        found = delimiter.search(body, at)
        if found is None:
            raise MultipartError("the last boundary of a multipart body is missing")
        if begins is not None:
            parts.append(_part(body[begins : found.start()]))
            if len(parts) > _MAX_PARTS:
                raise MultipartError(f"a multipart body of more than {_MAX_PARTS} parts")
        if found[1] is not None:
            return parts
        begins = found.end()
        # The line break of this delimiter may be the one before the next: an empty part.
        at = begins - (2 if body[begins - 2 : begins] == b"\r\n" else 1) if begins < len(body) else begins


def _part(data: bytes) -> tuple[str, bytes]:
    if data.startswith((b"\r\n", b"\n")):
        return "text/plain", data.lstrip(b"\r").removeprefix(b"\n")
    head, blank, content = _split(data)
    if len(head) > _MAX_HEAD:
        raise MultipartError("the header fields of a part are too long")
    kind = "text/plain"
    for line in head.decode("utf-8", "replace").splitlines():
        name, colon, value = line.partition(":")
        if colon and name.strip().lower() in ("content-type", "c"):
            kind = "".join(value.partition(";")[0].split()).lower()
        elif colon and name.strip().lower() == "content-transfer-encoding" and _encoded(value):
            raise MultipartError("a part with a transfer encoding (RFC 5621 3.1 wants binary)")
    return kind, content if blank else b""


def _encoded(value: str) -> bool:
    return value.strip().lower() not in ("binary", "8bit", "7bit")


def _split(data: bytes) -> tuple[bytes, bool, bytes]:
    found = re.search(rb"\r?\n\r?\n", data)
    if found is None:
        return data, False, b""
    return data[: found.start()], True, data[found.end() :]
