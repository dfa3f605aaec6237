"""From packets to 20 ms frames: jitter buffer, decoder, concealment, noise of one stream. Pure.

For who plays them they come evenly, one with each tick (`next_payload`). Who only wants to know what is said
takes each as soon as it is here (`early`, as long as there is one, after each packet and each tick), and with
the ticks what nothing came for (`due`, which is `Gap.GIVEN` where it came early).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from media.codecs import FRAME_MS, Codec
from media.comfort import ComfortNoise, noise_level
from media.conceal import Concealer
from media.jitter import Gap, JitterBuffer
from media.resample import EvenResampler

START_MS: Final = 40
"""How long packets wait for those before them, until the network is known; on top comes up to one tick."""

_QUIET_PEAK: Final = 500
"""Below this, -36 dB of full scale, nobody hears that 20 ms are missing."""

_LOOK_EVERY: Final = 10
"""One frame of so many is looked at: a pause is longer than that."""

_PATIENCE_FRAMES: Final = 100
"""When more than one frame is to go, a quiet one is waited for so long, shared by those that are to go; then
two become one anyhow. For one frame alone no speech is touched."""


class Hearing:
    """Exists only while somebody listens.

    When the jitter buffer is longer than it need be, two frames become one by fading from the first to the
    second (overlap-add as in WSOLA, at a fixed lag): preferably quiet ones, so that no speech is touched.
    """

    __slots__ = (
        "_clock_rate",
        "_concealer",
        "_decode",
        "_gap",
        "_jitter",
        "_noise",
        "_resample",
        "_sample_rate",
        "_waited",
        "due",
        "early",
        "push",
    )

    def __init__(self, codec: Codec, rate: int, start_ms: int = START_MS) -> None:
        """`rate` of the frames to give, in Hz; `start_ms` is how long packets are held at first."""
        frame = codec.clock_rate * FRAME_MS // 1000
        fill = codec.silence[:1]
        self._jitter = JitterBuffer(frame, codec.clock_rate, start_ms, fill, whole=codec.whole)
        self._clock_rate = codec.clock_rate
        self._sample_rate = codec.sample_rate
        same = codec.sample_rate == rate
        self._resample = None if same else EvenResampler(codec.sample_rate, rate)
        self._concealer = Concealer(codec.sample_rate)
        self._decode = codec.new_decoder()
        self._noise: ComfortNoise | None = None
        self._gap = Gap.SILENCE
        self._waited = 0
        self.push = self._jitter.push
        self.due = self._jitter.pop
        self.early = self._jitter.early

    @property
    def late(self) -> int:
        """Packets that came too late to be played."""
        return self._jitter.late

    @property
    def buffer_ms(self) -> float:
        """How long packets are held."""
        return self._jitter.target * 1000 / self._clock_rate

    @property
    def surplus(self) -> int:
        """By how many frames packets are held longer than they need be."""
        return self._jitter.surplus

    @property
    def quiet(self) -> bool:
        """Whether what is made up for a missing payload is mere silence: nobody speaks, or the loss is too
        long to hide."""
        return self._noise is None if self._gap is Gap.SILENCE else self._concealer.faded

    def recall(self, payloads: Iterable[bytes]) -> None:
        """Takes what came last and was not decoded, so that a loss can be concealed from it."""
        for payload in payloads:
            self._concealer.good(self._decode(payload))

    def pause(self, ssrc: int, sequence: int, timestamp: int, payload: bytes) -> None:
        """A packet of comfort noise came; its level is heard from now on where nothing else is."""
        level = noise_level(payload)
        if level is not None:
            if self._noise is None:
                self._noise = ComfortNoise(self._sample_rate)
            self._noise.set_level(level)
        self._jitter.pause(ssrc, sequence, timestamp)

    def next_payload(self, now: float) -> bytes | None:
        """The wire payload of this tick, None when there is none; once per tick."""
        payload = self._jitter.pop(now)
        if isinstance(payload, Gap):
            self._gap = payload
            return None
        return payload

    def missing(self, gap: Gap) -> bytes:
        """PCM in the place of what is not there."""
        self._gap = gap
        return self.frame(None)

    def frame(self, payload: bytes | None) -> bytes:
        """The same as PCM; what is missing is concealed."""
        if payload is None:
            pcm = self._made_up()
        else:
            pcm = self._decode(payload)
            if self._jitter.surplus:
                pcm = self._shorten(pcm)
            pcm = self._concealer.good(pcm)
        return pcm if self._resample is None else self._resample(pcm)

    def _made_up(self) -> bytes:
        if self._gap is Gap.LOSS:
            return self._concealer.lost()
        silence = self._concealer.silent()
        return silence if self._noise is None else self._noise.frame()

    def _shorten(self, pcm: bytes) -> bytes:
        self._waited += 1
        if self._waited % _LOOK_EVERY:
            return pcm
        samples = np.frombuffer(pcm, "<i2")
        surplus = self._jitter.surplus
        patient = surplus == 1 or self._waited * surplus < _PATIENCE_FRAMES
        if patient and samples.max() > _QUIET_PEAK:
            return pcm
        payload = self._jitter.skip()
        if payload is None:
            return pcm
        self._waited = 0
        following = np.frombuffer(self._decode(payload), "<i2").astype(np.float32)
        fade = np.linspace(0.0, 1.0, len(samples), dtype=np.float32)
        return bytes((samples + (following - samples) * fade).astype("<i2").tobytes())
