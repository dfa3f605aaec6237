"""What arrived of one RTP source: losses and jitter as RFC 3550 computes them (appendices A.1, A.3, A.8).
Pure.
"""

from __future__ import annotations

from typing import Final

from media.rtp import SEQUENCE_MASK

MAX_DROPOUT: Final = 3000
MAX_MISORDER: Final = 100
"""Names and values of RFC 3550 appendix A.1."""


class Reception:
    """Statistics of the packets of one SSRC.

    `runs` counts the gaps in the sequence, which are runs of lost packets when nothing is out of order.
    """

    __slots__ = (
        "_base",
        "_cycles",
        "_expected_before",
        "_highest",
        "_jitter",
        "_received_before",
        "_restart",
        "_sane",
        "_transit",
        "received",
        "runs",
        "ssrc",
    )

    def __init__(self, ssrc: int, sequence: int, clock_rate: int) -> None:
        """Starts at the first packet, which is to be given to `update` too."""
        self.ssrc = ssrc
        self._sane = clock_rate  # a transit that moves by over a second is a new time base, not jitter
        self._jitter = 0.0
        self._transit: float | None = None
        self._begin(sequence)

    def _begin(self, sequence: int) -> None:
        self.received = self.runs = 0
        self._base = self._highest = sequence
        self._cycles = 0
        self._restart = -1
        self._expected_before = 0
        self._received_before = 0

    def update(self, sequence: int) -> None:
        """Counts one packet (appendix A.1). Two in sequence, far from the others, are a restarted sender."""
        ahead = (sequence - self._highest) & SEQUENCE_MASK
        if ahead == 1 and sequence:  # nearly always
            self._highest = sequence
            self.received += 1
            return
        if ahead < MAX_DROPOUT:
            if sequence < self._highest:
                self._cycles += SEQUENCE_MASK + 1
            if ahead > 1:
                self.runs += 1
            self._highest = sequence
        elif ahead <= SEQUENCE_MASK + 1 - MAX_MISORDER:
            if sequence != self._restart:
                self._restart = (sequence + 1) & SEQUENCE_MASK
                return
            self._begin(sequence)
        self.received += 1

    def measure(self, timestamp: int, arrival: float) -> None:
        """Takes an audio packet into the jitter (appendix A.8); `arrival` is in timestamp units."""
        transit = arrival - timestamp
        if self._transit is not None:
            difference = abs(transit - self._transit)
            if difference < self._sane:
                self._jitter += (difference - self._jitter) / 16
        self._transit = transit

    @property
    def jitter(self) -> float:
        """Interarrival jitter in timestamp units."""
        return self._jitter

    @property
    def highest(self) -> int:
        """Extended highest sequence number received (32 bits)."""
        return (self._cycles + self._highest) & 0xFFFFFFFF

    @property
    def expected(self) -> int:
        return self._cycles + self._highest - self._base + 1

    @property
    def lost(self) -> int:
        """Packets expected less packets received; negative when duplicates outweigh losses."""
        return self.expected - self.received

    def take_fraction(self) -> int:
        """Fraction lost since the last call in 1/256 (appendix A.3); starts the next interval."""
        expected = self.expected - self._expected_before
        received = self.received - self._received_before
        self._expected_before, self._received_before = self.expected, self.received
        lost = expected - received
        return min(255, (lost << 8) // expected) if expected > 0 and lost > 0 else 0
