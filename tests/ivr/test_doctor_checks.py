"""What the doctor makes of settings and of what its probes saw."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ivr.config import Config, Trunk
from ivr.doctor import answers, lookups, reach, registering, report, settings, surroundings
from ivr.doctor.facts import (
    Asked,
    Certificate,
    Connected,
    Distrust,
    Handshake,
    Machine,
    Refusal,
    Registered,
    RegistrarSaid,
    Reply,
    Search,
    Seen,
    ServerSeen,
    Target,
)
from ivr.doctor.findings import Examination, Finding, Level, fail, ok, printable, skipped, warn
from sip.hop import Address
from sip.locate import Place, Query

GOOD: dict[str, Any] = {
    "allow": ["192.0.2.0/28"],
    "proxy": "sip:gw.example.net;transport=tcp",
    "caller_id": "+918047112233",
    "destinations": ["+91"],
    "calls_per_minute": 60,
}
LISTEN = {"listen": ["udp:0.0.0.0:5060", "tcp:0.0.0.0:5060"]}
PUBLIC = Place("TCP", Address("203.0.113.9", 5070))
NOW = 1_800_000_000.0
DAY = 86_400.0


def configured(trunk: dict[str, Any], **sections: Any) -> tuple[Config, Trunk]:
    numbers = {"1001": {"flow": "vendor-order"}}
    config = Config.model_validate({"sip": LISTEN, "numbers": numbers, "trunks": {"t": trunk}} | sections)
    return config, config.trunks["t"]


def wrong(findings: list[Finding]) -> dict[str, Level]:
    return {one.code: one.level for one in findings if one.level in (Level.WARN, Level.FAIL)}


# A finding


def test_what_is_wrong_says_what_to_mend_and_nothing_else_does() -> None:
    with pytest.raises(ValueError, match=r"a\.b"):
        warn("a.b", "about", "seen", "")
    with pytest.raises(ValueError, match=r"a\.b"):
        Finding("a.b", Level.OK, "about", "seen", "Do this.")
    assert fail("dns.x", "about", "seen", "Do this.").section == "dns"


def test_what_strangers_wrote_is_short_and_harmless() -> None:
    assert printable("a\x1b[31mb\r\nc") == "a [31mb c"
    assert len(printable("x" * 1000)) == 160


# Settings


def test_good_settings() -> None:
    assert wrong(settings.check(*configured(GOOD))) == {}


@pytest.mark.parametrize(
    ("changes", "code", "level"),
    [
        ({"proxy": None}, "config.proxy", Level.WARN),
        ({"proxy": "sip:a b"}, "config.proxy", Level.FAIL),
        ({"proxy": "sip:gw.example.net;transport=ws"}, "config.proxy", Level.FAIL),
        ({"caller_id": None}, "config.caller-id", Level.WARN),
        ({"caller_id": "desk", "number_format": "e164"}, "config.caller-id", Level.FAIL),
        ({"options_s": 0}, "config.options", Level.WARN),
        ({"allow": []}, "config.allow", Level.WARN),
        ({"allow": ["0.0.0.0/0"]}, "config.allow", Level.FAIL),
        ({"allow": ["10.0.0.0/8"]}, "config.allow", Level.WARN),
        ({"codecs": ["G722"]}, "config.codecs", Level.WARN),
        ({"srtp": "offered"}, "config.srtp", Level.WARN),
        ({"proxy": "sip:gw.example.net;transport=tls"}, "config.srtp", Level.WARN),
        ({"destinations": None}, "config.destinations", Level.WARN),
        ({"destinations": ["+"]}, "config.destinations", Level.WARN),
        ({"calls_per_minute": None}, "config.caps", Level.WARN),
        ({"max_calls": 501}, "config.caps", Level.WARN),
        ({"credentials": {"username": "u", "password": "short"}}, "config.credentials", Level.WARN),
        ({"registration": {"user": "u"}}, "config.credentials", Level.WARN),
        ({"profile": "exotel", "proxy": "sip:gw.example.net;transport=udp"}, "config.profile", Level.WARN),
        (
            {"proxy": "sips:gw.example.net", "srtp": "required", "tls": {"verify": False}},
            "config.tls-verify",
            Level.WARN,
        ),
    ],
)
def test_settings_that_will_hurt(changes: dict[str, Any], code: str, level: Level) -> None:
    found = settings.check(*configured(GOOD | changes))
    assert wrong(found)[code] is level


def test_a_trunk_needs_a_socket_of_its_transport_except_tls() -> None:
    sip = {"sip": {"listen": ["udp:0.0.0.0:5060"]}}
    assert wrong(settings.check(*configured(GOOD, **sip))) == {"config.listen": Level.FAIL}
    encrypted = GOOD | {"proxy": "sips:gw.example.net", "srtp": "required"}
    assert wrong(settings.check(*configured(encrypted, **sip))) == {}


def test_a_port_that_changes_is_found_by_nobody() -> None:
    sip = {"sip": {"listen": ["tcp:0.0.0.0:0"]}}
    assert wrong(settings.check(*configured(GOOD, **sip))) == {"config.listen": Level.WARN}


def test_no_password_and_no_whole_number_is_told() -> None:
    secret = "correct horse battery"
    trunk = GOOD | {"credentials": {"username": "+918047112233", "password": secret}}
    told = " ".join(one.seen + one.mend for one in settings.check(*configured(trunk)))
    assert secret not in told
    assert "8047112233" not in told
    assert "+91******2233" in told


def test_nobody_answers_the_calls_that_come() -> None:
    assert wrong(settings.check(*configured(GOOD, numbers={}))) == {"config.numbers": Level.WARN}


# DNS


def test_a_slow_name_server() -> None:
    asked = (Asked(Query("A", "gw.example.net"), ("203.0.113.9",), 60.0, 1.4),)
    found = lookups.check(Search("gw.example.net", asked, (PUBLIC,)), *configured(GOOD))
    assert wrong(found) == {"dns.slow": Level.WARN, "dns.allow": Level.WARN}
    assert "203.0.113.9" in next(one.seen for one in found if one.code == "dns.allow")


def test_a_server_on_loopback_reaches_no_trunk() -> None:
    search = Search("203.0.113.9", (), (PUBLIC,))
    trunk = GOOD | {"allow": ["203.0.113.9"]}
    sip = {"listen": ["tcp:127.0.0.1:5060"]}
    assert wrong(lookups.check(search, *configured(trunk, sip=sip))) == {"dns.loopback": Level.FAIL}
    near = Search("127.0.0.1", (), (Place("TCP", Address("127.0.0.1", 5070)),))
    trunk = GOOD | {"allow": ["127.0.0.1"]}
    assert wrong(lookups.check(near, *configured(trunk, sip=sip))) == {}


@pytest.mark.parametrize(
    ("why", "words"),
    [
        ("no listening address of ours can reach gw", "IP version"),
        ("gw says that it has no SIP service", "right name"),
        ("the name gw has no address: the name servers do not answer", "Mend DNS first"),
        ("the name gw has no address", "spells the name"),
    ],
)
def test_why_a_name_leads_nowhere(why: str, words: str) -> None:
    [found] = lookups.check(Search("gw", (), (), why), *configured(GOOD))
    assert (found.level, words in found.mend) == (Level.FAIL, True)


# Targets


@pytest.mark.parametrize("refusal", list(Refusal))
def test_every_refused_connection_has_its_remedy(refusal: Refusal) -> None:
    found = reach.check([Target(PUBLIC, Connected(0.1, refusal, "why"))], NOW)
    assert [one.code for one in found] == ["reach.connect", "options.answer"]
    assert wrong(found) == {"reach.connect": Level.FAIL}


@pytest.mark.parametrize("distrust", list(Distrust))
@pytest.mark.parametrize("seen", [True, False])
def test_every_distrust_has_its_words(distrust: Distrust, seen: bool) -> None:
    certificate = Certificate(("gw.example.net",), "An Authority", NOW - DAY, NOW + DAY) if seen else None
    shaken = Handshake("gw", certificate=certificate, distrust=distrust, error="in OpenSSL's words")
    found = reach.check([Target(PUBLIC, Connected(0.1), shaken)], NOW)
    [(_, level)] = wrong(found).items()
    assert level is Level.FAIL


@pytest.mark.parametrize(("days", "code"), [(20.0, "tls.expires"), (22.0, "tls.certificate")])
def test_a_certificate_is_to_be_renewed_in_time(days: float, code: str) -> None:
    certificate = Certificate(("gw.example.net",), "An Authority", NOW - DAY, NOW + days * DAY)
    found = reach.check([Target(PUBLIC, Connected(0.1), Handshake("gw", "TLSv1.3", "X", certificate))], NOW)
    assert f"{days:.0f} days from now" in next(one.seen for one in found if one.code == code)


def test_a_peer_that_wants_our_certificate() -> None:
    shaken = Handshake("gw", error="tlsv13 alert certificate required")
    [_, tls, _] = reach.check([Target(PUBLIC, Connected(0.1), shaken)], NOW)
    assert "tls.certificate and tls.key" in tls.mend


def test_a_long_way() -> None:
    reply = Reply(200, "OK", 0.5)
    assert wrong(reach.check([Target(PUBLIC, reply=reply)], NOW)) == {"options.slow": Level.WARN}


def test_every_status_has_a_meaning() -> None:
    for status in range(200, 700):
        meaning = answers.to_options(status)
        assert bool(meaning.mend) is (meaning.level in (Level.WARN, Level.FAIL)), status
        assert answers.to_register(status).endswith("."), status


# Registration


@pytest.mark.parametrize("outcome", list(Registered))
def test_every_outcome_of_a_registration(outcome: Registered) -> None:
    _, trunk = configured(GOOD | {"registration": {"user": "u"}})
    said = RegistrarSaid(outcome, 403, "why")
    stopped = registering.check(trunk, said, ServerSeen())
    good = outcome in (Registered.KNOWN, Registered.NOT_KNOWN)
    assert (wrong(stopped) == {}) is good
    for running in (ServerSeen(answers=True), ServerSeen(held=("udp:0.0.0.0:5060",))):
        found = registering.check(trunk, said, running)
        assert (wrong(found) == {}) is (outcome is Registered.KNOWN)


def test_the_servers_own_registration_is_told() -> None:
    _, trunk = configured(GOOD | {"registration": {"user": "u"}})
    server = ServerSeen(answers=True, registered=False, reason="the password is refused")
    found = registering.check(trunk, RegistrarSaid(Registered.KNOWN, 200, contacts=1), server)
    assert wrong(found) == {"register.server": Level.WARN}


# Our address


def seen_by(received: str | None, told: str = "192.168.1.5", rport: int = 5060) -> list[Target]:
    place = PUBLIC._replace(transport="UDP")
    return [Target(place, told=Address(told, 5060), seen=Seen(received, rport))]


def test_behind_a_nat_without_an_advertised_address() -> None:
    config, _ = configured(GOOD)
    [found] = surroundings.addresses(config, seen_by("198.51.100.4"))
    assert (found.code, found.level) == ("nat.address", Level.FAIL)
    assert "Set sip.advertise to 198.51.100.4" in found.mend
    assert "one way" in found.mend
    [terse] = surroundings.addresses(config, seen_by(None))  # a peer without RFC 3581
    assert (terse.code, terse.level) == ("nat.advertise", Level.FAIL)
    [silent] = surroundings.addresses(config, [Target(PUBLIC, told=Address("10.0.0.5", 5060))])
    assert (silent.code, silent.level) == ("nat.advertise", Level.FAIL)


def test_behind_a_nat_that_changes_ports() -> None:
    config, _ = configured(GOOD, sip=LISTEN | {"advertise": "198.51.100.4"})
    found = surroundings.addresses(config, seen_by("198.51.100.4", "198.51.100.4", 40_001))
    assert wrong(found) == {"nat.port": Level.WARN}
    assert wrong(surroundings.addresses(config, seen_by("198.51.100.4", "198.51.100.4"))) == {}


def test_another_address_than_the_advertised_one() -> None:
    config, _ = configured(GOOD, sip=LISTEN | {"advertise": "198.51.100.4"})
    found = surroundings.addresses(config, seen_by("198.51.100.9", "198.51.100.4"))
    assert wrong(found) == {"nat.advertise": Level.FAIL}


# Media and system

MACHINE = Machine("0.0.0.0", "", frozenset(), (32768, 60999), 1024, 100_000, "shell", 2_000_000, True)


@pytest.mark.parametrize(
    ("ports", "machine", "code", "level"),
    [
        ([10000, 20000], MACHINE, None, None),
        ([0, 0], MACHINE, "media.ports", Level.WARN),
        ([10000, 10100], MACHINE, "media.ports", Level.FAIL),
        ([10000, 10400], MACHINE, "media.ports", Level.WARN),
        ([500, 3000], MACHINE, "media.ports", Level.FAIL),
        ([10000, 20000], replace(MACHINE, taken=frozenset(range(10000, 19950))), "media.ports", Level.WARN),
        ([30000, 40000], MACHINE, "media.shared", Level.WARN),
        ([10000, 20000], replace(MACHINE, bound="no such address"), "media.address", Level.FAIL),
    ],
)
def test_media_ports(ports: list[int], machine: Machine, code: str | None, level: Level | None) -> None:
    config, trunk = configured(GOOD, media={"ports": ports})
    expected = {} if code is None else {code: level}
    assert wrong(surroundings.media(config, trunk, machine)) == expected


def test_a_port_pair_that_is_half_taken_is_not_free() -> None:
    config, trunk = configured(GOOD)
    found = surroundings.media(config, trunk, replace(MACHINE, taken=frozenset({10001, 10002, 9999})))
    assert "5000 pairs, 4998 free" in found[0].seen


def test_the_firewall_for_exotel_is_told_by_address() -> None:
    config, trunk = configured(GOOD | {"profile": "exotel"})
    told = surroundings.media(config, trunk, MACHINE)[-1].seen
    assert "10000-20000 in from 182.76.143.61" in told
    assert "10000-40000" in told


@pytest.mark.parametrize(
    ("machine", "code"),
    [
        (replace(MACHINE, files=1024), "system.files"),
        (replace(MACHINE, buffer_bytes=100_000), "system.buffer"),
    ],
)
def test_limits_of_the_system(machine: Machine, code: str) -> None:
    config, trunk = configured(GOOD | {"max_calls": 400})
    assert wrong(surroundings.system(config, trunk, machine, udp=True)) == {code: Level.WARN}
    assert wrong(surroundings.system(config, trunk, MACHINE, udp=True)) == {}


def test_a_clock_that_nothing_keeps() -> None:
    free = replace(MACHINE, synchronised=False)
    assert wrong(surroundings.clock([], free)) == {"clock.sync": Level.WARN}
    right = [Reply(200, "OK", 0.01, ahead_s=0.4)]
    assert wrong(surroundings.clock(right, free)) == {}
    assert wrong(surroundings.clock(right, MACHINE)) == {}


# The server


def test_what_the_running_server_says() -> None:
    at = ("udp:0.0.0.0:5060",)
    assert wrong(surroundings.server(ServerSeen())) == {}
    assert wrong(surroundings.server(ServerSeen(at, 7, answers=True, up=True))) == {}
    down = ServerSeen(at, 7, answers=True, up=False, reason="no answer to OPTIONS")
    assert wrong(surroundings.server(down)) == {"server.trunk": Level.FAIL}
    assert wrong(surroundings.server(ServerSeen(at, 7, why="no answer"))) == {"server.held": Level.WARN}


@pytest.mark.parametrize(
    ("seen_as", "address"),
    [
        ("198.51.100.4", "198.51.100.4"),
        ("198.51.100.4:40001", "198.51.100.4"),
        ("[2001:db8::4]:40001", "2001:db8::4"),
        ("[2001:db8::4]", "2001:db8::4"),
    ],
)
def test_the_servers_address_is_read_from_what_it_says(seen_as: str, address: str) -> None:
    found = surroundings.server(ServerSeen(answers=True, up=True, seen_as=seen_as))
    assert f"Set sip.advertise to {address}," in found[-1].mend


# The report


def examination(*findings: Finding) -> Examination:
    return Examination("t", "sip:gw.example.net", findings, 1.25)


def test_the_text() -> None:
    found = examination(
        ok("config.proxy", "proxy", "sip:gw.example.net"),
        fail("reach.connect", "connection to tcp:203.0.113.9:5070", "Connection refused", "Check the port."),
        skipped("options.answer", "OPTIONS", "there is no connection to send it on"),
    )
    assert report.as_text(found).splitlines() == [
        "Trunk t: sip:gw.example.net",
        "",
        "Configuration",
        "  ok   proxy: sip:gw.example.net",
        "",
        "Targets",
        "  FAIL connection to tcp:203.0.113.9:5070: Connection refused",
        "       -> Check the port.",
        "  skip OPTIONS: there is no connection to send it on",
        "",
        "1 ok, 0 warnings, 1 failure, 1 skipped, in 1.2 s",
    ]
    assert report.status(found) == 1
    assert "\x1b[31mFAIL \x1b[0m" in report.as_text(found, colours=True)


def test_the_json() -> None:
    found = examination(warn("dns.slow", "look-up", "1400 ms", "Use a near one."))
    assert json.loads(report.as_json(found)) == {
        "trunk": "t",
        "proxy": "sip:gw.example.net",
        "ok": True,
        "took_s": 1.25,
        "counts": {"ok": 0, "warn": 1, "fail": 0, "skipped": 0},
        "findings": [
            {
                "code": "dns.slow",
                "level": "warn",
                "about": "look-up",
                "seen": "1400 ms",
                "mend": "Use a near one.",
            }
        ],
    }
    assert report.status(found) == 0
