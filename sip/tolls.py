"""What may be called over a trunk (toll fraud): prefixes of numbers, and hosts of SIP addresses. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from typing import Final

from sip.stack import NotAllowed
from sip.uri import Uri

ANY_HOST: Final = "sip:*"
"""The destination that stands for every SIP address."""

_DIALLED: Final = re.compile(r"\+[0-9]{3,15}|[A-Za-z0-9*#._-]{1,64}")


def names_host(entries: Iterable[str], host: str) -> bool:
    """Whether the entries of an option name a host of SIP addresses, as `sip:HOST`, or all."""
    named = {entry.lower() for entry in entries if entry.lower().startswith("sip:")}
    return not named.isdisjoint({ANY_HOST, f"sip:{host.lower()}", f"sip:[{host.lower()}]"})


def prefixes_in(entries: Iterable[str]) -> tuple[str, ...]:
    """The entries that are prefixes of numbers."""
    return tuple(entry for entry in entries if not entry.lower().startswith("sip:"))


def check_host(uri: Uri, proxy: Uri | None, allow: Iterable[str], destinations: Iterable[str] | None) -> bool:
    """Whether a SIP address is at the trunk's own hosts: its proxy, or inside `allow`. The number in it then
    counts as any number does. False for a host that is named in `destinations` itself: all of it may be
    called.

    Raises `NotAllowed` for any other host: a call to it would leave the trunk for wherever a client of the
    API, a flow or a REFER likes.
    """
    host = uri.host.lower()
    if names_host(destinations or (), host):
        return False
    if (proxy is not None and proxy.host.lower() == host) or _inside(host, allow):
        return True
    raise NotAllowed(
        "a SIP address must be at the trunk's proxy, in its `allow`, or in its `destinations` as sip:HOST"
    )


def check_number(number: str, destinations: Iterable[str] | None) -> None:
    """Raises `NotAllowed` for a number (E.164 where the trunk says how its numbers look) that begins with
    none of the prefixes. None allows all."""
    if destinations is None:
        return
    if not _DIALLED.fullmatch(number) or not number.startswith(prefixes_in(destinations)):
        raise NotAllowed("the number is not among the trunk's `destinations`")


def _inside(host: str, allow: Iterable[str]) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return any(address in ip_network(text, strict=False) for text in allow)
