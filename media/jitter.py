"""The jitter buffer: packets in, in any order; 20 ms of payload out per tick. Pure.

It works on timestamps, so that packets of any length (ptime 10 to 60), silence suppression and lost packets
all come out as even frames. A byte of payload is one unit of the RTP clock, which holds for G.711 and G.722;
of a codec whose payloads are whole (Opus) each packet is one frame, and nothing is cut or filled.

How long packets wait follows the network (`media.delay`). When they must wait longer, a tick gives nothing
though there is something, now and then, and the listener conceals it; when they wait too long, `surplus`
says by how many frames, and the listener takes the next frame too (`skip`) where it is not heard. In a pause
of the far end both are free. A buffer that runs dry waits where it stands: what comes late is then later, not
lost.

Who needs no even frames, as a recogniser, need not wait: what has come in its order is given at once
(`early`), and only what is missing is waited for, as long as it would be else.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum
from math import inf
from typing import Final

from media.delay import LEAST_MS, MOST_MS, DelayTarget
from media.reception import MAX_MISORDER
from media.rtp import SEQUENCE_MASK, TIMESTAMP_MASK, timestamp_delta

LATE_RUN: Final = 3
"""So many late packets in a row mean that the far clock was set back."""

_CAPACITY: Final = 128
_SETTLE_POPS: Final = 50
_STRETCH_EVERY: Final = 4
"""One frame of so many may be made up to gain time: more would stutter."""

_SPURT: Final = 4
"""After so many dry ticks what comes next starts anew, with all the time that it should have."""

_OVERFLOW_MS: Final = 500
"""A network that stood still gives this back at once; more than that nobody wants to hear."""

_MOST_EARLY: Final = 50
"""So many frames are given early at once, then two for each tick: a flood does not reach the listeners, and a
network that stood still again and again is caught up with."""

_MISSED: Final = 32
_HALF: Final = 1 << 31


class Gap(Enum):
    """Why a tick has no payload.

    `SILENCE`: the far end says nothing, or has not begun. `LOSS`: a packet is missing, or time is to be won.
    `GIVEN`: it is the time of a frame that was given `early`.
    """

    SILENCE = "silence"
    LOSS = "loss"
    GIVEN = "given"


class JitterBuffer:
    """Holds what arrives for `target` units of the RTP clock, or up to a frame more, before it is played.

    `late` counts packets that came after their time, duplicates aside; `surplus` is by how many frames the
    buffer is longer than it need be.
    """

    __slots__ = (
        "_allowed",
        "_clock_rate",
        "_delay",
        "_dry",
        "_early",
        "_end",
        "_excess",
        "_fill",
        "_floor",
        "_frame",
        "_hurried",
        "_last_sequence",
        "_late_after",
        "_late_run",
        "_limit",
        "_meanwhile",
        "_missed",
        "_newest",
        "_note",
        "_overflow",
        "_packets",
        "_paused",
        "_play",
        "_pops",
        "_resting",
        "_shortage",
        "_ssrc",
        "_start_at",
        "_units",
        "_whole",
        "late",
        "surplus",
    )

    def __init__(
        self,
        frame: int,
        clock_rate: int,
        start_ms: int,
        fill: bytes,
        least_ms: int = LEAST_MS,
        most_ms: int = MOST_MS,
        *,
        whole: bool = False,
    ) -> None:
        """`frame` is 20 ms in units of the clock, `fill` one byte of silence to complete a broken frame. The
        target starts at `start_ms` and stays from `least_ms` to `most_ms`. `whole` as in `Codec`."""
        self._whole = whole
        self._units: Callable[[bytes], int] = (lambda payload: frame if payload else 0) if whole else len
        self._frame = frame
        self._clock_rate = clock_rate
        self._limit = clock_rate
        self._overflow = clock_rate * _OVERFLOW_MS // 1000
        self._fill = fill
        self._delay = DelayTarget(clock_rate, start_ms, least_ms, most_ms)
        self._note = self._delay.transits.append
        self.late = self.surplus = 0
        self._allowed = _MOST_EARLY
        self._ssrc: int | None = None
        self._packets: dict[int, tuple[bytes, int]] = {}
        self._missed: deque[int] = deque(maxlen=_MISSED)
        self._play = self._end = self._floor = 0
        self._start_at = inf
        self._meanwhile = Gap.SILENCE
        self._last_sequence = self._newest = -1
        self._late_run = self._dry = self._shortage = self._early = 0
        self._late_after = -1
        self._excess = 0.0
        self._pops = _SETTLE_POPS
        self._hurried = self._paused = self._resting = False

    @property
    def target(self) -> int:
        return self._delay.target

    def push(
        self, ssrc: int, sequence: int, timestamp: int, payload: bytes, now: float, marker: bool = False
    ) -> None:
        """Takes one audio packet; `marker` says that a talkspurt starts (RFC 3551 section 4.1).

        Another SSRC is another source: the buffer begins again with it.
        """
        if not payload:
            return
        if ssrc != self._ssrc:
            self._ssrc = ssrc
            self._start(timestamp, now)
        ahead = (timestamp - self._play) & TIMESTAMP_MASK
        if ahead > self._limit or self._resting or marker:
            if ahead >= _HALF:
                ahead -= TIMESTAMP_MASK + 1
            start, payload = self._reconsider(self._play + ahead, sequence, payload, now, marker)
            if not payload:
                return
        else:
            start = self._play + ahead
        packets = self._packets
        if start in packets or len(packets) >= _CAPACITY:
            return
        self._newest = sequence
        packets[start] = (payload, sequence)
        end = start + self._units(payload)
        if end > self._end:
            self._end = end
        self._note(now * self._clock_rate - start)

    def pause(self, ssrc: int, sequence: int, timestamp: int) -> None:
        """A packet of comfort noise came in place of audio: from `timestamp` on the far end is silent."""
        if ssrc != self._ssrc or self._start_at == inf:
            return
        self._newest = sequence
        if not self._packets:
            self._last_sequence = sequence
            self._paused = self._resting = True
            return
        start = self._play + timestamp_delta(timestamp, self._play & TIMESTAMP_MASK)
        if self._play <= start <= self._play + self._limit and len(self._packets) < _CAPACITY:
            self._packets.setdefault(start, (b"", sequence))

    def pop(self, now: float) -> bytes | Gap:
        """The next 20 ms; called once per tick. A frame that came in part is filled up with silence."""
        if self._allowed < _MOST_EARLY:
            self._allowed += 2
        if now < self._start_at:
            return Gap.GIVEN if self._early else self._meanwhile
        start = self._play
        self._pops -= 1
        if not self._pops:
            self._settle(now)
        if self._early:
            return self._wait_for_clock()
        held = self._end - start
        if not self._frame <= held <= self._overflow:
            if held < self._frame:
                return self._run_dry()
            start = self._cut()
        if self._dry:
            start = self._catch_up()
        if self._shortage and not self._pops % _STRETCH_EVERY:
            self._shortage -= 1
            return Gap.LOSS
        self._play = start + self._frame
        packet = self._packets.pop(start, None)
        if packet is None:
            return self._assemble(start, self._play)
        if self._units(packet[0]) == self._frame:
            self._last_sequence = packet[1]
            return packet[0]
        self._packets[start] = packet
        return self._assemble(start, self._play)

    def early(self) -> bytes | None:
        """The frame that is next in its order, before its time; None while some of it is missing. `pop` gives
        none for it when its time comes."""
        start = self._play
        packet = self._packets.get(start)
        if packet is None or not self._allowed:
            return None
        end = start + self._frame
        frame: bytes | Gap = packet[0]
        if self._units(packet[0]) == self._frame:
            del self._packets[start]
            self._last_sequence = packet[1]
        elif self._complete(start, end):
            frame = self._assemble(start, end)
        else:
            return None
        self._play = end
        self._early += 1
        self._allowed -= 1
        self._dry = 0
        return frame if isinstance(frame, bytes) else None

    def skip(self) -> bytes | None:
        """One frame more, to make the buffer shorter; None when it is not there."""
        start = self._play
        if self._end - start < self._frame:
            return None
        self.surplus = max(0, self.surplus - 1)
        self._play = start + self._frame
        payload = self._assemble(start, self._play)
        return None if isinstance(payload, Gap) else payload

    # Where to play

    def _begin(self, timestamp: int) -> None:
        self._packets = {}
        self._delay.forget()
        self._missed.clear()
        self._play = self._end = timestamp
        self._last_sequence = self._newest = -1
        self._late_run = self._dry = self._shortage = self.surplus = self._early = 0
        self._late_after = -1
        self._excess = 0.0
        self._pops = _SETTLE_POPS
        self._hurried = self._paused = self._resting = False

    def _start(self, timestamp: int, now: float) -> None:
        """What is played first is what comes now, and it waits for the target."""
        self._meanwhile = Gap.SILENCE
        self._begin(timestamp)
        self._floor = timestamp - self.target
        self._start_at = now + self.target / self._clock_rate

    def _reconsider(
        self, start: int, sequence: int, payload: bytes, now: float, marker: bool
    ) -> tuple[int, bytes]:
        """Where a packet belongs that is out of the even run, and what of it is still of use."""
        if start < self._play:
            return self._overdue(start, sequence, payload, now, marker)
        begins = marker and not self._packets and (self._dry > 0 or start > self._end)
        if self._resting or begins or start > self._play + self._limit:
            return self._resume(start, sequence, now), payload
        return start, payload

    def _resume(self, start: int, sequence: int, now: float) -> int:
        """A talkspurt starts, or the network was cut: it is played when the fastest would have been."""
        self._delay.settle(late=True)
        fastest = self._delay.fastest
        behind = inf if fastest is None else now * self._clock_rate - start - fastest
        if not -self.target <= behind <= self._limit:
            self._start(start & TIMESTAMP_MASK, now)
            return self._play
        self._meanwhile = Gap.SILENCE if self._paused else Gap.LOSS
        self._packets.clear()
        self._floor = self._play
        self._play = self._end = start
        self._last_sequence = (sequence - 1) & SEQUENCE_MASK
        # A little early, so that a tick at just that time is not missed.
        self._start_at = now + max(0.0, self.target - behind - self._frame / 8) / self._clock_rate
        self._dry = self._shortage = self.surplus = self._early = 0
        self._pops = _SETTLE_POPS
        self._paused = self._resting = False
        return start

    def _overdue(
        self, start: int, sequence: int, payload: bytes, now: float, marker: bool
    ) -> tuple[int, bytes]:
        """Whether a packet whose time has come already is still of use."""
        behind = self._play - start
        if not self._early and now < self._start_at and behind <= self.target and start >= self._floor:
            self._play = start  # it overtook none that was played: the first packet came out of order
            return start, payload
        if behind < self._units(payload) and self._play not in self._packets:
            return self._play, payload if self._whole else payload[behind:]
        if self._late_after != self._newest:  # something came in time since
            self._late_run, self._late_after = 0, self._newest
        self._late_run += 1
        straggler = (self._newest - sequence) & SEQUENCE_MASK <= MAX_MISORDER
        if not straggler and (marker or self._late_run >= LATE_RUN):
            self._start(start & TIMESTAMP_MASK, now)
            return self._play, payload
        end = start + self._units(payload)
        missed = next((m for m in self._missed if start < m + self._frame and m < end), None)
        if missed is not None:  # else it was played: this is its duplicate
            self._missed.remove(missed)
            self.late += 1
            self._note(now * self._clock_rate - start)
            self._hurried = True
            self._pops = 1
        return start, b""

    # How long to wait

    def _settle(self, now: float) -> None:
        """Compares how long packets wait with how long they should: once a second, and after a late one."""
        self._pops = _SETTLE_POPS
        self._delay.settle(late=self._hurried)
        self._hurried = False
        fastest = self._delay.fastest
        if fastest is None:
            return
        # The tick may be late itself: then more seems to be held than is, once, but not twice.
        frame = self._frame
        due = self._play - self._early * frame
        excess = now * self._clock_rate - due - fastest - self.target
        before, self._excess = self._excess, excess
        self._shortage = int(-excess / frame + 0.75) if excess < 0 else 0
        self.surplus = max(0, int((min(excess, before) - frame / 4) / frame))

    def _wait_for_clock(self) -> Gap:
        """The clock comes to what was given early. To set it back or forward costs nobody anything here."""
        if self._shortage:
            self._shortage -= 1
            return Gap.GIVEN
        ahead = min(self.surplus, self._early - 1)
        self.surplus -= ahead
        self._early -= ahead + 1
        return Gap.GIVEN

    def _complete(self, start: int, end: int) -> bool:
        """Whether all of it is there."""
        packets = self._packets
        while start < end:
            packet = packets.get(start)
            if packet is None or not packet[0]:
                return False
            start += self._units(packet[0])
        return True

    def _run_dry(self) -> bytes | Gap:
        self._dry += 1
        for at in [at for at, (payload, _) in self._packets.items() if not payload]:
            self._last_sequence = self._packets.pop(at)[1]
            self._paused = self._resting = True
        part = self._end > self._play
        if part and self._dry > 1 and not self._paused:
            self._dry = 0
            self._play += self._frame
            return self._assemble(self._play - self._frame, self._play)
        if self._dry >= _SPURT:
            self._resting = True
        return Gap.SILENCE if self._paused else Gap.LOSS

    def _catch_up(self) -> int:
        """After dry ticks: what is missing was made up for meanwhile, and its time is over."""
        following = min(self._packets, default=self._play)
        made_up = min(max(following - self._play, 0), self._dry * self._frame)
        self._missed.extend(range(self._play, self._play + made_up, self._frame))
        self._play += made_up
        self._dry = 0
        return self._play

    def _cut(self) -> int:
        """Far too much is held: all but the target is dropped."""
        least = self._end - max(self.target, self._frame)
        self._packets = {at: p for at, p in self._packets.items() if at + self._units(p[0]) > least}
        self._play = min(self._packets, default=least)
        return self._play

    # Frames that are not one packet

    def _assemble(self, start: int, end: int) -> bytes | Gap:
        if self._whole:
            return self._nearest(start, end)
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
            return self._gap(start)
        return bytes(frame) + self._fill * (end - position)

    def _nearest(self, start: int, end: int) -> bytes | Gap:
        """The first packet whose time is in this frame, from its beginning, wherever in the frame it is."""
        at = min((s for s in self._packets if start <= s < end), default=None)
        if at is None:
            return self._gap(start)
        payload, self._last_sequence = self._packets.pop(at)
        return payload or self._gap(start)

    def _gap(self, start: int) -> Gap:
        if self._packets:
            following = min(self._packets)
            if self._packets[following][1] == (self._last_sequence + 1) & SEQUENCE_MASK:
                # Nothing is missing in between: the far end sent nothing. Here time costs nothing.
                if self._shortage:
                    self._shortage -= 1
                    self._play = start
                elif self.surplus:
                    spare = min(self.surplus, (following - self._play) // self._frame)
                    self.surplus -= spare
                    self._play += spare * self._frame
                return Gap.SILENCE
        self._missed.append(start)
        return Gap.LOSS
