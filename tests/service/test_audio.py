"""Audio as clients send it and get it: every form, and every way in which it can be wrong."""

from __future__ import annotations

import contextlib
import io
import struct
import wave

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.service.audio import Raw, decode, raw_form
from engines.service.encoding import AudioFormat, encode, new_encoder, output_rate
from engines.service.errors import ServiceError
from media import g711

RATE = 22050
WITH_HEADER = (AudioFormat.WAV, AudioFormat.MP3, AudioFormat.OPUS, AudioFormat.FLAC)


def tone(rate: int = RATE, seconds: float = 2.0, hertz: float = 440.0) -> bytes:
    times = np.arange(int(rate * seconds)) / rate
    return (np.sin(2 * np.pi * hertz * times) * 10000).astype("<i2").tobytes()


def frequency(pcm: bytes, rate: int) -> float:
    samples = np.frombuffer(pcm, "<i2").astype(float)
    return float(np.abs(np.fft.rfft(samples * np.hanning(len(samples)))).argmax() * rate / len(samples))


def refused(data: bytes, **more: object) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        decode(io.BytesIO(data), rate=16000, most_s=60, **more)  # type: ignore[arg-type]
    return caught.value


@pytest.mark.parametrize("form", WITH_HEADER)
@pytest.mark.parametrize("rate", [8000, 16000, 22050, 48000])
def test_what_is_encoded_is_decoded(form: AudioFormat, rate: int) -> None:
    audio = decode(io.BytesIO(encode(tone(rate), rate, form)), rate=16000, most_s=60)
    assert audio.seconds == pytest.approx(2.0, abs=0.2)  # mp3 and opus add some padding
    assert frequency(audio.pcm, 16000) == pytest.approx(440, abs=2)
    assert 9000 < np.abs(np.frombuffer(audio.pcm, "<i2")).max() < 11000


@pytest.mark.parametrize("form", list(AudioFormat))
def test_a_stream_is_the_same_as_the_whole(form: AudioFormat) -> None:
    """Save for the length in a wav's header. Pieces with half a sample at the end lose nothing."""
    pcm = tone()
    encoder = new_encoder(form, RATE)
    pieces = [encoder.add(pcm[at : at + 4411]) for at in range(0, len(pcm), 4411)]
    assert sum(1 for piece in pieces if piece) > 10  # it comes as it is made
    stream = b"".join(pieces) + encoder.finish()
    whole = encode(pcm, RATE, form)
    skip = 44 if form is AudioFormat.WAV else 0
    if form in (AudioFormat.WAV, AudioFormat.PCM, AudioFormat.ULAW, AudioFormat.ALAW):
        assert stream[skip:] == whole[skip:]
    else:
        one, other = (decode(io.BytesIO(data), rate=RATE, most_s=60) for data in (stream, whole))
        assert one.seconds == pytest.approx(other.seconds, abs=0.03)
        assert frequency(one.pcm, RATE) == pytest.approx(440, abs=2)


def test_a_wav_tells_its_length() -> None:
    with wave.open(io.BytesIO(encode(tone(8000), 8000, AudioFormat.WAV))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (8000, 1, 16000)


@pytest.mark.parametrize(
    ("form", "rate", "expected"), [("opus", 22050, 24000), ("mp3", 8000, 8000), ("opus", 44100, 48000)]
)
def test_rates_that_a_form_lacks_become_the_next(form: str, rate: int, expected: int) -> None:
    assert output_rate(AudioFormat(form), rate) == expected


def test_another_rate_on_request() -> None:
    data = encode(tone(), RATE, AudioFormat.ULAW, 8000)
    assert len(data) == 16000
    assert frequency(g711.decode_ulaw(data), 8000) == pytest.approx(440, abs=2)


def test_stereo_is_mixed() -> None:
    left = np.frombuffer(tone(16000), "<i2")
    both = np.stack([left, np.zeros_like(left)], axis=1).tobytes()
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((2, 2, 16000, 0, "NONE", ""))
        file.writeframes(both)
    audio = decode(out, rate=16000, most_s=60)
    assert audio.seconds == pytest.approx(2.0)
    assert 4000 < np.abs(np.frombuffer(audio.pcm, "<i2")).max() < 8000


@pytest.mark.parametrize(("codec", "tag"), [("pcm_mulaw", 7), ("pcm_alaw", 6)])
def test_g711_inside_a_wav(codec: str, tag: int) -> None:
    code = g711.encode_ulaw if tag == 7 else g711.encode_alaw
    payload = code(tone(8000))
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        36 + len(payload),
        b"WAVE",
        b"fmt ",
        16,
        tag,
        1,
        8000,
        8000,
        1,
        8,
        b"data",
        len(payload),
    )
    audio = decode(io.BytesIO(head + payload), rate=8000, most_s=60)
    assert audio.seconds == pytest.approx(2.0)
    assert frequency(audio.pcm, 8000) == pytest.approx(440, abs=2)


