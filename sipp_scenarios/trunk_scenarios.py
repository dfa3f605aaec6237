"""Scenarios of transports, of what a trunk allows, and of trunks that want something special."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import httpx

from ivr.local import LocalServer, local_server
from sipp_scenarios.config import (
    BRIEF,
    ENCRYPTED,
    EXOPHONE,
    EXOTEL,
    FEW,
    GUESSER,
    LOCAL,
    NARROW,
    PASSWORD,
    PHONE,
    PRIVATE,
    STRANGER,
    USER,
    USER_PASSWORD,
    USERNAME,
    free_port,
)
from sipp_scenarios.rtp import Phone, RtpPeer, wait_for
from sipp_scenarios.scenario import Scenario
from sipp_scenarios.stage import NOTICE, Conversation, Failed, Sdp, Stage, expect, usual

_WITHIN_S: Final = 20.0
_SECURE: Final = Sdp(
    "RTP/SAVP 8 101",
    (
        "crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj",
        *usual().attributes,
    ),
)


def tls(stage: Stage) -> None:
    """A call by TLS; the BYE of the server takes the same connection."""
    stage.need_world()
    with RtpPeer() as peer:
        stage.call("tls", peer=peer, transport="tls", number=NOTICE)
        expect(any(packet.sound for packet in peer.heard), "no speech was heard")
    stage.check_record("normal", "us")


def tls_srtp(stage: Stage) -> None:
    """A call by TLS with SRTP, as a trunk that requires it has."""
    stage.need_world()
    with RtpPeer(host=ENCRYPTED) as peer:
        call = stage.call("tls", peer=peer, transport="tls", number=NOTICE, source=ENCRYPTED, sdp=_SECURE)
    answer = call.answer()
    expect("RTP/SAVP 8 101" in answer and "a=crypto:1 " in answer, f"the answer is\n{answer}")
    stage.check_record("normal", "us")


def called_tls(stage: Stage) -> None:
    """We call by TLS, and check the certificate."""
    stage.need_world()
    port = free_port()
    with (
        RtpPeer() as peer,
        stage.called_by_tls(port) as secure,
        stage.sipp("called_offer", peer=peer, port=port, transport="tcp"),
    ):
        stage.dial("notice", secure, ";transport=tls")
    stage.check_record("normal", "us")


def ipv6(stage: Stage) -> None:
    """A call over IPv6, media and all."""
    stage.need_world()
    with RtpPeer(host="::1") as peer:
        stage.call("offer", peer=peer, transport="udp6")
        expect(peer.count() >= 25, f"{peer.count()} RTP packets came in more than a second")
    stage.check_record("normal", "caller")


def called_ipv6(stage: Stage) -> None:
    """We call over IPv6."""
    stage.need_world()
    port = free_port(host="::1")
    with RtpPeer(host="::1") as peer, stage.sipp("called_offer", peer=peer, port=port, transport="udp6"):
        stage.dial("notice", port, host="[::1]")
        expect(peer.wait_for_sound(10), "no speech was heard")
    stage.check_record("normal", "us")


def unknown_source(stage: Stage) -> None:
    """An INVITE from an address that no trunk allows gets no answer at all."""
    stage.need_api()
    stage.call("silence", "-nr", source=STRANGER)
    expect(not stage.records(), "the call of an unknown address has a record")


def scanner(stage: Stage) -> None:
    """A scanner's User-Agent gets no answer, wherever it comes from."""
    stage.call("silence", "-nr", keys={"header": "User-Agent: friendly-scanner"})
    expect(not stage.records(), "the call of a scanner has a record")


def digest(stage: Stage) -> None:
    """A peer without a fixed address is asked who it is, and its call is taken when it proves it."""
    stage.need_world()
    challenges = _challenges(stage.call("challenged", source=PHONE, keys={"user": USER}))
    expect([c["algorithm"] for c in challenges] == ["SHA-256", "MD5"], f"the challenges are {challenges}")
    for count, challenge in enumerate(challenges, 1):  # both have one nonce: no count is taken twice
        proof = {"header": _proof(stage, challenge, USER_PASSWORD, count)}
        with RtpPeer(host=PHONE) as peer:
            stage.call("offer", peer=peer, source=PHONE, keys=proof, hold_ms=300)
    api = stage.need_api()
    trunks = [api.ended(record["id"])["trunk"] for record in stage.records()]
    expect(trunks == ["users"] * 2, f"the calls came over {trunks}")


