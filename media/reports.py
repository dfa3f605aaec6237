"""The RTCP side of one stream: what to report, what the far end reported, and when the next report is due.
Pure.
"""

from __future__ import annotations

from random import Random
from typing import Final

from media.reception import Reception
from media.rtcp import (
    Bye,
    ReceiverReport,
    ReportBlock,
    RtcpError,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    build_compound,
    parse_compound,
)

MIN_INTERVAL_S: Final = 5.0
_COMPENSATION: Final = 1.21828
"""RFC 3550 section 6.3.1: e - 1.5."""

_SHORT: Final = 65536
"""Units of the short NTP format in a second."""

_NTP_OFFSET: Final = 2_208_988_800
"""Seconds from 1900 to 1970."""


def ntp_time(unix_s: float) -> int:
    """A Unix time as 64-bit NTP timestamp."""
    return int((unix_s + _NTP_OFFSET) * (1 << 32))


class Reports:
    """Builds and reads the compound packets of one stream.

    `now` is monotonic in seconds, `ntp` the 64-bit NTP timestamp of the same instant. `remote` is what the
    far end reported last of what we sent, `rtt_s` the last round trip.
    """

    __slots__ = ("_clock_rate", "_cname", "_random", "_report_at", "_report_ntp", "_ssrc", "remote", "rtt_s")

    def __init__(self, ssrc: int, cname: str, clock_rate: int, random: Random) -> None:
        self._ssrc = ssrc
        self._cname = cname
        self._clock_rate = clock_rate
        self._random = random
        self._report_ntp = 0
        self._report_at = 0.0
        self.remote: ReportBlock | None = None
        self.rtt_s: float | None = None

    def interval_s(self, *, first: bool = False) -> float:
        """Time to the next report, randomised (RFC 3550 section 6.3.1); the first comes after half of it."""
        usual = MIN_INTERVAL_S / 2 if first else MIN_INTERVAL_S
        return usual * (0.5 + self._random.random()) / _COMPENSATION

    def build(
        self,
        now: float,
        ntp: int,
        timestamp: int,
        packets: int,
        octets: int,
        heard: Reception | None,
        *,
        bye: bool,
    ) -> bytes:
        """An SR when anything was sent, else an RR; `timestamp` is what the media clock shows now."""
        blocks = () if heard is None else (self._block(heard, now),)
        report: RtcpPacket = (
            SenderReport(self._ssrc, ntp, timestamp, packets, octets, blocks)
            if packets
            else ReceiverReport(self._ssrc, blocks)
        )
        compound: list[RtcpPacket] = [report, SourceDescription(self._ssrc, self._cname)]
        if bye:
            compound.append(Bye((self._ssrc,)))
        return build_compound(compound)

    def handle(self, data: bytes, now: float, ntp: int) -> bool:
        """Takes a datagram of the far end; False when it was no RTCP."""
        try:
            packets = parse_compound(data)
        except RtcpError:
            return False
        for packet in packets:
            if isinstance(packet, SenderReport):
                self._report_ntp = (packet.ntp >> 16) & 0xFFFFFFFF
                self._report_at = now
            if isinstance(packet, SenderReport | ReceiverReport):
                for block in packet.blocks:
                    if block.ssrc == self._ssrc:
                        self._heard_of_us(block, ntp)
        return bool(packets)

    def remote_jitter_ms(self) -> float:
        return 0.0 if self.remote is None else self.remote.jitter * 1000 / self._clock_rate

    def _heard_of_us(self, block: ReportBlock, ntp: int) -> None:
        self.remote = block
        if block.last_report:
            units = (((ntp >> 16) & 0xFFFFFFFF) - block.last_report - block.delay) & 0xFFFFFFFF
            if units < _SHORT * 60:  # beyond a minute it is a wrong clock or a wrong delay
                self.rtt_s = units / _SHORT

    def _block(self, heard: Reception, now: float) -> ReportBlock:
        delay = int((now - self._report_at) * _SHORT) & 0xFFFFFFFF if self._report_ntp else 0
        fraction = heard.take_fraction()
        return ReportBlock(
            heard.ssrc, fraction, heard.lost, heard.highest, int(heard.jitter), self._report_ntp, delay
        )
