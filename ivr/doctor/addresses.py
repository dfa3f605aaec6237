"""From where an address can be reached. Pure."""

from __future__ import annotations

from enum import Enum, auto
from ipaddress import ip_address, ip_network
from typing import Final

_INSIDE: Final = tuple(
    ip_network(text)
    for text in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10"),
        *("fc00::/7", "fe80::/10"),
    )
)
"""Networks that are not routed on the Internet (RFC 1918, 3927, 6598, 4193, 4291)."""


class Scope(Enum):
    LOOPBACK = auto()
    PRIVATE = auto()
    PUBLIC = auto()
    WILDCARD = auto()
    NAME = auto()
    """Not an IP address."""


def scope(host: str) -> Scope:
    try:
        address = ip_address(host)
    except ValueError:
        return Scope.LOOPBACK if host.lower() == "localhost" else Scope.NAME
    if address.is_unspecified:
        return Scope.WILDCARD
    if address.is_loopback:
        return Scope.LOOPBACK
    inside = any(address in network for network in _INSIDE if network.version == address.version)
    return Scope.PRIVATE if inside else Scope.PUBLIC


def listening(entry: str) -> tuple[str, str, int]:
    """Transport, host and port of an entry of `sip.listen`, as `udp:[::1]:5060`."""
    transport, _, rest = entry.partition(":")
    host, _, port = rest.rpartition(":")
    return transport, host.strip("[]"), int(port)
