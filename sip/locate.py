"""Where a request goes: from a SIP URI to addresses, in the order they are to be tried (RFC 3263). Pure.

`locate` is a generator: it yields the DNS questions that can be asked at once, and is sent their answers.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, Literal, NamedTuple

from sip.hop import Address, Transport
from sip.uri import Uri

DEFAULT_PORTS: Final[dict[Transport, int]] = {"UDP": 5060, "TCP": 5060, "TLS": 5061}
MAX_PLACES: Final = 16
"""Addresses of one URI that are looked at; what a domain lists beyond is left out."""

Kind = Literal["NAPTR", "SRV", "A", "AAAA"]
Reach = Collection[tuple[Transport, bool]]
"""What we can send with: transports, and whether by IPv6."""

_PREFERENCE: Final[tuple[Transport, ...]] = ("UDP", "TCP", "TLS")
_SERVICES: Final[dict[Transport, str]] = {"UDP": "_sip._udp", "TCP": "_sip._tcp", "TLS": "_sips._tcp"}
_NAPTR: Final[dict[str, Transport]] = {"sip+d2u": "UDP", "sip+d2t": "TCP", "sips+d2t": "TLS"}


class NoPlace(OSError):
    """There is nowhere to send to; the text says why."""


class Query(NamedTuple):
    kind: Kind
    name: str


class Naptr(NamedTuple):
    """RFC 3403 4.1; `replacement` without the dot at its end."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


class Srv(NamedTuple):
    """RFC 2782; `target` without the dot at its end, empty where there is no such service."""

    priority: int
    weight: int
    port: int
    target: str


Record = Naptr | Srv | str
"""A string is the IP address of an A or AAAA record."""

Answers = Mapping[Query, tuple[Record, ...]]
"""What is missing was not answered."""


class Place(NamedTuple):
    transport: Transport
    address: Address


Search = Generator[tuple[Query, ...], Answers, tuple[Place, ...]]


@dataclass(frozen=True, slots=True)
class Found:
    """The end of a search."""

    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class _Door:
    """A host that offers the service by one transport."""

    transport: Transport
    host: str
    port: int


def locate(uri: Uri, reach: Reach, draw: Callable[[], float], near: Transport | None = None) -> Search:
    """Finds the places of a SIP URI, the first to be tried first; raises `NoPlace`.

    `draw` gives random numbers from 0 up to 1. `near` is the transport that a dialog came by: it is kept
    where the URI names none.
    """
    transport = _transport(uri) or near
    numeric = _numeric(uri.host)
    if numeric is not None:
        kind = transport or _favourite(reach, ":" in numeric)
        return _known([Place(kind, Address(numeric, uri.port or DEFAULT_PORTS[kind]))], uri, reach)
    doors: list[_Door] = []
    if uri.port is None:
        doors = yield from _doors(uri.host, transport, reach, draw)
    hosts = [door.host for door in doors] or [uri.host]
    addresses = yield from _addresses(hosts, reach)
    places: list[Place] = []
    if doors:
        for door in doors:
            places += [Place(door.transport, Address(a, door.port)) for a in addresses[door.host]]
    else:
        for address in addresses[uri.host]:
            kind = transport or _favourite(reach, ":" in address)
            places.append(Place(kind, Address(address, uri.port or DEFAULT_PORTS[kind])))
    return _known(places, uri, reach)


def advance(search: Search, answers: Answers | None = None) -> tuple[Query, ...] | Found:
    """The next questions of a search, or what it found; the first call takes no answers."""
    try:
        return next(search) if answers is None else search.send(answers)
    except StopIteration as end:
        return Found(end.value)


def by_weight(records: Iterable[Srv], draw: Callable[[], float]) -> list[Srv]:
    """SRV records in the order of RFC 2782: by priority, and among equals by chance in proportion to their
    weights."""
    ordered: list[Srv] = []
    left = sorted(records, key=lambda record: (record.priority, record.weight))
    while left:
        group = [record for record in left if record.priority == left[0].priority]
        aim = draw() * sum(record.weight for record in group)
        reached = 0
        for record in group:
            reached += record.weight
            if reached >= aim:
                break
        ordered.append(record)
        left.remove(record)
    return ordered


