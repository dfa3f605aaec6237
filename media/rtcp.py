"""RTCP packets (RFC 3550 section 6): sender and receiver reports, CNAME and BYE, read and written.

Packets of other types in a compound are skipped, so that feedback and application packets do no harm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Final

_SENDER_REPORT: Final = 200
_RECEIVER_REPORT: Final = 201
_SOURCE_DESCRIPTION: Final = 202
_BYE: Final = 203
_CNAME: Final = 1

_VERSION: Final = 0x80
_PADDING: Final = 0x20
_COUNT: Final = 0x1F

_HEADER: Final = Struct("!BBH")
_SSRC: Final = Struct("!I")
_SENDER: Final = Struct("!IQIII")
_BLOCK: Final = Struct("!IIIIII")


class RtcpError(ValueError):
    """Not a compound of RTCP packets."""


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What the reporter received from `ssrc`.

    `fraction` is in 1/256, `lost` a signed 24-bit count, `jitter` in timestamp units; `last_report` is the
    middle 32 bits of the NTP time of the last sender report (0: none came) and `delay` the time since, in
    1/65536 s.
    """

    ssrc: int
    fraction: int
    lost: int
    highest: int
    jitter: int
    last_report: int
    delay: int

    def to_bytes(self) -> bytes:
        lost = max(-0x800000, min(0x7FFFFF, self.lost)) & 0xFFFFFF
        return _BLOCK.pack(
            self.ssrc, self.fraction << 24 | lost, self.highest, self.jitter, self.last_report, self.delay
        )

    @classmethod
    def _parse(cls, data: bytes, offset: int) -> ReportBlock:
        ssrc, loss, highest, jitter, last_report, delay = _BLOCK.unpack_from(data, offset)
        lost = loss & 0xFFFFFF
        return cls(
            ssrc,
            loss >> 24,
            lost - 0x1000000 if lost & 0x800000 else lost,
            highest,
            jitter,
            last_report,
            delay,
        )


@dataclass(frozen=True, slots=True)
class SenderReport:
    """`ntp` is a 64-bit NTP timestamp of the same instant as `timestamp`."""

    ssrc: int
    ntp: int
    timestamp: int
    packets: int
    octets: int
    blocks: tuple[ReportBlock, ...] = ()

    def to_bytes(self) -> bytes:
        packets, octets = self.packets & 0xFFFFFFFF, self.octets & 0xFFFFFFFF
        sender = _SENDER.pack(self.ssrc, self.ntp, self.timestamp, packets, octets)
        return _packet(_SENDER_REPORT, len(self.blocks), sender + b"".join(b.to_bytes() for b in self.blocks))


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    ssrc: int
    blocks: tuple[ReportBlock, ...] = ()

    def to_bytes(self) -> bytes:
        body = _SSRC.pack(self.ssrc) + b"".join(b.to_bytes() for b in self.blocks)
        return _packet(_RECEIVER_REPORT, len(self.blocks), body)


@dataclass(frozen=True, slots=True)
class SourceDescription:
    """Names one source; other items than the CNAME are left out."""

    ssrc: int
    cname: str

    def to_bytes(self) -> bytes:
        name = self.cname.encode()[:255]
        chunk = _SSRC.pack(self.ssrc) + bytes((_CNAME, len(name))) + name
        return _packet(_SOURCE_DESCRIPTION, 1, chunk + bytes(4 - len(chunk) % 4))


@dataclass(frozen=True, slots=True)
class Bye:
    """The sources leave."""

    ssrcs: tuple[int, ...]

    def to_bytes(self) -> bytes:
        return _packet(_BYE, len(self.ssrcs), b"".join(map(_SSRC.pack, self.ssrcs)))


RtcpPacket = SenderReport | ReceiverReport | SourceDescription | Bye


def build_compound(packets: Sequence[RtcpPacket]) -> bytes:
    """One datagram; RFC 3550 section 6.1 wants a report first and a CNAME in it."""
    return b"".join(packet.to_bytes() for packet in packets)


def parse_compound(data: bytes) -> list[RtcpPacket]:
    """Reads a datagram; raises `RtcpError` when lengths or version do not fit."""
    packets: list[RtcpPacket] = []
    offset = 0
    while offset < len(data):
        if len(data) - offset < _HEADER.size:
            raise RtcpError("the packet header is cut off")
        first, kind, words = _HEADER.unpack_from(data, offset)
        end = offset + 4 * (words + 1)
        if first >> 6 != 2 or end > len(data):
            raise RtcpError(f"version {first >> 6} or a length of {words} words does not fit")
        body = data[offset + _HEADER.size : _without_padding(data, first, offset + _HEADER.size, end)]
        offset = end
        reader = _READERS.get(kind)
        if reader is not None:
            packets.extend(reader(body, first & _COUNT))
    return packets


def _without_padding(data: bytes, first: int, start: int, end: int) -> int:
    if not first & _PADDING:
        return end
    padding = data[end - 1]
    if padding == 0 or end - padding < start:
        raise RtcpError("the padding does not fit")
    return end - padding


def _packet(kind: int, count: int, body: bytes) -> bytes:
    return _HEADER.pack(_VERSION | count, kind, len(body) // 4) + body


def _need(body: bytes, size: int) -> None:
    if len(body) < size:
        raise RtcpError(f"{size} bytes were announced and {len(body)} are there")


def _blocks(body: bytes, offset: int, count: int) -> tuple[ReportBlock, ...]:
    _need(body, offset + count * _BLOCK.size)
    return tuple(ReportBlock._parse(body, offset + i * _BLOCK.size) for i in range(count))


def _sender_report(body: bytes, count: int) -> list[RtcpPacket]:
    _need(body, _SENDER.size)
    ssrc, ntp, timestamp, packets, octets = _SENDER.unpack_from(body)
    return [SenderReport(ssrc, ntp, timestamp, packets, octets, _blocks(body, _SENDER.size, count))]


def _receiver_report(body: bytes, count: int) -> list[RtcpPacket]:
    _need(body, _SSRC.size)
    return [ReceiverReport(_SSRC.unpack_from(body)[0], _blocks(body, _SSRC.size, count))]


def _source_description(body: bytes, count: int) -> list[RtcpPacket]:
    found: list[RtcpPacket] = []
    offset = 0
    for _ in range(count):
        _need(body, offset + _SSRC.size + 1)
        (ssrc,) = _SSRC.unpack_from(body, offset)
        offset += _SSRC.size
        while offset < len(body) and body[offset] != 0:
            _need(body, offset + 2)
            end = offset + 2 + body[offset + 1]
            _need(body, end)
            if body[offset] == _CNAME:
                found.append(SourceDescription(ssrc, body[offset + 2 : end].decode(errors="replace")))
            offset = end
        offset = (offset + 4) & ~3
    return found


def _bye(body: bytes, count: int) -> list[RtcpPacket]:
    _need(body, count * _SSRC.size)
    return [Bye(tuple(_SSRC.unpack_from(body, i * _SSRC.size)[0] for i in range(count)))]


_READERS: Final = {
    _SENDER_REPORT: _sender_report,
    _RECEIVER_REPORT: _receiver_report,
    _SOURCE_DESCRIPTION: _source_description,
    _BYE: _bye,
}
