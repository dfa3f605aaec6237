"""From the host of a URI to an IP address, with a small cache."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import ip_address
from typing import Final

LOOKUP_S: Final = 3.0
KEEP_S: Final = 60.0
_CACHE: Final = 1024


class Resolver:
    """Looks names up; IP literals and what was looked up lately are known at once."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[float, str]] = {}

    def known(self, host: str) -> str | None:
        """The address of a host, None when it must be looked up first."""
        try:
            return str(ip_address(host))
        except ValueError:
            pass
        found = self._found.get(host.lower())
        if found is None or found[0] < asyncio.get_running_loop().time():
            return None
        return found[1]

    async def lookup(self, host: str) -> str:
        """The first address of a host, IPv4 before IPv6; raises OSError (TimeoutError after 3 s)."""
        known = self.known(host)
        if known is not None:
            return known
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(LOOKUP_S):
            found = await loop.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
        if not found:
            raise OSError(f"the name {host} has no address")
        addresses = sorted((str(entry[4][0]) for entry in found), key=lambda address: ":" in address)
        if len(self._found) >= _CACHE:
            self._found.clear()
        self._found[host.lower()] = (loop.time() + KEEP_S, addresses[0])
        return addresses[0]
