"""What the numbers of one stream say about how it sounded, here and at the far end. Pure.

All codecs are rated as concealed G.711, on the narrowband scale: for G.722 that tells the network's part of
it, not that it sounds wider.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from media.codecs import FRAME_MS
from media.emodel import Path, burst_ratio, mos, rating
from media.leg import Quality
from media.peer import Peer

REMOTE_BUFFER_MS: Final = 40.0
"""What the far end's jitter buffer is taken to hold, at least; more when it reports more jitter."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One direction, from the one who received it.

    `lost` never came in `runs` runs, `late` came after its time; `buffer_ms` is what the jitter buffer held.
    """

    received: int
    lost: int
    late: int
    runs: int
    buffer_ms: float


def opinion(heard: Heard, rtt_ms: float | None, ptime_ms: int = FRAME_MS) -> float | None:
    """The mean opinion score, with two decimals; None when there was nothing to hear.

    Half the round trip is one way, where it is known; a packet is as late as it is long.
    """
    expected = heard.received + heard.lost
    if heard.received <= 0:
        return None
    missing = min(heard.lost + heard.late, expected)
    delay_ms = (rtt_ms or 0.0) / 2 + heard.buffer_ms + ptime_ms
    burst = burst_ratio(missing, heard.runs + heard.late, expected)
    return round(mos(rating(Path(missing / expected, delay_ms, burst))), 2)


def remote_opinion(
    sent: int, lost: int, jitter_ms: float, rtt_ms: float | None, ptime_ms: int = FRAME_MS
) -> float | None:
    """The same of what we sent, by the far end's reports, which do not tell of runs."""
    buffer_ms = max(REMOTE_BUFFER_MS, 2 * jitter_ms)
    lost = min(lost, sent)
    return opinion(Heard(sent - lost, lost, 0, 0, buffer_ms), rtt_ms, ptime_ms)


def quality_of(heard: Heard, peer: Peer, sent: int, ptime_ms: int) -> Quality:
    """All that is told of a stream; `sent` packets of `ptime_ms` went out."""
    remote, rtt_s = peer.reports.remote, peer.reports.rtt_s
    rtt_ms = rtt_s * 1000 if rtt_s is not None else None
    lost = max(0, remote.lost) if remote is not None else 0
    jitter_ms = peer.reports.remote_jitter_ms()
    return Quality(
        packets_sent=sent,
        packets_received=heard.received,
        packets_lost=heard.lost,
        packets_late=heard.late,
        jitter_ms=peer.jitter_ms,
        remote_lost=lost,
        remote_jitter_ms=jitter_ms,
        rtt_ms=rtt_ms,
        buffer_ms=heard.buffer_ms,
        mos=opinion(heard, rtt_ms),
        remote_mos=None if remote is None else remote_opinion(sent, lost, jitter_ms, rtt_ms, ptime_ms),
    )
