"""SRTP: known packets, another implementation of the RFC's formulas, and streams that talk through it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from hypothesis import given
from hypothesis import strategies as st

from media.codecs import PCMA
from media.keys import SALT_BYTES, MasterKey, Security, Suite
from media.plane import RtpPlane
from media.rtp import HEADER_BYTES, RtpPacket
from media.srtp import SecurePair
from media.stream import RtpStream
from tests.media.loopback import HOST, Events, FarEnd, numbered_clip, running_plane, until

SHA1_80 = Suite.AES_CM_128_HMAC_SHA1_80
NOWHERE = ("192.0.2.9", 9)


class Loop:
    """Stands in for a socket: what is sent can be received once."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def fileno(self) -> int:
        return -1

    def sendto(self, packet: bytes | bytearray, to: tuple[str, int], /) -> int:
        self.sent.append(bytes(packet))
        return len(packet)

    def recvfrom_into(self, buffer: bytearray, /) -> tuple[int, tuple[str, int]]:
        packet = self.sent.pop(0)
        buffer[: len(packet)] = packet
        return len(packet), NOWHERE

    def recv_into(self, buffer: bytearray, /) -> int:
        raise BlockingIOError


class Pair:
    def __init__(self) -> None:
        self.rtp = Loop()
        self.rtcp = Loop()


def key(suite: Suite = SHA1_80, first: int = 0) -> MasterKey:
    return MasterKey(suite, bytes((first + i) % 256 for i in range(suite.master_bytes)))


def both_ways(one: MasterKey, other: MasterKey) -> tuple[Security, Security]:
    return Security(one, other), Security(other, one)


# Known answers

RFC_3711_KEY = "e1f97a0d3e018be0d64fa32c06de4139" + "0ec675ad498afeebb6960b3aabe6"
RFC_6188_KEY = (
    "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6" + "3b04803de51ee7c96423ab5b78d2"
)
"""Master keys with salts of RFC 3711 appendix B.3 and RFC 6188 section 7.2."""

PLAIN_RTP = bytes.fromhex("800f1234decafbadcafebabe") + b"\xab" * 16
PLAIN_RTCP = bytes.fromhex("81c8000bcafebabe") + b"\xab" * 16


def derived(master: MasterKey, label: int, size: int) -> bytes:
    """A session key by RFC 3711 section 4.3, for a key derivation rate of zero."""
    secret, salt = master.secret[:-SALT_BYTES], master.secret[-SALT_BYTES:]
    return counter_mode(secret, salt, label << 48, bytes(size))


def counter_mode(secret: bytes, salt: bytes, iv: int, text: bytes) -> bytes:
    start = (int.from_bytes(salt) ^ iv) << 16
    return Cipher(AES(secret), CTR(start.to_bytes(16))).encryptor().update(text)


def protected_rtp(master: MasterKey, packet: bytes, rollovers: int = 0) -> bytes:
    """RFC 3711 sections 3.3, 4.1.1 and 4.2, for a packet with the fixed header only."""
    sequence, ssrc = int.from_bytes(packet[2:4]), int.from_bytes(packet[8:12])
    size, salt = master.suite.key_bytes, derived(master, 2, SALT_BYTES)
    iv = ssrc << 48 | rollovers << 16 | sequence
    sealed = packet[:12] + counter_mode(derived(master, 0, size), salt, iv, packet[12:])
    tag = hmac.digest(derived(master, 1, 20), sealed + rollovers.to_bytes(4), hashlib.sha1)
    return sealed + tag[: master.suite.tag_bytes]


def protected_rtcp(master: MasterKey, packet: bytes, index: int) -> bytes:
    """RFC 3711 section 3.4; the tag has ten bytes in every suite (RFC 4568 section 6.2.2)."""
    ssrc, size, salt = int.from_bytes(packet[4:8]), master.suite.key_bytes, derived(master, 5, SALT_BYTES)
    sealed = packet[:8] + counter_mode(derived(master, 3, size), salt, ssrc << 48 | index, packet[8:])
    sealed += (1 << 31 | index).to_bytes(4)
    return sealed + hmac.digest(derived(master, 4, 20), sealed, hashlib.sha1)[:10]


