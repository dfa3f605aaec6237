"""Asks the targets of one trunk whether they live: the shell of `sip.probing`."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from typing import Final

from sip.client_transactions import ClientTransaction
from sip.endpoint import Endpoint, new_tag
from sip.hop import Hop
from sip.message import Request, Response, new_request
from sip.probing import TrunkProbe, seen_as
from sip.trunks import Trunk
from sip.uri import NameAddr, Uri, host_text

log = logging.getLogger(__name__)

PATIENCE: Final = 8
"""How many T1 (4 s) a target has for its answer."""


class Prober:
    """Runs as a task."""

    def __init__(self, name: str, trunk: Trunk, proxy: Uri, endpoint: Endpoint) -> None:
        self._name: Final = name
        self._trunk: Final = trunk
        self._proxy: Final = proxy
        self._endpoint: Final = endpoint
        self._told: bool | None = None
        self.probe: Final = TrunkProbe(trunk.options_s)

    async def run(self) -> None:
        """Probes, until it is cancelled."""
        while True:
            await self._round()
            self._tell()
            await asyncio.sleep(self.probe.pause_s * random.uniform(0.9, 1.1))

    async def _round(self) -> None:
        try:
            hops = await self._endpoint.router.targets(self._proxy, self._trunk.tls)
        except OSError as error:
            self.probe.unresolved(str(error))
            return
        self.probe.resolved(_words(hop) for hop in hops)
        await asyncio.gather(*(self._ask(hop) for hop in hops))

    async def _ask(self, hop: Hop) -> None:
        endpoint, probe, address = self._endpoint, self.probe, _words(hop)
        future: asyncio.Future[Response | None] = asyncio.get_running_loop().create_future()

        def responded(client: ClientTransaction, status: int, response: Response | None) -> None:
            if status >= 200 and not future.done():
                future.set_result(response)

        began = endpoint.now()
        client = endpoint.request(
            options(endpoint, self._proxy, hop), hop, responded, within=PATIENCE * endpoint.timing.t1
        )
        try:
            response = await future
        except asyncio.CancelledError:
            endpoint.abandon(client)
            raise
        if response is None:
            probe.silent(address, endpoint.transports.failure(hop))
        else:
            seen = seen_as(response, endpoint.shown(hop), reliable=hop.reliable)
            probe.answered(address, response.status, endpoint.now() - began, seen)
        if probe.target(address).up:
            endpoint.router.health.worked(hop)
        else:
            endpoint.router.health.failed(hop, endpoint.now(), 3 * probe.pause_s)

    def _tell(self) -> None:
        up = self.probe.up
        if up is self._told or up is None:
            return
        self._told = up
        if up:
            log.info("trunk %s is up", self._name)
        else:
            log.warning("trunk %s is down: %s", self._name, self.probe.reason)


def options(endpoint: Endpoint, proxy: Uri, hop: Hop) -> Request:
    """An OPTIONS to a trunk's proxy, outside calls."""
    us = NameAddr("", Uri("sip", "ping", endpoint.shown(hop).host))
    target = Uri("sip", None, proxy.host, proxy.port)
    return new_request(
        "OPTIONS",
        target,
        from_=us.with_tag(new_tag()),
        to=NameAddr("", target),
        call_id=secrets.token_hex(12),
        cseq=1,
        fields=(("Contact", endpoint.contact(hop, "ping")), ("Accept", "application/sdp")),
    )


def _words(hop: Hop) -> str:
    return f"{hop.transport.lower()}:{host_text(hop.remote.host)}:{hop.remote.port}"
