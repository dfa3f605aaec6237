"""Asks DNS what `sip.locate` wants to know, with a cache and deadlines."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Final, NamedTuple

import dns.asyncresolver
import dns.exception
import dns.message
import dns.nameserver
import dns.rdatatype
import dns.resolver

from sip.dns_cache import MAX_ENTRIES, DnsCache
from sip.hop import Address, Transport
from sip.locate import Answers, Found, Naptr, NoPlace, Place, Query, Reach, Record, Srv, advance, locate
from sip.uri import Uri

log = logging.getLogger(__name__)

TRY_S: Final = 0.8
"""How long one name server may take."""
QUERY_S: Final = 2.0
"""How long one question may take, with all its tries."""
FIND_S: Final = 5.0
"""How long the search for the places of one URI may take."""

_HOSTS: Final = Path("/etc/hosts")
_LOCALHOST: Final[dict[str, tuple[str, ...]]] = {"A": ("127.0.0.1",), "AAAA": ("::1",)}


class LookedUp(NamedTuple):
    """The answer to one question. `records` is None where nobody gave one, `ttl_s` where none is known."""

    records: tuple[Record, ...] | None
    ttl_s: float | None


class Resolver:
    """Finds the places of SIP URIs; IP literals and what was looked up lately are known at once."""

    def __init__(self, nameservers: Sequence[Address] | None = None, hosts: Path = _HOSTS) -> None:
        """`nameservers` are asked instead of the system's; `hosts` has names that DNS need not know."""
        self._nameservers: Final = nameservers
        self._hosts: Final = _HostsFile(hosts)
        self._cache: Final = DnsCache()
        self._asking: dict[Query, asyncio.Task[tuple[Record, ...]]] = {}
        self._unanswered: set[Query] = set()
        self._dns: dns.asyncresolver.Resolver | None = None

    def known(self, uri: Uri, reach: Reach, near: Transport | None = None) -> tuple[Place, ...] | None:
        """The places of a URI as far as they are known; None: they must be looked up. Raises `NoPlace`."""
        search = locate(uri, reach, random.random, near)
        step = advance(search)
        while not isinstance(step, Found):
            answers: dict[Query, tuple[Record, ...]] = {}
            for query in step:
                records = self._held(query)
                if records is None:
                    search.close()
                    return None
                answers[query] = records
            step = advance(search, answers)
        return step.places

    async def find(self, uri: Uri, reach: Reach, near: Transport | None = None) -> tuple[Place, ...]:
        """The places of a URI; raises `NoPlace`, or TimeoutError when DNS is silent."""
        search = locate(uri, reach, random.random, near)
        step = advance(search)
        asked: set[Query] = set()
        try:
            async with asyncio.timeout(FIND_S):
                while not isinstance(step, Found):
                    asked.update(step)
                    step = advance(search, await self._ask_all(step))
        except TimeoutError:
            raise TimeoutError(f"the name servers do not answer for {uri.host}") from None
        except NoPlace as error:
            if asked & self._unanswered:
                raise NoPlace(f"{error}: the name servers do not answer") from error
            raise
        return step.places

    async def look_up(self, query: Query) -> LookedUp:
        """Asks one question, past the cache, for who wants to see the answer itself."""
        own = self._hosts.get(query)
        if own is not None:
            return LookedUp(own, None)
        try:
            return LookedUp(*await self._query(query))
        except (dns.exception.DNSException, OSError, ValueError):
            return LookedUp(None, None)

    async def close(self) -> None:
        """Stops all questions."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _held(self, query: Query) -> tuple[Record, ...] | None:
        own = self._hosts.get(query)
        if own is not None:
            return own
        return self._cache.get(query, asyncio.get_running_loop().time())

    async def _ask_all(self, queries: Sequence[Query]) -> Answers:
        return dict(zip(queries, await asyncio.gather(*map(self._ask, queries)), strict=True))

    async def _ask(self, query: Query) -> tuple[Record, ...]:
        """Each question is asked once, however many wait for its answer."""
        held = self._held(query)
        if held is not None:
            return held
        task = self._asking.get(query)
        if task is None:
            task = self._asking[query] = asyncio.get_running_loop().create_task(self._question(query))
            task.add_done_callback(lambda _: self._asking.pop(query, None))
        return await asyncio.shield(task)

    async def _question(self, query: Query) -> tuple[Record, ...]:
        loop = asyncio.get_running_loop()
        try:
            records, ttl_s = await self._query(query)
        except (dns.exception.DNSException, OSError, ValueError) as error:
            log.debug("no answer from DNS about %s %s: %s", query.kind, query.name, type(error).__name__)
            if len(self._unanswered) >= MAX_ENTRIES:
                self._unanswered.clear()
            self._unanswered.add(query)
            return self._cache.failed(query, loop.time())
        self._unanswered.discard(query)
        self._cache.answered(query, records, ttl_s, loop.time())
        return records

    async def _query(self, query: Query) -> tuple[tuple[Record, ...], float]:
        """The records and how long they hold; raises what dnspython does where there is no answer at all."""
        if self._dns is None:
            self._dns = self._configured()
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            answer = await self._dns.resolve(
                query.name,
                query.kind,
                lifetime=QUERY_S,
                raise_on_no_answer=False,
                search=query.kind in ("A", "AAAA"),
            )
        except dns.resolver.NXDOMAIN as error:
            said: dns.message.QueryMessage = error.response(error.qnames()[0])  # type: ignore[no-untyped-call]
            return (), float(said.resolve_chaining().minimum_ttl)
        ttl_s = float(answer.chaining_result.minimum_ttl) - (loop.time() - began)
        if answer.rrset is None:
            return (), ttl_s
        return tuple(record for item in answer.rrset if (record := _record(item)) is not None), ttl_s

    def _configured(self) -> dns.asyncresolver.Resolver:
        if self._nameservers is None:
            resolver = dns.asyncresolver.Resolver()
        else:
            resolver = dns.asyncresolver.Resolver(configure=False)
            resolver.nameservers = [
                dns.nameserver.Do53Nameserver(server.host, server.port) for server in self._nameservers
            ]
        resolver.timeout = TRY_S
        return resolver


def _record(item: object) -> Record | None:
    """A record of dnspython as one of ours."""
    kind = getattr(item, "rdtype", None)
    if kind in (dns.rdatatype.A, dns.rdatatype.AAAA):
        return str(item.address)  # type: ignore[attr-defined]
    if kind == dns.rdatatype.SRV:
        return Srv(item.priority, item.weight, item.port, _name(item.target))  # type: ignore[attr-defined]
    if kind == dns.rdatatype.NAPTR:
        flags, service = (part.decode("ascii", "replace") for part in (item.flags, item.service))  # type: ignore[attr-defined]
        return Naptr(item.order, item.preference, flags, service, _name(item.replacement))  # type: ignore[attr-defined]
    return None


def _name(name: object) -> str:
    return str(name).rstrip(".").lower()


class _HostsFile:
    """Names of /etc/hosts, read again when the file has changed; `localhost` is always known (RFC 6761)."""

    def __init__(self, path: Path) -> None:
        self._path: Final = path
        self._changed: float | None = None
        self._names: dict[str, dict[str, tuple[str, ...]]] = {}

    def get(self, query: Query) -> tuple[Record, ...] | None:
        """What the file says; None for names that it does not know. Of those that it knows, DNS is asked
        nothing."""
        self._read()
        labels = query.name.lower().rstrip(".").split(".")
        name = ".".join(label for label in labels if label[:1] != "_")
        found = self._names.get(name)
        if found is None and name == "localhost":
            found = _LOCALHOST
        return None if found is None else found.get(query.kind, ())

    def _read(self) -> None:
        try:
            changed = self._path.stat().st_mtime
            if changed == self._changed:
                return
            text = self._path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return
        self._changed = changed
        self._names = {}
        for line in text.splitlines():
            address, *names = line.partition("#")[0].split() or [""]
            try:
                kind = "A" if ip_address(address).version == 4 else "AAAA"
            except ValueError:
                continue
            for name in names:
                kinds = self._names.setdefault(name.lower(), {})
                kinds[kind] = (*kinds.get(kind, ()), address)