def test_session_keys_are_those_of_the_rfcs() -> None:
    master = MasterKey(SHA1_80, bytes.fromhex(RFC_3711_KEY))
    assert derived(master, 0, 16).hex() == "c61e7a93744f39ee10734afe3ff7a087"
    assert derived(master, 1, 20).hex() == "cebe321f6ff7716b6fd4ab49af256a156d38baa4"
    assert derived(master, 2, 14).hex() == "30cbbc08863d8c85d49db34a9ae1"


@pytest.mark.parametrize(
    ("suite", "secret", "sealed"),
    [
        (SHA1_80, RFC_3711_KEY, "4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb"),
        (Suite.AES_CM_128_HMAC_SHA1_32, RFC_3711_KEY, "4e55dc4ce79978d88ca4d215949d2402b78d6acc"),
        (Suite.AES_256_CM_HMAC_SHA1_80, RFC_6188_KEY, "f1d9de17ff251ff1aa007774b0b4b40da08d9d9a5b3a55d8873b"),
        (Suite.AES_256_CM_HMAC_SHA1_32, RFC_6188_KEY, "f1d9de17ff251ff1aa007774b0b4b40da08d9d9a"),
    ],
)
def test_a_packet_known_to_other_implementations(suite: Suite, secret: str, sealed: str) -> None:
    master = MasterKey(suite, bytes.fromhex(secret))
    wire = Pair()
    SecurePair(wire, Security(master, master)).rtp.sendto(PLAIN_RTP, NOWHERE)
    assert wire.rtp.sent == [PLAIN_RTP[:12] + bytes.fromhex(sealed)]


@pytest.mark.parametrize("suite", Suite)
def test_packets_are_sealed_as_the_rfc_writes(suite: Suite) -> None:
    wire = Pair()
    here, _ = both_ways(key(suite), key(suite, 99))
    pair = SecurePair(wire, here)
    for sequence in (65534, 65535, 0, 1):
        packet = RtpPacket(8, sequence, 160, 0xCAFEBABE, bytes(range(160))).to_bytes()
        pair.rtp.sendto(bytearray(packet), NOWHERE)
        assert wire.rtp.sent.pop() == protected_rtp(here.ours, packet, rollovers=sequence < 2)
    for index in (1, 2):
        pair.rtcp.sendto(PLAIN_RTCP, NOWHERE)
        assert wire.rtcp.sent.pop() == protected_rtcp(here.ours, PLAIN_RTCP, index)


@pytest.mark.parametrize("suite", Suite)
def test_what_one_side_seals_the_other_opens(suite: Suite) -> None:
    wire, buffer = Pair(), bytearray(2048)
    here, there = (SecurePair(wire, keys) for keys in both_ways(key(suite), key(suite, 99)))
    for sender, receiver in ((here, there), (there, here)):
        for sequence in range(65530, 65546):
            packet = RtpPacket(
                8, sequence & 0xFFFF, sequence * 160, 7, bytes([sequence % 251]) * 160
            ).to_bytes()
            sender.rtp.sendto(packet, NOWHERE)
            assert receiver.rtp.recvfrom_into(buffer) == (len(packet), NOWHERE)
            assert buffer[: len(packet)] == packet
        sender.rtcp.sendto(PLAIN_RTCP, NOWHERE)
        assert receiver.rtcp.recvfrom_into(buffer) == (len(PLAIN_RTCP), NOWHERE)


@given(st.binary(max_size=2048), st.integers(0, 3))
def test_rubbish_opens_to_nothing(rubbish: bytes, first: int) -> None:
    wire, buffer = Pair(), bytearray(2048)
    there = SecurePair(wire, Security(key(), key(SHA1_80, 99)))
    for sock, end in ((wire.rtp, there.rtp), (wire.rtcp, there.rtcp)):
        for packet in (rubbish, bytes([0x80 | first, 200]) + rubbish[2:]):
            sock.sent.append(packet)
            assert end.recvfrom_into(buffer)[0] == 0


