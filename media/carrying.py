"""A stream whose packets go through something else than UDP ports of ours: a DTLS transport, a WebSocket.

All else is as for any stream: the same timer, playout, jitter buffer, keys, recording, and bridges to others.
"""

from __future__ import annotations

from typing import Final, NoReturn, Protocol

from media.codecs import Codec
from media.ports import Datagrams
from media.source import Address
from media.stream import RtpStream

FAR_END: Final[Address] = ("192.0.2.1", 9)
"""Stands for the one far end that a carrier has: an address of documentation (RFC 5737)."""


class Carrier(Protocol):
    """What carries the packets of one stream; called on the event loop, must return at once. A packet that
    cannot go is dropped, or counted by an OSError."""

    def send_rtp(self, packet: bytes) -> None: ...

    def send_rtcp(self, packet: bytes) -> None: ...


class _Outlet:
    """Stands where a socket would, for what is sent."""

    __slots__ = ("_send",)

    def __init__(self, carrier: Carrier, *, control: bool) -> None:
        self._send = carrier.send_rtcp if control else carrier.send_rtp

    def sendto(self, packet: bytes | bytearray, _to: Address, /) -> int:
        self._send(bytes(packet))
        return len(packet)

    def fileno(self) -> NoReturn:
        raise OSError("nothing is read from here: a carrier gives in what came")

    def recvfrom_into(self, _buffer: bytearray, /) -> NoReturn:
        self.fileno()

    def recv_into(self, _buffer: bytearray, /) -> NoReturn:
        self.fileno()


class Carriage:
    """A carrier in the place of a pair of sockets."""

    __slots__ = ("rtcp", "rtp")

    def __init__(self, carrier: Carrier) -> None:
        self.rtp: Final[Datagrams] = _Outlet(carrier, control=False)
        self.rtcp: Final[Datagrams] = _Outlet(carrier, control=True)


class CarriedStream(RtpStream):
    """As `RtpStream`; what came is given in by `take` and `take_report`."""

    __slots__ = ()

    def begin(
        self,
        codec: Codec,
        payload_type: int,
        telephone_event: int | None,
        *,
        comfort_noise: int | None = None,
    ) -> None:
        """Sends from now on, silence at first. May be called again after a new negotiation. With a
        `telephone_event` type keys come and go as events (RFC 4733), else as tones in the audio."""
        self.connect(FAR_END, codec, payload_type, telephone_event, comfort_noise=comfort_noise)

    def carried_by(self, carrier: Carrier) -> None:
        """Sends through another one from now on: the far end came back by another way."""
        self._pair = Carriage(carrier)
        if self._live is not None:
            self._live.move(self._pair)

    def take(self, packet: bytes) -> None:
        """An RTP packet came."""
        if self._live is not None:
            self._live.receive(packet, len(packet), FAR_END, self._wheel.time())

    def take_report(self, packet: bytes) -> None:
        """An RTCP packet came."""
        if self._live is not None:
            self._live.receive_report(packet, len(packet), FAR_END, self._wheel.time())
