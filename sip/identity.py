"""Who calls whom: what an INVITE tells of it, and how ours tells it. Pure.

Read are P-Asserted-Identity and Privacy (RFC 3325, 3323), their forerunner Remote-Party-ID, Diversion
(RFC 5806) and History-Info (RFC 7044). What is malformed in them is passed over: no call fails for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from media.leg import LegInfo
from sip.headers import Headers
from sip.message import Request
from sip.privacy import one_line
from sip.trunks import Trunk, canonical
from sip.uri import NameAddr, UriError

_SHOWN: Final = frozenset(
    ["p-asserted-identity", "diversion", "history-info", "privacy", "user-agent", "p-charging-vector"]
)
"""Headers of an INVITE, besides X-..., that the layers above see."""

_NOBODY: Final = frozenset(["", "anonymous", "restricted", "unavailable", "unknown"])
"""Users of a From that tells nothing."""


def inbound_info(request: Request, leg: str, name: str, trunk: Trunk, *, trusted: bool = True) -> LegInfo:
    """What is known of a call that comes over the trunk `name`; `leg` is the id of the new leg.

    What a network asserts counts from a `trusted` address only (RFC 3325 4), and only where the From keeps
    the caller's number back; `privacy` says that it is not to be shown to others.
    """
    headers = {"Call-ID": one_line(request.call_id)}
    for field, value in request.headers:
        lower = field.lower()
        if lower.startswith("x-") or lower in _SHOWN:
            headers.setdefault(field, one_line(value))
    user = request.from_.uri.user or ""
    hidden = user.lower() in _NOBODY or request.from_.uri.host.lower() == "anonymous.invalid"
    asserted = _asserted(request.headers) if trusted else None
    caller = (asserted or "anonymous") if hidden else user
    diverted = _diverted_from(request.headers)
    return LegInfo(
        id=leg,
        direction="inbound",
        caller=canonical(one_line(caller), trunk),
        called=canonical(one_line(request.uri.user or ""), trunk),
        trunk=name,
        headers=headers,
        diverted_from=None if diverted is None else canonical(one_line(diverted), trunk),
        privacy=_private(request.headers),
    )


def _asserted(headers: Headers) -> str | None:
    """The user that the network vouches for."""
    for address in _addresses(headers.get_all("P-Asserted-Identity")):
        if address.uri.user:
            return address.uri.user
    for address in _addresses(headers.get_all("Remote-Party-ID")):
        if address.uri.user and (address.param("party") or "calling") == "calling":
            return address.uri.user
    return None


def _diverted_from(headers: Headers) -> str | None:
    """Who sent the call on to us: the topmost Diversion, else the last but one entry of History-Info."""
    for address in _addresses(headers.get_all("Diversion")):
        if address.uri.user:
            return address.uri.user
    history = [address.uri.user for address in _addresses(headers.get_all("History-Info"))]
    return (history[-2] or None) if len(history) > 1 else None


def _private(headers: Headers) -> bool:
    words = {word.strip().lower() for value in headers.get_all("Privacy") for word in value.split(";")}
    if words & {"id", "user", "header"}:
        return True
    remote = _addresses(headers.get_all("Remote-Party-ID"))
    return any((address.param("privacy") or "").lower() in ("full", "uri") for address in remote)


def _addresses(values: Iterable[str]) -> list[NameAddr]:
    found = []
    for value in values:
        try:
            found.append(NameAddr.parse(value))
        except UriError:
            continue
    return found
