"""Which addresses can be reached from where: networks that end at a NAT. Pure."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

_INSIDE: Final = tuple(
    ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10")
)
"""Networks that are not routed on the Internet (RFC 1918, 3927, 4193, 4291)."""


def is_address(host: str) -> bool:
    """Whether a host is an IP address (IPv6 without brackets), no name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=4096)
def from_outside(remote: str, advertised: str) -> bool:
    """Whether a peer at `remote` reaches us at the advertised address: one on this machine does not, nor, by
    an address of the Internet, one in a private network of ours; nor one of the other IP version."""
    try:
        peer, public = ip_address(remote), ip_address(advertised)
    except ValueError:  # a name is for everybody, but for this machine
        return not ip_address(remote).is_loopback
    if peer.version != public.version:
        return False
    if peer.is_loopback:
        return public.is_loopback
    return not _inside(peer) or _inside(public)


@lru_cache(maxsize=4096)
def behind_nat(told: str, seen: str) -> bool:
    """Whether a peer whose messages come from the address `seen` has told one that leads nowhere from here:
    one of a private network, behind an address of the Internet. A name says nothing."""
    try:
        theirs, source = ip_address(told), ip_address(seen)
    except ValueError:
        return False
    return _inside(theirs) and not (_inside(source) or source.is_loopback)


def _inside(address: IPv4Address | IPv6Address) -> bool:
    return any(address in network for network in _INSIDE if network.version == address.version)
