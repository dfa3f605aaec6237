"""One far end's audio on its way to another's: packets in, one payload for each packet that is sent. Pure.

Where both speak G.711 payloads pass as they are, or by a table from one law to the other; only around a loss,
and while the jitter buffer is too long, a few of them are decoded. Anything else is decoded and encoded. The
jitter buffer bounds the delay, and makes one even run of packets of what came late, twice or out of order.
"""

from __future__ import annotations

from collections import deque
from functools import cache
from typing import Final

from media.codecs import PCMA, PCMU, Codec
from media.conceal import HISTORY_FRAMES
from media.hearing import Hearing

_TABLED: Final = (PCMA, PCMU)
"""Each byte stands alone, and means the same in every stream."""

START_MS: Final = 20
"""The far end has a jitter buffer of its own: ours begins as short as can be, and grows where it must."""


class Relay:
    """From a far end that speaks `source` to one that is sent `target`, in their codecs on the wire."""

    __slots__ = ("_encode", "_hearing", "_mending", "_recent", "_straight", "_table", "pause", "push")

    def __init__(self, source: Codec, target: Codec) -> None:
        self._hearing = Hearing(source, target.sample_rate, START_MS)
        self._encode = target.new_encoder()
        self._straight = source in _TABLED and target in _TABLED
        self._table = None if source is target else _table(source, target) if self._straight else None
        self._recent: deque[bytes] = deque(maxlen=HISTORY_FRAMES)
        self._mending = False
        self.push = self._hearing.push
        self.pause = self._hearing.pause

    @property
    def late(self) -> int:
        """Packets that came too late to be passed on."""
        return self._hearing.late

    @property
    def buffer_ms(self) -> float:
        """How long packets are held."""
        return self._hearing.buffer_ms

    def next(self, now: float) -> bytes | None:
        """What is to be sent in this tick, None when the far end says nothing; once per tick."""
        hearing = self._hearing
        payload = hearing.next_payload(now)
        if self._straight and payload is not None and not (self._mending or hearing.surplus):
            self._recent.append(payload)
            return payload if self._table is None else payload.translate(self._table)
        return self._decoded(payload)

    def frame(self, now: float) -> bytes | None:
        """The same as PCM at the rate of the target, for who mixes it; ask for one or for the other."""
        return self._pcm(self._hearing.next_payload(now))

    def _decoded(self, payload: bytes | None) -> bytes | None:
        """The same by way of PCM: with what is missing concealed, and what is too long shortened."""
        pcm = self._pcm(payload)
        return None if pcm is None else self._encode(pcm)

    def _pcm(self, payload: bytes | None) -> bytes | None:
        hearing = self._hearing
        if self._straight and payload is None and not self._mending:
            hearing.recall(self._recent)
            self._recent.clear()
        self._mending = payload is None
        nothing = payload is None and hearing.quiet
        frame = hearing.frame(payload)
        return None if nothing else frame


@cache
def _table(source: Codec, target: Codec) -> bytes:
    """What each byte of one becomes in the other."""
    return target.new_encoder()(source.new_decoder()(bytes(range(256))))