def digest_wrong(stage: Stage) -> None:
    """With a wrong password it is asked again, an unknown user gets no answer, and there is no call."""
    stage.need_world()
    (challenge, _) = _challenges(stage.call("challenged", source=GUESSER, keys={"user": USER}))
    proof = _proof(stage, challenge, "a guess")
    stage.call("challenged", source=GUESSER, keys={"user": USER, "header": proof})
    stage.call("silence", "-nr", source=GUESSER, keys={"header": proof.replace(USER, "nobody")})
    expect(not stage.records(), "a call with a wrong password has a record")


def max_calls(stage: Stage) -> None:
    """A trunk that has all the calls that it may gets 503 with Retry-After for one more."""
    stage.need_world()
    with RtpPeer(host=NARROW) as peer, stage.sipp("basic", peer=peer, source=NARROW, hold_ms=2500):
        expect(peer.wait_for_media(5), "the first call has no media")
        stage.call("unavailable", source=NARROW)


def invites_per_minute(stage: Stage) -> None:
    """A trunk that sends more calls a minute than it may gets 503 with Retry-After."""
    stage.need_world()
    stage.call("basic", source=FEW, hold_ms=100)
    stage.call("unavailable", source=FEW)


def calls_per_minute(stage: Stage) -> None:
    """We place no more calls a minute over a trunk than it takes: the API says 503 with Retry-After."""
    world = stage.need_world()
    with stage.sipp("called_busy", source=FEW, port=world.proxies["few"]):
        stage.dial_number("notice", "+919876543210", "few")
    refusal = _refusal(stage, "+919876543210", "few")
    expect(refusal.status_code == 503, f"the API answered {refusal.status_code}: {refusal.text}")
    expect(int(refusal.headers["Retry-After"]) > 1, f"Retry-After is {refusal.headers.get('Retry-After')}")


def destinations(stage: Stage) -> None:
    """A number that a trunk may not call is refused by the API, before anything is sent."""
    stage.need_world()
    for to in ("+18005550100", "sip:sipp@198.51.100.7"):
        refusal = _refusal(stage, to, "narrow")
        expect(refusal.status_code == 403, f"the API answered {refusal.status_code}: {refusal.text}")


def call_length(stage: Stage) -> None:
    """A call that has lasted as long as its trunk allows is ended, and the record says so."""
    stage.need_world()
    with RtpPeer(host=BRIEF) as peer:
        stage.call("ended_by_us", peer=peer, source=BRIEF)
    stage.check_record("limit", "us")


def identity(stage: Stage) -> None:
    """A caller who keeps the number back is known by P-Asserted-Identity; X-headers are kept."""
    stage.need_world()
    told = (
        f"P-Asserted-Identity: <sip:{stage.caller}@{LOCAL}>",
        "Privacy: id",
        "Diversion: <sip:5550100@192.0.2.1>;reason=no-answer",
        "X-Order-Id: 4711",
    )
    with RtpPeer() as peer:
        keys = {"from": "anonymous", "header": "\r\n".join(told)}
        stage.call("offer", peer=peer, keys=keys, hold_ms=300)
    stage.check_record("normal", "caller")
    events = str(stage.need_api().call(stage.records()[0]["id"])["events"])
    expect("4711" in events, f"X-Order-Id is not in the record: {events}")


def called_private(stage: Stage) -> None:
    """We call and keep our number back: From and Contact are anonymous, the network alone is told."""
    stage.need_world()
    port = free_port()
    with (
        RtpPeer(host=PRIVATE) as peer,
        stage.sipp("called_offer", peer=peer, source=PRIVATE, port=port) as call,
    ):
        id = stage.need_api().initiate(
            to=f"sip:sipp@{PRIVATE}:{port}", flow="notice", trunk="private", headers={"X-Order-Id": "4711"}
        )
    invite = call.only("INVITE")
    for line in ("From: .*anonymous.invalid", "Privacy: id", f"P-Asserted-Identity: .*{EXOPHONE[1:]}"):
        expect(re.search(f"^{line}", invite, re.M) is not None, f"there is no {line!r} in\n{invite}")
    for line in ("From", "Contact"):
        found = re.search(f"^{line}: (.*)$", invite, re.M)
        expect(found is not None and EXOPHONE[1:] not in found[1], f"{line} tells our number:\n{invite}")
    expect("X-Order-Id: 4711" in invite, f"the header of the call is not in\n{invite}")
    expect(stage.need_api().ended(id)["cause"] == "normal", "the call did not end well")


