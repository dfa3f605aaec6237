"""Speech becomes wire payloads of 20 ms, whatever the chunks were; codecs are their own inverse."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.clip import Clip, ClipWriter
from media.codecs import PCMA, PCMU
from media.tones import KEY_MS, Partial, key_tone, ringback, silence, tone


@pytest.mark.parametrize("codec", [PCMA, PCMU])
def test_a_codec_knows_its_frame_and_its_silence(codec):
    assert (codec.frame_samples, codec.frame_bytes) == (160, 160)
    assert codec.new_encoder()(bytes(320)) == codec.silence
    assert np.abs(np.frombuffer(codec.new_decoder()(codec.silence), "<i2")).max() <= 8


def test_frames_are_readable_while_the_clip_still_grows():
    writer = ClipWriter(Clip(PCMA), 8000)
    writer.write(bytes(500))
    assert (len(writer.clip.frames), writer.clip.finished) == (1, False)
    writer.write(bytes(200))
    assert len(writer.clip.frames) == 2
    writer.close()
    assert (writer.clip.duration_ms, writer.clip.finished) == (60, True)
    assert {len(frame) for frame in writer.clip.frames} == {160}


def test_the_last_frame_is_filled_up_with_silence():
    writer = ClipWriter(Clip(PCMA), 8000)
    writer.write(b"\x00\x10" * 100)
    writer.close()
    assert writer.clip.frames == [PCMA.new_encoder()(b"\x00\x10" * 100) + PCMA.silence[:60]]


def test_an_empty_clip_has_no_frame_and_closing_twice_changes_nothing():
    writer = ClipWriter(Clip(PCMA), 22050)
    writer.close()
    writer.close()
    assert (writer.clip.frames, writer.clip.finished) == ([], True)


@given(st.binary(max_size=3000), st.integers(1, 700))
def test_chunks_of_any_size_give_the_same_clip(pcm, size):
    pcm = pcm[: len(pcm) & ~1]
    whole, chunked = ClipWriter(Clip(PCMU), 8000), ClipWriter(Clip(PCMU), 8000)
    whole.write(pcm)
    for i in range(0, len(pcm), size):
        chunked.write(pcm[i : i + size])
    for writer in (whole, chunked):
        writer.close()
    assert whole.clip.frames == chunked.clip.frames
    assert len(whole.clip.frames) == -(-len(pcm) // 320)


def test_speech_at_another_rate_keeps_its_length():
    writer = ClipWriter(Clip(PCMA), 22050)
    for _ in range(10):
        writer.write(tone((Partial(440),), 100, 22050))
    writer.close()
    assert writer.clip.duration_ms == 1000


def strength(pcm: bytes, hertz: float, rate: int) -> float:
    samples = np.frombuffer(pcm, "<i2").astype(float)
    wave = np.exp(-2j * np.pi * hertz * np.arange(len(samples)) / rate)
    return float(abs(samples @ wave) / len(samples))


def test_a_key_is_its_two_frequencies_and_then_a_pause():
    pcm = key_tone("6", 8000)
    sound = pcm[: 2 * 8 * KEY_MS]
    loud = {f for f in (697, 770, 852, 941, 1209, 1336, 1477, 1633) if strength(sound, f, 8000) > 1500}
    assert loud == {770, 1477}
    assert pcm[len(sound) :] == silence(60, 8000)


def test_what_is_no_key_has_no_tone():
    for wrong in ("x", "", "12"):
        with pytest.raises(ValueError, match="keys are"):
            key_tone(wrong, 8000)


def test_ringback_rings_twice_in_three_seconds():
    pcm = ringback(8000)
    assert len(pcm) == 2 * 8 * 3000
    blocks = [bool(any(pcm[i : i + 3200])) for i in range(0, len(pcm), 3200)]
    assert blocks == [True, True, False, True, True] + [False] * 10
