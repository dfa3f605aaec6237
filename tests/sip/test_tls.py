"""SIP over TLS: who is believed, who is not, and what a handshake may cost."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from sip import tcp
from sip.contexts import Contexts
from sip.hop import Address, Hop
from sip.tls import ClientTls, ServerTls, TlsPeer
from sip.transports import Transports
from tests.sip.agents import eventually
from tests.sip.certificates import Authority
from tests.sip.sip_parts import request
from tests.sip.test_transports import Log, transports

BODY = request("OPTIONS").to_bytes()


@pytest.fixture
def ca(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@asynccontextmanager
async def listening(log: Log, tls: ServerTls, **limits: float) -> AsyncIterator[Transports]:
    one = Transports(log, ["tls:127.0.0.1:0"], tls=tls, **limits)  # type: ignore[arg-type]
    await one.start()
    try:
        yield one
    finally:
        await one.close()


def address(one: Transports) -> Address:
    text = next(text for text in one.addresses() if text.startswith("tls"))
    host, _, port = text.removeprefix("tls:").rpartition(":")
    return Address(host.strip("[]"), int(port))


def hop(one: Transports, to: Transports, settings: ClientTls, host: str = "127.0.0.1") -> Hop:
    found = one.hop_to(address(to), "TLS", TlsPeer.at(settings, host))
    assert found is not None
    return found


async def test_messages_go_both_ways_over_one_connection(ca: Authority) -> None:
    ours, theirs = Log(), Log()
    async with transports(ours, "udp:127.0.0.1:0") as a, listening(theirs, ca.server("127.0.0.1")) as b:
        there = hop(a, b, ca.client())
        a.send(BODY, there)
        a.send(BODY, there)
        await eventually(lambda: len(theirs.messages) == 2)
        back = theirs.messages[0][1]
        assert (back.transport, b.connections) == ("TLS", 1)
        b.send(BODY, back)
        await eventually(lambda: len(ours.messages) == 1)
        assert ours.messages[0][1].neighbour == there.neighbour
        assert a.failure(there) is None


@pytest.mark.parametrize(
    ("names", "expired", "reason"),
    [
        (("127.0.0.1",), True, "expired"),
        (("192.0.2.1",), False, "mismatch"),
        (("sip.test",), False, "mismatch"),
    ],
)
async def test_a_certificate_that_proves_nothing(
    ca: Authority, names: tuple[str, ...], expired: bool, reason: str
) -> None:
    ours, theirs = Log(), Log()
    server = ca.server(*names, expired=expired)
    async with transports(ours, "udp:127.0.0.1:0") as a, listening(theirs, server) as b:
        there = hop(a, b, ca.client())
        a.send(BODY, there)
        await eventually(lambda: ours.lost == [there])
        assert reason in (a.failure(there) or "")
        assert a.connections == 0
        assert not theirs.messages


async def test_another_authority_is_not_believed_unless_nobody_is_asked(
    ca: Authority, tmp_path: Path
) -> None:
    other = Authority(tmp_path, "other")
    ours, theirs = Log(), Log()
    async with transports(ours, "udp:127.0.0.1:0") as a, listening(theirs, ca.server("127.0.0.1")) as b:
        for settings in (other.client(), ClientTls()):
            there = hop(a, b, settings)
            a.send(BODY, there)
            await eventually(lambda there=there: there in ours.lost)
            assert "not accepted" in (a.failure(there) or "")
        a.send(BODY, hop(a, b, ClientTls(verify=False)))
        await eventually(lambda: len(theirs.messages) == 1)


async def test_what_one_trunk_proved_is_not_used_for_another(ca: Authority, tmp_path: Path) -> None:
    """The first trunk checks nothing; its connection must not carry what the second sends."""
    other = Authority(tmp_path, "other")
    ours, theirs = Log(), Log()
    async with transports(ours, "udp:127.0.0.1:0") as a, listening(theirs, ca.server("127.0.0.1")) as b:
        a.send(BODY, hop(a, b, ClientTls(verify=False)))
        await eventually(lambda: len(theirs.messages) == 1)
        strict = hop(a, b, other.client())
        a.send(BODY, strict)
        await eventually(lambda: ours.lost == [strict])
        named = hop(a, b, ca.client(), "elsewhere.test")
        a.send(BODY, named)
        await eventually(lambda: ours.lost == [strict, named])
        assert len(theirs.messages) == 1


async def test_the_name_that_was_dialled_is_asked_for(ca: Authority) -> None:
    seen: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*ca.issue("sip.provider.test"))
    context.sni_callback = lambda sock, name, ctx: seen.append(name)

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        seen.append("read")
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    to = Address(*server.sockets[0].getsockname()[:2])
    log = Log()
    async with transports(log, "udp:127.0.0.1:0") as one:
        for settings, host in (
            (ca.client(), "sip.provider.test"),
            (ca.client("sip.provider.test"), "127.0.0.1"),
        ):
            there = one.hop_to(to, "TLS", TlsPeer.at(settings, host))
            assert there is not None
            seen.clear()
            one.send(BODY, there)
            await eventually(lambda: seen == ["sip.provider.test", "read"])
            await eventually(lambda: one.connections == 0)
    server.close()


@pytest.mark.parametrize(
    ("asks", "shows", "taken"),
    [
        ("required", False, False),
        ("required", True, True),
        ("optional", False, True),
        ("none", True, True),
    ],
)
async def test_a_client_certificate(ca: Authority, asks: str, shows: bool, taken: bool) -> None:
    ours, theirs = Log(), Log()
    server = ca.server("127.0.0.1", ca=ca.path, client_certificate=asks)
    settings = ca.client()
    if shows:
        certificate, key = ca.issue("us.test")
        settings = replace(settings, certificate=certificate, key=key)
    async with transports(ours, "udp:127.0.0.1:0") as a, listening(theirs, server) as b:
        there = hop(a, b, settings)
        a.send(BODY, there)
        if taken:
            await eventually(lambda: len(theirs.messages) == 1)
        else:  # by TLS 1.3 we learn of it only after our side of the handshake
            await eventually(lambda: bool(ours.lost or ours.gone))
            assert not theirs.messages


async def test_a_client_certificate_of_nobody_we_know(ca: Authority, tmp_path: Path) -> None:
    ours, theirs = Log(), Log()
    certificate, key = Authority(tmp_path, "other").issue("us.test")
    server = ca.server("127.0.0.1", ca=ca.path, client_certificate="optional")
    async with transports(ours, "udp:127.0.0.1:0") as a, listening(theirs, server) as b:
        a.send(BODY, hop(a, b, replace(ca.client(), certificate=certificate, key=key)))
        await eventually(lambda: bool(ours.lost or ours.gone))
        assert not theirs.messages


async def test_plain_text_on_a_tls_port_is_hung_up_on(ca: Authority) -> None:
    log = Log()
    async with listening(log, ca.server("127.0.0.1")) as one:
        reader, writer = await asyncio.open_connection(*address(one))
        writer.write(BODY)
        async with asyncio.timeout(5):
            while await reader.read(1000):
                pass
        writer.close()
        assert not log.messages
        assert one.connections == 0


async def test_a_handshake_that_stalls_ends(ca: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "HANDSHAKE_S", 0.2)
    log = Log()
    async with listening(log, ca.server("127.0.0.1")) as one:
        reader, writer = await asyncio.open_connection(*address(one))
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()


async def test_a_server_that_says_nothing_is_given_up(ca: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "CONNECT_S", 0.2)
    mute = await asyncio.start_server(lambda reader, writer: asyncio.sleep(5), "127.0.0.1", 0)
    log = Log()
    async with transports(log, "udp:127.0.0.1:0") as one:
        to = Address(*mute.sockets[0].getsockname()[:2])
        there = one.hop_to(to, "TLS", TlsPeer.at(ca.client(), "127.0.0.1"))
        assert there is not None
        one.send(BODY, there)
        await eventually(lambda: log.lost == [there])
        assert one.failure(there) == "no answer"
    mute.close()


async def test_strangers_do_not_get_as_far_as_a_handshake(ca: Authority) -> None:
    log = Log()
    log.wanted = False
    async with listening(log, ca.server("127.0.0.1")) as one:
        reader, writer = await asyncio.open_connection(*address(one))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with pytest.raises((OSError, ssl.SSLError)):
            async with asyncio.timeout(5):
                await asyncio.open_connection(*address(one), ssl=context)
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()


async def test_nothing_older_than_tls_1_2(ca: Authority) -> None:
    contexts = Contexts(ca.server("127.0.0.1"))
    for context in (contexts.server(), contexts.client(ca.client())):
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2


async def test_without_a_listener_the_port_of_the_connection_is_told(ca: Authority) -> None:
    ours, theirs = Log(), Log()
    async with transports(ours, "udp:127.0.0.1:0") as a, listening(theirs, ca.server("127.0.0.1")) as b:
        there = hop(a, b, ca.client())
        assert a.shown(there).port == 0
        a.send(BODY, there)
        await eventually(lambda: len(theirs.messages) == 1)
        assert a.shown(there) == theirs.messages[0][1].remote


async def test_tls_can_be_dialled_without_a_certificate_of_ours(ca: Authority) -> None:
    log = Log()
    async with transports(log, "udp:127.0.0.1:0") as one:
        assert [text.partition(":")[0] for text in one.addresses()] == ["udp"]
        there = one.hop_to(Address("127.0.0.1", 5061), "TLS", TlsPeer.at(ca.client(), "x"))
        assert there is not None
        assert one.shown(there) == Address("127.0.0.1", 0)  # no port: nobody can dial us by TLS
        plain = one.hop_to(Address("127.0.0.1", 5060), None)
        assert plain is not None
        assert plain.transport == "UDP"


# Files


async def test_a_listener_by_tls_needs_a_certificate() -> None:
    with pytest.raises(ValueError, match=r"tls:127.0.0.1:0 without a certificate: set sip.tls"):
        Transports(Log(), ["tls:127.0.0.1:0"])


async def test_files_that_cannot_be_used_are_named(ca: Authority, tmp_path: Path) -> None:
    certificate, key = ca.issue("127.0.0.1")
    _, other = ca.issue("192.0.2.1")
    text = tmp_path / "text.pem"
    text.write_text("nothing")
    missing = str(tmp_path / "missing.pem")
    wrong = [
        (ServerTls(missing, key), "missing.pem: there is no such file"),
        (ServerTls(certificate, missing), "missing.pem: there is no such file"),
        (ServerTls(certificate, other), "the key is not that of the certificate"),
        (ServerTls(str(text), key), "text.pem"),
        (ServerTls(certificate, key, str(text), "required"), "text.pem: holds no certificate"),
        (ServerTls(certificate, key, None, "required"), "sip.tls.ca names no authority"),
    ]
    for tls, reason in wrong:
        one = Transports(Log(), ["udp:127.0.0.1:0", "tls:127.0.0.1:0"], tls=tls)
        with pytest.raises(OSError, match=reason):
            await one.start()
        assert one.addresses() == []
    for client in (ClientTls(ca=missing), ClientTls(certificate=certificate, key=missing)):
        with pytest.raises(OSError, match=r"missing.pem"):
            Contexts(None).client(client)
    with pytest.raises(OSError, match="a key without a certificate"):
        Contexts(None).client(ClientTls(key=key))


def _renew(server: ServerTls, issued: tuple[str, str] | None) -> None:
    """Puts other files in their places; None: the certificate is only half written."""
    if issued is None:
        Path(server.certificate).write_text("half written")
        os.utime(server.certificate, (1, 1))
    else:
        Path(server.certificate).write_bytes(Path(issued[0]).read_bytes())
        Path(server.key).write_bytes(Path(issued[1]).read_bytes())


async def test_a_renewed_certificate_is_taken_without_a_restart(ca: Authority) -> None:
    server = ca.server("127.0.0.1")
    ours, theirs = Log(), Log()
    async with transports(ours, "udp:127.0.0.1:0") as a, listening(theirs, server) as b:
        _renew(server, None)
        a.send(BODY, hop(a, b, ca.client()))
        await eventually(lambda: len(theirs.messages) == 1)  # by the old one
        _renew(server, ca.issue("sip.test"))
        a.send(BODY, hop(a, b, ca.client("sip.test")))
        await eventually(lambda: len(theirs.messages) == 2)


# Whether a peer lives


async def test_a_peer_that_answered_a_ping_must_answer_the_next(ca: Authority) -> None:
    pings = 0

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal pings
        await reader.readuntil(BODY[-20:])
        while await reader.read(4) == b"\r\n\r\n":
            pings += 1
            if pings <= 2:
                writer.write(b"\r\n")
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    log = Log()
    async with transports(log, ping_s=0.1, pong_s=0.1) as one:
        there = one.hop_to(Address(*server.sockets[0].getsockname()[:2]), "TCP")
        assert there is not None
        one.send(BODY, there)
        await eventually(lambda: [gone.neighbour for gone in log.gone] == [there.neighbour])
        assert pings == 3
        assert one.connections == 0
    server.close()


async def test_a_peer_that_never_answers_pings_is_left_alone() -> None:
    pings = 0

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal pings
        await reader.readuntil(BODY[-20:])
        while await reader.read(4) == b"\r\n\r\n":
            pings += 1
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    log = Log()
    async with transports(log, ping_s=0.05, pong_s=0.05) as one:
        there = one.hop_to(Address(*server.sockets[0].getsockname()[:2]), "TCP")
        assert there is not None
        one.send(BODY, there)
        await eventually(lambda: pings >= 4)
        assert one.connections == 1
        assert not log.gone
    server.close()
