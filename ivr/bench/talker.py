"""A caller who talks: waits for silence, says something, and measures how soon the reply begins; cuts in on
some replies by voice or by a key, and measures how soon they are softer and silent.

The voice that replies is of one level in every packet (`ivr.bench.engines`), so each tells by itself whether
it is loud, soft or silent.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from ivr.bench import sip
from ivr.bench.line import FRAME, SECOND, Line
from ivr.bench.stats import Samples
from media.codecs import PCMA as CODEC

QUIET: Final = 2
"""Peak of a packet in which nothing is to be heard, as `level` counts."""

SOFT: Final = 0.7
"""A reply of less than this share of its level is ducked."""

REPLY_WITHIN: Final = 8 * SECOND
ENDED: Final = 15 * FRAME
"""So much silence ends a reply."""

_PAUSE: Final = (SECOND // 2, SECOND * 3 // 2)
_CUT_AFTER: Final = (SECOND * 4 // 5, SECOND * 8 // 5)
_KEY: Final = 5

_PCM: Final = CODEC.new_decoder()(bytes(range(256)))
_LEVELS: Final = bytes(
    min(abs(int.from_bytes(_PCM[2 * code : 2 * code + 2], "little", signed=True)) >> 7, 255)
    for code in range(256)
)


def level(payload: bytes) -> int:
    """Peak of a packet, from 0 to 255."""
    return max(payload.translate(_LEVELS))


@dataclass(slots=True)
class TalkSamples(Samples):
    """What is measured of conversations; times in nanoseconds. `unanswered` are turns without a reply,
    `not_cut` replies that spoke on over the caller."""

    reply: list[int] = field(default_factory=list)
    ducked: list[int] = field(default_factory=list)
    silent: list[int] = field(default_factory=list)
    key_silent: list[int] = field(default_factory=list)
    unanswered: int = 0
    not_cut: int = 0


class _Mode(Enum):
    RESTING = auto()
    """Until it was quiet for a while, and a moment longer."""
    SPEAKING = auto()
    WAITING = auto()
    """For the reply."""
    HEARING = auto()
    """The reply, to its end or until we cut in."""
    KEYED = auto()
    """A key was pressed: the reply is to be silent."""


class _Cut(Enum):
    NEVER = auto()
    BY_VOICE = auto()
    BY_KEY = auto()


_CUTS: Final = (_Cut.NEVER, _Cut.BY_VOICE, _Cut.NEVER, _Cut.BY_KEY)


class Talker(Line):
    def __init__(
        self,
        offer: sip.Offer,
        rtp: socket.socket,
        send_sip: Callable[[bytes], None],
        samples: TalkSamples,
        seed: int,
        utterances: Sequence[Sequence[bytes]],
    ) -> None:
        """`utterances` begin and end with a loud packet."""
        super().__init__(offer, rtp, send_sip, samples, seed)
        self._talk = samples
        self._utterances = utterances
        self._turns = seed
        self._mode = _Mode.RESTING
        self._due = 0
        self._heard_at = 0  # when something was heard last, by the monotonic clock
        self._saying: Sequence[bytes] = ()
        self._place = 0
        self._said_at = 0
        self._cut = _Cut.NEVER
        self._level = 0
        self._onset_at: int | None = None  # when we began to speak over a reply that is not silent yet
        self._ducked = False

    def talks(self, now: int) -> None:
        self._heard_at = now
        self._due = 0

    def speak(self, now: int) -> bytes:
        if self._mode is _Mode.SPEAKING:
            return self._next_word(now)
        if self._mode is _Mode.RESTING and self._may_begin(now):
            self._begin(now)
            return self._next_word(now)
        if self._mode is _Mode.WAITING and now >= self._due:
            self._talk.unanswered += 1
            self._rest(now)
        elif self._mode is _Mode.HEARING:
            self._hear_on(now)
        elif self._mode is _Mode.KEYED and now >= self._due:
            self._talk.not_cut += self._onset_at is not None
            self._onset_at = None
            self._rest(now)
        return CODEC.silence

    def hears(self, payload: bytes, now: int, at: int) -> None:
        loud = level(payload)
        if loud > QUIET:
            self._heard_at = now
        if self._onset_at is not None:
            self._over_us(loud, at)
        elif loud > QUIET and self._mode is _Mode.WAITING:
            self._talk.reply.append(at - self._said_at)
            self._mode, self._level = _Mode.HEARING, loud
            self._cut = _CUTS[self._turns % len(_CUTS)]
            self._due = now + self._random.randint(*_CUT_AFTER)
        elif self._mode is _Mode.HEARING:
            self._level = max(self._level, loud)

    # Within

    def _may_begin(self, now: int) -> bool:
        if now - self._heard_at < ENDED:
            self._due = 0
            return False
        if not self._due:
            self._due = now + self._random.randint(*_PAUSE)
        return now >= self._due

    def _begin(self, now: int) -> None:
        self._mode = _Mode.SPEAKING
        self._saying = self._utterances[self._turns % len(self._utterances)]
        self._turns += 1
        self._place = 0

    def _next_word(self, now: int) -> bytes:
        payload = self._saying[self._place]
        self._place += 1
        if self._place == len(self._saying):
            self._said_at = time.time_ns()
            self._mode, self._due = _Mode.WAITING, now + REPLY_WITHIN
            if self._onset_at is not None:
                self._talk.not_cut += 1
                self._onset_at = None
                self._rest(now)
        return payload

    def _hear_on(self, now: int) -> None:
        if now - self._heard_at >= ENDED:
            self._rest(now)
        elif now >= self._due and self._cut is _Cut.BY_VOICE:
            self._onset_at, self._ducked = time.time_ns(), False
            self._begin(now)
        elif now >= self._due and self._cut is _Cut.BY_KEY:
            self._mode, self._due = _Mode.KEYED, now + 4 * SECOND
            self._onset_at = self.press(_KEY)

    def _over_us(self, loud: int, at: int) -> None:
        """A packet of a reply that we cut in on."""
        assert self._onset_at is not None
        took = at - self._onset_at
        if self._mode is _Mode.KEYED:
            if loud <= QUIET:
                self._talk.key_silent.append(took)
                self._onset_at = None
            return
        if not self._ducked and loud < SOFT * self._level:
            self._ducked = True
            self._talk.ducked.append(took)
        if loud <= QUIET:
            self._talk.silent.append(took)
            self._onset_at = None

    def _rest(self, now: int) -> None:
        self._mode, self._due = _Mode.RESTING, 0
