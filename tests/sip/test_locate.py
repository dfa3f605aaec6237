"""From a SIP URI to addresses: the examples of RFC 3263 and RFC 2782, question by question."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.hop import Address, Transport
from sip.locate import (
    MAX_PLACES,
    Answers,
    Found,
    Naptr,
    NoPlace,
    Place,
    Query,
    Record,
    Srv,
    advance,
    by_weight,
    locate,
)
from sip.uri import Uri

ALL = frozenset((t, v6) for t in ("UDP", "TCP", "TLS") for v6 in (False, True))
V4 = frozenset((t, v6) for t, v6 in ALL if not v6)


def search(
    text: str, zone: Answers, reach: object = V4, near: Transport | None = None
) -> tuple[list[str], list[tuple[Query, ...]]]:
    """The places in words, and what was asked, round by round."""
    rounds: list[tuple[Query, ...]] = []
    run = locate(Uri.parse(text), reach, lambda: 0.5, near)  # type: ignore[arg-type]
    step = advance(run)
    while not isinstance(step, Found):
        rounds.append(step)
        step = advance(run, {query: zone[query] for query in step if query in zone})
    return [words(place) for place in step.places], rounds


def words(place: Place) -> str:
    return f"{place.transport} {place.address.host} {place.address.port}"


def a(name: str, *addresses: str) -> dict[Query, tuple[Record, ...]]:
    return {Query("A", name): addresses}


def srv(name: str, *records: Srv) -> dict[Query, tuple[Record, ...]]:
    return {Query("SRV", name): records}


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("sip:192.0.2.1", "UDP 192.0.2.1 5060"),
        ("sip:192.0.2.1:5080", "UDP 192.0.2.1 5080"),
        ("sip:192.0.2.1;transport=tcp", "TCP 192.0.2.1 5060"),
        ("sip:192.0.2.1;transport=TLS", "TLS 192.0.2.1 5061"),
        ("sips:192.0.2.1", "TLS 192.0.2.1 5061"),
        ("sips:192.0.2.1:443;transport=tcp", "TLS 192.0.2.1 443"),
        ("sip:[2001:db8::1]", "UDP 2001:db8::1 5060"),
    ],
)
def test_an_address_is_asked_nothing_about(uri: str, place: str) -> None:
    assert search(uri, {}, ALL) == ([place], [])


def test_a_port_skips_the_services() -> None:
    found, rounds = search("sip:gw.test:5070", a("gw.test", "192.0.2.1", "192.0.2.2"))
    assert found == ["UDP 192.0.2.1 5070", "UDP 192.0.2.2 5070"]
    assert rounds == [(Query("A", "gw.test"),)]


def test_both_families_are_asked_where_both_can_be_reached() -> None:
    zone = a("gw.test", "192.0.2.1") | {Query("AAAA", "gw.test"): ("2001:db8::1",)}
    found, _ = search("sip:gw.test:5070", zone, ALL)
    assert found == ["UDP 192.0.2.1 5070", "UDP 2001:db8::1 5070"]
    assert search("sip:gw.test:5070", zone, V4)[0] == ["UDP 192.0.2.1 5070"]


def test_naptr_decides_the_transport() -> None:
    """RFC 3263 4.1, its example: TLS first, then TCP, then UDP."""
    zone: dict[Query, tuple[Record, ...]] = {
        Query("NAPTR", "example.test"): (
            Naptr(90, 50, "s", "SIP+D2T", "_sip._tcp.example.test"),
            Naptr(50, 50, "s", "SIPS+D2T", "_sips._tcp.example.test"),
            Naptr(100, 50, "s", "SIP+D2U", "_sip._udp.example.test"),
            Naptr(10, 50, "s", "SIP+D2S", "_sip._sctp.example.test"),
            Naptr(10, 50, "u", "E2U+sip", ""),
        ),
        **srv("_sips._tcp.example.test", Srv(0, 1, 5061, "s1.test")),
        **srv("_sip._tcp.example.test", Srv(0, 1, 5060, "s1.test")),
        **srv("_sip._udp.example.test", Srv(0, 1, 5060, "s2.test")),
        **a("s1.test", "192.0.2.1"),
        **a("s2.test", "192.0.2.2"),
    }
    found, rounds = search("sip:example.test", zone)
    assert found == ["TLS 192.0.2.1 5061", "TCP 192.0.2.1 5060", "UDP 192.0.2.2 5060"]
    assert len(rounds) == 2  # what can be asked at once is
    udp = frozenset({("UDP", False)})
    assert search("sip:example.test", zone, udp)[0] == ["UDP 192.0.2.2 5060"]


def test_a_replacement_elsewhere_is_asked_for() -> None:
    zone: dict[Query, tuple[Record, ...]] = {
        Query("NAPTR", "a.test"): (Naptr(1, 1, "S", "sip+d2u", "_sip._udp.B.test"),),
        **srv("_sip._udp.b.test", Srv(0, 0, 5060, "s.b.test")),
        **a("s.b.test", "192.0.2.9"),
    }
    found, rounds = search("sip:a.test", zone)
    assert found == ["UDP 192.0.2.9 5060"]
    assert rounds[1] == (Query("SRV", "_sip._udp.b.test"),)


def test_without_naptr_the_first_transport_that_has_services() -> None:
    zone = (
        srv("_sip._tcp.example.test", Srv(2, 0, 5061, "b.test"), Srv(1, 0, 5062, "a.test"))
        | srv("_sips._tcp.example.test", Srv(1, 0, 5063, "a.test"))
        | a("a.test", "192.0.2.1")
        | a("b.test", "192.0.2.2", "192.0.2.3")
    )
    found, _ = search("sip:example.test", zone)
    assert found == ["TCP 192.0.2.1 5062", "TCP 192.0.2.2 5061", "TCP 192.0.2.3 5061"]
    assert search("sips:example.test", zone)[0] == ["TLS 192.0.2.1 5063"]
    found, rounds = search("sip:example.test;transport=tls", zone)
    assert found == ["TLS 192.0.2.1 5063"]
    assert rounds[0] == (Query("SRV", "_sips._tcp.example.test"),)


def test_without_services_the_host_itself_at_the_default_port() -> None:
    assert search("sip:gw.test", a("gw.test", "192.0.2.1"))[0] == ["UDP 192.0.2.1 5060"]
    assert search("sips:gw.test", a("gw.test", "192.0.2.1"))[0] == ["TLS 192.0.2.1 5061"]
    assert search("sip:gw.test", a("gw.test", "192.0.2.1"), near="TCP")[0] == ["TCP 192.0.2.1 5060"]


def test_a_target_without_address_is_left_out() -> None:
    zone = srv("_sip._udp.x.test", Srv(1, 0, 5060, "gone.test"), Srv(2, 0, 5060, "b.test")) | a(
        "b.test", "192.0.2.2"
    )
    assert search("sip:x.test", zone)[0] == ["UDP 192.0.2.2 5060"]


@pytest.mark.parametrize(
    ("uri", "zone", "reason"),
    [
        ("sip:gone.test", {}, "the name gone.test has no address"),
        ("sip:x.test", srv("_sip._udp.x.test", Srv(0, 0, 0, "")), "no SIP service"),
        ("sip:x.test;transport=sctp", {}, "transport 'sctp'"),
        ("sips:x.test;transport=udp", {}, "cannot be reached by 'udp'"),
        ("sip:[2001:db8::1]", {}, "no listening address of ours"),
    ],
)
def test_why_there_is_nowhere_to_send_to(uri: str, zone: Answers, reason: str) -> None:
    with pytest.raises(NoPlace, match=reason):
        search(uri, zone)


def test_what_a_domain_lists_has_a_limit() -> None:
    many = tuple(f"192.0.2.{n}" for n in range(1, 200))
    assert len(search("sip:gw.test:5060", a("gw.test", *many))[0]) == MAX_PLACES


def test_weights_decide_by_chance() -> None:
    """RFC 2782: of weights 0, 1 and 3, the sums are 0, 1 and 4."""
    none, one, three = Srv(0, 0, 1, "none"), Srv(0, 1, 1, "one"), Srv(0, 3, 1, "three")
    later = Srv(1, 100, 1, "later")
    records = [later, three, one, none]
    assert by_weight(records, lambda: 0.0) == [none, one, three, later]
    assert by_weight(records, lambda: 0.2)[0] is one
    assert by_weight(records, lambda: 0.3)[0] is three
    draws = iter([k / 400 for k in range(400)])
    first = [by_weight([one, three], lambda: next(draws))[0] for _ in range(200)]
    assert first.count(three) == 149  # three of four; the edge belongs to the other


_SRV = st.builds(Srv, st.integers(0, 3), st.integers(0, 5), st.just(5060), st.sampled_from("abcdef"))


@given(st.lists(_SRV), st.floats(0, 1, exclude_max=True))
def test_every_record_stays_and_priorities_rise(records: list[Srv], draw: float) -> None:
    found = by_weight(records, lambda: draw)
    assert sorted(found) == sorted(records)
    assert [r.priority for r in found] == sorted(r.priority for r in records)


def test_a_place_is_listed_once() -> None:
    zone = srv("_sip._udp.x.test", Srv(1, 0, 5060, "a.test"), Srv(2, 0, 5060, "b.test")) | {
        Query("A", "a.test"): ("192.0.2.1",),
        Query("A", "b.test"): ("192.0.2.1",),
    }
    assert search("sip:x.test", zone)[0] == ["UDP 192.0.2.1 5060"]
    assert Address("192.0.2.1", 5060) == Place("UDP", Address("192.0.2.1", 5060)).address
