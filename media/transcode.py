"""From one codec to another, where a call changes what it speaks on the wire while prompts, listeners and a
recording go on with what it began with. Pure."""

from __future__ import annotations

from media.codecs import Codec
from media.leg import AudioTap
from media.resample import EvenResampler


class Transcoder:
    """Payloads of one stream, in order and of any length, into payloads of the same length in time."""

    __slots__ = ("_decode", "_encode", "_resample")

    def __init__(self, source: Codec, target: Codec) -> None:
        self._decode = source.new_decoder()
        self._encode = target.new_encoder()
        same = source.sample_rate == target.sample_rate
        self._resample = None if same else EvenResampler(source.sample_rate, target.sample_rate)

    def __call__(self, payload: bytes) -> bytes:
        pcm = self._decode(payload)
        return self._encode(pcm if self._resample is None else self._resample(pcm))


class TranscodedTap:
    """A recorder that takes one codec, of a stream that speaks another."""

    __slots__ = ("_heard", "_said", "_tap")

    def __init__(self, tap: AudioTap, wire: Codec, codec: Codec) -> None:
        self._tap = tap
        self._heard = Transcoder(wire, codec)
        self._said = Transcoder(wire, codec)

    def received(self, payload: bytes, sample: int) -> None:
        self._tap.received(self._heard(payload), sample)

    def sent(self, payload: bytes, sample: int) -> None:
        self._tap.sent(self._said(payload), sample)

    def close(self) -> None:
        self._tap.close()
