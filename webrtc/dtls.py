"""DTLS-SRTP (RFC 5764) by aiortc, with its media engine left out: packets come up and go down decrypted, at
once, for a stream of ours. SCTP for the data channel stays aiortc's.

All that is known here of aiortc's insides is checked in tests/webrtc/test_insides.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from aiortc import RTCCertificate, RTCDtlsTransport
from aiortc.rtcdtlstransport import RTCDtlsFingerprint, RTCDtlsParameters
from pylibsrtp import Error as SrtpError

from webrtc.description import Fingerprint, Setup
from webrtc.ice import Path

_RTCP: Final = range(192, 224)
"""Packet types of RTCP, where RTP has marker and payload type (RFC 5761 section 4)."""

TakePacket = Callable[[bytes], None]


class HandshakeFailed(ConnectionError):
    """The far end has not the certificate that its offer named, or no DTLS at all."""


class DtlsSrtp(RTCDtlsTransport):
    """`rtp` and `rtcp` take what was decrypted; what is not authentic is counted in `refused`."""

    def __init__(self, path: Path, certificate: RTCCertificate, rtp: TakePacket, rtcp: TakePacket) -> None:
        super().__init__(cast(Any, path), [certificate])
        self._path = path
        self._take_rtp = rtp
        self._take_rtcp = rtcp
        self.refused = 0

    async def secure(self, theirs: tuple[Fingerprint, ...], setup: Setup) -> None:
        """The handshake; raises `HandshakeFailed`, and has no deadline of its own."""
        self._set_role("client" if setup == "active" else "server")
        prints = [RTCDtlsFingerprint(print_.algorithm, print_.value) for print_ in theirs]
        await self.start(RTCDtlsParameters(prints))
        if self.state != "connected":
            raise HandshakeFailed("the DTLS handshake failed")

    def take_media(self, data: bytes) -> None:
        """Encrypted media came; before the handshake is over it is nothing."""
        session = self._rx_srtp
        if session is None or len(data) < 2:
            return
        try:
            if data[1] in _RTCP:
                self._take_rtcp(session.unprotect_rtcp(data))
            else:
                self._take_rtp(session.unprotect(data))
        except SrtpError:
            self.refused += 1

    def send_rtp(self, packet: bytes) -> None:
        """Encrypts and sends, or drops what cannot go yet; raises OSError for what cannot be encrypted."""
        session = self._tx_srtp
        if session is not None:
            self._path.send(_encrypted(session.protect, packet))

    def send_rtcp(self, packet: bytes) -> None:
        """As `send_rtp`."""
        session = self._tx_srtp
        if session is not None:
            self._path.send(_encrypted(session.protect_rtcp, packet))


def _encrypted(protect: Callable[[bytes], bytes], packet: bytes) -> bytes:
    try:
        return protect(packet)
    except SrtpError as error:
        raise OSError(str(error)) from error


def fingerprints_of(certificate: RTCCertificate) -> tuple[Fingerprint, ...]:
    """What an answer says of it: SHA-256 is enough."""
    return tuple(
        Fingerprint(print_.algorithm, print_.value)
        for print_ in certificate.getFingerprints()
        if print_.algorithm == "sha-256"
    )