def called_moved(stage: Stage) -> None:
    """We call, and are sent elsewhere (302): we do not go there, whatever it costs who."""
    stage.need_api()
    port = free_port()
    with stage.sipp("called_moved", port=port):
        call = stage.dial("notice", port)
    record = stage.need_api().ended(call)
    expect(record["answered_at"] is None, "a call that was sent elsewhere counts as answered")
    expect(record["hung_up_by"] == "callee", f"the record says that {record['hung_up_by']} hung up")


def trunk_state(stage: Stage) -> None:
    """OPTIONS probes: the API shows a trunk that answers as up, that sends 503 as down, then as up again."""
    world, api = stage.need_world(), stage.need_api()
    port = world.proxies["probed"]
    for scenario, up in (("probed_up", True), ("probed_down", False), ("probed_up", True)):
        with stage.sipp(scenario, port=port, endless=True):
            expect(
                wait_for(lambda up=up: api.trunk("probed")["up"] is up, _WITHIN_S),  # type: ignore[misc]
                f"{scenario}: the API still says {api.trunk('probed')}",
            )
    reason = api.trunk("probed")["reason"]
    expect(reason == "", f"a trunk that is up has a reason: {reason}")


def register(stage: Stage) -> None:
    """We register with a password (MD5), refresh it in time, and take it back when the server stops."""
    port = free_port()
    known = {"username": USERNAME, "password": PASSWORD}
    with (
        stage.sipp("registrar", port=port, keys=known) as registrar,
        _line(stage, port) as server,
    ):
        _registered(server)
        # Ten seconds were granted, so the binding is refreshed after five.
        expect(wait_for(lambda: len(registrar.received("REGISTER")) > 2, _WITHIN_S), "it is not refreshed")


def register_auth_int(stage: Stage) -> None:
    """A registrar that wants the body signed too (auth-int) is refused, and the API says why."""
    port = free_port()
    with stage.sipp("registrar_auth_int", port=port), _line(stage, port) as server:
        expect(
            wait_for(lambda: "auth-int" in server.api.trunk("line")["reason"], _WITHIN_S),
            f"the API says {server.api.trunk('line')}",
        )
        expect(server.api.trunk("line")["registered"] is False, "the API says that we are registered")


def register_sha256(stage: Stage) -> None:
    """The same with SHA-256, computed anew here."""
    port = free_port()
    with stage.sipp("registrar_sha256", port=port) as registrar, _line(stage, port) as server:
        _registered(server)
        (given,) = _digests(registrar.received("REGISTER")[1], "Authorization")
    expect(given == given | {"username": USERNAME, "realm": "sipp", "qop": "auth"}, f"it says {given}")
    expect(
        given["response"] == _response(given, USERNAME, PASSWORD, "REGISTER", given["nc"], given["cnonce"]),
        "the response is not what the password gives",
    )


def exotel(stage: Stage) -> None:
    """A call as Exotel sends it: its headers are kept, its traps are passed, BYE takes its connection."""
    stage.need_world()
    with RtpPeer(Phone(96), EXOTEL) as peer:
        call = stage.call("exotel", peer=peer, transport="tcp", source=EXOTEL, number=EXOPHONE, sdp=usual(96))
        expect(any(packet.sound for packet in peer.heard), "no speech was heard")
    answer = call.answer()
    expect("RTP/AVP 8 96" in answer, f"the answer is\n{answer}")
    expect("transport=tls;lr" in call.only("BYE"), "the BYE does not name the route")
    stage.check_record("normal", "us", trunk="exotel")
    events = stage.need_api().call(stage.records()[0]["id"])["events"]
    expect("5f2a7c" in str(events), f"X-Exotel-CallSid is not in the record: {events}")