@pytest.mark.parametrize(("container", "codec"), [("webm", "libopus"), ("mp4", "aac")])
def test_what_browsers_and_phones_record(container: str, codec: str) -> None:
    out = io.BytesIO()
    with av.open(out, "w", format=container) as file:
        stream = file.add_stream(codec, rate=48000, layout="mono")
        assert isinstance(stream, av.AudioStream)
        samples = np.frombuffer(tone(48000), "<i2").astype(np.float32) / 32768
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="fltp", layout="mono")
        frame.sample_rate = 48000
        for part in av.AudioResampler(stream.format, "mono", 48000, stream.frame_size or 960).resample(frame):
            file.mux(stream.encode(part))
        file.mux(stream.encode(None))
    audio = decode(out, rate=16000, most_s=60)
    assert audio.seconds == pytest.approx(2.0, abs=0.15)
    assert frequency(audio.pcm, 16000) == pytest.approx(440, abs=2)


@pytest.mark.parametrize(
    ("name", "media_type", "given", "rate", "expected"),
    [
        ("a.wav", "audio/wav", "", 0, None),
        ("a.ulaw", "application/octet-stream", "", 0, Raw("ulaw", 8000)),
        ("a.pcm", "", "", 0, Raw("pcm", 16000)),
        ("a", "audio/basic", "", 0, Raw("ulaw", 8000)),
        ("a", "audio/L16;rate=24000", "", 0, Raw("pcm", 24000)),
        ("a.wav", "", "alaw", 16000, Raw("alaw", 16000)),
    ],
)
def test_audio_without_a_header_is_named(
    name: str, media_type: str, given: str, rate: int, expected: Raw | None
) -> None:
    assert raw_form(name, media_type, given, rate) == expected


def test_raw_audio() -> None:
    pcm = tone(8000)
    for raw, data in (
        (Raw("pcm", 8000), pcm + b"\1"),
        (Raw("ulaw", 8000), g711.encode_ulaw(pcm)),
        (Raw("alaw", 8000), g711.encode_alaw(pcm)),
    ):
        audio = decode(io.BytesIO(data), rate=16000, most_s=60, raw=raw)
        assert audio.seconds == pytest.approx(2.0)
        assert frequency(audio.pcm, 16000) == pytest.approx(440, abs=2)


def test_nothing_is_told() -> None:
    assert refused(b"").code == "empty_audio"
    assert "0 bytes" in str(refused(b""))
    assert refused(encode(b"", 8000, AudioFormat.WAV)).status == 400
    assert refused(b"\1", raw=Raw("pcm", 8000)).code == "empty_audio"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"%PDF-1.7 ...", "a PDF document"),
        (b'{"a": 1}', "JSON"),
        (b"\n <!DOCTYPE html>", "HTML"),
        (b"\x89PNG\r\n", "a PNG picture"),
        (b"what is this?", "no audio file that is known"),
        (b"RIFF\0\0\0\0WAVEjunk", "the wav file cannot be read"),
        (b"OggS" + bytes(100), "the ogg file cannot be read"),
        (b"#EXTM3U\nfile:///etc/passwd", "no audio file that is known"),
    ],
)
def test_wrong_files_are_named(data: bytes, says: str) -> None:
    error = refused(data)
    assert (error.status, error.param, error.code) == (400, "file", "unreadable_audio")
    assert says in str(error)


def test_rates_out_of_range() -> None:
    out = io.BytesIO()
    for rate in (4000, 96000):
        out = io.BytesIO()
        with wave.open(out, "wb") as file:
            file.setparams((1, 2, rate, 0, "NONE", ""))
            file.writeframes(tone(8000))
        assert refused(out.getvalue()).code == "bad_sample_rate"
    with pytest.raises(ServiceError, match="8000 to 48000"):
        raw_form("a.pcm", "", "", 500)


@pytest.mark.parametrize("form", [AudioFormat.FLAC, AudioFormat.OPUS, AudioFormat.WAV])
def test_two_hours_are_refused_though_the_file_is_small(form: AudioFormat) -> None:
    """Silence packs well. Decoding stops at the limit: the time it takes is that of the limit."""
    data = encode(bytes(2 * 8000 * 120), 8000, form)
    with pytest.raises(ServiceError) as caught:
        decode(io.BytesIO(data), rate=16000, most_s=60)
    assert (caught.value.status, caught.value.code) == (413, "audio_too_long")
    assert "longer than 60 s" in str(caught.value)


def test_a_cut_file_gives_what_is_there() -> None:
    for form in WITH_HEADER:
        data = encode(tone(16000, 4.0), 16000, form)
        audio = decode(io.BytesIO(data[: len(data) // 2]), rate=16000, most_s=60)
        assert 1.0 < audio.seconds < 3.0, form


HEADS = [b"", b"RIFF\0\0\0\0WAVEfmt ", b"fLaC", b"OggS", b"ID3", b"\x1aE\xdf\xa3", b"\0\0\0\x1cftyp"]


@given(st.binary(max_size=300), st.sampled_from(HEADS))
def test_any_bytes_are_decoded_or_refused(data: bytes, head: bytes) -> None:
    with contextlib.suppress(ServiceError):
        assert decode(io.BytesIO(head + data), rate=16000, most_s=60).rate == 16000
