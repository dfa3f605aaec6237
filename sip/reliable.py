"""Reliable provisional responses (RFC 3262): the callee repeats them until PRACK comes, the caller
takes them in order. Pure.

The callee asks a `Provisionals` what to send; the caller keeps one `Heard` per early dialog.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from sip.headers import is_token
from sip.timers import Timing

MAX_FIRST: Final = 2**31 - 1
"""The first RSeq is chosen between 1 and this, so that counting up never wraps (RFC 3262 3)."""
_MAX: Final = 2**32 - 1
_RACK: Final = re.compile(r"\s*([0-9]{1,10})\s+([0-9]{1,10})\s+(\S+)\s*")


@dataclass(frozen=True, slots=True)
class RAck:
    """What a PRACK acknowledges: the RSeq of a response, and the CSeq of the request that it answered."""

    rseq: int
    cseq: int
    method: str

    @classmethod
    def parse(cls, text: str) -> RAck:
        """Parses the value of an RAck header; raises ValueError."""
        match = _RACK.fullmatch(text)
        if match is None or not is_token(match[3]):
            raise ValueError(f"malformed RAck: {text[:60]!r}")
        return cls(int(match[1]), int(match[2]), match[3])

    def __str__(self) -> str:
        return f"{self.rseq} {self.cseq} {self.method}"


def parse_rseq(text: str) -> int:
    """The value of an RSeq header, 1 to 2**32-1; raises ValueError."""
    digits = text.strip()
    if not re.fullmatch("[0-9]{1,10}", digits) or not 1 <= int(digits) <= _MAX:
        raise ValueError(f"malformed RSeq: {text[:40]!r}")
    return int(digits)


@dataclass(frozen=True, slots=True)
class Provisional:
    """A response to be sent reliably; with `sdp` (an offer or the answer) a 2xx must wait for its PRACK."""

    status: int
    sdp: bytes | None = None


@dataclass(frozen=True, slots=True)
class SendProvisional:
    """Send the response with `Require: 100rel` and this RSeq; repeated until it is acknowledged."""

    provisional: Provisional
    rseq: int


class Then(Enum):
    """What else follows from an event."""

    ANSWER = auto()
    """The 2xx that waited may be sent now."""
    GIVE_UP = auto()
    """No PRACK came in 64*T1: refuse the INVITE with a 5xx (RFC 3262 3)."""


ProvisionalOutput = SendProvisional | Then


class Provisionals:
    """The reliable provisional responses of one INVITE that we received.

    One at a time is on its way, the others wait: they arrive in order, each once. `due` is when `poll` must
    be called next.
    """

    def __init__(self, cseq: int, first: int, timing: Timing) -> None:
        """`cseq` is that of the INVITE; `first`, the first RSeq, is best random, up to `MAX_FIRST`."""
        if not 1 <= first <= MAX_FIRST:
            raise ValueError(f"the first RSeq is out of range: {first}")
        self._cseq: Final = cseq
        self._timing: Final = timing
        self._next = first
        self._queue: deque[Provisional] = deque()
        self._open: SendProvisional | None = None
        self._sent: dict[int, Provisional] = {}
        self._interval = timing.t1
        self._repeat_at = 0.0
        self._give_up_at = 0.0
        self._answering = False
        self._closed = False

    @property
    def due(self) -> float | None:
        return None if self._open is None else min(self._repeat_at, self._give_up_at)

    @property
    def settled(self) -> bool:
        """Whether nothing is unacknowledged that a 2xx must wait for."""
        waiting = [*self._queue] if self._open is None else [self._open.provisional, *self._queue]
        return all(provisional.sdp is None for provisional in waiting)

    def provide(self, provisional: Provisional, now: float) -> list[ProvisionalOutput]:
        """Sends a response as soon as those before it are acknowledged; nothing once a final one was sent."""
        if self._closed or self._answering:
            return []
        self._queue.append(provisional)
        return self._advance(now)

    def answer(self, now: float) -> list[ProvisionalOutput]:
        """A 2xx is to be sent: `Then.ANSWER` tells when (RFC 3262 3: not before an open offer or answer)."""
        if self._closed:
            return []
        self._answering = True
        self._queue = deque(p for p in self._queue if p.sdp is not None)
        return self._advance(now)

    def close(self) -> None:
        """A final response went out, or the call is over: nothing is repeated any more."""
        self._closed = True
        self._open = None
        self._queue.clear()

    def acknowledged(self, rack: RAck, now: float) -> tuple[Provisional | None, list[ProvisionalOutput]]:
        """A PRACK came: which response it acknowledges, and what follows; None: answer it with 481.

        After the final response the last ones may still be acknowledged.
        """
        if rack.cseq != self._cseq or rack.method != "INVITE":
            return None, []
        provisional = self._sent.pop(rack.rseq, None)
        if provisional is None or self._open is None or self._open.rseq != rack.rseq:
            return provisional, []
        self._open = None
        return provisional, self._advance(now)

    def poll(self, now: float) -> list[ProvisionalOutput]:
        """The time has come to repeat, or to give up."""
        if self._open is None:
            return []
        if now >= self._give_up_at:
            self.close()
            return [Then.GIVE_UP]
        if now < self._repeat_at:
            return []
        self._interval *= 2
        self._repeat_at = now + self._interval
        return [self._open]

    def _advance(self, now: float) -> list[ProvisionalOutput]:
        if self._answering and self.settled:
            self.close()
            return [Then.ANSWER]
        if self._open is not None or not self._queue:
            return []
        self._open = SendProvisional(self._queue.popleft(), self._next)
        self._sent[self._next] = self._open.provisional
        self._next += 1
        self._interval = self._timing.t1
        self._repeat_at, self._give_up_at = now + self._interval, now + self._timing.timeout
        return [self._open]


class Heard:
    """Which reliable responses came in one early dialog (RFC 3262 4)."""

    def __init__(self) -> None:
        self._last: int | None = None

    def accepts(self, rseq: int) -> bool:
        """Whether the response is the next in order, so that it counts and gets a PRACK.

        A repeated one had its PRACK already, and one out of order comes again.
        """
        if self._last is not None and rseq != self._last + 1:
            return False
        self._last = rseq
        return True
