"""Keys as telephone-events (RFC 4733), receiving and sending. Pure: packets and times come as arguments."""

from __future__ import annotations

from collections import deque
from struct import Struct
from typing import Final, NamedTuple

from media.rtp import timestamp_delta

KEYS: Final = "0123456789*#ABCD"
"""Keys in the order of their event codes (RFC 4733 table 3)."""

_PAYLOAD: Final = Struct("!BBH")
_END: Final = 0x80
_VOLUME: Final = 10  # -10 dBm0, a usual level
_MAX_DURATION: Final = 0xFFFF

_FORGET_S: Final = 2.0
"""A press of which nothing was heard for so long is over: its timestamp may come again."""

_CLOSEST_MS: Final = 65
"""Two presses of a key begin further apart: key and pause last 40 ms each, at least (ITU-T Q.24)."""

_REMEMBERED: Final = 16
"""Timestamps whose late packets are still recognised."""


class DigitReceiver:
    """Gives each press once, at its first packet, whichever of its packets that is.

    Packets of one press share the RTP timestamp. A press that is longer than a duration can tell goes on in a
    new segment, whose timestamp is the old one plus 0xFFFF (RFC 4733 section 2.5.1.3); it is the same press.

    Some senders let the timestamp run on within a press, as it does in audio. Then either the duration has
    grown by as much as the timestamp, or the two are closer together than two presses can be.
    """

    __slots__ = ("_closest", "_presses")

    def __init__(self, clock_rate: int = 8000) -> None:
        """`clock_rate` is that of the timestamps, in Hz."""
        self._presses: dict[int, _Press] = {}
        self._closest = clock_rate * _CLOSEST_MS // 1000

    def handle(self, payload: bytes, timestamp: int, now: float) -> str | None:
        """Takes the payload of one telephone-event packet; gives the key that it begins, or None.

        Too short payloads and events that are no keys (flash, tones) give None.
        """
        if len(payload) < _PAYLOAD.size:
            return None
        event, flags, duration = _PAYLOAD.unpack_from(payload)
        if event >= len(KEYS):
            return None
        self._forget(now)
        press = self._presses.get(timestamp)
        known = press is not None
        if press is None:
            press = self._continued(event, timestamp, duration) or _Press(event)
            known = press.seen_at is not None
            self._presses[timestamp] = press
            if len(self._presses) > _REMEMBERED:
                del self._presses[next(iter(self._presses))]
        press.seen_at = now
        press.timestamp, press.duration = timestamp, duration
        press.ended = press.ended or bool(flags & _END)
        return None if known else KEYS[event]

    def _continued(self, event: int, timestamp: int, duration: int) -> _Press | None:
        for press in reversed(self._presses.values()):
            if press.event != event:
                continue
            ahead = timestamp_delta(timestamp, press.timestamp)
            if abs(ahead) < self._closest:
                return press
            if not press.ended and ahead in (_MAX_DURATION, duration - press.duration):
                return press
        return None

    def _forget(self, now: float) -> None:
        if not self._presses:
            return
        over = [t for t, p in self._presses.items() if p.seen_at is not None and now - p.seen_at > _FORGET_S]
        for timestamp in over:
            del self._presses[timestamp]


class _Press:
    """`timestamp` and `duration` are those of its packet that came last."""

    __slots__ = ("duration", "ended", "event", "seen_at", "timestamp")

    def __init__(self, event: int) -> None:
        self.event = event
        self.timestamp = self.duration = 0
        self.ended = False
        self.seen_at: float | None = None


class EventPacket(NamedTuple):
    """What to send in place of audio; `timestamp` is that of the press's start."""

    payload: bytes
    timestamp: int
    marker: bool


class DigitSender:
    """Turns keys into event packets, one for every 20 ms packet that is due.

    A press lasts 100 ms, its end is sent three times at the pace of the updates (RFC 4733 section 2.5.1.4),
    and 60 ms lie between the end of one press and the start of the next.
    """

    PRESS_TICKS: Final = 5
    GAP_TICKS: Final = 3
    END_PACKETS: Final = 3

    __slots__ = ("_began", "_keys", "_step", "_tick")

    def __init__(self, step: int) -> None:
        """`step` is the length of one packet in timestamp units (160 at 8000 Hz)."""
        self._step = step
        self._keys: deque[int] = deque()
        self._tick = 0
        self._began = 0

    @property
    def busy(self) -> bool:
        """Whether a press, its end packets or the gap after it are still to come."""
        return bool(self._keys)

    def add(self, keys: str) -> None:
        """Queues keys; raises ValueError when one of them is no key."""
        codes = [KEYS.find(key) for key in keys.upper()]
        if -1 in codes:
            raise ValueError("keys are 0-9, *, # and A-D")
        self._keys.extend(codes)

    def next(self, timestamp: int) -> EventPacket | None:
        """The packet for the tick whose media clock is `timestamp`; None: audio may be sent in this tick."""
        if not self._keys:
            return None
        tick = self._tick
        self._tick += 1
        if tick == 0:
            self._began = timestamp
        packet = None
        last_update = self.PRESS_TICKS - 1
        if tick < last_update + self.END_PACKETS:
            duration = min(tick + 1, self.PRESS_TICKS) * self._step
            flags = _VOLUME | (_END if tick >= last_update else 0)
            packet = EventPacket(_PAYLOAD.pack(self._keys[0], flags, duration), self._began, tick == 0)
        if self._tick == self.PRESS_TICKS + self.GAP_TICKS:
            self._keys.popleft()
            self._tick = 0
        return packet
