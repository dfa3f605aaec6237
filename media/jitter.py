"""The jitter buffer: packets in, in any order; 20 ms of payload out per tick. Pure.

It works on timestamps, so that packets of any length (ptime 10 to 60), silence suppression and lost packets
all come out as even frames. A byte of payload is one unit of the RTP clock, which holds for G.711 and G.722.
"""

from __future__ import annotations

from enum import Enum
from math import inf
from typing import Final

from media.rtp import SEQUENCE_MASK, TIMESTAMP_MASK

LATE_RUN: Final = 3
"""So many late packets in a row mean that the path has become longer, or the far clock was set back."""

_CAPACITY: Final = 128
_WINDOW: Final = 50
_SLACK_FRAMES: Final = 2
_HALF: Final = 1 << 31


class Gap(Enum):
    """Why a tick has no payload: the far end was silent (or has not begun), or a packet is missing."""

    SILENCE = "silence"
    LOSS = "loss"


class JitterBuffer:
    """Holds what arrives for `target` units of the RTP clock before it is played.

    `late` counts packets that came after their time.
    """

    __slots__ = (
        "_clock_rate",
        "_end",
        "_fill",
        "_frame",
        "_last_sequence",
        "_late_run",
        "_least_held",
        "_limit",
        "_packets",
        "_play",
        "_pops",
        "_ssrc",
        "_start_at",
        "late",
        "target",
    )

    def __init__(self, frame: int, clock_rate: int, target_ms: int, fill: bytes) -> None:
        """`frame` is 20 ms in units of the clock, `fill` one byte of silence to complete a broken frame."""
        self._frame = frame
        self._clock_rate = clock_rate
        self._limit = clock_rate
        self._fill = fill
        self.target = clock_rate * target_ms // 1000
        self.late = 0
        self._ssrc: int | None = None
        self._packets: dict[int, tuple[bytes, int]] = {}
        self._play = self._end = 0
        self._start_at = inf
        self._last_sequence = -1
        self._late_run = 0
        self._pops = 0
        self._least_held = self._limit

    def push(self, ssrc: int, sequence: int, timestamp: int, payload: bytes, now: float) -> None:
        """Takes one audio packet. Another SSRC is another source: the buffer begins again with it."""
        if not payload:
            return
        if ssrc != self._ssrc:
            self._ssrc = ssrc
            self._begin(timestamp, now)
        ahead = ((timestamp - self._play + _HALF) & TIMESTAMP_MASK) - _HALF
        if ahead > self._limit:
            self._begin(timestamp, now)
            ahead = 0
        elif ahead < 0:
            payload = self._overdue(ahead, timestamp, payload, now)
            ahead = max(0, ((timestamp - self._play + _HALF) & TIMESTAMP_MASK) - _HALF)
        if payload and len(self._packets) < _CAPACITY:
            self._late_run = 0
            start = self._play + ahead
            self._packets.setdefault(start, (payload, sequence))
            end = start + len(payload)
            if end > self._end:
                self._end = end

    def pop(self, now: float) -> bytes | Gap:
        """The next 20 ms; called once per tick. A frame that came in part is filled up with silence."""
        if now < self._start_at:
            return Gap.SILENCE
        start = self._play
        held = self._end - start
        if held < self._least_held:
            self._least_held = held
        self._pops += 1
        if self._pops == _WINDOW:
            start = self._trim(start)
        self._play = start + self._frame
        packet = self._packets.pop(start, None)
        if packet is None:
            return self._assemble(start, self._play)
        if len(packet[0]) == self._frame:
            self._last_sequence = packet[1]
            return packet[0]
        self._packets[start] = packet
        return self._assemble(start, self._play)

    def _begin(self, timestamp: int, now: float) -> None:
        """What is played first is what comes now, and it waits for the target."""
        self._packets = {}
        self._play = self._end = timestamp
        self._start_at = now + self.target / self._clock_rate
        self._last_sequence = -1
        self._late_run = 0
        self._pops = 0
        self._least_held = self._limit

    def _overdue(self, ahead: int, timestamp: int, payload: bytes, now: float) -> bytes:
        """Gives what is still of use of a packet whose time has come already (`ahead` is negative)."""
        if now < self._start_at and -ahead <= self.target:
            self._play += ahead  # it overtook none that was played: the first packet came out of order
            return payload
        if -ahead < len(payload):
            return payload[-ahead:]
        self.late += 1
        self._late_run += 1
        if self._late_run < LATE_RUN:
            return b""
        self._begin(timestamp, now)
        return payload

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
        return Gap.LOSS

    def _trim(self, start: int) -> int:
        """Drops a frame when for a whole second more was held than the target: the far clock runs faster."""
        if self._least_held > self.target + _SLACK_FRAMES * self._frame:
            self._assemble(start, start + self._frame)
            start += self._frame
        self._pops, self._least_held = 0, self._limit
        return start
