"""Audio that clients send, in any usual form and rate, as mono 16-bit PCM at the rate that an engine takes.

FFmpeg (by PyAV) reads what has a header. Its demuxer is chosen here by how the file begins: of the many that
FFmpeg has, some open other files. What has no header is named by the client.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import BinaryIO, Final

import av

from engines.service.errors import ServiceError, bad_request
from media import g711
from media.resample import resample_clip

_LEAST_RATE: Final = 8000
_MOST_RATE: Final = 48000
_HEAD_BYTES: Final = 64

_DEMUXERS: Final = (
    (rb"RIFF....WAVE|RF64....WAVE", "wav"),
    (rb"fLaC", "flac"),
    (rb"OggS", "ogg"),
    (rb"ID3|\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff]", "mp3"),
    (rb"\x1aE\xdf\xa3", "matroska"),
    (rb"....ftyp", "mp4"),
)
"""FFmpeg's names, by how a file begins. Of the MPEG layers, bits 13 to 15 are never 00."""

RAW_FORMATS: Final = ("pcm", "ulaw", "alaw")
"""Without a header: 16-bit little-endian PCM, and G.711; mono."""

_SUFFIXES: Final = {
    ".pcm": "pcm", ".raw": "pcm", ".s16": "pcm", ".ulaw": "ulaw", ".ul": "ulaw", ".mulaw": "ulaw",
    ".alaw": "alaw", ".al": "alaw",
}  # fmt: skip

_MEDIA_TYPES: Final = {
    "audio/basic": "ulaw", "audio/pcmu": "ulaw", "audio/x-mulaw": "ulaw", "audio/pcma": "alaw",
    "audio/x-alaw": "alaw", "audio/l16": "pcm", "audio/pcm": "pcm",
}  # fmt: skip

_STRANGERS: Final = (
    (rb"\x89PNG", "a PNG picture"),
    (rb"\xff\xd8\xff", "a JPEG picture"),
    (rb"%PDF", "a PDF document"),
    (rb"PK\x03\x04", "a ZIP archive"),
    (rb"\x1f\x8b", "a gzip archive"),
    (rb"\s*[{\[]", "JSON"),
    (rb"\s*<", "HTML or XML"),
)
"""What people send by mistake, by how it begins."""

_READABLE: Final = "wav, flac, mp3, ogg, opus, webm or m4a, or raw audio named as pcm, mulaw or alaw"


@dataclass(frozen=True, slots=True)
class Raw:
    """Audio without a header; `rate` in Hz."""

    format: str
    rate: int


@dataclass(frozen=True, slots=True)
class Audio:
    """Mono 16-bit little-endian PCM at `rate` Hz."""

    pcm: bytes
    rate: int

    @property
    def seconds(self) -> float:
        return len(self.pcm) / 2 / self.rate


def raw_form(name: str, media_type: str, given: str = "", rate: int = 0) -> Raw | None:
    """How a client named audio without a header: by `given`, by the file's name, or by its media type.

    None: the audio has a header. `rate` 0 is that of the media type (`audio/L16;rate=16000`), or 8000 for
    G.711 and 16000 for PCM. Raises `ServiceError` for a rate that cannot be.
    """
    kind, _, parameters = media_type.lower().partition(";")
    suffix = name[name.rfind(".") :].lower() if "." in name else ""
    form = _SUFFIXES.get(f".{given}") or _SUFFIXES.get(suffix) or _MEDIA_TYPES.get(kind.strip())
    if not form:
        return None
    if not rate and (named := re.search(r"rate=(\d{1,6})", parameters)):
        rate = int(named[1])
    rate = rate or (16000 if form == "pcm" else 8000)
    _check_rate(rate)
    return Raw(form, rate)


def decode(file: BinaryIO, *, rate: int, most_s: float, raw: Raw | None = None) -> Audio:
    """The whole of `file` at `rate` Hz; computes, so it belongs into a thread.

    Raises `ServiceError` (400; 413 past `most_s` seconds) that says what is wrong with the audio. Reads in
    blocks: a small file that unpacks into hours costs no more than `most_s` of them.
    """
    file.seek(0, 2)
    if file.tell() == 0:
        raise _refused("the audio is empty (0 bytes)", "empty_audio")
    file.seek(0)
    audio = _decode_raw(file, rate, most_s, raw) if raw else _decode_file(file, rate, most_s)
    if not audio.pcm:
        raise _refused("the audio holds no samples", "empty_audio")
    return audio


def _decode_raw(file: BinaryIO, rate: int, most_s: float, raw: Raw) -> Audio:
    width = 2 if raw.format == "pcm" else 1
    most = int(most_s * raw.rate) * width
    data = file.read(most + 1)
    if len(data) > most:
        raise _too_long(most_s)
    if raw.format == "pcm":
        pcm = data[: len(data) & ~1]
    else:
        pcm = g711.decode_ulaw(data) if raw.format == "ulaw" else g711.decode_alaw(data)
    return Audio(resample_clip(pcm, raw.rate, rate), rate)


def _decode_file(file: BinaryIO, rate: int, most_s: float) -> Audio:
    head = file.read(_HEAD_BYTES)
    file.seek(0)
    form = next((form for pattern, form in _DEMUXERS if re.match(pattern, head, re.DOTALL)), None)
    if form is None:
        what = next((what for pattern, what in _STRANGERS if re.match(pattern, head, re.DOTALL)), None)
        known = f"this is {what}, not audio" if what else "this is no audio file that is known here"
        raise _refused(f"{known}: send {_READABLE}")
    try:
        with av.open(file, "r", format=form, metadata_errors="ignore") as source:
            return _read(source, form, rate, most_s)
    except (av.FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _refused(f"the {form} file cannot be read ({reason})") from error


def _read(source: av.container.InputContainer, form: str, rate: int, most_s: float) -> Audio:
    if not source.streams.audio:
        raise _refused(f"the {form} file holds no audio")
    stream = source.streams.audio[0]
    _check_rate(stream.rate or 0)
    resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
    most_bytes = int(most_s * rate) * 2
    pcm = bytearray()
    broken: av.FFmpegError | None = None
    for packet in source.demux(stream):
        try:
            frames = packet.decode()
        except av.InvalidDataError as error:  # one packet of many: the rest may be whole
            broken = error
            continue
        for frame in frames:
            for piece in resampler.resample(frame):
                pcm += memoryview(piece.planes[0])[: piece.samples * 2]
        if len(pcm) > most_bytes:
            raise _too_long(most_s)
    if not pcm and broken:
        raise broken
    for piece in resampler.resample(None) if pcm else ():
        pcm += memoryview(piece.planes[0])[: piece.samples * 2]
    return Audio(bytes(pcm), rate)


def _check_rate(rate: int) -> None:
    if not _LEAST_RATE <= rate <= _MOST_RATE:
        raise _refused(f"audio at {rate} Hz: {_LEAST_RATE} to {_MOST_RATE} are taken", "bad_sample_rate")


def _refused(message: str, code: str = "unreadable_audio") -> ServiceError:
    return bad_request(message, code=code, param="file")


def _too_long(most_s: float) -> ServiceError:
    message = f"the audio is longer than {most_s:g} s"
    return bad_request(message, code="audio_too_long", param="file", status=413)
