"""All probes of one trunk, side by side, each with its deadline; then the findings."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

from ivr.config import Config
from ivr.doctor import (
    lookups,
    probe_dns,
    probe_sip,
    probe_system,
    probe_tls,
    reach,
    registering,
    settings,
    surroundings,
)
from ivr.doctor.addresses import Scope, scope
from ivr.doctor.facts import Certificate, Registered, RegistrarSaid, Search, Target
from ivr.doctor.findings import Examination, Finding, fail, skipped
from ivr.doctor.own_sockets import own_sockets
from ivr.trunks import tls_of, trunks_of
from sip.contexts import Contexts
from sip.endpoint import Endpoint
from sip.hop import Hop
from sip.locate import Place, Reach
from sip.registrar import registrar_uri
from sip.resolver import Resolver
from sip.tls import ClientTls, ServerTls, TlsPeer
from sip.trunks import Trunk
from sip.uri import Uri, UriError

LIMIT_S: Final = 30.0
"""No examination takes longer; its probes end by themselves before that."""

Progress = Callable[[str], None]
"""Takes what is done now, in a few words."""


async def examine(
    config: Config, name: str, *, progress: Progress = lambda words: None, resolver: Resolver | None = None
) -> Examination:
    """Checks a trunk of the configuration from all sides, within `LIMIT_S`. Raises KeyError for a name that
    is none of a trunk's."""
    written = config.trunks[name]
    trunk = trunks_of(config)[name]
    loop = asyncio.get_running_loop()
    began = loop.time()
    findings = settings.check(config, written)
    progress("this machine")
    at = await asyncio.to_thread(probe_system.held, config)
    server = await probe_system.server(config, name, at)
    machine = await asyncio.to_thread(probe_system.machine, config, server.pid if server.answers else None)
    progress("the network")
    visit = _Visit(config, trunk, resolver or Resolver(), progress)
    try:
        async with asyncio.timeout(LIMIT_S):
            await visit.run()
    except TimeoutError:
        mend = "Try again; if it stays so, the network swallows what is sent."
        findings.append(fail("doctor.deadline", "the probes", f"not done within {LIMIT_S:g} s", mend))
    findings += visit.troubles
    if visit.search is not None:
        findings += lookups.check(visit.search, config, written)
    findings += reach.check(visit.targets, time.time())
    tls = tls_of(config)
    if tls is not None:
        findings += reach.ours(await asyncio.to_thread(_own_certificate, tls), time.time())
    findings += registering.check(written, visit.said, server)
    findings += surroundings.addresses(config, visit.targets)
    findings += surroundings.media(config, written, machine)
    udp = any(entry.startswith("udp:") for entry in config.sip.listen)
    findings += surroundings.system(config, written, machine, udp=udp)
    replies = [target.reply for target in visit.targets if target.reply is not None]
    if visit.said is not None and visit.said.reply is not None:
        replies.append(visit.said.reply)
    findings += surroundings.clock(replies, machine)
    findings += surroundings.server(server)
    return Examination(name, written.proxy, tuple(findings), loop.time() - began)


def _own_certificate(tls: ServerTls) -> Certificate | str | None:
    try:
        return probe_tls.own_certificate(tls)
    except OSError as error:
        return str(error)


