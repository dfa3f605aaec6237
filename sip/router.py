"""Where requests go: from a SIP URI to the neighbours that lead there (RFC 3263), the healthy ones first."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from sip.health import Health
from sip.hop import Hop
from sip.locate import NoPlace, Place
from sip.networks import behind_nat, is_address
from sip.privacy import masked
from sip.resolver import Resolver
from sip.tls import ClientTls, TlsPeer
from sip.transports import Transports
from sip.uri import Uri

log = logging.getLogger(__name__)

Take = Callable[[Hop], None]
"""Takes the hop that was found, and returns at once."""


class Router:
    """Finds the next hop of each request."""

    def __init__(
        self, transports: Transports, resolver: Resolver, tls_towards: Callable[[str], ClientTls]
    ) -> None:
        """`tls_towards` says how a peer of an IP address is to prove itself when we dial it."""
        self._transports: Final = transports
        self._resolver: Final = resolver
        self._tls_towards: Final = tls_towards
        self._lookups: set[asyncio.Task[None]] = set()
        self.health: Final = Health()

    async def close(self) -> None:
        """Stops all look-ups; who waits for one hears nothing."""
        for task in list(self._lookups):
            task.cancel()
        await asyncio.gather(*self._lookups, return_exceptions=True)
        await self._resolver.close()

    async def targets(self, uri: Uri, tls: ClientTls) -> list[Hop]:
        """The hops to a URI, in the order in which they are to be tried, those that failed lately last.

        Raises OSError when it has no address, or we no socket for it.
        """
        hops = self._hops(uri, await self._resolver.find(uri, self._transports.reach()), tls, None)
        if not hops:
            raise NoPlace(f"no listening address of ours can reach {uri.host_port}")
        return self.health.ordered(hops, _now())

    def route(self, uri: Uri, near: Hop, then: Take) -> None:
        """Calls `then` with the hop to a URI of a dialog: at once when its host is known, else after the
        look-up.

        `near` is where the dialog's last request came from. While its connection is open it is the way back
        (a peer behind a NAT has no other); else it serves where the URI leads nowhere. A call by TCP stays
        with it when a route names TLS: what such an edge (Exotel's) records is its port for others.
        """
        if (
            self._transports.connected(near)
            or _names_tls(uri, near)
            or behind_nat(uri.host, near.remote.host)
        ):
            then(near)
            return
        try:
            places = self._resolver.known(uri, self._transports.reach(), near.transport)
        except NoPlace as error:
            log.info("no way to a SIP route: %s", masked(error))
            places = ()
        if places is not None:
            then(self._best(uri, places, near))
            return
        task = asyncio.get_running_loop().create_task(self._look_up(uri, near, then))
        self._lookups.add(task)
        task.add_done_callback(self._lookups.discard)

    async def _look_up(self, uri: Uri, near: Hop, then: Take) -> None:
        places: Sequence[Place] = ()
        try:
            places = await self._resolver.find(uri, self._transports.reach(), near.transport)
        except OSError as error:
            log.info("no address for a SIP route: %s", masked(error))
        try:
            then(self._best(uri, places, near))
        except Exception:
            log.exception("a SIP request could not be sent")

    def _best(self, uri: Uri, places: Sequence[Place], near: Hop) -> Hop:
        hops = self.health.ordered(self._hops(uri, places, None, near), _now())
        if not hops:
            return near
        if near.transport != "TLS" and hops[0].transport == "TLS":
            return near  # providers write inner doors of theirs into a plain dialog: back the way it came
        return hops[0]

    def _hops(self, uri: Uri, places: Iterable[Place], tls: ClientTls | None, near: Hop | None) -> list[Hop]:
        """`tls` None: as the neighbour of the dialog is dialled."""
        hops: list[Hop] = []
        for transport, address in places:
            peer = self._peer(uri.host, tls, near) if transport == "TLS" else None
            hop = self._transports.hop_to(address, transport, peer)
            if hop is not None:
                hops.append(hop)
        return hops

    def _peer(self, host: str, tls: ClientTls | None, near: Hop | None) -> TlsPeer:
        """Whom to expect at the host of a URI. An address in a Contact names nobody: there it must be who the
        dialog is with."""
        if near is not None and near.tls is not None:
            return TlsPeer.at(near.tls.settings, near.tls.name if is_address(host) else host)
        if tls is None:
            tls = ClientTls() if near is None else self._tls_towards(near.remote.host)
        return TlsPeer.at(tls, host)


def _names_tls(uri: Uri, near: Hop) -> bool:
    return near.transport == "TCP" and uri.scheme == "sip" and (uri.param("transport") or "").lower() == "tls"


def _now() -> float:
    return asyncio.get_running_loop().time()
