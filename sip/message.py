"""SIP messages (RFC 3261 section 7): bytes in, `Request` or `Response` out, and back.

Lenient in: compact and oddly spelled names, folded lines, bare LF line ends, spaces around separators. Strict
out: one canonical form, a computed Content-Length, and no line break that a value smuggled in. Header text is
UTF-8; bytes that are not survive a round trip as surrogates.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from sip.headers import KNOWN, CSeq, Headers, Via, canonical, is_token
from sip.params import split_commas
from sip.reasons import REASONS
from sip.uri import NameAddr, Uri, UriError

__all__ = [
    "MAX_FORWARDS",
    "MAX_HEADER",
    "MAX_HEADERS",
    "MAX_MESSAGE",
    "REASONS",
    "CSeq",
    "Headers",
    "Message",
    "ParseError",
    "Request",
    "Response",
    "Via",
    "content_length",
    "end_of_head",
    "new_request",
    "parse",
    "parse_head",
    "response_to",
]

MAX_MESSAGE: Final = 65536
"""Bytes of a whole message."""
MAX_HEADERS: Final = 256
"""Header fields of a message."""
MAX_HEADER: Final = 8192
"""Characters of one header field, unfolded."""

MAX_FORWARDS: Final = "70"
"""Of our requests (RFC 3261 8.1.1.6)."""

_UNKNOWN_URI: Final = Uri("sip", None, "invalid.invalid")
_VERSION: Final = "SIP/2.0"
_REQUIRED: Final = ("Via", "From", "To", "Call-ID", "CSeq")
_SINGLE: Final = frozenset({"from", "to", "call-id", "cseq", "max-forwards"})
_FOLD: Final = re.compile(r"\r?\n[ \t]+")
_DIGITS: Final = re.compile(r"[0-9]{1,10}")
_ENCODING: Final = ("utf-8", "surrogateescape")


class ParseError(ValueError):
    """The bytes are not an acceptable SIP message.

    `status` is the answer that RFC 3261 asks for. `request` is a request of which at least the topmost Via
    can be read, for `response_to` (its URI may be a placeholder); None when nothing can be answered: then
    stay silent.
    """

    def __init__(self, text: str, status: int = 400, request: Request | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.request = request


_T = TypeVar("_T")


class _Message:
    """What requests and responses share. Typed values are parsed when asked for, once until changed."""

    __slots__ = ("_typed", "body", "headers")

    def __init__(self, headers: Headers, body: bytes) -> None:
        self.headers = headers
        self.body = body
        self._typed: dict[str, tuple[str, object]] = {}

    def _value(self, name: str, parser: Callable[[str], _T]) -> _T:
        """The typed value of a header that must be there; raises ParseError."""
        raw = self.headers.get(name)
        if raw is None:
            raise ParseError(f"the {name} header is missing")
        return self._cached(name, raw, parser)

    def _cached(self, name: str, raw: str, parser: Callable[[str], _T]) -> _T:
        held = self._typed.get(name)
        if held is not None and held[0] is raw:
            return held[1]  # type: ignore[return-value]
        try:
            value = parser(raw)
        except ValueError as error:
            raise ParseError(f"{name}: {error}") from error
        self._typed[name] = (raw, value)
        return value

    @property
    def via(self) -> Via:
        """The topmost Via."""
        return self._value("Via", _first_via)

    @property
    def vias(self) -> list[Via]:
        return self._list("Via", Via.parse)

    @property
    def from_(self) -> NameAddr:
        return self._value("From", NameAddr.parse)

    @property
    def to(self) -> NameAddr:
        return self._value("To", NameAddr.parse)

    @property
    def call_id(self) -> str:
        return self._value("Call-ID", str)

    @property
    def cseq(self) -> CSeq:
        return self._value("CSeq", CSeq.parse)

    @property
    def contact(self) -> NameAddr | None:
        """The first Contact; None when absent or `*`. Raises ParseError when malformed."""
        values = self.headers.get_all("Contact")
        if not values or values[0] == "*":
            return None
        return _typed_or_error("Contact", NameAddr.parse, values[0])

    @property
    def routes(self) -> list[NameAddr]:
        return self._list("Route", NameAddr.parse_route)

    @property
    def record_routes(self) -> list[NameAddr]:
        return self._list("Record-Route", NameAddr.parse_route)

    @property
    def max_forwards(self) -> int | None:
        """0-255; None when absent. Raises ParseError."""
        raw = self.headers.get("Max-Forwards")
        return None if raw is None else self._cached("Max-Forwards", raw, _max_forwards)

    @property
    def content_type(self) -> str | None:
        """The media type in lower case without its parameters, as `application/sdp`."""
        raw = self.headers.get("Content-Type")
        return None if raw is None else "".join(raw.partition(";")[0].split()).lower()

    def _list(self, name: str, parser: Callable[[str], _T]) -> list[_T]:
        return [_typed_or_error(name, parser, value) for value in self.headers.get_all(name)]

    def _written(self, start: str) -> bytes:
        lines = [start]
        lines += [f"{name}: {value}" for name, value in self.headers if name != "Content-Length"]
        lines.append(f"Content-Length: {len(self.body)}\r\n\r\n")
        head = "\r\n".join(lines)
        if not head.count("\n") == head.count("\r") == head.count("\r\n") == len(lines) + 1:
            raise ValueError("the message cannot be written: a line break inside a value")
        return head.encode(*_ENCODING) + self.body


class Request(_Message):
    """A SIP request. Headers and body may be changed in place; Content-Length is computed on writing."""

    __slots__ = ("method", "uri")

    def __init__(self, method: str, uri: Uri, headers: Headers | None = None, body: bytes = b"") -> None:
        super().__init__(Headers() if headers is None else headers, body)
        self.method = method
        self.uri = uri

    def to_bytes(self) -> bytes:
        """The message on the wire; raises ValueError rather than write one that means something else."""
        if not is_token(self.method):
            raise ValueError(f"not a method: {self.method[:40]!r}")
        return self._written(f"{self.method} {self.uri} {_VERSION}")

    def __repr__(self) -> str:
        return f"Request({self.method} {self.uri})"


class Response(_Message):
    """A SIP response, status 100 to 699."""

    __slots__ = ("reason", "status")

    def __init__(
        self, status: int, reason: str | None = None, headers: Headers | None = None, body: bytes = b""
    ) -> None:
        super().__init__(Headers() if headers is None else headers, body)
        self.status = status
        self.reason = REASONS.get(status, "") if reason is None else reason

    def to_bytes(self) -> bytes:
        """The message on the wire; raises ValueError rather than write one that means something else."""
        if not 100 <= self.status <= 699:
            raise ValueError(f"not a status: {self.status}")
        return self._written(f"{_VERSION} {self.status} {self.reason}")

    def __repr__(self) -> str:
        return f"Response({self.status} {self.reason})"


Message = Request | Response


def parse(data: bytes) -> Message:
    """Parses one datagram; raises `ParseError`. Bytes past Content-Length are dropped (RFC 3261 18.3)."""
    if len(data) > MAX_MESSAGE:
        raise ParseError(f"the message is longer than {MAX_MESSAGE} bytes", 513)
    data = data.lstrip(b"\r\n")
    end = end_of_head(data, 0)
    return parse_head(data, b"") if end is None else parse_head(data[: end[0]], data[end[1] :])


def end_of_head(data: bytes | bytearray, start: int) -> tuple[int, int] | None:
    """Where the line before the empty line ends (its CR may follow) and where the body begins."""
    crlf = data.find(b"\n\r\n", start)
    lf = data.find(b"\n\n", start, len(data) if crlf < 0 else crlf + 1)
    if lf >= 0:
        return lf, lf + 2
    return (crlf, crlf + 3) if crlf >= 0 else None


def parse_head(head: bytes, body: bytes) -> Message:
    """Parses start line and header fields (no empty line) and attaches the body; raises `ParseError`."""
    text = head.decode(*_ENCODING)
    if "\n " in text or "\n\t" in text:
        text = _FOLD.sub(" ", text)
    lines = text.split("\n")
    start = lines[0].strip()
    if "\r" in start:
        raise ParseError("a line break inside the start line")
    try:
        headers, problem = _headers(lines)
        message: Message
        if start[:4].upper() == "SIP/":
            message = _response(start, headers, body)
        else:
            message, bad_start = _request(start, headers, body)
            problem = bad_start or problem
    except ValueError as error:
        raise error if isinstance(error, ParseError) else ParseError(str(error)) from error
    request = message if isinstance(message, Request) else None
    try:
        if problem is None:
            _check(message)
            message.body = _body(headers, body)
            return message
    except ParseError as error:
        problem = error
    raise ParseError(str(problem), problem.status, request if request and _answerable(request) else None)


def _headers(lines: list[str]) -> tuple[Headers, ParseError | None]:
    """The fields that could be read, and the first thing that is wrong with them."""
    items: list[tuple[str, str, str]] = []
    problem: ParseError | None = None
    if len(lines) > MAX_HEADERS + 2:
        problem = ParseError(f"more than {MAX_HEADERS} header fields", 513)
    for line in lines[1 : MAX_HEADERS + 2]:
        name, colon, value = line.partition(":")
        if not colon:
            if line.strip("\r"):
                problem = problem or ParseError(f"a header line without a colon: {line[:40]!r}")
            continue
        value = value.strip()
        if len(line) > MAX_HEADER or "\r" in value:
            problem = problem or ParseError(f"the header {name[:40]!r} is too long or holds a line break")
            continue
        known = KNOWN.get(name)
        if known is None:
            try:
                known = canonical(name.rstrip(" \t"))
            except ValueError as error:
                problem = problem or ParseError(str(error))
                continue
        items.append((known[0], known[1], value))
    return Headers.from_fields(items), problem


def _request(start: str, headers: Headers, body: bytes) -> tuple[Request, ParseError | None]:
    parts = start.split()
    if len(parts) < 3 or not is_token(parts[0]):
        raise ParseError(f"not a SIP start line: {start[:80]!r}")
    request = Request(parts[0], _UNKNOWN_URI, headers, body)
    if parts[-1].upper() != _VERSION:
        if parts[-1][:4].upper() == "SIP/":
            return request, ParseError(f"version {parts[-1][:40]!r} is not supported", 505)
        raise ParseError(f"not a SIP start line: {start[:80]!r}")
    if len(parts) > 3:
        return request, ParseError("the Request-URI holds a space")
    try:
        request.uri = Uri.parse(parts[1])
    except UriError as error:
        return request, ParseError(f"Request-URI: {error}", 414 if len(parts[1]) > 2048 else 400)
    return request, None


def _response(start: str, headers: Headers, body: bytes) -> Response:
    version, _, rest = start.partition(" ")
    code, _, reason = rest.strip().partition(" ")
    if version.upper() != _VERSION or not re.fullmatch("[1-6][0-9][0-9]", code):
        raise ParseError(f"not a SIP start line: {start[:80]!r}")
    return Response(int(code), reason.strip(), headers, body)


def _check(message: Message) -> None:
    """What RFC 3261 8.1.1 makes mandatory is there, once and well-formed; raises ParseError."""
    single = [key for key in message.headers.names() if key in _SINGLE]
    if len(set(single)) != len(single):
        raise ParseError("a header that may stand once stands twice")
    message.via, message.from_, message.to  # noqa: B018
    for rest in split_commas(message.headers.get("Via") or "")[1:]:
        _typed_or_error("Via", Via.parse, rest)
    if not message.call_id:
        raise ParseError("the Call-ID is empty")
    cseq = message.cseq
    if isinstance(message, Request):
        if cseq.method != message.method:
            raise ParseError(f"the CSeq names {cseq.method[:40]!r}, the request is {message.method[:40]!r}")
        _ = message.max_forwards


def content_length(headers: Headers) -> int | None:
    """The announced length of the body in bytes; None when there is none. Raises ParseError."""
    values = headers.get_all("Content-Length")
    if not values:
        return None
    if len(set(values)) != 1 or not _DIGITS.fullmatch(values[0]):
        raise ParseError(f"bad Content-Length: {values[0][:40]!r}")
    return int(values[0])


def _body(headers: Headers, body: bytes) -> bytes:
    length = content_length(headers)
    if length is None or length == len(body):
        return body
    if length > len(body):
        raise ParseError(f"Content-Length is {length}, the body has {len(body)} bytes")
    return body[:length]


def _answerable(request: Request) -> bool:
    """Whether we know where an answer goes; what else it should hold may be missing (RFC 4475 3.3.1)."""
    if request.method == "ACK":
        return False
    try:
        return request.via is not None
    except ParseError:
        return False


def _first_via(text: str) -> Via:
    return Via.parse(next(iter(split_commas(text)), text))


def _max_forwards(text: str) -> int:
    if not _DIGITS.fullmatch(text) or int(text) > 255:
        raise ValueError(f"not a hop count: {text[:40]!r}")
    return int(text)


def _typed_or_error(name: str, parser: Callable[[str], _T], value: str) -> _T:
    try:
        return parser(value)
    except ValueError as error:
        raise ParseError(f"{name}: {error}") from error


def new_request(
    method: str,
    uri: Uri,
    *,
    from_: NameAddr,
    to: NameAddr,
    call_id: str,
    cseq: int,
    routes: Iterable[str] = (),
    fields: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
) -> Request:
    """A request with the headers that RFC 3261 8.1.1 asks for, then `fields`; the Via comes from its sender.

    Raises ValueError for a field that cannot be written.
    """
    headers = Headers()
    headers.add("Max-Forwards", MAX_FORWARDS)
    for route in routes:
        headers.add("Route", route)
    headers.add("From", str(from_))
    headers.add("To", str(to))
    headers.add("Call-ID", call_id)
    headers.add("CSeq", f"{cseq} {method}")
    for name, value in fields:
        headers.add(name, value)
    return Request(method, uri, headers, body)


def response_to(
    request: Request, status: int, reason: str | None = None, to_tag: str | None = None
) -> Response:
    """A response with the headers of the request that RFC 3261 8.2.6.2 names, and Record-Route (12.1.1).

    `to_tag` is added to To when that has none yet (never to a 100).
    """
    copied = Headers()
    for name in _REQUIRED:
        for key_name, value in request.headers:
            if key_name != name:
                continue
            if name == "To" and to_tag is not None and status != 100 and not _has_tag(request):
                value = f"{value};tag={to_tag}"
            copied.add(name, value)
    if 100 < status < 300:
        for name, value in request.headers:
            if name == "Record-Route":
                copied.add(name, value)
    elif status == 100 and (stamp := request.headers.get("Timestamp")) is not None:
        copied.add("Timestamp", stamp)
    return Response(status, reason, copied)


def _has_tag(request: Request) -> bool:
    try:
        return request.to.tag is not None
    except ParseError:
        return True