class _Visit:
    """The probes that send something. What they saw stays, also of a visit that was cut short."""

    def __init__(self, config: Config, trunk: Trunk, resolver: Resolver, progress: Progress) -> None:
        self._config: Final = config
        self._trunk: Final = trunk
        self._resolver: Final = resolver
        self._progress: Final = progress
        self._contexts: Final = Contexts(None)
        self.troubles: list[Finding] = []
        self.search: Search | None = None
        self.targets: list[Target] = []
        self.said: RegistrarSaid | None = None

    async def run(self) -> None:
        try:
            proxy = self._trunk.proxy_uri()
        except UriError:
            proxy = None  # said by the settings' check
        try:
            async with self._endpoint(proxy) as (endpoint, near):
                await asyncio.gather(self._proxy(endpoint, near, proxy), self._registrar(endpoint, near))
        except OSError as error:
            mend = "Correct the addresses in sip.listen: this machine has to have them."
            self.troubles.append(fail("doctor.sockets", "the doctor's own sockets", str(error), mend))

    @asynccontextmanager
    async def _endpoint(self, proxy: Uri | None) -> AsyncIterator[tuple[Endpoint, Reach]]:
        """Sockets of the doctor's own, and what the server could send by."""
        wanted = None if proxy is None else settings.transport_of(proxy)
        own, near = own_sockets(self._config.sip.listen, wanted)
        async with probe_sip.endpoint(own, self._config.sip.advertise, self._resolver) as endpoint:
            yield endpoint, near

    async def _proxy(self, endpoint: Endpoint, near: Reach, proxy: Uri | None) -> None:
        if proxy is None:
            self.troubles.append(
                skipped("dns.targets", "targets", "there is no proxy that can be looked for")
            )
            return
        self._progress(f"where {proxy.host} is")
        self.search = await probe_dns.search(self._resolver, proxy, near)
        places = self.search.places
        if not places:
            return
        self._progress(f"{len(places)} target{'' if len(places) == 1 else 's'} of {proxy.host}")
        tls = self._tls(places)
        self.targets = [Target(place) for place in places]
        await asyncio.gather(*(self._target(endpoint, i, proxy, tls) for i in range(len(places))))

    def _tls(self, places: tuple[Place, ...]) -> ClientTls | None:
        """The settings for TLS, unless their files cannot be used."""
        if all(place.transport != "TLS" for place in places):
            return self._trunk.tls
        try:
            self._contexts.client(self._trunk.tls)
        except OSError as error:
            mend = "Correct the paths under tls, and let the server's user read them."
            self.troubles.append(fail("tls.files", "our TLS files", str(error), mend))
            return None
        return self._trunk.tls

    async def _target(self, endpoint: Endpoint, index: int, proxy: Uri, tls: ClientTls | None) -> None:
        """What is seen is kept at once, so that a deadline leaves what there is."""
        place = self.targets[index].place
        peer = None
        if place.transport == "TLS":
            if tls is None:
                return
            peer = TlsPeer.at(tls, proxy.host)
        hop = endpoint.transports.hop_to(place.address, place.transport, peer)
        if hop is None:
            return
        self._saw(index, told=endpoint.shown(hop))
        if not await self._connects(index, hop):
            return
        answer = await probe_sip.ask(endpoint, proxy, hop)
        if isinstance(answer, str):
            self._saw(index, silent=answer)
        else:
            self._saw(index, reply=answer[0], seen=answer[1])

    async def _connects(self, index: int, hop: Hop) -> bool:
        if not hop.reliable:
            return True
        ours = None if scope(hop.local.host) is Scope.WILDCARD else hop.local.host
        connected = await probe_tls.connect(hop.remote, ours)
        self._saw(index, connected=connected)
        if connected.refusal is not None:
            return False
        if hop.tls is not None:
            shaken = await probe_tls.handshake(hop.remote, ours, hop.tls, self._contexts)
            self._saw(index, handshake=shaken)
            return not shaken.error
        return True

    def _saw(self, index: int, **facts: object) -> None:
        self.targets[index] = replace(self.targets[index], **facts)  # type: ignore[arg-type]

    async def _registrar(self, endpoint: Endpoint, near: Reach) -> None:
        registration = self._trunk.registration
        if registration is None:
            return
        try:
            at = registrar_uri(self._trunk, registration)
        except ValueError as error:
            self.said = RegistrarSaid(Registered.SILENT, why=str(error))
            return
        found = await probe_dns.search(self._resolver, at, near)
        hops = [hop for place in found.places if (hop := self._hop(endpoint, at, place)) is not None]
        if not hops:
            why = found.why or f"no listening address of ours can reach {at.host_port}"
            self.said = RegistrarSaid(Registered.SILENT, why=why)
            return
        self._progress(f"the registrar {at.host}")
        self.said = await probe_sip.ask_registrar(endpoint, self._trunk, registration, at, hops)

    def _hop(self, endpoint: Endpoint, uri: Uri, place: Place) -> Hop | None:
        peer = TlsPeer.at(self._trunk.tls, uri.host) if place.transport == "TLS" else None
        return endpoint.transports.hop_to(place.address, place.transport, peer)
