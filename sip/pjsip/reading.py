"""What a leg reads in the messages that PJSIP shows it. Pure."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TypeVar

from sip.message import ParseError, Request, Response, parse
from sip.uri import UriError

_M = TypeVar("_M", Request, Response)


def read(message: bytes, kind: type[_M]) -> _M | None:
    """The message; None where we cannot read it, or it is of the other kind."""
    try:
        found = parse(message)
    except ParseError:
        return None
    return found if isinstance(found, kind) else None


def homes(message: Request | Response) -> frozenset[str]:
    """The IP addresses where the far end of a dialog says it is, which may be past the trunk: it may send
    from there."""
    try:
        shown = [*message.record_routes, *([message.contact] if message.contact else [])]
    except (ParseError, UriError):
        return frozenset()
    return frozenset(address.uri.host for address in shown if _is_ip(address.uri.host))


def _is_ip(host: str) -> bool:
    try:
        return "%" not in host and ip_address(host) is not None
    except ValueError:
        return False
