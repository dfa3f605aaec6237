"""TCP and UDP under the user agent: framing, reuse, caps, idle close, where answers go."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from unittest.mock import MagicMock

import pytest

from sip import tcp
from sip.hop import Address, Hop
from sip.message import Message, ParseError, Request, parse
from sip.tls import ClientTls
from sip.transports import Transports
from sip.wire import plain_address
from tests.sip.agents import Peer, agent, eventually, peer
from tests.sip.sip_parts import request

BODY = request("OPTIONS").to_bytes()


class Log:
    """What a transport reported."""

    def __init__(self) -> None:
        self.messages: list[tuple[Message | ParseError, Hop]] = []
        self.lost: list[Hop] = []
        self.gone: list[Hop] = []
        self.wanted = True

    def trusted(self, host: str) -> bool:
        return True

    def known(self, host: str) -> bool:
        return self.wanted

    def received(self, message: Message | ParseError, hop: Hop) -> None:
        self.messages.append((message, hop))

    def unreachable(self, hop: Hop) -> None:
        self.lost.append(hop)

    def disconnected(self, hop: Hop) -> None:
        self.gone.append(hop)

    def tls_towards(self, host: str) -> ClientTls:
        return ClientTls()


@asynccontextmanager
async def transports(log: Log, *listen: str, **limits: float) -> AsyncIterator[Transports]:
    one = Transports(log, list(listen) or ["tcp:127.0.0.1:0"], **limits)  # type: ignore[arg-type]
    await one.start()
    try:
        yield one
    finally:
        await one.close()


def port(one: Transports) -> int:
    return int(one.addresses()[0].rpartition(":")[2])


async def test_messages_split_and_joined_on_a_connection() -> None:
    log = Log()
    async with transports(log) as one:
        reader, writer = await asyncio.open_connection("127.0.0.1", port(one))
        for byte in BODY[:60]:
            writer.write(bytes([byte]))
            await writer.drain()
        writer.write(BODY[60:] + BODY + b"\r\n\r\n" + BODY[:10])
        assert await reader.readexactly(2) == b"\r\n"  # the answer to a keepalive
        await eventually(lambda: len(log.messages) == 2)
        hop = log.messages[0][1]
        assert (hop.transport, hop.remote.host, hop.connection) == ("TCP", "127.0.0.1", 1)
        one.send(b"hello", hop)
        assert await reader.readexactly(5) == b"hello"
        writer.close()
        await eventually(lambda: one.connections == 0)


async def test_a_stream_that_cannot_be_framed_is_closed() -> None:
    log = Log()
    async with transports(log) as one:
        reader, writer = await asyncio.open_connection("127.0.0.1", port(one))
        writer.write(BODY.replace(b"Content-Length: 0", b"Content-Length: x"))
        assert await reader.read() == b""
        writer.close()
        assert [type(message) for message, _ in log.messages] == [ParseError]


async def test_a_connection_is_used_again_and_dialled_anew_when_it_is_gone() -> None:
    ours, theirs = Log(), Log()
    async with transports(ours) as a, transports(theirs) as b:
        hop = a.hop_to(Address("127.0.0.1", port(b)), None)
        assert hop is not None
        for _ in range(3):
            a.send(BODY, hop)  # the first dials, the others wait for it
        await eventually(lambda: len(theirs.messages) == 3)
        assert b.connections == 1
        back = theirs.messages[0][1]
        b.send(BODY, back)
        await eventually(lambda: len(ours.messages) == 1)
        assert a.connections == 1
        await b.close()
        await eventually(lambda: a.connections == 0)
        a.send(BODY, hop)
        await eventually(lambda: len(ours.lost) == 1)


async def test_an_idle_connection_is_closed() -> None:
    log = Log()
    async with transports(log, idle_s=0.2) as one:
        reader, writer = await asyncio.open_connection("127.0.0.1", port(one))
        writer.write(BODY)
        assert await reader.read() == b""
        writer.close()
        assert len(log.messages) == 1
        await eventually(lambda: one.connections == 0)


async def test_connections_past_the_cap_are_refused() -> None:
    log = Log()
    async with transports(log, max_connections=2) as one:
        kept = [await asyncio.open_connection("127.0.0.1", port(one)) for _ in range(2)]
        await eventually(lambda: one.connections == 2)
        reader, writer = await asyncio.open_connection("127.0.0.1", port(one))
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        assert one.connections == 2
        dialled = one.hop_to(Address("127.0.0.1", 9), None)
        assert dialled is not None
        one.send(BODY, dialled)
        assert log.lost == [dialled]
        for _, other in [*kept, (reader, writer)]:
            other.close()


async def test_a_peer_that_does_not_read_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "MAX_BUFFERED", 4096)
    log = Log()
    async with transports(log) as one:
        sock = socket.create_connection(("127.0.0.1", port(one)))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(BODY)
        await eventually(lambda: len(log.messages) == 1)
        hop = log.messages[0][1]
        for _ in range(20_000):
            if log.lost:
                break
            one.send(b"x" * 1000, hop)
        assert [lost.remote for lost in log.lost] == [hop.remote]
        await eventually(lambda: one.connections == 0)
        sock.close()


async def test_what_waits_for_a_connection_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "MAX_BUFFERED", 100)
    log = Log()
    async with transports(log) as one:
        hop = one.hop_to(Address("127.0.0.1", 9), "TCP")
        assert hop is not None
        one.send(b"x" * 90, hop)
        one.send(b"x" * 90, hop)
        assert log.lost == [hop]


async def test_datagrams_that_say_nothing_are_dropped() -> None:
    log = Log()
    async with transports(log, "udp:127.0.0.1:0") as one:
        loop = asyncio.get_running_loop()
        sender, _ = await loop.create_datagram_endpoint(Peer, local_addr=("127.0.0.1", 0))
        to = ("127.0.0.1", port(one))
        for data in (b"\r\n\r\n", b"\x00" * 4, b"INVITE nonsense", BODY):
            sender.sendto(data, to)
        await eventually(lambda: len(log.messages) == 2)
        assert isinstance(log.messages[0][0], ParseError)
        assert isinstance(log.messages[1][0], Request)
        log.wanted = False
        sender.sendto(BODY, to)
        response = b"SIP/2.0 200 OK" + BODY[BODY.index(b"\r\n") :]
        sender.sendto(response, to)
        await eventually(lambda: len(log.messages) == 3)
        assert not isinstance(log.messages[2][0], Request)
        sender.close()


async def test_the_socket_that_fits_the_neighbour() -> None:
    log = Log()
    listen = ("udp:127.0.0.1:0", "tcp:127.0.0.1:0", "tcp:[::1]:0", "udp:0.0.0.0:0")
    async with transports(log, *listen) as one:
        assert [text.partition(":")[0] for text in one.addresses()] == ["udp", "tcp", "tcp", "udp"]
        local = one.hop_to(Address("127.0.0.1", 5060), None)
        assert local is not None
        assert (local.transport, local.local.host) == ("UDP", "127.0.0.1")
        connection = one.hop_to(Address("::1", 5060), None)
        assert connection is not None
        assert connection.transport == "TCP"
        assert one.hop_to(Address("::1", 5060), "UDP") is None
        wildcard = Hop("UDP", Address("127.0.0.1", 5060), Address("0.0.0.0", 5080))
        assert one.shown(wildcard) == Address("127.0.0.1", 5080)


async def test_our_address_is_looked_for_again_when_there_was_no_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """The network was down at first, or no file descriptor was left, or our address has changed since."""
    async with transports(Log(), "udp:0.0.0.0:0") as one:
        hop = one.hop_to(Address("127.0.0.9", 5060), "UDP")
        assert hop is not None
        far = Hop("UDP", Address("192.0.2.1", 5060), hop.local)
        ways: list[str | None] = [None, "198.51.100.7", "198.51.100.8"]

        def probe(*kind: object) -> socket.socket:
            way = ways.pop(0)
            if way is None:
                raise OSError(24, "Too many open files")
            found = MagicMock()
            found.__enter__.return_value.getsockname.return_value = (way, 1)
            return found

        monkeypatch.setattr("sip.transports.socket.socket", probe)
        assert one.shown(far).host == "127.0.0.1"
        assert one.shown(far).host == "198.51.100.7"
        assert one.shown(far).host == "198.51.100.7"
        assert len(ways) == 1
        monkeypatch.setattr("sip.transports._ROUTE_S", 0.0)
        one._routes.clear()
        ways.insert(0, "198.51.100.7")
        assert [one.shown(far).host, one.shown(far).host] == ["198.51.100.7", "198.51.100.8"]


async def test_what_is_advertised_behind_a_nat() -> None:
    one = Transports(Log(), ["udp:127.0.0.1:0"], advertise="203.0.113.5")
    ours = Address("127.0.0.1", 5062)

    def shown(remote: str) -> str:
        return one.shown(Hop("UDP", Address(remote, 5060), ours)).host

    assert one.shown(Hop("UDP", Address("198.51.100.7", 5060), ours)) == Address("203.0.113.5", 5062)
    # Neighbours inside see our own address, and so do those of the other IP version.
    assert [shown(host) for host in ("127.0.0.1", "10.1.2.3", "192.168.1.9")] == ["127.0.0.1"] * 3
    assert shown("2001:db8::1") == "127.0.0.1"


async def test_a_private_address_is_advertised_to_private_neighbours() -> None:
    one = Transports(Log(), ["udp:172.17.0.2:0"], advertise="192.168.1.5")
    hop = Hop("UDP", Address("192.168.1.9", 5060), Address("172.17.0.2", 5062))
    assert one.shown(hop).host == "192.168.1.5"


@pytest.mark.parametrize("text", ["5060", "sctp:127.0.0.1:5061", "udp:localhost:5060", "udp:127.0.0.1:99999"])
def test_addresses_that_cannot_be_listened_on(text: str) -> None:
    with pytest.raises(ValueError, match="write it as udp:"):
        Transports(Log(), [text])


def test_socket_addresses_are_plain() -> None:
    assert plain_address(("::ffff:192.0.2.1", 5060, 0, 0)) == Address("192.0.2.1", 5060)
    assert plain_address(("fe80::1%eth0", 5060, 0, 2)) == Address("fe80::1", 5060)


# Where answers go (RFC 3581, RFC 3261 18.2.2)


async def test_rport_is_filled_in_and_answered_to() -> None:
    async with agent() as b, peer() as p:
        text = p.message("OPTIONS", b.address()).replace(
            f"127.0.0.1:{p.address.port};branch", "10.9.9.9;branch"
        )
        p.send(text, b.address())
        via = (await p.response(200)).via
        assert (via.received, via.rport) == ("127.0.0.1", p.address.port)


async def test_without_rport_the_answer_goes_to_the_port_of_the_via() -> None:
    async with agent() as b, peer() as p, peer() as other:
        text = p.message("OPTIONS", b.address()).replace(";rport", "")
        text = text.replace(f"127.0.0.1:{p.address.port};branch", f"10.9.9.9:{other.address.port};branch")
        p.send(text, b.address())
        via = (await other.response(200)).via
        assert (via.received, via.rport) == ("127.0.0.1", None)
        assert p.inbox.empty()


async def test_an_answer_over_tcp_is_dialled_when_its_connection_is_gone() -> None:
    async with agent() as b, peer() as p:
        got: asyncio.Queue[bytes] = asyncio.Queue()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            got.put_nowait(await reader.readuntil(b"\r\n\r\n"))
            writer.close()

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        listening = server.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection(*b.address("tcp"))
        text = p.message("INVITE", b.address("tcp"), body=p.sdp())
        text = text.replace("SIP/2.0/UDP", "SIP/2.0/TCP").replace(
            f"127.0.0.1:{p.address.port};branch", f"127.0.0.1:{listening};branch"
        )
        writer.write(text.encode())
        leg = await b.called()
        writer.close()
        await eventually(lambda: b.ua.load().connections == 0)
        await leg.ring()
        ringing = parse(await asyncio.wait_for(got.get(), 5))
        assert not isinstance(ringing, Request)
        assert ringing.status == 180
        await leg.hang_up()
        server.close()