def test_what_is_too_long_to_seal_is_an_error_of_the_socket() -> None:
    pair = SecurePair(Pair(), Security(key(), key()))
    with pytest.raises(OSError, match="SRTP"):
        pair.rtp.sendto(RtpPacket(8, 1, 1, 1, bytes(1500)).to_bytes(), NOWHERE)
    with pytest.raises(OSError, match="SRTP"):
        pair.rtp.sendto(b"short", NOWHERE)


def test_the_same_keys_again_start_no_new_keystream() -> None:
    """After the sequence number has wrapped around, a new session would use the first keystream again."""
    wire = Pair()
    security = Security(key(), key(SHA1_80, 99))
    pair = SecurePair(wire, security)
    packet = RtpPacket(8, 65535, 160, 7, bytes(160)).to_bytes()
    after = RtpPacket(8, 0, 320, 7, bytes(160)).to_bytes()
    pair.rtp.sendto(packet, NOWHERE)
    pair.rekey(Security(key(), key(SHA1_80, 50)))
    pair.rtp.sendto(after, NOWHERE)
    assert wire.rtp.sent[-1] == protected_rtp(security.ours, after, rollovers=1)


# Streams


@asynccontextmanager
async def secured(plane: RtpPlane, far: FarEnd, events: Events) -> AsyncIterator[RtpStream]:
    """A stream that sends with `key()` and hears what is sealed with `key(first=99)`."""
    stream = plane.open(events)
    stream.connect(far.address, PCMA, 8, 101, security=Security(key(), key(SHA1_80, 99)))
    try:
        yield stream
    finally:
        stream.close()
        far.close()


def sealed(sequence: int, ssrc: int = 7, first: int = 99) -> bytes:
    packet = RtpPacket(8, sequence, sequence * 160, ssrc, b"\x01" * 160)
    return protected_rtp(key(SHA1_80, first), packet.to_bytes())


@pytest.mark.parametrize("suite", Suite)
async def test_two_streams_talk_and_pass_keys(suite: Suite) -> None:
    async with running_plane() as plane:
        heard = [Events(), Events()]
        a, b = (plane.open(events) for events in heard)
        keys = both_ways(key(suite), key(suite, 99))
        for stream, other, security in ((a, b, keys[0]), (b, a, keys[1])):
            stream.connect((HOST, other.local_port), PCMA, 8, 101, security=security)
        frames: list[bytes] = []
        b.listen(frames.append)
        clip = numbered_clip(5)
        a.play(clip, "five")
        a.send_digits("12#")
        b.send_digits("7")
        decode = PCMA.new_decoder()
        wanted = [decode(payload) for payload in clip.frames]
        await until(lambda: heard[1].keys == "12#" and heard[0].keys == "7" and wanted[-1] in frames)
        begin = frames.index(wanted[0])
        assert frames[begin : begin + 5] == wanted
        assert plane.totals().dropped == plane.totals().send_errors == 0


async def test_nothing_that_is_not_sealed_with_the_right_key_is_heard() -> None:
    async with running_plane() as plane:
        far, events = FarEnd(), Events()
        async with secured(plane, far, events) as stream:
            frames: list[bytes] = []
            stream.listen(frames.append)
            plain = RtpPacket(8, 1, 160, 7, b"\x01" * 160)
            for packet in (plain.to_bytes(), sealed(2, first=1), sealed(3)[:-1], sealed(4) + b"\0", b"x"):
                far.socket.sendto(packet, (HOST, stream.local_port))
            await until(lambda: plane.totals().dropped == 5)
            far.socket.sendto(sealed(5), (HOST, stream.local_port))
            await until(lambda: stream.quality().packets_received == 1)
            assert plane.totals().dropped == 5


