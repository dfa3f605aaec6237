"""The jitter buffer: packets in, in any order; 20 ms of payload out per tick. Pure.

It works on timestamps, so that packets of any length (ptime 10 to 60), silence suppression and lost packets
all come out as even frames. A byte of payload is one unit of the RTP clock, which holds for G.711 and G.722.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from media.rtp import SEQUENCE_MASK, TIMESTAMP_MASK, timestamp_delta

LATE_RUN: Final = 3
"""So many late packets in a row mean that the path has become longer (or the clock was set back): begin
again.
"""

_CAPACITY: Final = 128
_WINDOW: Final = 50
_SLACK_FRAMES: Final = 2


class Gap(Enum):
    """Why a tick has no payload: the far end was silent (or has not begun), or a packet is missing."""

    SILENCE = "silence"
    LOSS = "loss"


class JitterBuffer:
    """Holds what arrives for `target` units of the RTP clock before it is played.

    `late` counts packets that came after their time, `lost` frames that were asked for in vain.
    """

    __slots__ = (
        "_ahead",
        "_clock_rate",
        "_end",
        "_fill",
        "_frame",
        "_last_sequence",
        "_late_run",
        "_limit",
        "_packets",
        "_play",
        "_pops",
        "_ssrc",
        "_start_at",
        "late",
        "lost",
        "target",
    )

    def __init__(self, frame: int, clock_rate: int, target_ms: int, fill: bytes) -> None:
        """`frame` is 20 ms in units of the clock, `fill` one byte of silence for the rest of a broken
        frame.
        """
        self._frame = frame
        self._clock_rate = clock_rate
        self._limit = clock_rate
        self._fill = fill
        self.target = clock_rate * target_ms // 1000
        self.late = 0
        self.lost = 0
        self._ssrc = -1
        self._clear()

    def _clear(self) -> None:
        self._packets: dict[int, tuple[bytes, int]] = {}
        self._start_at: float | None = None
        self._play = 0
        self._end = 0
        self._last_sequence = -1
        self._late_run = 0
        self._pops = 0
        self._ahead = self._limit

    def push(self, ssrc: int, sequence: int, timestamp: int, payload: bytes, now: float) -> None:
        """Takes one audio packet. Another SSRC is another source: the buffer begins again with it."""
        if not payload:
            return
        if ssrc != self._ssrc:
            self._clear()
            self._ssrc = ssrc
        if self._start_at is None:
            self._begin(timestamp, now)
        start = self._play + timestamp_delta(timestamp, self._play & TIMESTAMP_MASK)
        if start - self._play > self._limit:
            self._clear()
            self._begin(timestamp, now)
            start = self._play
        missed = self._play - start
        if missed >= len(payload):
            self.late += 1
            self._late_run += 1
            if self._late_run < LATE_RUN:
                return
            self._clear()
            self._begin(timestamp, now)
            start, missed = self._play, 0
        self._late_run = 0
        if missed > 0:
            start, payload = self._play, payload[missed:]
        if len(self._packets) < _CAPACITY:
            self._packets.setdefault(start, (payload, sequence))
            self._end = max(self._end, start + len(payload))

    def pop(self, now: float) -> bytes | Gap:
        """The next 20 ms; called once per tick. A frame of which only a part came is filled up with
        silence.
        """
        if self._start_at is None or now < self._start_at:
            return Gap.SILENCE
        self._trim()
        start = self._play
        self._play = start + self._frame
        packet = self._packets.pop(start, None)
        if packet is not None:
            self._last_sequence = packet[1]
            if len(packet[0]) == self._frame:
                return packet[0]
            self._packets[start] = packet
        return self._assemble(start, self._play)

    def _begin(self, timestamp: int, now: float) -> None:
        self._play = self._end = timestamp
        self._start_at = now + self.target / self._clock_rate

    def _assemble(self, start: int, end: int) -> bytes | Gap:
        frame = bytearray()
        position = start
        while position < end:
            packet = self._packets.pop(position, None)
            if packet is None:
                following = min((s for s in self._packets if position < s < end), default=None)
                if following is None:
                    break
                frame += self._fill * (following - position)
                position = following
                continue
            payload, self._last_sequence = packet
            room = end - position
            if len(payload) > room:
                self._packets.setdefault(end, (payload[room:], self._last_sequence))
                payload = payload[:room]
            frame += payload
            position += len(payload)
        if not frame:
            return self._gap()
        return bytes(frame) + self._fill * (end - position)

    def _gap(self) -> Gap:
        if self._packets:
            following = self._packets[min(self._packets)][1]
            if following == (self._last_sequence + 1) & SEQUENCE_MASK:
                return Gap.SILENCE  # nothing is missing in between: the far end sent nothing
        self.lost += 1
        return Gap.LOSS

    def _trim(self) -> None:
        """Drops a frame when for a whole second more was held than the target: the far clock runs faster."""
        self._ahead = min(self._ahead, self._end - self._play)
        self._pops += 1
        if self._pops < _WINDOW:
            return
        if self._ahead > self.target + _SLACK_FRAMES * self._frame:
            self._assemble(self._play, self._play + self._frame)
            self._play += self._frame
        self._pops, self._ahead = 0, self._limit
