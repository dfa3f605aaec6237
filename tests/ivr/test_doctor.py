"""The doctor against far ends of all kinds, over real sockets."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from ivr.config import Config
from ivr.doctor import examination, probe_sip, probe_tls
from ivr.doctor.examination import examine
from ivr.doctor.findings import Examination, Finding, Level
from sip.message import Request, Response, response_to
from sip.resolver import Resolver
from tests.ivr.trunk_peers import Answer, says, says_nothing, stream_peer, udp_peer, with_headers
from tests.sip.agents import agent
from tests.sip.certificates import Authority
from tests.sip.dns_server import name_server

HEALTHY = says(200, Server="far end 1.0", Allow="INVITE, ACK, BYE, OPTIONS", Supported="100rel, timer")


def config(trunk: dict[str, Any], **sections: Any) -> Config:
    """A server of which nothing runs."""
    return Config.model_validate(
        {
            "sip": {"listen": ["udp:127.0.0.1:0", "tcp:127.0.0.1:0"]},
            "api": {"port": 0},
            "trunks": {
                "far": {
                    "allow": ["127.0.0.1"],
                    "caller_id": "+918047112233",
                    "destinations": ["+91"],
                    "calls_per_minute": 60,
                    **trunk,
                }
            },
            "numbers": {"1001": {"flow": "vendor-order"}},
            **sections,
        }
    )


async def of(trunk: dict[str, Any], resolver: Resolver | None = None, **sections: Any) -> Examination:
    found = await examine(config(trunk, **sections), "far", resolver=resolver)
    for one in found.findings:
        bad = one.level in (Level.WARN, Level.FAIL)
        assert bool(one.mend) == bad, one
        assert not bad or one.mend.endswith("."), one
    return found


def finding(found: Examination, code: str) -> Finding:
    matching = [one for one in found.findings if one.code == code]
    assert len(matching) == 1, [(one.code, one.seen) for one in found.findings]
    return matching[0]


def failures(found: Examination) -> set[str]:
    return {one.code for one in found.findings if one.level is Level.FAIL}


def udp(port: int) -> dict[str, Any]:
    return {"proxy": f"sip:127.0.0.1:{port};transport=udp"}


# Reached, and not


async def test_a_healthy_peer_by_udp() -> None:
    async with udp_peer(HEALTHY) as peer:
        found = await of(udp(peer.port))
    assert failures(found) == set()
    answer = finding(found, "options.answer")
    assert answer.seen.startswith("200 OK in ")
    for words in ("far end 1.0", "allows INVITE, ACK, BYE, OPTIONS", "supports 100rel, timer"):
        assert words in answer.seen
    assert finding(found, "nat.address").level is Level.OK
    assert finding(found, "dns.lookup").seen == "an address, not a name"
    [request] = peer.asked
    assert request.method == "OPTIONS"


async def test_a_healthy_peer_by_tcp() -> None:
    async with stream_peer(HEALTHY) as peer:
        found = await of({"proxy": f"sip:127.0.0.1:{peer.port};transport=tcp"})
    assert failures(found) == set()
    assert finding(found, "reach.connect").level is Level.OK
    assert finding(found, "options.answer").level is Level.OK


async def test_a_healthy_peer_by_ipv6() -> None:
    async with agent(listen=("udp:[::1]:0", "tcp:[::1]:0")) as far:
        host, port = far.address("udp")
        proxy = f"sip:[{host}]:{port};transport=udp"
        found = await of({"proxy": proxy, "allow": ["::1"]}, sip={"listen": ["udp:[::1]:0"]})
    assert failures(found) == set()
    assert finding(found, "options.answer").about == f"OPTIONS to udp:[::1]:{port}"
    assert finding(found, "nat.address").seen == "::1, as we say"


async def test_nobody_listens_there() -> None:
    with socket.socket() as taken:  # bound, and not listening: refused for sure
        taken.bind(("127.0.0.1", 0))
        found = await of({"proxy": f"sip:127.0.0.1:{taken.getsockname()[1]};transport=tcp"})
    assert failures(found) == {"reach.connect"}
    assert "nothing listens there" in finding(found, "reach.connect").mend
    assert finding(found, "options.answer").level is Level.SKIPPED


async def test_a_silent_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_sip, "ANSWER_S", 0.3)
    async with udp_peer(says_nothing) as peer:
        found = await of(udp(peer.port))
        assert len(peer.asked) >= 1
    assert failures(found) == {"options.silent"}
    assert "firewall" in finding(found, "options.silent").mend
    assert finding(found, "nat.address").level is Level.SKIPPED


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (403, "options.403", "allow-list"),
        (503, "options.503", "whether the trunk is active"),
        (408, "options.408", "behind it"),
    ],
)
async def test_a_peer_that_refuses(status: int, code: str, words: str) -> None:
    async with udp_peer(says(status)) as peer:
        found = await of(udp(peer.port))
    assert failures(found) == {code}
    assert words in finding(found, code).mend


@pytest.mark.parametrize("status", [401, 404, 405, 407, 480, 501])
async def test_a_peer_that_is_there_all_the_same(status: int) -> None:
    async with udp_peer(says(status)) as peer:
        found = await of(udp(peer.port))
    assert failures(found) == set()
    assert "it is there" in finding(found, "options.answer").seen


async def test_what_a_stranger_writes_cannot_move_the_cursor() -> None:
    async with udp_peer(says(200, Server="far\x7f \u202eend")) as peer:
        found = await of(udp(peer.port))
    assert "far end" in " ".join(finding(found, "options.answer").seen.split())


# TLS


@pytest.fixture
def ca(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def tls(port: int, authority: Authority | None, host: str = "127.0.0.1") -> dict[str, Any]:
    settings = {"ca": authority.path} if authority else {}
    return {"proxy": f"sip:{host}:{port};transport=tls", "tls": settings, "srtp": "required"}


async def test_a_healthy_peer_by_tls(ca: Authority) -> None:
    async with stream_peer(HEALTHY, ca.issue("127.0.0.1")) as peer:
        found = await of(tls(peer.port, ca))
    assert failures(found) == set()
    assert finding(found, "tls.handshake").seen.startswith("TLSv1.3, TLS_")
    assert finding(found, "tls.certificate").seen.startswith("127.0.0.1, by ")
    assert finding(found, "options.answer").level is Level.OK


async def test_a_certificate_that_has_expired(ca: Authority) -> None:
    async with stream_peer(HEALTHY, ca.issue("127.0.0.1", expired=True)) as peer:
        found = await of(tls(peer.port, ca))
    assert failures(found) == {"tls.expired"}
    yesterday = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86400))
    assert f"expired since {yesterday}" in finding(found, "tls.expired").seen


async def test_a_certificate_for_another_name(ca: Authority) -> None:
    async with stream_peer(HEALTHY, ca.issue("sip.far.test", "sip2.far.test")) as peer:
        found = await of(tls(peer.port, ca))
    assert failures(found) == {"tls.wrong-name"}
    wrong = finding(found, "tls.wrong-name")
    assert wrong.seen == "its certificate is for sip.far.test, sip2.far.test, not for 127.0.0.1"
    assert "tls.server_name" in wrong.mend


async def test_a_certificate_of_an_authority_that_nobody_knows(ca: Authority) -> None:
    async with stream_peer(HEALTHY, ca.issue("127.0.0.1")) as peer:
        found = await of(tls(peer.port, None))
    assert failures(found) == {"tls.unknown-authority"}
    unknown = finding(found, "tls.unknown-authority")
    assert "127.0.0.1" in unknown.seen
    assert "tls.ca" in unknown.mend
    assert finding(found, "options.answer").level is Level.SKIPPED


async def test_a_port_that_does_not_speak_tls(ca: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_tls, "CONNECT_S", 0.5)  # nothing comes, as a SIP server waits for more
    async with stream_peer(HEALTHY) as peer:
        found = await of(tls(peer.port, ca))
    assert failures(found) == {"tls.handshake"}


async def test_a_peer_that_wants_a_certificate_of_ours(ca: Authority) -> None:
    certificate, key = ca.issue("us.test")
    async with stream_peer(HEALTHY, ca.issue("127.0.0.1"), wants_ours=ca.path) as peer:
        without = await of(tls(peer.port, ca))
        ours = {"ca": ca.path, "certificate": certificate, "key": key}
        shown = await of(tls(peer.port, ca) | {"tls": ours})
    assert failures(without) == {"tls.handshake"}
    assert "set tls.certificate and tls.key" in finding(without, "tls.handshake").mend
    assert failures(shown) == set()


async def test_a_peer_that_closes_at_once(ca: Authority) -> None:
    """As servers do to addresses that they do not know."""

    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(close, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        plain = await of({"proxy": f"sip:127.0.0.1:{port};transport=tcp"})
        encrypted = await of(tls(port, ca))
    assert failures(plain) == {"options.silent"}
    assert "allow our address" in finding(plain, "options.silent").mend
    assert failures(encrypted) == {"tls.handshake"}
    assert "our address is allowed" in finding(encrypted, "tls.handshake").mend


@pytest.mark.parametrize("expired", [False, True])
async def test_our_own_certificate(ca: Authority, expired: bool) -> None:
    certificate, key = ca.issue("sip.us.test", expired=expired)
    sip = {"listen": ["udp:127.0.0.1:0", "tls:127.0.0.1:0"], "tls": {"certificate": certificate, "key": key}}
    async with udp_peer(HEALTHY) as peer:
        found = await of(udp(peer.port), sip=sip)
    assert failures(found) == ({"tls.ours"} if expired else set())
    assert finding(found, "tls.ours").seen.startswith("sip.us.test, until ")


async def test_our_own_certificate_is_not_there(ca: Authority) -> None:
    sip = {"listen": ["udp:127.0.0.1:0"], "tls": {"certificate": "/nowhere/c.pem", "key": "/nowhere/k.pem"}}
    async with udp_peer(HEALTHY) as peer:
        found = await of(udp(peer.port), sip=sip)
    assert failures(found) == {"tls.ours"}
    assert "/nowhere/c.pem" in finding(found, "tls.ours").seen


async def test_a_file_of_ours_that_is_not_there(ca: Authority) -> None:
    async with stream_peer(HEALTHY, ca.issue("127.0.0.1")) as peer:
        broken = tls(peer.port, ca) | {"tls": {"ca": "/nowhere/ca.pem"}}
        found = await of(broken)
    assert failures(found) == {"tls.files"}
    assert "/nowhere/ca.pem" in finding(found, "tls.files").seen


# Names


async def test_targets_of_a_name() -> None:
    async with udp_peer(HEALTHY) as one, udp_peer(says(503)) as two, name_server() as dns:
        services = f"1 5 {one.port} a.far.test.", f"2 0 {two.port} a.far.test."
        dns.add("_sip._udp.far.test", "SRV", *services, ttl=5)
        dns.add("a.far.test", "A", "127.0.0.1")
        resolver = Resolver([dns.address], Path("/nonexistent"))
        found = await of({"proxy": "sip:far.test;transport=udp"}, resolver)
    first, second = f"udp:127.0.0.1:{one.port}", f"udp:127.0.0.1:{two.port}"
    assert finding(found, "dns.targets").seen == f"{first}, {second}, in this order"
    asked = finding(found, "dns.lookup").seen
    assert f"SRV _sip._udp.far.test: a.far.test:{one.port} priority 1 weight 5" in asked
    assert "A a.far.test: 127.0.0.1 (60 s)" in asked
    assert "holds only 5 s" in finding(found, "dns.ttl").seen
    assert finding(found, "options.answer").about.endswith(first)
    assert finding(found, "options.503").about.endswith(second)


async def test_a_name_that_does_not_exist() -> None:
    async with name_server() as dns:
        found = await of({"proxy": "sip:far.test"}, Resolver([dns.address], Path("/nonexistent")))
    assert failures(found) == {"dns.targets"}
    missing = finding(found, "dns.targets")
    assert missing.seen == "the name far.test has no address"
    assert "how the provider spells the name" in missing.mend


async def test_a_name_server_that_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sip.resolver.QUERY_S", 0.2)
    async with name_server() as dns:
        dns.silent = True
        found = await of({"proxy": "sip:far.test:5060"}, Resolver([dns.address], Path("/nonexistent")))
    assert failures(found) == {"dns.silent", "dns.targets"}
    assert "Mend DNS first" in finding(found, "dns.targets").mend


# Our address, and the clock


async def test_the_far_end_sees_us_elsewhere() -> None:
    async with udp_peer(HEALTHY, source="203.0.113.7") as peer:
        found = await of(udp(peer.port))
        told = await of(udp(peer.port), sip={"listen": ["udp:127.0.0.1:0"], "advertise": "127.0.0.9"})
    assert failures(found) == {"nat.address"}
    assert "Set sip.advertise to 203.0.113.7" in finding(found, "nat.address").mend
    assert finding(told, "nat.advertise").seen == "203.0.113.7, but we advertise 127.0.0.9"


@pytest.mark.parametrize(
    ("off_s", "level", "words"),
    [
        (0, Level.OK, "within a few seconds"),
        (3600, Level.FAIL, r"ours is (3599|3600|3601) s behind"),
        (-3600, Level.FAIL, r"ours is (3599|3600|3601) s ahead of"),
        (90, Level.WARN, r"ours is (89|90|91) s behind"),
    ],
)
async def test_the_clock_of_the_far_end(off_s: int, level: Level, words: str) -> None:
    def answer(request: Request) -> Response:
        date = formatdate(time.time() + off_s, usegmt=True)
        return with_headers(response_to(request, 200, to_tag="x"), {"Date": date})

    async with udp_peer(answer) as peer:
        found = await of(udp(peer.port))
    clock = finding(found, "clock.date")
    assert clock.level is level
    assert re.match(words, clock.seen)
    assert ("chrony" in clock.mend) is (level is not Level.OK)


# Registration


def registrar(*, password_ok: bool = True, contacts: str = "") -> Answer:
    """Challenges once, then takes or refuses whatever proof comes."""

    def answer(request: Request) -> Response:
        if request.method != "REGISTER":
            return response_to(request, 200, to_tag="o")
        if "Authorization" not in request.headers or not password_ok:
            challenge = 'Digest realm="far", nonce="n1", algorithm=SHA-256, qop="auth"'
            return with_headers(response_to(request, 401, to_tag="r"), {"WWW-Authenticate": challenge})
        headers = {"Contact": contacts} if contacts else {}
        return with_headers(response_to(request, 200, to_tag="r"), headers)

    return answer


REGISTRATION = {
    "registration": {"user": "line7"},
    "credentials": {"username": "line7", "password": "a-secret-that-is-long"},
}


async def test_the_registrar_knows_us_and_is_changed_by_nothing() -> None:
    bound = "<sip:line7@192.0.2.1>;expires=480, <sip:line7@192.0.2.2>;expires=60"
    async with udp_peer(registrar(contacts=bound)) as peer:
        found = await of(udp(peer.port) | REGISTRATION)
    assert failures(found) == set()
    seen = finding(found, "register.answer").seen
    assert seen == "the password is accepted; 2 registered under the name, for 480 s more"
    asked = [request for request in peer.asked if request.method == "REGISTER"]
    assert len(asked) == 2
    assert all("Contact" not in request.headers for request in asked)  # RFC 3261 10.2.3: only asks
    assert not any("a-secret-that-is-long" in str(one) for one in found.findings)


async def test_the_registrar_refuses_the_password() -> None:
    async with udp_peer(registrar(password_ok=False)) as peer:
        found = await of(udp(peer.port) | REGISTRATION)
        asked = [request for request in peer.asked if request.method == "REGISTER"]
    assert failures(found) == {"register.password"}
    assert len(asked) == 2  # a second wrong answer might lock the account


async def test_the_registrar_wants_a_password_that_we_have_not() -> None:
    async with udp_peer(registrar()) as peer:
        found = await of(udp(peer.port) | {"registration": {"user": "line7"}})
    assert failures(found) == {"register.no-credentials"}


async def test_nobody_is_registered_while_nothing_runs() -> None:
    async with udp_peer(registrar()) as peer:
        found = await of(udp(peer.port) | REGISTRATION)
    assert "nobody is registered, as the server is not running" in finding(found, "register.answer").seen


async def test_a_registrar_that_knows_nobody_of_the_name() -> None:
    def answer(request: Request) -> Response:
        return response_to(request, 404 if request.method == "REGISTER" else 200, to_tag="r")

    async with udp_peer(answer) as peer:
        found = await of(udp(peer.port) | REGISTRATION)
    assert failures(found) == {"register.refused"}
    assert "registration.user" in finding(found, "register.refused").mend


# As a whole


async def test_an_examination_ends_in_time_with_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "LIMIT_S", 0.5)
    async with udp_peer(says_nothing) as peer:
        found = await of(udp(peer.port))
    assert "doctor.deadline" in failures(found)
    assert finding(found, "dns.targets").level is Level.OK


async def test_nothing_is_left_behind() -> None:
    async with udp_peer(HEALTHY) as peer:
        before = asyncio.all_tasks()
        await of(udp(peer.port))
        assert asyncio.all_tasks() == before
