"""Voices on top of each other: both sides of a call for who listens in, and a whisper beside what somebody
hears anyway. Pure."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from media.codecs import Codec
from media.relay import Relay
from media.resample import EvenResampler

Samples = npt.NDArray[np.int16]

BEHIND_MS: Final = 60
"""How far who listens in is behind the call at first: so late may a packet come, and still find its place."""

MOST_BEHIND_MS: Final = 300
"""A network that delivers later than this is heard with holes."""

_FAR_MS: Final = 1000
"""A position so far ahead is no late packet: the clocks were set anew."""

_MOST_PENDING: Final = 100
"""Packets of one side that wait; nobody takes them away."""


class Feed(Protocol):
    """What a far end is sent, whenever nothing is played to it."""

    def next(self, now: float) -> bytes | None:
        """The payload of this tick, None for silence; once per tick."""


class _Side:
    """One direction of a call: packets with their positions in, an even run of samples out."""

    __slots__ = ("_decode", "_left", "_pending")

    def __init__(self, codec: Codec) -> None:
        self._decode = codec.new_decoder()
        self._pending: list[tuple[int, bytes]] = []
        self._left: Samples = np.zeros(0, np.int16)

    def put(self, payload: bytes, sample: int) -> None:
        heappush(self._pending, (sample, payload))
        if len(self._pending) > _MOST_PENDING:
            heappop(self._pending)

    def take(self, at: int, count: int) -> Samples | None:
        """What belongs at samples `at` to `at + count`; None when there is nothing. In the order of the
        stream, so that a codec that remembers is decoded as it was encoded; what a packet holds beyond is
        kept for the next."""
        if not len(self._left) and (not self._pending or self._pending[0][0] >= at + count):
            return None
        line = np.zeros(count, np.int16)
        beyond = self._left[count:]
        line[: len(self._left)] = self._left[:count]
        while self._pending and self._pending[0][0] < at + count:
            sample, payload = heappop(self._pending)
            decoded = np.frombuffer(self._decode(payload), "<i2")[max(0, at - sample) :]
            first = max(0, sample - at)
            here = decoded[: count - first]
            line[first : first + len(here)] = here
            beyond = decoded[len(here) :]
        self._left = beyond
        return line

    def forget_rest(self) -> None:
        """The next `take` is from somewhere else."""
        self._left = self._left[:0]


class Overheard:
    """An `AudioTap` on a call, and the `Feed` of who listens in: he hears both directions together.

    The two meet by their positions, so that no jitter buffer of a second kind is needed: what is played is
    `BEHIND_MS` behind the newest position, and further where packets come later.
    """

    __slots__ = ("_at", "_codec", "_encode", "_frame", "_heard", "_resample", "_said", "closed")

    def __init__(self, codec: Codec, target: Codec) -> None:
        """`codec` is that of the tap's payloads, `target` what the listener is sent."""
        self._codec = codec
        self._frame = codec.frame_samples
        self._heard, self._said = _Side(codec), _Side(codec)
        same = codec.sample_rate == target.sample_rate
        self._resample = None if same else EvenResampler(codec.sample_rate, target.sample_rate)
        self._encode = target.new_encoder()
        self._at: int | None = None
        """The position that is played next."""
        self.closed = False

    # As a tap

    def received(self, payload: bytes, sample: int) -> None:
        self._come(sample)
        self._heard.put(payload, sample)

    def sent(self, payload: bytes, sample: int) -> None:
        self._come(sample)
        self._said.put(payload, sample)

    def close(self) -> None:
        """The call is over: what came is played to its end."""
        self.closed = True

    # As a feed

    def next(self, now: float) -> bytes | None:
        if self._at is None:
            return None
        at, count = self._at, self._frame
        self._at = at + count
        heard, said = self._heard.take(at, count), self._said.take(at, count)
        if heard is None and said is None:
            return None
        pcm = mixed(heard, said, count).tobytes()
        return self._encode(pcm if self._resample is None else self._resample(pcm))

    def _come(self, sample: int) -> None:
        """A packet for this position is here now."""
        at, ms = self._at, self._codec.sample_rate // 1000
        if at is None or sample - at > _FAR_MS * ms or at - sample > MOST_BEHIND_MS * ms:
            self._at = sample - BEHIND_MS * ms
        elif sample < at:
            self._at = sample  # from here on so much later
        else:
            return
        self._heard.forget_rest()
        self._said.forget_rest()


class Whispered:
    """The `Feed` of somebody who hears another voice beside what he hears anyway."""

    __slots__ = ("_aside", "_base", "_encode")

    def __init__(self, base: Relay | None, aside: Relay, codec: Codec) -> None:
        """Both relays are into `codec`, and are asked by nobody else."""
        self._base = base
        self._aside = aside
        self._encode = codec.new_encoder()

    def next(self, now: float) -> bytes | None:
        base = None if self._base is None else self._base.frame(now)
        aside = self._aside.frame(now)
        if base is None and aside is None:
            return None
        if base is None or aside is None:
            return self._encode(base or aside or b"")
        one, two = np.frombuffer(base, "<i2"), np.frombuffer(aside, "<i2")
        return self._encode(mixed(one, two, len(one)).tobytes())


def mixed(one: Samples | None, two: Samples | None, count: int) -> Samples:
    """Both together; what is too loud for the two of them is as loud as can be."""
    if one is None or two is None:
        either = two if one is None else one
        return np.zeros(count, np.int16) if either is None else either
    both: Samples = np.clip(one.astype(np.int32) + two, -32768, 32767).astype("<i2")
    return both