async def test_a_packet_counts_once() -> None:
    async with running_plane() as plane:
        far, events = FarEnd(), Events()
        async with secured(plane, far, events) as stream:
            for packet in (sealed(5), sealed(7), sealed(6), sealed(7), sealed(5), sealed(8)):
                far.socket.sendto(packet, (HOST, stream.local_port))
            await until(lambda: stream.quality().packets_received + plane.totals().dropped == 6)
            assert stream.quality().packets_received == 4


async def test_a_stranger_cannot_take_the_stream_by_showing_itself_first() -> None:
    """Behind NAT the first source that shows itself wins; here only one that has the key."""
    async with running_plane() as plane:
        far, stranger, events = FarEnd(), FarEnd(), Events()
        stream = plane.open(events)
        stream.connect((HOST, 9), PCMA, 8, 101, security=Security(key(), key(SHA1_80, 99)))
        for sequence in range(5):
            stranger.socket.sendto(
                RtpPacket(8, sequence, sequence * 160, 1, b"\x01" * 160).to_bytes(), (HOST, stream.local_port)
            )
        await until(lambda: plane.totals().dropped == 5)
        for sequence in range(5):
            far.socket.sendto(sealed(sequence), (HOST, stream.local_port))
        await until(lambda: stream.quality().packets_received == 3)  # two were the probation
        assert (await far.receive(1))[0].payload_type == 8
        with pytest.raises(BlockingIOError):
            stranger.socket.recv(2048)
        stream.close()
        far.close()
        stranger.close()


async def test_a_call_becomes_encrypted_gets_other_keys_and_is_plain_again() -> None:
    async with running_plane() as plane:
        far, events = FarEnd(), Events()
        stream = plane.open(events)
        loop = asyncio.get_running_loop()

        async def received() -> bytes:
            async with asyncio.timeout(20):
                return await loop.sock_recv(far.socket, 2048)

        async def size_becomes(size: int) -> bytes:
            while len(packet := await received()) != size:
                pass
            return packet

        stream.connect(far.address, PCMA, 8, 101)
        far.send(stream, RtpPacket(8, 1, 160, 7, b"\x01" * 160))
        before = RtpPacket.parse(await size_becomes(HEADER_BYTES + 160))
        for count, first in enumerate((99, 50), start=1):
            stream.connect(far.address, PCMA, 8, 101, security=Security(key(), key(SHA1_80, first)))
            packet = RtpPacket.parse(await size_becomes(HEADER_BYTES + 170))
            assert packet.ssrc == before.ssrc
            assert packet.sequence > before.sequence
            far.socket.sendto(sealed(count, first=149 - first), (HOST, stream.local_port))
            far.socket.sendto(sealed(count, first=first), (HOST, stream.local_port))
            await until(lambda count=count: stream.quality().packets_received == count + 1)  # type: ignore[misc]
            assert plane.totals().dropped == count
        stream.connect(far.address, PCMA, 8, 101)
        await size_becomes(HEADER_BYTES + 160)
        far.send(stream, RtpPacket(8, 9, 160, 7, b"\x01" * 160))
        await until(lambda: stream.quality().packets_received == 4)
        stream.close()
        far.close()


async def test_reports_are_sealed_too() -> None:
    async with running_plane() as plane:
        heard = [Events(), Events()]
        a, b = (plane.open(events) for events in heard)
        keys = both_ways(key(), key(SHA1_80, 99))
        for stream, other, security in ((a, b, keys[0]), (b, a, keys[1])):
            stream.connect((HOST, other.local_port), PCMA, 8, 101, security=security)
        for stream in (a, b):
            assert stream.link is not None
            stream.link._peer._report_due = 0.0
        await until(lambda: a.link._peer.reports.remote is not None)  # type: ignore[union-attr]
        assert plane.totals().dropped == plane.totals().send_errors == 0
        intruder = FarEnd()
        intruder.socket.sendto(PLAIN_RTCP, (HOST, a.local_port + 1))
        await until(lambda: plane.totals().dropped == 1)
        intruder.close()