def called_exotel(stage: Stage) -> None:
    """We call over Exotel: +91 before the number, and ACK and BYE along a route that names TLS."""
    world = stage.need_world()
    with RtpPeer(Phone(96), EXOTEL) as peer:
        with stage.sipp(
            "called_exotel", peer=peer, transport="tcp", source=EXOTEL, sdp=usual(96),
            port=world.proxies["exotel"],
        ) as call:  # fmt: skip
            id = stage.need_api().initiate(to="09876543210", flow="notice", trunk="exotel")
        expect(any(packet.sound for packet in peer.heard), "no speech was heard")
    invite = call.only("INVITE")
    expect(invite.startswith("INVITE sip:+919876543210@"), f"it begins with {invite[:60]}")
    expect(f"sip:{EXOPHONE}@" in invite, f"the call is not from the Exophone:\n{invite}")
    for method in ("ACK", "BYE"):
        request = call.only(method)
        expect(
            request.startswith(f"{method} sip:sipp@198.51.100.7:5060") and "transport=tls;lr" in request,
            f"it does not take the route:\n{request}",
        )
    record = stage.need_api().ended(id)
    expect((record["cause"], record["hung_up_by"]) == ("normal", "us"), f"the record says {record['cause']}")


@contextmanager
def _line(stage: Stage, port: int) -> Iterator[LocalServer]:
    """A server that registers at a port of the loopback, until the block is left."""
    stage.need_world()
    trunk = {
        "proxy": f"sip:{LOCAL}:{port}",
        "options_s": 0,
        "registration": {"user": USERNAME},
        "credentials": {"username": USERNAME, "password": PASSWORD},
    }
    with local_server(stage.folder / "server", {"trunks": {"line": trunk}}) as server:
        yield server


def _registered(server: LocalServer) -> None:
    expect(
        wait_for(lambda: server.api.trunk("line")["registered"] is True, _WITHIN_S),
        f"the API says {server.api.trunk('line')}",
    )


def _refusal(stage: Stage, to: str, trunk: str) -> httpx.Response:
    """What the API answers to a call that must not be placed."""
    try:
        stage.dial_number("notice", to, trunk)
    except httpx.HTTPStatusError as error:
        return error.response
    raise Failed(f"the API placed a call to {to} over {trunk}")


def _challenges(call: Conversation) -> list[dict[str, str]]:
    return _digests(call.only("SIP/2.0 401"), "WWW-Authenticate")


def _digests(message: str, field: str) -> list[dict[str, str]]:
    """The parameters of every digest challenge or answer of a message."""
    values = re.findall(rf"^{field}: Digest (.*)$", message, re.M | re.I)
    return [dict(re.findall(r'(\w+)="?([^",]*)"?', value)) for value in values]


def _proof(stage: Stage, challenge: Mapping[str, str], password: str, count: int = 1) -> str:
    """The header that answers a challenge of an INVITE: SIPp reads the first challenge alone, and MD5."""
    asked = {**challenge, "uri": f"sip:{stage.number}@{stage.targets['udp']}"}
    response = _response(asked, USER, password, "INVITE", f"{count:08x}", "sipp")
    named = ", ".join(f'{name}="{asked[name]}"' for name in ("realm", "nonce", "uri"))
    return (
        f'Authorization: Digest username="{USER}", {named}, '
        f'algorithm={asked["algorithm"]}, qop=auth, nc={count:08x}, cnonce="sipp", response="{response}"'
    )


def _response(
    asked: Mapping[str, str], user: str, password: str, method: str, count: str, cnonce: str
) -> str:
    """RFC 7616 3.4.1, for qop=auth."""

    def hashed(text: str) -> str:
        return hashlib.new(asked["algorithm"].replace("-", ""), text.encode()).hexdigest()

    who, what = hashed(f"{user}:{asked['realm']}:{password}"), hashed(f"{method}:{asked['uri']}")
    return hashed(f"{who}:{asked['nonce']}:{count}:{cnonce}:auth:{what}")


TRUNKS: Final = (
    Scenario("tls", tls),
    Scenario("tls-srtp", tls_srtp),
    Scenario("called-tls", called_tls),
    Scenario("ipv6", ipv6),
    Scenario("called-ipv6", called_ipv6),
    Scenario("unknown-source", unknown_source),
    Scenario("scanner", scanner),
    Scenario("digest", digest),
    Scenario("digest-wrong", digest_wrong),
    Scenario("max-calls", max_calls),
    Scenario("invites-per-minute", invites_per_minute),
    Scenario("calls-per-minute", calls_per_minute),
    Scenario("destinations", destinations),
    Scenario("call-length", call_length),
    Scenario("identity", identity),
    Scenario("called-private", called_private),
    Scenario("called-moved", called_moved),
    Scenario("trunk-state", trunk_state),
    Scenario("register", register),
    Scenario("register-sha256", register_sha256),
    Scenario("register-auth-int", register_auth_int),
    Scenario("exotel", exotel),
    Scenario("called-exotel", called_exotel),
)