def _transport(uri: Uri) -> Transport | None:
    """What the URI itself asks for."""
    asked = (uri.param("transport") or "").lower()
    if uri.scheme == "sips":
        if asked not in ("", "tcp", "tls"):
            raise NoPlace(f"a sips: address cannot be reached by {asked[:16]!r}")
        return "TLS"
    if asked in ("", "udp"):
        return "UDP" if asked else None
    if asked in ("tcp", "tls"):
        return "TCP" if asked == "tcp" else "TLS"
    raise NoPlace(f"the transport {asked[:16]!r} is none of ours")


def _numeric(host: str) -> str | None:
    try:
        return str(ip_address(host))
    except ValueError:
        return None


def _favourite(reach: Reach, v6: bool) -> Transport:
    return next((kind for kind in _PREFERENCE if (kind, v6) in reach), "UDP")


def _known(places: list[Place], uri: Uri, reach: Reach) -> tuple[Place, ...]:
    """Those that a socket of ours can send to, each once."""
    found = dict.fromkeys(p for p in places if (p.transport, ":" in p.address.host) in reach)
    if not found:
        raise NoPlace(f"no listening address of ours can reach {uri.host_port}")
    return tuple(found)[:MAX_PLACES]


def _doors(
    domain: str, transport: Transport | None, reach: Reach, draw: Callable[[], float]
) -> Generator[tuple[Query, ...], Answers, list[_Door]]:
    """The servers of a domain (RFC 3263 4.1, 4.2); none when it has no SRV records."""
    kinds = [kind for kind in _PREFERENCE if any((kind, v6) in reach for v6 in (False, True))]
    if transport is not None:
        kinds = [transport]
    services = [(kind, Query("SRV", f"{_SERVICES[kind]}.{domain}")) for kind in kinds]
    questions = [query for _, query in services]
    if transport is None:
        questions.append(Query("NAPTR", domain))
    answers: dict[Query, tuple[Record, ...]] = dict((yield tuple(questions)))
    named = _named(answers.get(Query("NAPTR", domain), ()), kinds)
    unasked = tuple(dict.fromkeys(query for _, query in named if query not in answers))
    if unasked:
        answers |= yield unasked
    doors: list[_Door] = []
    for kind, query in named or services:
        records = [record for record in answers.get(query, ()) if isinstance(record, Srv)]
        if len(records) == 1 and records[0].target == "":
            raise NoPlace(f"{domain} says that it has no SIP service")
        doors += [_Door(kind, r.target, r.port) for r in by_weight(records, draw) if r.target and r.port]
        if doors and not named:
            break
    return doors[:MAX_PLACES]


def _named(records: Iterable[Record], kinds: Collection[Transport]) -> list[tuple[Transport, Query]]:
    """The services that NAPTR records lead to, best first."""
    found = sorted(record for record in records if isinstance(record, Naptr))
    return [
        (_NAPTR[record.service.lower()], Query("SRV", record.replacement.lower()))
        for record in found
        if record.flags.lower() == "s" and _NAPTR.get(record.service.lower()) in kinds and record.replacement
    ]


def _addresses(
    hosts: Iterable[str], reach: Reach
) -> Generator[tuple[Query, ...], Answers, dict[str, list[str]]]:
    """The addresses of each host, IPv4 before IPv6; raises `NoPlace` when none has any."""
    kinds: tuple[tuple[Kind, bool], ...] = (("A", False), ("AAAA", True))
    families = [kind for kind, v6 in kinds if any(six == v6 for _, six in reach)]
    names = list(dict.fromkeys(hosts))
    numeric = {name: address for name in names if (address := _numeric(name)) is not None}
    asked = tuple(Query(kind, name) for name in names if name not in numeric for kind in families)
    answers: Answers = (yield asked) if asked else {}
    found = {
        name: [numeric[name]]
        if name in numeric
        else [str(a) for kind in families for a in answers.get(Query(kind, name), ()) if isinstance(a, str)]
        for name in names
    }
    if not any(found.values()):
        raise NoPlace(f"the name {names[0]} has no address")
    return found
