"""SRTP and SRTCP (RFC 3711) around the sockets of a stream, by libsrtp.

A `SecurePair` stands where the plain pair of sockets would, so that a plain stream pays nothing for it. What
is not authentic (a wrong key, a replay, plain RTP) arrives as a datagram of no bytes: the stream counts it as
dropped and learns nothing from it, not even its address.

libsrtp is that of pylibsrtp, called past its Python classes where packets go: they copy each packet twice,
which would make an encrypted call twice as dear as a plain one, and know no AES-256 in counter mode.
"""

from __future__ import annotations

import struct
from typing import Any, Final

from pylibsrtp import ERRORS, Policy, Session
from pylibsrtp._binding import ffi, lib

from media.keys import MasterKey, Security, Suite
from media.ports import Datagrams, Sockets
from media.source import Address

MOST_BYTES: Final = 1400
"""Of a packet to be sealed; an Ethernet frame takes no more."""

_TRAILER_BYTES: Final = 32
"""More than the longest tag and the index of SRTCP."""

_WINDOW: Final = 512
"""Packets that may come out of order before one counts as replayed."""

_PROFILES: Final = {
    Suite.AES_CM_128_HMAC_SHA1_80: Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    Suite.AES_CM_128_HMAC_SHA1_32: Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
    Suite.AES_256_CM_HMAC_SHA1_80: Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    Suite.AES_256_CM_HMAC_SHA1_32: Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
}
"""libsrtp has no profile for AES-256 in counter mode; the cipher of the 128-bit one is then replaced."""

# struct srtp_crypto_policy_t: cipher, its key's length with salt, authentication, its key's length, tag, what
# is done.
_CRYPTO_POLICY: Final = struct.Struct("@6i")
_AES_128: Final = (1, 30)
_AES_256: Final = (5, 46)


class Sealing:
    """One direction of a stream: libsrtp's state for a key, which follows the sequence numbers."""

    __slots__ = ("_session", "context")

    def __init__(self, key: MasterKey, *, outbound: bool) -> None:
        ssrc_type = Policy.SSRC_ANY_OUTBOUND if outbound else Policy.SSRC_ANY_INBOUND
        policy = Policy(key.secret, ssrc_type, srtp_profile=_PROFILES[key.suite])
        policy.window_size = _WINDOW
        if key.suite.master_bytes == _AES_256[1]:
            for part in (policy._policy.rtp, policy._policy.rtcp):
                _use_aes_256(ffi.buffer(ffi.addressof(part)))
        self._session: Final = Session(policy)  # frees the context with itself
        self.context: Final[Any] = self._session._srtp[0]


class SecureSocket:
    """A datagram socket whose packets are sealed on their way out and opened on their way in."""

    __slots__ = (
        "_buffer",
        "_into",
        "_length",
        "_out",
        "_protect",
        "_receive",
        "_room",
        "_send",
        "_unprotect",
        "fileno",
        "inbound",
        "outbound",
        "recv_into",
    )

    def __init__(self, sock: Datagrams, outbound: Sealing, inbound: Sealing, *, control: bool) -> None:
        """`control` is for SRTCP."""
        self.outbound = outbound
        self.inbound = inbound
        self.fileno = sock.fileno
        self.recv_into = sock.recv_into
        self._send = sock.sendto
        self._receive = sock.recvfrom_into
        self._protect = lib.srtp_protect_rtcp if control else lib.srtp_protect
        self._unprotect = lib.srtp_unprotect_rtcp if control else lib.srtp_unprotect
        self._room = memoryview(bytearray(MOST_BYTES + _TRAILER_BYTES))
        self._out = ffi.from_buffer(self._room)
        self._length = ffi.new("int *")
        self._buffer: bytearray | None = None
        self._into: Any = None

    def sendto(self, packet: bytes | bytearray, to: Address) -> int:
        """Raises OSError, also when the packet cannot be sealed."""
        size, length, room = len(packet), self._length, self._room
        if size > MOST_BYTES:
            raise OSError(f"SRTP: {size} bytes are too many for a packet")
        room[:size] = packet
        length[0] = size
        fault = self._protect(self.outbound.context, self._out, length)
        if fault:
            raise OSError(f"SRTP: {ERRORS[fault]}")
        return self._send(bytes(room[: length[0]]), to)

    def recvfrom_into(self, buffer: bytearray) -> tuple[int, Address]:
        """As that of a socket; the size is 0 when the packet was not authentic."""
        size, address = self._receive(buffer)
        if buffer is not self._buffer:
            self._buffer, self._into = buffer, ffi.from_buffer(buffer)
        length = self._length
        length[0] = size
        if self._unprotect(self.inbound.context, self._into, length):
            return 0, address
        return length[0], address


class SecurePair:
    """The two sockets of a stream behind SRTP and SRTCP."""

    __slots__ = ("_security", "rtcp", "rtp")

    def __init__(self, pair: Sockets, security: Security) -> None:
        outbound = Sealing(security.ours, outbound=True)
        inbound = Sealing(security.theirs, outbound=False)
        self.rtp: Final = SecureSocket(pair.rtp, outbound, inbound, control=False)
        self.rtcp: Final = SecureSocket(pair.rtcp, outbound, inbound, control=True)
        self._security = security

    def rekey(self, security: Security) -> None:
        """Goes on with these keys. Where a key is the old one its state stays: the rollover counter would be
        lost otherwise, and packets encrypted twice with the same keystream."""
        held, self._security = self._security, security
        if held.ours != security.ours:
            self.rtp.outbound = self.rtcp.outbound = Sealing(security.ours, outbound=True)
        if held.theirs != security.theirs:
            self.rtp.inbound = self.rtcp.inbound = Sealing(security.theirs, outbound=False)


def _use_aes_256(crypto_policy: Any) -> None:
    """Replaces the cipher in libsrtp's own structure, whose layout is checked first."""
    cipher, key_bytes, *rest = _CRYPTO_POLICY.unpack(crypto_policy)
    if (cipher, key_bytes) != _AES_128:
        raise RuntimeError("this libsrtp has another layout: AES-256 cannot be asked for")
    crypto_policy[:] = _CRYPTO_POLICY.pack(*_AES_256, *rest)
