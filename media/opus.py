"""Opus (RFC 6716) as calls from browsers speak it: 20 ms a packet, mono, decoded and encoded at 16 kHz.

Opus does that itself, whatever rate the other side thinks in: nothing is resampled here, and 16 kHz is what
voice activity and recognisers want. Its RTP clock is 48 kHz all the same (RFC 7587 section 4.1).

The arithmetic is libopus's, called by ctypes: the copy in PyAV's wheel, which is a dependency anyway, else
the system's. Per 20 ms of speech on one core that measured 15 µs to decode and 95 µs to encode (complexity
3); through PyAV's own objects it was 28 µs, at 48 kHz, and 180 µs.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib.util
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from media.codecs import FRAME_MS, Codec, Coder

CLOCK_RATE: Final = 48000
SAMPLE_RATE: Final = 16000
PAYLOAD_TYPE: Final = 111
"""What browsers call it in their offers; the answer takes the number of the offer."""

BIT_RATE: Final = 24000
"""Speech of full 8 kHz band needs no more (RFC 6716 section 2.1.1: 16 to 20 kbit/s for wideband)."""

_COMPLEXITY: Final = 3
_FRAME_SAMPLES: Final = SAMPLE_RATE * FRAME_MS // 1000
_MOST_BYTES: Final = 1275
"""The longest frame of Opus (RFC 6716 section 3.2.1)."""

_LONGEST_SAMPLES: Final = SAMPLE_RATE * 120 // 1000
"""A packet may last 120 ms (section 3.2.5), whatever was asked for."""

# opus_defines.h
_APPLICATION_VOIP: Final = 2048
_SET_BITRATE: Final = 4002
_SET_COMPLEXITY: Final = 4010


class NoOpus(Exception):
    """There is no libopus on this machine."""


class _Library:
    """libopus. Coders live in buffers of ours, so that they are freed with what uses them."""

    def __init__(self, path: str) -> None:
        # Encoding is long enough to let other threads run meanwhile; decoding is not, and happens on the
        # media loop, which would have to wait until it may go on.
        apart, within = ctypes.CDLL(path), ctypes.PyDLL(path)
        self.encode = apart.opus_encode
        self.encode.argtypes = [
            ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int32
        ]  # fmt: skip
        self.decode = within.opus_decode
        self.decode.argtypes = [
            ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int32, ctypes.c_char_p, ctypes.c_int, ctypes.c_int
        ]  # fmt: skip
        self._init_encoder = within.opus_encoder_init
        self._init_encoder.argtypes = [ctypes.c_char_p, ctypes.c_int32, ctypes.c_int, ctypes.c_int]
        self._init_decoder = within.opus_decoder_init
        self._init_decoder.argtypes = [ctypes.c_char_p, ctypes.c_int32, ctypes.c_int]
        self._control = within.opus_encoder_ctl
        self._encoder_bytes = within.opus_encoder_get_size(1)
        self._decoder_bytes = within.opus_decoder_get_size(1)

    def new_encoder(self) -> ctypes.Array[ctypes.c_char]:
        state = ctypes.create_string_buffer(self._encoder_bytes)
        _check(self._init_encoder(state, SAMPLE_RATE, 1, _APPLICATION_VOIP))
        for setting, value in ((_SET_BITRATE, BIT_RATE), (_SET_COMPLEXITY, _COMPLEXITY)):
            # Variadic: what stands here is passed as the C compiler would.
            _check(self._control(state, ctypes.c_int(setting), ctypes.c_int(value)))
        return state

    def new_decoder(self) -> ctypes.Array[ctypes.c_char]:
        state = ctypes.create_string_buffer(self._decoder_bytes)
        _check(self._init_decoder(state, SAMPLE_RATE, 1))
        return state


def _check(code: int) -> None:
    if code < 0:
        raise ValueError(f"libopus: error {code}")


def _places() -> Iterator[str]:
    """Where libopus may be, best first."""
    wheel = importlib.util.find_spec("av")
    if wheel is not None and wheel.origin is not None:
        beside = Path(wheel.origin).parent.parent
        for pattern in ("av.libs/libopus*", "av/.dylibs/libopus*"):
            yield from map(str, sorted(beside.glob(pattern)))
    if (system := ctypes.util.find_library("opus")) is not None:
        yield system


@cache
def _library() -> _Library:
    """Raises `NoOpus`."""
    for place in _places():
        try:
            return _Library(place)
        except (OSError, AttributeError):
            continue
    raise NoOpus("libopus is neither in PyAV's wheel nor on this system (Debian: libopus0)")


def new_encoder() -> Coder:
    """From 20 ms of PCM16 little-endian at 16 kHz to one payload, for one stream; raises ValueError for
    another length, `NoOpus`."""
    library = _library()
    encode, state, room = library.encode, library.new_encoder(), ctypes.create_string_buffer(_MOST_BYTES)

    def encoder(pcm: bytes) -> bytes:
        if len(pcm) != _FRAME_SAMPLES * 2:
            raise ValueError(f"Opus takes {FRAME_MS} ms at a time, not {len(pcm)} bytes")
        size = encode(state, pcm, _FRAME_SAMPLES, room, _MOST_BYTES)
        _check(size)
        return room.raw[:size]

    return encoder


def new_decoder() -> Coder:
    """From one payload to 20 ms of PCM16 little-endian at 16 kHz, for one stream; raises `NoOpus`.

    Of a packet that is longer the beginning is given, a shorter one is filled up; what is no Opus is silence.
    """
    library = _library()
    decode, state = library.decode, library.new_decoder()
    room = ctypes.create_string_buffer(_LONGEST_SAMPLES * 2)
    frame_bytes = _FRAME_SAMPLES * 2

    def decoder(payload: bytes) -> bytes:
        samples = decode(state, payload, len(payload), room, _LONGEST_SAMPLES, 0) if payload else 0
        if samples == _FRAME_SAMPLES:  # nearly always
            return ctypes.string_at(room, frame_bytes)
        return ctypes.string_at(room, max(0, samples) * 2)[:frame_bytes].ljust(frame_bytes, b"\0")

    return decoder


OPUS: Final = Codec(
    "opus", PAYLOAD_TYPE, CLOCK_RATE, SAMPLE_RATE, new_encoder, new_decoder, b"\xf8\xff\xfe", whole=True
)
"""Its silence decodes to nothing at all, and lets the decoder forget what came before: each clip then begins
where its encoder did."""
