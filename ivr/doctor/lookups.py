"""What DNS says of a trunk's proxy. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

from ivr.config import Config, Trunk
from ivr.doctor.addresses import Scope, listening, scope
from ivr.doctor.facts import Asked, Search
from ivr.doctor.findings import Finding, fail, ok, printable, skipped, warn
from sip.locate import Naptr, Place, Record, Srv
from sip.uri import host_text

SLOW_S: Final = 0.5
"""A question that takes longer is felt in the first call."""
SHORT_S: Final = 10.0


def check(search: Search, config: Config, trunk: Trunk) -> list[Finding]:
    """Questions, targets, and whether there is a way there, and one from there to us."""
    return [
        *_questions(search),
        *_targets(search),
        *_outward(search, config.sip.listen),
        *_allowed(search, trunk),
    ]


def place_text(place: Place) -> str:
    """As `tcp:192.0.2.10:5070`."""
    return f"{place.transport.lower()}:{host_text(place.address.host)}:{place.address.port}"


def _questions(search: Search) -> Iterator[Finding]:
    about = f"look-up of {printable(search.host)}"
    if not search.asked:
        if search.places:
            yield skipped("dns.lookup", about, "an address, not a name")
        return
    silent = [asked for asked in search.asked if asked.records is None]
    slow = max(asked.took_s for asked in search.asked)
    if silent:
        names = ", ".join(f"{one.query.kind} {one.query.name}" for one in silent[:4])
        mend = "Check the name servers in /etc/resolv.conf, and that the firewall lets UDP and TCP 53 out."
        check = warn if search.places else fail
        yield check("dns.silent", about, f"nobody answers for {names}", mend)
    elif slow > SLOW_S:
        mend = "Use a name server that is near (a caching one on this machine, say)."
        yield warn("dns.slow", about, f"the slowest answer took {slow * 1000:.0f} ms", mend)
    elif search.places:
        yield ok("dns.lookup", about, "; ".join(_answer(one) for one in search.asked if one.records))
    brief = [a for a in search.asked if a.records and a.ttl_s is not None and a.ttl_s < SHORT_S]
    if brief:
        one = brief[0]
        yield ok("dns.ttl", "time to live", f"{one.query.name} holds only {one.ttl_s:.0f} s")


def _answer(asked: Asked) -> str:
    records = ", ".join(map(_record, sorted(asked.records or (), key=_order)))
    held = " (hosts file)" if asked.ttl_s is None else f" ({asked.ttl_s:.0f} s)"
    return f"{asked.query.kind} {asked.query.name}: {printable(records)}{held}"


def _order(record: Record) -> tuple[int, int]:
    """As the far end means them to be tried; addresses as they came."""
    if isinstance(record, Srv):
        return record.priority, -record.weight
    return (record.order, record.preference) if isinstance(record, Naptr) else (0, 0)


def _record(record: Record) -> str:
    if isinstance(record, Srv):
        return f"{record.target}:{record.port} priority {record.priority} weight {record.weight}"
    if isinstance(record, Naptr):
        return f"{record.service} {record.replacement}"
    return record


def _targets(search: Search) -> Iterator[Finding]:
    about = "targets"
    if search.places:
        shown = ", ".join(map(place_text, search.places[:4]))
        more = f" and {len(search.places) - 4} more" if len(search.places) > 4 else ""
        yield ok("dns.targets", about, f"{shown}{more}, in this order")
        if len(search.places) == 1 and search.asked:
            yield ok("dns.single", "failover", "none: the name leads to one target")
    else:
        mend = "Check how the provider spells the name, and whether it has SRV, A or AAAA records (dig)."
        if "no listening address" in search.why:
            mend = "Add an address of that transport and IP version to sip.listen."
        elif "SIP service" in search.why:
            mend = "Ask the provider for the right name: this one is said to have no SIP server."
        elif "name servers" in search.why:
            mend = "Mend DNS first: the name servers of this machine do not answer."
        yield fail("dns.targets", about, printable(search.why), mend)


def _outward(search: Search, listen: Sequence[str]) -> Iterator[Finding]:
    """From an address of loopback, only this machine is reached."""
    far = [place for place in search.places if scope(place.address.host) is not Scope.LOOPBACK]
    if far and all(scope(listening(entry)[1]) is Scope.LOOPBACK for entry in listen):
        mend = "Write 0.0.0.0 into sip.listen, or this machine's address in the network of the trunk."
        seen = f"{', '.join(listen)}: the server reaches only this machine from there"
        yield fail("dns.loopback", "sip.listen", seen, mend)


def _allowed(search: Search, trunk: Trunk) -> Iterator[Finding]:
    if not search.places or not trunk.allow:
        return
    networks = [ip_network(text, strict=False) for text in trunk.allow]
    hosts = list(dict.fromkeys(place.address.host for place in search.places))
    outside = [host for host in hosts if not any(_within(host, one) for one in networks)]
    about = "allow"
    if not outside:
        yield ok("dns.allow", about, "has every target")
    elif trunk.registration is None:
        mend = "Add them to allow, unless the provider says that its calls come from other addresses."
        yield warn("dns.allow", about, f"has not {', '.join(outside)}: calls from there meet silence", mend)


def _within(host: str, network: IPv4Network | IPv6Network) -> bool:
    address = ip_address(host)
    return address.version == network.version and address in network
