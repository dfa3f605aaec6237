"""SRTP and SRTCP (RFC 3711) around the sockets of a stream, by libsrtp.

A `SecurePair` stands where the plain pair of sockets would, so that a plain stream pays nothing for it. What
is not authentic (a wrong key, a replay, plain RTP) arrives as a datagram of no bytes: the stream counts it as
dropped and learns nothing from it, not even its address.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final

from pylibsrtp import Error, Policy, Session
from pylibsrtp._binding import ffi

from media.keys import MasterKey, Security, Suite
from media.ports import Datagrams, Sockets
from media.source import Address

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


class SecureSocket:
    """A datagram socket whose packets are protected on their way out and checked on their way in."""

    __slots__ = ("_receive", "_send", "fileno", "protect", "recv_into", "unprotect")

    def __init__(self, sock: Datagrams) -> None:
        self.fileno = sock.fileno
        self.recv_into = sock.recv_into
        self._send = sock.sendto
        self._receive = sock.recvfrom_into
        self.protect: Callable[[bytes], bytes]
        self.unprotect: Callable[[bytes], bytes]

    def sendto(self, packet: bytes | bytearray, to: Address) -> int:
        """Raises OSError, also when the packet cannot be protected."""
        try:
            protected = self.protect(bytes(packet))
        except (Error, ValueError) as error:
            raise OSError(f"SRTP: {error}") from error
        return self._send(protected, to)

    def recvfrom_into(self, buffer: bytearray) -> tuple[int, Address]:
        """As that of a socket; the size is 0 when the packet was not authentic."""
        size, address = self._receive(buffer)
        try:
            plain = self.unprotect(bytes(memoryview(buffer)[:size]))
        except (Error, ValueError):
            return 0, address
        size = len(plain)
        buffer[:size] = plain
        return size, address


class SecurePair:
    """The two sockets of a stream behind SRTP and SRTCP."""

    __slots__ = ("_security", "rtcp", "rtp")

    def __init__(self, pair: Sockets, security: Security) -> None:
        self.rtp: Final = SecureSocket(pair.rtp)
        self.rtcp: Final = SecureSocket(pair.rtcp)
        self._security: Security | None = None
        self.rekey(security)

    def rekey(self, security: Security) -> None:
        """Goes on with these keys. Where a key is the old one its state stays: the rollover counter would be
        lost otherwise, and packets encrypted twice with the same keystream."""
        held, self._security = self._security, security
        if held is None or held.ours != security.ours:
            out = Session(_policy(security.ours, Policy.SSRC_ANY_OUTBOUND))
            self.rtp.protect, self.rtcp.protect = out.protect, out.protect_rtcp
        if held is None or held.theirs != security.theirs:
            into = Session(_policy(security.theirs, Policy.SSRC_ANY_INBOUND))
            self.rtp.unprotect, self.rtcp.unprotect = into.unprotect, into.unprotect_rtcp


def _policy(key: MasterKey, ssrc_type: int) -> Policy:
    policy = Policy(key.secret, ssrc_type, srtp_profile=_PROFILES[key.suite])
    policy.window_size = _WINDOW
    if key.suite.key_bytes == 32:
        for part in (policy._policy.rtp, policy._policy.rtcp):
            _use_aes_256(ffi.buffer(ffi.addressof(part)))
    return policy


def _use_aes_256(crypto_policy: Any) -> None:
    """Replaces the cipher in libsrtp's own structure, whose layout is checked first."""
    cipher, key_bytes, *rest = _CRYPTO_POLICY.unpack(crypto_policy)
    if (cipher, key_bytes) != _AES_128:
        raise RuntimeError("this libsrtp has another layout: AES-256 cannot be asked for")
    crypto_policy[:] = _CRYPTO_POLICY.pack(*_AES_256, *rest)
