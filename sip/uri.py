"""SIP URIs (RFC 3261 section 19.1) and the name-addr form of From, To, Contact and Route (section 20.10).

Parsing is lenient, writing is strict: users and parameters are held unescaped, and escaped on the way out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote as percent_quote
from urllib.parse import unquote as percent_unquote

from sip.params import Params, format_params, param, parse_params, quote, unquote, with_param

MAX_URI: Final = 2048
"""Longest URI in characters that is accepted."""


class UriError(ValueError):
    """Not a URI, or not an address; the text says what is wrong."""


_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*")
_FORBIDDEN: Final = re.compile(r'[\x00-\x20\x7f<>"]')
_SIP: Final = re.compile(
    r"(?:([^@]*)@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._\-]+)(?::([0-9]{1,5}))?(?:;([^?]*))?(?:\?(.*))?"
)
_PLAIN: Final = re.compile(r"[A-Za-z0-9\-_.!~*'()]*")
_HOST: Final = re.compile(r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*|[A-Za-z0-9._\-]+")
_USER_SAFE: Final = "!*'()&=+$,;?/"
_PASSWORD_SAFE: Final = "!*'()&=+$,"
_PARAM_SAFE: Final = "!*'()[]/:&+$"
_HEADER_SAFE: Final = "!*'()[]/?:+$"
_OPAQUE_SAFE: Final = "!*'()&=+$,;?/:@[]%#"


def _escape(text: str, safe: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    return percent_quote(text, safe=safe, errors="surrogateescape")


def _unescape(text: str) -> str:
    return percent_unquote(text, errors="surrogateescape") if "%" in text else text


def host_text(host: str) -> str:
    """A host as it is written in a URI: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host else host


@dataclass(frozen=True, slots=True)
class Uri:
    """`sip:user@host:port;params?headers`.

    An IPv6 host is held without its brackets. Of a URI of another scheme, `user` holds all after the colon
    (of `tel`, the number without its parameters) and `host` is empty.
    """

    scheme: str
    user: str | None
    host: str
    port: int | None = None
    params: Params = ()
    headers: tuple[tuple[str, str], ...] = ()
    password: str | None = None

    @classmethod
    def parse(cls, text: str) -> Uri:
        """Parses an addr-spec or absolute URI; raises `UriError`."""
        if len(text) > MAX_URI:
            raise UriError(f"the URI is longer than {MAX_URI} characters")
        scheme, colon, rest = text.partition(":")
        if not colon or not _SCHEME.fullmatch(scheme) or not rest or _FORBIDDEN.search(rest):
            raise UriError(f"not a URI: {text[:80]!r}")
        scheme = scheme.lower()
        if scheme == "tel":
            number, _, params = rest.partition(";")
            return cls(scheme, _unescape(number), "", None, _uri_params(params))
        if scheme not in ("sip", "sips"):
            return cls(scheme, rest, "")
        match = _SIP.fullmatch(rest)
        if match is None:
            raise UriError(f"not a SIP URI: {text[:80]!r}")
        info, host, digits, params, headers = match.groups()
        port = int(digits) if digits else None
        if port is not None and port > 65535:
            raise UriError(f"port {port} is out of range")
        user = password = None
        if info is not None:
            user, has_password, secret = info.partition(":")
            user = _unescape(user)
            password = _unescape(secret) if has_password else None
        return cls(
            scheme,
            user,
            host[1:-1] if host[0] == "[" else host,
            port,
            _uri_params(params) if params else (),
            _uri_headers(headers) if headers else (),
            password,
        )

    def __str__(self) -> str:
        """The URI, escaped; raises ValueError for a host that no URI can hold."""
        if self.scheme not in ("sip", "sips"):
            # A number was unescaped when it was read; what other schemes hold was left as it is.
            safe = _OPAQUE_SAFE.replace("%", "") if self.scheme == "tel" else _OPAQUE_SAFE
            text = f"{self.scheme}:{percent_quote(self.user or '', safe=safe, errors='surrogateescape')}"
        else:
            if not _HOST.fullmatch(self.host):
                raise ValueError(f"not a host: {self.host[:80]!r}")
            text = f"{self.scheme}:"
            if self.user is not None:
                text += _escape(self.user, _USER_SAFE)
                if self.password is not None:
                    text += f":{_escape(self.password, _PASSWORD_SAFE)}"
                text += "@"
            text += host_text(self.host)
            if self.port is not None:
                text += f":{self.port}"
        for name, value in self.params:
            text += f";{_escape(name, _PARAM_SAFE)}"
            if value is not None:
                text += f"={_escape(value, _PARAM_SAFE)}"
        if self.headers:
            text += "?" + "&".join(
                f"{_escape(name, _HEADER_SAFE)}={_escape(value, _HEADER_SAFE)}"
                for name, value in self.headers
            )
        return text

    def param(self, name: str) -> str | None:
        """A parameter's value, `""` for a flag such as `lr`, None when absent. `name` in lower case."""
        return param(self.params, name)

    def with_param(self, name: str, value: str | None = None) -> Uri:
        return replace(self, params=with_param(self.params, name, value))

    @property
    def host_port(self) -> str:
        """`host` or `host:port` as written in a URI."""
        return host_text(self.host) + (f":{self.port}" if self.port is not None else "")


