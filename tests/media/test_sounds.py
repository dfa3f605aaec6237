"""Silence, voice and tones told apart, frame by frame."""

from __future__ import annotations

import struct
from itertools import groupby

import pytest

from media.sounds import Sound, SoundMeter
from media.tones import Partial, ringback, silence, tone
from tests.fakes.speech import frames, noise, spoken

RATE = 8000


def runs(pcm: bytes) -> list[tuple[Sound, int]]:
    """Kinds of sound in their order, each with its milliseconds."""
    meter = SoundMeter(RATE)
    kinds = [meter.take(frame).sound for frame in frames(pcm)]
    return [(kind, 20 * len(list(group))) for kind, group in groupby(kinds)]


@pytest.mark.parametrize("hertz", [400, 425, 440, 850, 1000, 1100, 1400, 2000, 2100])
def test_a_tone_is_known_after_100_ms_by_its_frequency(hertz):
    pcm = silence(200, RATE) + tone((Partial(hertz, -20),), 500, RATE) + silence(200, RATE)
    kinds = runs(pcm)
    assert [kind for kind, _ in kinds] == [Sound.SILENCE, Sound.VOICE, Sound.TONE, Sound.SILENCE]
    assert kinds[1][1] <= 100
    assert kinds[2][1] >= 400
    meter = SoundMeter(RATE)
    heard = [meter.take(frame) for frame in frames(pcm)]
    assert all(h.hz == pytest.approx(hertz, abs=8) for h in heard if h.sound is Sound.TONE)


def test_ringing_is_a_tone():
    kinds = runs(ringback(RATE))
    assert sum(ms for kind, ms in kinds if kind is Sound.TONE) >= 600
    assert all(ms <= 100 for kind, ms in kinds if kind is Sound.VOICE)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("hi", "नमस्ते, आप कैसे हैं? मैं अभी नहीं हूँ, बाद में बात करते हैं।"),
        ("mr", "नमस्कार, तुम्ही कसे आहात? मी आता नाही."),
        ("en", "Hello, how are you? I am not here, moo, please call me later."),
    ],
)
def test_no_voice_is_a_tone(language, text):
    for voice in ("", "f2", "m3"):
        assert Sound.TONE not in {kind for kind, _ in runs(spoken(text, language, voice))}


def test_the_noise_of_a_line_is_silence_once_it_is_known():
    kinds = runs(noise(RATE * 2, 60, 4))
    assert kinds[-1][0] is Sound.SILENCE
    assert kinds[-1][1] >= 1800


def test_a_voice_is_heard_over_noise():
    pcm = spoken("Hello", "en")
    quiet = silence(500, RATE) + pcm + silence(500, RATE)
    loud = [a + b for a, b in zip(_samples(quiet), _samples(noise(len(quiet) // 2, 120, 2)), strict=True)]
    meter = SoundMeter(RATE)
    voiced = [meter.take(frame).sound is Sound.VOICE for frame in frames(_pcm(loud))]
    assert sum(voiced[25:-25]) * 20 > 200
    assert sum(voiced[:25]) + sum(voiced[-25:]) <= 2


def _samples(pcm: bytes) -> list[int]:
    return [int.from_bytes(pcm[at : at + 2], "little", signed=True) for at in range(0, len(pcm), 2)]


def _pcm(samples: list[int]) -> bytes:
    return b"".join(max(-32768, min(32767, s)).to_bytes(2, "little", signed=True) for s in samples)


def test_a_click_at_the_edge_of_a_frame_is_no_tone() -> None:
    """Where the window is zero, nothing is left of a frame with one loud sample there."""
    for at in (0, 159):
        samples = [0] * 160
        samples[at] = 20_000
        heard = SoundMeter(8000).take(struct.pack("<160h", *samples))
        assert (heard.sound is Sound.TONE, heard.hz) == (False, 0.0)
