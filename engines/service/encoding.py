"""Audio that clients get: whole, or in pieces as it is made.

FFmpeg (by PyAV) writes flac, ogg/opus and mp3; wav is written here: a stream's length is not known when its
header goes out.
"""

from __future__ import annotations

import struct
from enum import StrEnum
from typing import Final, Protocol

import av
import numpy as np

from media import g711
from media.resample import StreamResampler


class AudioFormat(StrEnum):
    """As the API names them. `pcm` is 16-bit little-endian, `ulaw` and `alaw` are G.711; none has a
    header."""

    WAV = "wav"
    MP3 = "mp3"
    OPUS = "opus"
    FLAC = "flac"
    PCM = "pcm"
    ULAW = "ulaw"
    ALAW = "alaw"


MEDIA_TYPES: Final = {
    AudioFormat.WAV: "audio/wav",
    AudioFormat.MP3: "audio/mpeg",
    AudioFormat.OPUS: "audio/ogg",
    AudioFormat.FLAC: "audio/flac",
    AudioFormat.PCM: "audio/pcm",
    AudioFormat.ULAW: "audio/basic",
    AudioFormat.ALAW: "audio/x-alaw",
}

_ANY_RATE: Final = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_OPUS_RATES: Final = (8000, 12000, 16000, 24000, 48000)
_UNKNOWN_LENGTH: Final = 0xFFFFFFFF

_PACKED: Final = {
    AudioFormat.MP3: ("mp3", "libmp3lame", "s16p", {"write_xing": "0"}),
    AudioFormat.OPUS: ("ogg", "libopus", "s16", {"page_duration": "20000"}),
    AudioFormat.FLAC: ("flac", "flac", "s16", {}),
}
"""FFmpeg's container, codec, sample format and options. A page of ogg goes out with each packet; the header
that would tell an mp3's length is not known in time."""


def output_rate(form: AudioFormat, rate: int) -> int:
    """The rate in Hz that a stream made at `rate` will have: the form's next higher one."""
    known = _OPUS_RATES if form is AudioFormat.OPUS else _ANY_RATE
    return next((each for each in known if each >= rate), known[-1])


class Encoder(Protocol):
    """One stream. The bytes of all calls together are one file."""

    def add(self, pcm: bytes) -> bytes:
        """Takes mono 16-bit PCM of any length; gives what can be sent so far."""

    def finish(self) -> bytes:
        """The stream is over; gives the rest."""


def new_encoder(form: AudioFormat, rate: int, rate_out: int | None = None) -> Encoder:
    """For PCM at `rate` Hz, to be sent at `rate_out` (the same if None), or the next that the form has."""
    target = output_rate(form, rate_out or rate)
    encoder: Encoder
    if form is AudioFormat.WAV:
        encoder = _Wav(target)
    elif form is AudioFormat.PCM:
        encoder = _Plain()
    elif form in (AudioFormat.ULAW, AudioFormat.ALAW):
        encoder = _G711(form)
    else:
        encoder = _Packed(form, target)
    return encoder if target == rate else _Resampled(encoder, rate, target)


def encode(pcm: bytes, rate: int, form: AudioFormat, rate_out: int | None = None) -> bytes:
    """A whole clip; a wav's header then tells its length. Computes for mp3, opus and flac: some ms for each
    second of audio."""
    encoder = new_encoder(form, rate, rate_out)
    data = encoder.add(pcm) + encoder.finish()
    if form is AudioFormat.WAV:
        return (
            _wav_header(output_rate(form, rate_out or rate), len(data) - _HEADER_BYTES) + data[_HEADER_BYTES:]
        )
    return data


_HEADER: Final = struct.Struct("<4sI4s4sIHHIIHH4sI")
_HEADER_BYTES: Final = _HEADER.size


def _wav_header(rate: int, size: int) -> bytes:
    """RIFF/WAVE of one 16-bit channel; a size of 0xFFFFFFFF stands for a stream of unknown length."""
    whole = size if size == _UNKNOWN_LENGTH else size + _HEADER_BYTES - 8
    return _HEADER.pack(
        b"RIFF", whole, b"WAVE", b"fmt ", 16, 1, 1, rate, rate * 2, 2, 16, b"data", size
    )  # fmt: skip


class _Plain:
    def add(self, pcm: bytes) -> bytes:
        return pcm

    def finish(self) -> bytes:
        return b""


class _Wav:
    def __init__(self, rate: int) -> None:
        self._head = _wav_header(rate, _UNKNOWN_LENGTH)

    def add(self, pcm: bytes) -> bytes:
        head, self._head = self._head, b""
        return head + pcm

    def finish(self) -> bytes:
        return self.add(b"")


class _G711:
    def __init__(self, form: AudioFormat) -> None:
        self._code = g711.encode_ulaw if form is AudioFormat.ULAW else g711.encode_alaw
        self._odd = b""

    def add(self, pcm: bytes) -> bytes:
        pcm = self._odd + pcm
        whole = len(pcm) & ~1
        self._odd = pcm[whole:]
        return self._code(pcm[:whole])

    def finish(self) -> bytes:
        return b""


class _Resampled:
    def __init__(self, inner: Encoder, rate: int, rate_out: int) -> None:
        self._inner = inner
        self._resampler = StreamResampler(rate, rate_out)

    def add(self, pcm: bytes) -> bytes:
        return self._inner.add(self._resampler.process(pcm))

    def finish(self) -> bytes:
        return self._inner.add(self._resampler.flush()) + self._inner.finish()


class _Packed:
    """mp3, ogg/opus or flac, packet by packet."""

    def __init__(self, form: AudioFormat, rate: int) -> None:
        container, codec, self._samples, options = _PACKED[form]
        self._sink = _Sink()
        self._file = av.open(self._sink, "w", format=container, container_options=options)
        stream = self._file.add_stream(codec, rate=rate, layout="mono", format=self._samples)
        assert isinstance(stream, av.AudioStream)
        self._stream = stream
        self._rate = rate
        self._odd = b""

    def add(self, pcm: bytes) -> bytes:
        pcm = self._odd + pcm
        whole = len(pcm) & ~1
        self._odd = pcm[whole:]
        if whole:
            samples = np.frombuffer(pcm[:whole], "<i2").reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(samples, format=self._samples, layout="mono")
            frame.sample_rate = self._rate
            self._file.mux(self._stream.encode(frame))
        return self._sink.take()

    def finish(self) -> bytes:
        self._file.mux(self._stream.encode(None))
        self._file.close()
        return self._sink.take()


class _Sink:
    """Takes what FFmpeg writes. It cannot seek, so a header is not gone back to."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def write(self, data: bytes) -> int:
        self._bytes += data
        return len(data)

    def take(self) -> bytes:
        data = bytes(self._bytes)
        self._bytes.clear()
        return data
