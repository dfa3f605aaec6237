"""G.722 at 64 kbit/s (ITU-T G.722): 16 kHz PCM, one byte for two samples; the arithmetic is libg722's.

Both directions remember what came before. A payload that is lost, or a clip that begins anew, is heard for a
few milliseconds at most: the codec was made to find its way back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, cast

import numpy as np
from G722 import G722

SAMPLE_RATE: Final = 16000
BIT_RATE: Final = 64000

SILENCE: Final = b"\xfc"
"""The byte that decodes to the least sound when it is repeated: 28 of 32768, without tone, after anything."""


def new_encoder() -> Callable[[bytes], bytes]:
    """From PCM16 little-endian to payload, for one stream; raises ValueError on half a sample.

    An odd number of samples is filled up with silence.
    """
    encode = G722(SAMPLE_RATE, BIT_RATE).encode

    def encoder(pcm: bytes) -> bytes:
        samples = np.frombuffer(pcm, "<i2")
        if len(samples) % 2:
            samples = np.append(samples, np.int16(0))
        return cast(bytes, encode(samples))

    return encoder


def new_decoder() -> Callable[[bytes], bytes]:
    """From payload to PCM16 little-endian, for one stream."""
    decode = G722(SAMPLE_RATE, BIT_RATE).decode
    return lambda payload: cast(bytes, decode(payload).tobytes())
