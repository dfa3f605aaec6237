"""What a codec is to the rest: a name, rates, and makers of functions between PCM and wire payloads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from media import g711, g722

FRAME_MS: Final = 20
"""Length of every frame inside the server."""

Coder = Callable[[bytes], bytes]
"""Turns the next piece of one stream into its other form, PCM or payload, of any length."""


@dataclass(frozen=True, slots=True, eq=False)
class Codec:
    """An audio codec as SDP and RTP know it (RFC 3551).

    `new_encoder` gives a function that takes mono 16-bit little-endian PCM at `sample_rate` and gives
    payload; `new_decoder` one for the inverse, which takes any bytes. Each stream or clip has its own: G.722
    remembers what came before (those of G.711, which does not, are all the same function).
    `clock_rate` is the RTP timestamp's, which is not always the sample rate (G.722).
    """

    name: str
    payload_type: int
    clock_rate: int
    sample_rate: int
    new_encoder: Callable[[], Coder]
    new_decoder: Callable[[], Coder]
    silence: bytes
    """One frame (20 ms) of silence: the same byte throughout, quiet whatever was decoded before."""

    @property
    def frame_samples(self) -> int:
        return self.sample_rate * FRAME_MS // 1000

    @property
    def frame_bytes(self) -> int:
        """Bytes of one 20 ms payload."""
        return len(self.silence)


PCMU: Final = Codec("PCMU", 0, 8000, 8000, lambda: g711.encode_ulaw, lambda: g711.decode_ulaw, b"\xff" * 160)
PCMA: Final = Codec("PCMA", 8, 8000, 8000, lambda: g711.encode_alaw, lambda: g711.decode_alaw, b"\xd5" * 160)
G722: Final = Codec("G722", 9, 8000, 16000, g722.new_encoder, g722.new_decoder, g722.SILENCE * 160)

CODECS: Final = {codec.name: codec for codec in (PCMA, PCMU, G722)}
"""All that is spoken here, by SDP name."""