def _uri_params(text: str) -> Params:
    found: list[tuple[str, str | None]] = []
    for part in text.split(";"):
        if part:
            name, equals, value = part.partition("=")
            found.append((_unescape(name), _unescape(value) if equals else None))
    return tuple(found)


def _uri_headers(text: str) -> tuple[tuple[str, str], ...]:
    pairs = (part.partition("=") for part in text.split("&") if part)
    return tuple((_unescape(name), _unescape(value)) for name, _, value in pairs)


_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


@dataclass(frozen=True, slots=True)
class NameAddr:
    """`"display" <uri>;params`, the value of From, To, Contact, Route, Refer-To, P-Asserted-Identity."""

    display: str
    uri: Uri
    params: Params = ()

    @classmethod
    def parse(cls, text: str) -> NameAddr:
        """Parses a name-addr or a bare addr-spec, whose parameters then are the header's (RFC 3261 20.10).

        Raises `UriError`.
        """
        text = text.strip()
        display, start = "", 0
        if text[:1] == '"':
            match = _QUOTED.match(text)
            if match is None:
                raise UriError(f"the quoted name does not end: {text[:80]!r}")
            display, start = unquote(match[0]), match.end()
        left = text.find("<", start)
        if left < 0:
            if start:
                raise UriError(f"a name without an address: {text[:80]!r}")
            address, _, tail = text.partition(";")
            address = address.rstrip()
            if "?" in address:
                raise UriError("a URI with headers must stand in angle brackets")
            return cls("", Uri.parse(address), _params(tail))
        between = text[start:left].strip()
        if '"' in between or (start and between):
            raise UriError(f"malformed name before the address: {text[:80]!r}")
        right = text.find(">", left)
        if right < 0:
            raise UriError(f"the angle bracket is not closed: {text[:80]!r}")
        tail = text[right + 1 :].strip()
        if tail and tail[0] != ";":
            raise UriError(f"unexpected text after the address: {tail[:40]!r}")
        return cls(
            display or between, Uri.parse(text[left + 1 : right].strip()), _params(tail[1:]) if tail else ()
        )

    @classmethod
    def parse_route(cls, text: str) -> NameAddr:
        """Parses a Route or Record-Route value; without angle brackets `;lr` belongs to the URI."""
        return cls.parse(text if "<" in text else f"<{text.strip()}>")

    def __str__(self) -> str:
        name = f"{quote(self.display)} " if self.display else ""
        return f"{name}<{self.uri}>{format_params(self.params)}"

    def param(self, name: str) -> str | None:
        """A header parameter's value, `""` for a flag, None when absent. `name` in lower case."""
        return param(self.params, name)

    def with_param(self, name: str, value: str | None = None) -> NameAddr:
        return replace(self, params=with_param(self.params, name, value))

    @property
    def tag(self) -> str | None:
        """The dialog tag of From or To; None when absent (or empty)."""
        return param(self.params, "tag") or None

    def with_tag(self, tag: str) -> NameAddr:
        return self.with_param("tag", tag)


def _params(text: str) -> Params:
    try:
        return parse_params(text)
    except ValueError as error:
        raise UriError(str(error)) from error
