"""SIP header fields: the ordered multi-map of a message, and the typed values Via and CSeq."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from sip.params import Params, format_params, param, parse_params, split_commas, with_param
from sip.uri import host_text

_COMPACT: Final = {
    "a": "Accept-Contact",
    "b": "Referred-By",
    "c": "Content-Type",
    "d": "Request-Disposition",
    "e": "Content-Encoding",
    "f": "From",
    "i": "Call-ID",
    "j": "Reject-Contact",
    "k": "Supported",
    "l": "Content-Length",
    "m": "Contact",
    "n": "Identity-Info",
    "o": "Event",
    "r": "Refer-To",
    "s": "Subject",
    "t": "To",
    "u": "Allow-Events",
    "v": "Via",
    "x": "Session-Expires",
    "y": "Identity",
}


def _words(text: str) -> list[str]:
    return text.split()


_LISTS: Final = frozenset(
    _words(
        "accept accept-encoding accept-language alert-info allow allow-events call-info contact "
        "content-encoding content-language diversion error-info history-info in-reply-to p-asserted-identity "
        "p-preferred-identity path privacy proxy-require reason record-route require route security-client "
        "security-server security-verify service-route supported unsupported via warning"
    )
)
"""Fields whose grammar is a comma list. Challenges are not: commas separate their parameters too."""

_NAMES: Final = _words(
    "Accept Allow Authorization Content-Disposition CSeq Date Diversion Expires Max-Forwards Min-Expires "
    "Min-SE P-Asserted-Identity P-Early-Media Privacy Proxy-Authenticate Proxy-Authorization RAck Reason "
    "Record-Route Replaces Require Retry-After Route RSeq Server Subscription-State Timestamp Unsupported "
    "User-Agent Warning WWW-Authenticate"
)

KNOWN: Final[dict[str, tuple[str, str]]] = {}
"""Every usual spelling of a name to (lower-case key, name as written): no regular expression per field."""
for _name in (*_NAMES, *_COMPACT.values()):
    for _spelling in (_name, _name.lower(), _name.upper(), _name.title()):
        KNOWN[_spelling] = (_name.lower(), _name)
for _letter, _name in _COMPACT.items():
    KNOWN[_letter] = KNOWN[_letter.upper()] = (_name.lower(), _name)

_TOKEN: Final = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+")


def is_token(text: str) -> bool:
    """Whether the text is a token of RFC 3261 section 25.1 (a method, a header name)."""
    return _TOKEN.fullmatch(text) is not None


def canonical(name: str) -> tuple[str, str]:
    """(key, written name) of a header name, compact names expanded; raises ValueError for what is no name."""
    known = KNOWN.get(name)
    if known is not None:
        return known
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"not a header name: {name[:40]!r}")
    key = name.lower()
    return KNOWN.get(key) or (key, name)


def _checked(value: str) -> str:
    if "\r" in value or "\n" in value:
        raise ValueError("a header value cannot hold a line break")
    return value


class Headers:
    """Header fields in order. Names are case-insensitive; a name may occur more than once."""

    __slots__ = ("_items",)

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self._items: list[tuple[str, str, str]] = []  # key, name as written, value
        for name, value in items:
            self.add(name, value)

    @classmethod
    def from_fields(cls, items: list[tuple[str, str, str]]) -> Headers:
        """Takes over fields as (lower-case key, name as written, value), unchecked; for the parser."""
        headers = cls()
        headers._items = items
        return headers

    def get(self, name: str) -> str | None:
        """The first value of that name, unsplit."""
        known = KNOWN.get(name)
        key = known[0] if known else canonical(name)[0]
        for held, _, value in self._items:
            if held == key:
                return value
        return None

    def get_all(self, name: str) -> list[str]:
        """All values of that name; comma lists are split where the grammar of the header field allows."""
        key = canonical(name)[0]
        values = [value for held, _, value in self._items if held == key]
        if key not in _LISTS:
            return values
        return [part for value in values for part in split_commas(value)]

    def add(self, name: str, value: str) -> None:
        """Appends a field; raises ValueError for a bad name or a value with a line break."""
        self._items.append((*canonical(name), _checked(value)))

    def prepend(self, name: str, value: str) -> None:
        """Puts a field before all others (Via, Record-Route)."""
        self._items.insert(0, (*canonical(name), _checked(value)))

    def set(self, name: str, value: str) -> None:
        """Replaces every field of that name by one, in the place of the first."""
        key, written = canonical(name)
        at = next((i for i, item in enumerate(self._items) if item[0] == key), len(self._items))
        rest = [item for item in self._items[at:] if item[0] != key]
        self._items[at:] = [(key, written, _checked(value)), *rest]

    def replace_first(self, name: str, value: str) -> None:
        """Replaces the first element only, also in a comma list; KeyError when there is none."""
        key, written = canonical(name)
        for at, (held, _, old) in enumerate(self._items):
            if held == key:
                rest = split_commas(old)[1:] if key in _LISTS else []
                self._items[at] = (key, written, _checked(", ".join([value, *rest])))
                return
        raise KeyError(name)

    def remove(self, name: str) -> None:
        """Drops every field of that name; nothing happens when there is none."""
        key = canonical(name)[0]
        self._items = [item for item in self._items if item[0] != key]

    def copy(self) -> Headers:
        return Headers.from_fields(list(self._items))

    def names(self) -> list[str]:
        """The lower-case name of each field, in order, with repetitions."""
        return [key for key, _, _ in self._items]

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return ((name, value) for _, name, value in self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Headers):
            return NotImplemented
        return [(k, v) for k, _, v in self._items] == [(k, v) for k, _, v in other._items]

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Headers({list(self)!r})"


def delta_seconds(text: str | None) -> float | None:
    """The seconds of an Expires, Min-Expires or Retry-After; None for what is none."""
    match = re.match(r"\s*([0-9]{1,10})", text or "")
    return float(match[1]) if match else None


_VIA: Final = re.compile(
    r"\s*SIP\s*/\s*[0-9]+\.[0-9]+\s*/\s*([A-Za-z0-9\-.!%*_+`'~]+)\s+(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._\-]+)\s*(?::\s*([0-9]{1,5})\s*)?(;|\Z)",
    re.IGNORECASE,
)
_CSEQ: Final = re.compile(r"\s*([0-9]{1,20})\s+(\S+)\s*")


@dataclass(frozen=True, slots=True)
class Via:
    """One hop (RFC 3261 20.42, RFC 3581). An IPv6 host is held without its brackets.

    Any version of SIP is read, so that who speaks another can be told (505).
    """

    transport: str
    host: str
    port: int | None = None
    params: Params = ()

    @classmethod
    def parse(cls, text: str) -> Via:
        """Parses one Via value; raises ValueError."""
        match = _VIA.match(text)
        if match is None:
            raise ValueError(f"malformed Via: {text[:80]!r}")
        transport, host, digits, _ = match.groups()
        port = int(digits) if digits else None
        if port is not None and port > 65535:
            raise ValueError(f"the Via's port {port} is out of range")
        host = host[1:-1] if host[0] == "[" else host
        return cls(transport.upper(), host, port, parse_params(text[match.end() :]))

    def __str__(self) -> str:
        port = f":{self.port}" if self.port is not None else ""
        return f"SIP/2.0/{self.transport} {host_text(self.host)}{port}{format_params(self.params)}"

    def param(self, name: str) -> str | None:
        """A parameter's value, `""` for a flag, None when absent. `name` in lower case."""
        return param(self.params, name)

    def with_param(self, name: str, value: str | None = None) -> Via:
        return replace(self, params=with_param(self.params, name, value))

    @property
    def branch(self) -> str | None:
        return param(self.params, "branch") or None

    @property
    def received(self) -> str | None:
        """The source address that the receiver saw, IPv6 without brackets."""
        return (param(self.params, "received") or "").strip("[]") or None

    @property
    def rport(self) -> int | None:
        """The source port that the receiver saw; None when absent or still to be filled in."""
        value = param(self.params, "rport")
        return int(value) if value and re.fullmatch("[0-9]{1,5}", value) else None

    @property
    def wants_rport(self) -> bool:
        """Whether the sender asks for its source port (`;rport`, RFC 3581)."""
        return param(self.params, "rport") is not None


@dataclass(frozen=True, slots=True)
class CSeq:
    """`number method`; the number is below 2**31 (RFC 3261 8.1.1.5)."""

    number: int
    method: str

    @classmethod
    def parse(cls, text: str) -> CSeq:
        """Parses the value; raises ValueError."""
        match = _CSEQ.fullmatch(text)
        if match is None or not is_token(match[2]):
            raise ValueError(f"malformed CSeq: {text[:80]!r}")
        number = int(match[1])
        if number >= 2**31:
            raise ValueError(f"CSeq {number} is out of range")
        return cls(number, match[2])

    def __str__(self) -> str:
        return f"{self.number} {self.method}"
