"""What a codec is to the rest: a name, rates, and makers of functions between PCM and wire payloads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
    whole: bool = False
    """Each payload is one frame of 20 ms, of whatever size, and can neither be cut nor joined (Opus). Of all
    others a byte is one unit of the RTP clock."""

    @property
    def frame_samples(self) -> int:
        return self.sample_rate * FRAME_MS // 1000

    @property
    def frame_bytes(self) -> int:
        """Bytes of one 20 ms payload; of no meaning where payloads are `whole`."""
        return len(self.silence)

    def payloads(self, encode: Coder, pcm: bytes) -> list[bytes]:
        """Whole frames of PCM as one payload each, by an encoder of this codec."""
        if self.whole:
            size = self.frame_samples * 2
            return [encode(pcm[i : i + size]) for i in range(0, len(pcm), size)]
        payload, size = encode(pcm), self.frame_bytes
        return [payload[i : i + size] for i in range(0, len(payload), size)]

    def decoded(self, payloads: Iterable[bytes]) -> bytes:
        """Payloads that follow each other as PCM."""
        decode = self.new_decoder()
        return b"".join(map(decode, payloads)) if self.whole else decode(b"".join(payloads))


PCMU: Final = Codec("PCMU", 0, 8000, 8000, lambda: g711.encode_ulaw, lambda: g711.decode_ulaw, b"\xff" * 160)
PCMA: Final = Codec("PCMA", 8, 8000, 8000, lambda: g711.encode_alaw, lambda: g711.decode_alaw, b"\xd5" * 160)
G722: Final = Codec("G722", 9, 8000, 16000, g722.new_encoder, g722.new_decoder, g722.SILENCE * 160)

CODECS: Final = {codec.name: codec for codec in (PCMA, PCMU, G722)}
"""All that is spoken over SIP, by SDP name."""


def _as_it_is(pcm: bytes) -> bytes:
    return pcm


def _linear(rate: int) -> Codec:
    silence = bytes(rate * 2 * FRAME_MS // 1000)
    return Codec(f"L16/{rate}", 96, rate * 2, rate, lambda: _as_it_is, lambda: _as_it_is, silence)


L16_8: Final = _linear(8000)
L16_16: Final = _linear(16000)
"""PCM as it is inside, little-endian, between a stream and a carrier that makes something else of it (a
WebSocket); never in SDP. Its clock counts bytes, as that of G.711 does."""
