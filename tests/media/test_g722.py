"""G.722: the bits of another implementation, tones that come through, and state that is each stream's own."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.clip import Clip, ClipWriter
from media.codecs import G722


def known_pcm() -> bytes:
    """A second of something like a saw whose pitch rises, in whole numbers."""
    n = np.arange(16000)
    return ((n * n // 7 + n * 13) % 24001 - 12000).astype("<i2").tobytes()


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def test_the_bits_are_those_of_another_implementation() -> None:
    """What FFmpeg's adpcm_g722 makes of the same, both ways."""
    payload = G722.new_encoder()(known_pcm())
    assert payload[:16].hex() == "2e8420842184048a0a8bcccccdcecfd0"
    assert digest(payload) == "3a768c5f4f34c5b277b80a12d959b660"
    assert digest(G722.new_decoder()(payload)) == "22142ee57bd3d55fdfb4674b19215289"


@pytest.mark.parametrize("hz", [100, 300, 1000, 2000, 3400, 4500, 6000, 7000])
def test_a_tone_comes_through(hz: int) -> None:
    """Signal to noise in dB once the filters have settled; the two filter banks delay by 22 samples."""
    pcm = 10000 * np.sin(2 * np.pi * hz * np.arange(16000) / 16000)
    heard = np.frombuffer(G722.new_decoder()(G722.new_encoder()(pcm.astype("<i2").tobytes())), "<i2")
    delay = 22
    wanted, got = pcm[1600:-delay], heard[1600 + delay :].astype(float)
    noise = got - wanted * (got @ wanted) / (wanted @ wanted)
    assert 10 * np.log10((got @ got) / (noise @ noise)) > (35 if hz < 3900 else 15)
    assert got @ got == pytest.approx(wanted @ wanted, rel=0.15)


def test_two_streams_know_nothing_of_each_other() -> None:
    alone, mixed, other = G722.new_decoder(), G722.new_decoder(), G722.new_decoder()
    payload = G722.new_encoder()(known_pcm())
    frames = [payload[at : at + 160] for at in range(0, len(payload), 160)]
    heard = []
    for frame in frames:
        heard.append(mixed(frame))
        other(bytes(reversed(frame)))
    assert b"".join(heard) == alone(payload)


@pytest.mark.parametrize("before", [known_pcm(), bytes(640), np.full(3200, 20000, "<i2").tobytes()])
def test_silence_is_quiet_whatever_came_before(before: bytes) -> None:
    decode = G722.new_decoder()
    decode(G722.new_encoder()(before))
    decode(G722.silence)  # the sound before dies away
    quiet = np.frombuffer(decode(G722.silence * 50), "<i2")
    assert len(quiet) == 50 * G722.frame_samples
    assert np.abs(quiet).max() < 48  # of 32768: below what the voice detector takes for sound


def test_a_clip_is_one_stream_however_it_was_written() -> None:
    whole = G722.new_encoder()(known_pcm())
    writer = ClipWriter(Clip(G722), 16000)
    for at in range(0, 32000, 1234):
        writer.write(known_pcm()[at : at + 1234])
    writer.close()
    assert b"".join(writer.clip.frames) == whole
    assert {len(frame) for frame in writer.clip.frames} == {160}
    assert writer.clip.duration_ms == 1000


@given(st.binary(max_size=400), st.binary(max_size=400))
def test_any_bytes_decode_to_two_samples_each(first: bytes, second: bytes) -> None:
    decode = G722.new_decoder()
    assert len(decode(first)) == 4 * len(first)
    assert len(decode(second)) == 4 * len(second)


def test_odd_pieces_of_pcm() -> None:
    encode = G722.new_encoder()
    assert encode(b"") == b""
    assert len(encode(bytes(6))) == 2
    with pytest.raises(ValueError, match="buffer size"):
        encode(bytes(3))
