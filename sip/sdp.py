"""Session descriptions (RFC 8866, RFC 4566): bytes in, frozen values out, and back.

Lenient in: any line end, missing `s=`, `t=` or `o=`, lines in an odd order, lines that a call has no use for
(they are dropped). Strict out: every mandatory line, in order, and no line break that a value smuggled in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from sip.crypto import Secret

MAX_SDP: Final = 16384
"""Bytes of a description."""
MAX_LINES: Final = 512
MAX_MEDIA: Final = 16
"""Media lines of a description; an answer repeats them all."""

Attributes = tuple[tuple[str, str | None], ...]
"""`a=` lines in order: name and value, None for a flag such as `sendonly`; keys are `Secret`."""


class SdpError(ValueError):
    """Not a session description; the text says which line is wrong."""


class Direction(Enum):
    """Which way media flows, as seen by the one who says it."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @classmethod
    def of(cls, send: bool, receive: bool) -> Direction:
        return _DIRECTIONS[send, receive]

    @property
    def send(self) -> bool:
        return self in (Direction.SENDRECV, Direction.SENDONLY)

    @property
    def receive(self) -> bool:
        return self in (Direction.SENDRECV, Direction.RECVONLY)

    @property
    def reversed(self) -> Direction:
        """The same flow as the other side sees it."""
        return Direction.of(self.receive, self.send)

    def __and__(self, other: Direction) -> Direction:
        """What both allow."""
        return Direction.of(self.send and other.send, self.receive and other.receive)


_DIRECTIONS: Final = {
    (True, True): Direction.SENDRECV,
    (True, False): Direction.SENDONLY,
    (False, True): Direction.RECVONLY,
    (False, False): Direction.INACTIVE,
}


@dataclass(frozen=True, slots=True)
class Origin:
    """The `o=` line: who described the session, and which version of the description this is."""

    username: str
    session_id: str
    version: str
    address: str

    def __str__(self) -> str:
        family = _family(self.address)
        return f"{self.username} {self.session_id} {self.version} IN {family} {self.address}"


@dataclass(frozen=True, slots=True)
class Rtpmap:
    """What a payload type means: `encoding/clock_rate` (and channels, of which telephony knows one)."""

    payload_type: int
    encoding: str
    clock_rate: int

    def matches(self, encoding: str, clock_rate: int) -> bool:
        return self.encoding.lower() == encoding.lower() and self.clock_rate == clock_rate


_STATIC: Final = {
    rtpmap.payload_type: rtpmap
    for rtpmap in (
        Rtpmap(0, "PCMU", 8000),
        Rtpmap(8, "PCMA", 8000),
        Rtpmap(9, "G722", 8000),
        Rtpmap(13, "CN", 8000),
    )
}
"""The payload types of RFC 3551 that need no rtpmap; G.722's clock rate is 8000 by an old mistake (4.5.2)."""


@dataclass(frozen=True, slots=True)
class MediaDescription:
    """One `m=` line with all that belongs to it. Port 0: the stream is refused, or gone."""

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    attributes: Attributes = ()
    connection: str | None = None
    """Address of its own `c=` line."""

    def attribute(self, name: str) -> str | None:
        """Value of the first attribute of that name, `""` for a flag, None when absent."""
        return next((value or "" for key, value in self.attributes if key == name), None)

    def values(self, name: str) -> list[str]:
        """Values of all attributes of that name."""
        return [value or "" for key, value in self.attributes if key == name]

    @property
    def direction(self) -> Direction | None:
        """The direction that the media section itself states."""
        return _direction(self.attributes)

    @property
    def rtpmaps(self) -> list[Rtpmap]:
        """The meaning of each format in order of preference; formats without a known meaning are left out."""
        stated: dict[int, Rtpmap] = {}
        for name, value in self.attributes:
            match = _RTPMAP.fullmatch(value) if name == "rtpmap" and value else None
            if match:
                stated.setdefault(int(match[1]), Rtpmap(int(match[1]), match[2], int(match[3])))
        numbers = [int(text) for text in self.formats if re.fullmatch("[0-9]{1,3}", text)]
        maps = (
            stated.get(number) or _STATIC.get(number) for number in dict.fromkeys(numbers) if number < 128
        )
        return [rtpmap for rtpmap in maps if rtpmap is not None]

    @property
    def ptime_ms(self) -> int | None:
        """Packet length that the description asks for, held within its maxptime; None: unsaid."""
        asked, most = _milliseconds(self.attribute("ptime")), self.maxptime_ms
        if asked is None or most is None:
            return asked
        return min(asked, most)

    @property
    def maxptime_ms(self) -> int | None:
        """The longest packets that it takes; None: unsaid."""
        return _milliseconds(self.attribute("maxptime"))

    def refused(self) -> MediaDescription:
        """The same line with port 0, as an answer refuses it (RFC 3264 section 6)."""
        return MediaDescription(self.kind, 0, self.protocol, self.formats or ("0",))


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """A whole description. What is not said here (times, bandwidth, titles) has no meaning for a call."""

    origin: Origin
    media: tuple[MediaDescription, ...]
    connection: str | None = None
    """Address of the session's `c=` line."""
    attributes: Attributes = ()
    name: str = "-"

    def address_of(self, media: MediaDescription) -> str | None:
        """Where the media goes: its own `c=`, or the session's."""
        return media.connection or self.connection

    def direction_of(self, media: MediaDescription) -> Direction:
        """The media's direction, else the session's, else sendrecv."""
        return media.direction or _direction(self.attributes) or Direction.SENDRECV

    def to_bytes(self) -> bytes:
        """The description on the wire; raises `SdpError` rather than write a line break inside a value."""
        lines = ["v=0", f"o={self.origin}", f"s={self.name or '-'}"]
        if self.connection is not None:
            lines.append(_connection_line(self.connection))
        lines.append("t=0 0")
        lines += _attribute_lines(self.attributes)
        for media in self.media:
            lines.append(f"m={media.kind} {media.port} {media.protocol} {' '.join(media.formats)}")
            if media.connection is not None:
                lines.append(_connection_line(media.connection))
            lines += _attribute_lines(media.attributes)
        if any("\r" in line or "\n" in line for line in lines):
            raise SdpError("a line break inside a value")
        return ("\r\n".join(lines) + "\r\n").encode("utf-8", "surrogateescape")


