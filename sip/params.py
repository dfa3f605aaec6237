"""`;name=value` parameters and comma lists: the grammar that SIP header fields share (RFC 3261 25.1).

All scanners here are linear in their input, whatever it is.
"""

from __future__ import annotations

import re
from typing import Final

Params = tuple[tuple[str, str | None], ...]
"""Parameters in order. The value is None for a flag (`;lr`); quoted values are stored unquoted."""

_PARAM: Final = re.compile(
    r'\s*([^\s;=",<>]+)\s*(?:=\s*("(?:[^"\\]|\\.)*"|[^\s;",<>]*)\s*)?(?:;|\Z)', re.DOTALL
)
_EMPTY: Final = re.compile(r"\s*;")
_BARE: Final = re.compile(r"[A-Za-z0-9\-.!%*_+`'~:\[\]]+")
_SPECIAL: Final = re.compile(r'[",<>\\]')
_QUOTED_PAIR: Final = re.compile(r"\\(.)", re.DOTALL)


def param(params: Params, name: str) -> str | None:
    """The value of a parameter, `""` for a flag, None when absent. Names are case-insensitive."""
    for key, value in params:
        if key == name or key.lower() == name:
            return value or ""
    return None


def with_param(params: Params, name: str, value: str | None) -> Params:
    """The same parameters with `name` replaced in its place, or appended."""
    if param(params, name) is None:
        return (*params, (name, value))
    return tuple((key, value if key.lower() == name else old) for key, old in params)


def parse_params(text: str) -> Params:
    """Parses what follows the first semicolon, as `lr;x="a;b"`; empty ones are skipped. Raises ValueError."""
    found: list[tuple[str, str | None]] = []
    at, end = 0, len(text)
    while at < end:
        match = _PARAM.match(text, at)
        if match is None:
            empty = _EMPTY.match(text, at)
            if empty is not None:
                at = empty.end()
                continue
            if text[at:].isspace():
                break
            raise ValueError(f"malformed parameter at {text[at : at + 40]!r}")
        name, value = match.groups()
        found.append((name, unquote(value) if value is not None and value[:1] == '"' else value))
        at = match.end()
    return tuple(found)


def format_params(params: Params) -> str:
    """The inverse of `parse_params`, with a leading semicolon before each."""
    text = ""
    for name, value in params:
        if value is None:
            text += f";{name}"
        elif _BARE.fullmatch(value):
            text += f";{name}={value}"
        else:
            text += f";{name}={quote(value)}"
    return text


def quote(text: str) -> str:
    """A quoted-string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def unquote(text: str) -> str:
    """The inverse of `quote`, for a well-formed quoted-string."""
    inner = text[1:-1]
    return _QUOTED_PAIR.sub(r"\1", inner) if "\\" in inner else inner


def split_commas(text: str) -> list[str]:
    """Splits a header value at the commas outside quotes and angle brackets; empty elements are dropped."""
    if "," not in text:
        stripped = text.strip()
        return [stripped] if stripped else []
    parts: list[str] = []
    start, escaped = 0, -1
    quoted = angled = False
    for match in _SPECIAL.finditer(text):
        at, sign = match.start(), match[0]
        if at == escaped:
            continue
        if quoted:
            if sign == '"':
                quoted = False
            elif sign == "\\":
                escaped = at + 1
        elif sign == '"':
            quoted = True
        elif sign == "<":
            angled = True
        elif sign == ">":
            angled = False
        elif sign == "," and not angled:
            parts.append(text[start:at].strip())
            start = at + 1
    parts.append(text[start:].strip())
    return [part for part in parts if part]
