"""DNS with a name server of our own: what is asked, how long it is kept, what happens without an answer."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from sip import resolver as module
from sip.dns_cache import FAILED_S, MAX_EMPTY_S, MAX_S, STALE_S, DnsCache
from sip.hop import Address
from sip.locate import NoPlace, Place, Query
from sip.resolver import Resolver
from sip.uri import Uri
from tests.sip.dns_server import NameServer, name_server

V4 = frozenset({("UDP", False), ("TCP", False)})
GATEWAY = Uri.parse("sip:gw.test:5070")


def at(*servers: NameServer, hosts: Path = Path("/nonexistent")) -> Resolver:
    return Resolver([server.address for server in servers], hosts)


async def test_a_domain_with_services() -> None:
    async with name_server() as dns:
        dns.add("example.test", "NAPTR", '10 0 "s" "SIP+D2T" "" _sip._tcp.example.test.')
        dns.add("_sip._tcp.example.test", "SRV", "1 0 5080 a.example.test.", "2 0 5081 b.example.test.")
        dns.add("a.example.test", "A", "192.0.2.1")
        dns.add("b.example.test", "A", "192.0.2.2")
        resolver, uri = at(dns), Uri.parse("sip:example.test")
        assert resolver.known(uri, V4) is None
        found = await resolver.find(uri, V4)
        assert found == (
            Place("TCP", Address("192.0.2.1", 5080)),
            Place("TCP", Address("192.0.2.2", 5081)),
        )
        asked = dns.asked.total()
        assert resolver.known(uri, V4) == found == await resolver.find(uri, V4)
        assert dns.asked.total() == asked


async def test_many_who_want_the_same_ask_once() -> None:
    async with name_server() as dns:
        dns.add("gw.test", "A", "192.0.2.1")
        resolver = at(dns)
        found = await asyncio.gather(*(resolver.find(GATEWAY, V4) for _ in range(20)))
        assert set(found) == {(Place("UDP", Address("192.0.2.1", 5070)),)}
        assert dns.asked == {("gw.test", "A"): 1}


async def test_a_name_that_does_not_exist_is_not_asked_for_again() -> None:
    async with name_server() as dns:
        resolver = at(dns)
        for _ in range(3):
            with pytest.raises(NoPlace, match=r"gw.test has no address"):
                await resolver.find(GATEWAY, V4)
        assert dns.asked["gw.test", "A"] == 1


async def test_silent_name_servers_are_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TRY_S", 0.1)
    monkeypatch.setattr(module, "QUERY_S", 0.3)
    async with name_server() as dns:
        dns.silent = True
        resolver = at(dns)
        began = time.monotonic()
        with pytest.raises(OSError, match=r"gw.test has no address: the name servers do not answer"):
            await resolver.find(GATEWAY, V4)
        with pytest.raises(OSError, match=r"gw.test"):  # and for the next call, at once
            await resolver.find(GATEWAY, V4)
        assert time.monotonic() - began < 5.0


async def test_the_second_name_server_is_asked_when_the_first_is_silent() -> None:
    async with name_server() as dead, name_server() as dns:
        dead.silent = True
        dns.add("gw.test", "A", "192.0.2.1")
        found = await at(dead, dns).find(GATEWAY, V4)
        assert found == (Place("UDP", Address("192.0.2.1", 5070)),)


async def test_an_old_answer_serves_while_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TRY_S", 0.1)
    monkeypatch.setattr(module, "QUERY_S", 0.2)
    async with name_server() as dns:
        dns.add("gw.test", "A", "192.0.2.1", ttl=0)
        resolver = at(dns)
        first = await resolver.find(GATEWAY, V4)
        dns.silent = True
        await asyncio.sleep(1.1)  # the least time that an answer is kept
        assert resolver.known(GATEWAY, V4) is None
        assert await resolver.find(GATEWAY, V4) == first


async def test_names_of_the_hosts_file_need_no_dns(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("# ours\n192.0.2.7 gw.test pbx\n2001:db8::7 gw.test\nnonsense gw.test\n")
    async with name_server() as dns:
        resolver = at(dns, hosts=hosts)
        for name in ("gw.test", "PBX"):
            found = resolver.known(Uri.parse(f"sip:{name}"), V4)
            assert found == (Place("UDP", Address("192.0.2.7", 5060)),)
        local = Uri.parse("sip:localhost:5090")
        both = V4 | {("UDP", True)}
        assert [place.address.host for place in resolver.known(local, both) or ()] == ["127.0.0.1", "::1"]
        assert not dns.asked


async def test_closing_ends_what_is_being_asked() -> None:
    async with name_server() as dns:
        dns.silent = True
        resolver = at(dns)
        asking = asyncio.create_task(resolver.find(GATEWAY, V4))
        while not dns.asked:
            await asyncio.sleep(0.01)
        await resolver.close()
        with pytest.raises(asyncio.CancelledError):
            await asking


# The cache


A = Query("A", "gw.test")


def test_an_answer_lives_as_long_as_it_says() -> None:
    cache = DnsCache()
    cache.answered(A, ("192.0.2.1",), 60.0, now=0.0)
    assert cache.get(A, 59.9) == ("192.0.2.1",)
    assert cache.get(A, 60.0) is None
    cache.answered(A, ("192.0.2.1",), 1e9, now=0.0)
    assert cache.get(A, MAX_S) is None
    cache.answered(A, (), 1e9, now=0.0)
    assert cache.get(A, MAX_EMPTY_S - 1) == ()
    assert cache.get(A, MAX_EMPTY_S) is None


def test_a_failure_keeps_the_old_answer_for_a_day() -> None:
    cache = DnsCache()
    assert cache.failed(A, 0.0) == ()
    cache.answered(A, ("192.0.2.1",), 60.0, now=10.0)
    assert cache.failed(A, 100.0) == ("192.0.2.1",)
    assert cache.get(A, 100.0 + FAILED_S - 0.1) == ("192.0.2.1",)
    assert cache.get(A, 100.0 + FAILED_S) is None
    assert cache.failed(A, 10.0 + STALE_S) == ()


def test_the_cache_is_bounded() -> None:
    cache = DnsCache(max_entries=3)
    for n in range(10):
        cache.answered(Query("A", f"{n}.test"), ("192.0.2.1",), 60.0, now=0.0)
    assert len(cache) == 3
    assert cache.get(Query("A", "9.test"), 1.0) is not None
    assert cache.get(Query("A", "0.test"), 1.0) is None