_MEDIA: Final = re.compile(r"(\S+)\s+([0-9]{1,5})(?:/[0-9]+)?\s+(\S+)((?:\s+\S+)*)")
_RTPMAP: Final = re.compile(r"\s*([0-9]{1,3})\s+([^\s/]+)\s*/\s*([0-9]{1,6})(?:\s*/\s*1)?\s*")
_CONNECTION: Final = re.compile(r"IN\s+IP[46]\s+([^\s/]+)(?:/\S*)?", re.IGNORECASE)
_UNKNOWN_ORIGIN: Final = Origin("-", "0", "0", "0.0.0.0")


def parse_sdp(data: bytes) -> SessionDescription:
    """Parses a description; raises `SdpError`."""
    if len(data) > MAX_SDP:
        raise SdpError(f"the description is longer than {MAX_SDP} bytes")
    lines = [line.strip() for line in data.decode("utf-8", "surrogateescape").split("\n")]
    if len(lines) > MAX_LINES:
        raise SdpError(f"the description has more than {MAX_LINES} lines")
    origin, name, version = _UNKNOWN_ORIGIN, "-", False
    session = _Section()
    section, media = session, list[_Section]()
    for line in lines:
        if not line:
            continue
        kind, value = line[0], line[2:].strip()
        if line[1:2] != "=":
            raise SdpError(f"not a line of a session description: {line[:40]!r}")
        if kind == "v":
            if value != "0":
                raise SdpError(f"unknown version: {line[:40]!r}")
            version = True
        elif kind == "o":
            origin = _origin(value)
        elif kind == "s":
            name = value or "-"
        elif kind == "c":
            section.connection = _connection(value)
        elif kind == "a":
            section.add_attribute(value)
        elif kind == "m":
            if len(media) == MAX_MEDIA:
                raise SdpError(f"more than {MAX_MEDIA} media lines")
            section = _Section(value)
            media.append(section)
    if not version:
        raise SdpError("there is no v=0 line")
    return SessionDescription(
        origin, tuple(part.media() for part in media), session.connection, tuple(session.attributes), name
    )


class _Section:
    """What has been read of the session (no `m=` line) or of one media description."""

    __slots__ = ("attributes", "connection", "line")

    def __init__(self, line: str = "") -> None:
        self.line = line
        self.connection: str | None = None
        self.attributes: list[tuple[str, str | None]] = []

    def add_attribute(self, value: str) -> None:
        name, colon, text = value.partition(":")
        name, text = name.strip().lower(), text.strip()
        if name:
            self.attributes.append((name, (Secret(text) if name == "crypto" else text) if colon else None))

    def media(self) -> MediaDescription:
        match = _MEDIA.fullmatch(self.line)
        if match is None or int(match[2]) > 65535:
            raise SdpError(f"malformed media line: {self.line[:60]!r}")
        kind, port, protocol, formats = match.groups()
        return MediaDescription(
            kind.lower(),
            int(port),
            protocol.upper(),
            tuple(formats.split()),
            tuple(self.attributes),
            self.connection,
        )


def _origin(value: str) -> Origin:
    """The fields of an `o=` line; those that are missing are made up: a call does not need them."""
    words = [*value.split()[:6], *("-", "0", "0", "IN", "IP4", "0.0.0.0")[len(value.split()) :]]
    return Origin(words[0], words[1], words[2], words[5])


def _connection(value: str) -> str:
    match = _CONNECTION.fullmatch(value)
    if match is None:
        raise SdpError(f"malformed connection line: {value[:60]!r}")
    return match[1]


def _connection_line(address: str) -> str:
    return f"c=IN {_family(address)} {address}"


def _family(address: str) -> str:
    return "IP6" if ":" in address else "IP4"


def _attribute_lines(attributes: Attributes) -> list[str]:
    return [f"a={name}" if value is None else f"a={name}:{value}" for name, value in attributes]


def _direction(attributes: Attributes) -> Direction | None:
    for name, _ in attributes:
        if name in _NAMES:
            return Direction(name)
    return None


_NAMES: Final = frozenset(direction.value for direction in Direction)


def _milliseconds(text: str | None) -> int | None:
    """A packet length; some write it with a fraction."""
    match = re.fullmatch(r"([0-9]{1,4})(?:\.[0-9]*)?", text or "")
    return int(match[1]) or None if match else None


def ip_of(address: str | None) -> IPv4Address | IPv6Address | None:
    """The address as an IP, or None for a host name or nothing; IPv4 in its own form also when mapped into
    IPv6 (RFC 5118 4.9)."""
    try:
        ip = ip_address(address or "")
    except ValueError:
        return None
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    return ip
