"""What a codec is to the rest: a name, rates, and two pure functions between PCM and a wire payload."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from media import g711

FRAME_MS: Final = 20
"""Length of every frame inside the server."""


@dataclass(frozen=True, slots=True, eq=False)
class Codec:
    """A sample-based audio codec as SDP and RTP know it (RFC 3551).

    `encode` takes mono 16-bit little-endian PCM at `sample_rate` and gives a payload; `decode` is its
    inverse and takes any bytes.
    `clock_rate` is the RTP timestamp's, which is not always the sample rate (G.722).
    """

    name: str
    payload_type: int
    clock_rate: int
    sample_rate: int
    encode: Callable[[bytes], bytes]
    decode: Callable[[bytes], bytes]
    silence: bytes
    """One frame (20 ms) of silence."""

    @property
    def frame_samples(self) -> int:
        return self.sample_rate * FRAME_MS // 1000

    @property
    def frame_bytes(self) -> int:
        """Bytes of one 20 ms payload."""
        return len(self.silence)


PCMU: Final = Codec("PCMU", 0, 8000, 8000, g711.encode_ulaw, g711.decode_ulaw, b"\xff" * 160)
PCMA: Final = Codec("PCMA", 8, 8000, 8000, g711.encode_alaw, g711.decode_alaw, b"\xd5" * 160)
