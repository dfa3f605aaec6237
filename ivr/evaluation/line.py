"""A telephone line for recordings: 8 kHz, A-law, noise, lost packets. Deterministic by its seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from media.g711 import decode_alaw, encode_alaw

RATE = 8000
_PACKET = 160


@dataclass(frozen=True, slots=True)
class Line:
    """`snr_db`: speech over white noise in dB, None adds none; `loss`: share of packets of 20 ms that are
    lost, and heard as silence."""

    snr_db: float | None = None
    loss: float = 0.0
    seed: int = 1

    def carry(self, pcm: bytes, number: int) -> bytes:
        """Mono 16-bit PCM at 8 kHz as the far end hears it; `number` is that of the recording."""
        draw = np.random.default_rng((self.seed, number))
        samples = np.frombuffer(pcm, "<i2").astype(np.float64)
        if self.snr_db is not None and samples.any():
            power = float((samples**2).mean()) / 10 ** (self.snr_db / 10)
            samples = samples + draw.normal(0.0, np.sqrt(power), len(samples))
        clipped = np.clip(np.rint(samples), -32768, 32767).astype("<i2")
        heard = np.frombuffer(decode_alaw(encode_alaw(clipped.tobytes())), "<i2").copy()
        for at in range(0, len(heard), _PACKET):
            if draw.random() < self.loss:
                heard[at : at + _PACKET] = 0
        return heard.tobytes()
