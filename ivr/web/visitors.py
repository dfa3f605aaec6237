"""Who may call with the phone page: a browser, and the page it has open, told by headers that pages cannot
set. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

from sip.pacing import Buckets

CALLS_AT_ONCE: Final = 10
CALLS_PER_MINUTE: Final = 6
RETRY_S: Final = 60 // CALLS_PER_MINUTE
"""There is a call again after so long at most."""


def from_our_page(headers: Mapping[str, str]) -> bool:
    """Whether a request that changes something comes of our own page, or of no page at all (a program): no
    other site's page may place calls with a browser that happens to be here (CSRF). The headers' names are in
    lower case."""
    fetched = headers.get("sec-fetch-site")
    if fetched is not None:
        return fetched == "same-origin"
    origin = headers.get("origin")  # browsers send no Sec-Fetch-Site to plain http
    return origin is None or urlsplit(origin).netloc == headers.get("host", "")


def names_this_machine(host: str) -> bool:
    """Whether the Host of a request says localhost or a loopback address. Any other name that leads here was
    made to (DNS rebinding): its pages are not ours, though browsers take them for it."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or name.endswith(".localhost") or ip_address(name).is_loopback
    except ValueError:
        return False


class Visitors:
    """How many calls an address may still place: ten at once, and six a minute after that. Of IPv6 a network
    of 64 bits counts as one: it is what one customer has."""

    def __init__(self) -> None:
        self._buckets: Buckets[str] = Buckets(CALLS_AT_ONCE, CALLS_PER_MINUTE / 60)

    def take(self, address: str, now: float) -> bool:
        """Whether another call may be placed from the address; `now` in seconds of any clock."""
        return self._buckets.take(_network(address), now)


def _network(text: str) -> str:
    try:
        address = ip_address(text)
    except ValueError:
        return text
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(ip_network((address, 64), strict=False))
    return text
