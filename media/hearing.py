"""From packets to even 20 ms frames: jitter buffer, decoder and concealment of one stream. Pure."""

from __future__ import annotations

from typing import Final

from media.codecs import FRAME_MS, Codec
from media.conceal import Concealer
from media.jitter import Gap, JitterBuffer

TARGET_MS: Final = 40
"""How long packets wait for those before them; on top comes up to one tick."""


class Hearing:
    """Exists only while somebody listens."""

    __slots__ = ("_clock_rate", "_concealer", "_decode", "_gap", "_jitter", "push")

    def __init__(self, codec: Codec) -> None:
        frame = codec.clock_rate * FRAME_MS // 1000
        self._jitter = JitterBuffer(frame, codec.clock_rate, TARGET_MS, codec.silence[:1])
        self._clock_rate = codec.clock_rate
        self._concealer = Concealer(codec.sample_rate)
        self._decode = codec.new_decoder()
        self._gap = Gap.SILENCE
        self.push = self._jitter.push

    @property
    def late(self) -> int:
        """Packets that came too late to be played."""
        return self._jitter.late

    @property
    def buffer_ms(self) -> float:
        """How long packets are held."""
        return self._jitter.target * 1000 / self._clock_rate

    def next_payload(self, now: float) -> bytes | None:
        """The wire payload of this tick, None when there is none; once per tick."""
        payload = self._jitter.pop(now)
        if isinstance(payload, Gap):
            self._gap = payload
            return None
        return payload

    def frame(self, payload: bytes | None) -> bytes:
        """The same as PCM; what is missing is concealed."""
        if payload is not None:
            return self._concealer.good(self._decode(payload))
        return self._concealer.lost() if self._gap is Gap.LOSS else self._concealer.silent()
