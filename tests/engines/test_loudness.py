"""Measured as the standard says, level over time, and never clipped."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engines.contract import SpeechRequest
from engines.tts.levelled import LevelledSynthesizer
from engines.tts.loudness import CEILING, TARGET_LUFS, Leveller, LoudnessMeter
from tests.fakes.engines import ToneSynthesizer

CEILING_PCM = CEILING * 32768 + 1


def sine(hertz: float, seconds: float, rate: int, amplitude: float = 1.0) -> NDArray[np.float32]:
    return (amplitude * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


def speech_like(rate: int, seconds: float, amplitude: float) -> NDArray[np.float32]:
    """Noise in bursts of 300 ms with pauses of 100 ms."""
    noise = np.random.default_rng(7).standard_normal(int(rate * seconds)).astype(np.float32)
    at = np.arange(len(noise)) % int(0.4 * rate)
    return np.clip(noise * (at < 0.3 * rate) * np.float32(amplitude), -1, 1)


def pcm_of(samples: NDArray[np.float32]) -> bytes:
    return (samples * 32767).astype("<i2").tobytes()


def lufs(pcm: bytes, rate: int) -> float:
    meter = LoudnessMeter(rate)
    meter.hear(np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32768))
    assert meter.lufs is not None
    return meter.lufs


def levelled(pcm: bytes, rate: int, piece: int = 1920, gain_db: float | None = None) -> bytes:
    leveller = Leveller(rate, gain_db)
    out = [leveller.process(pcm[at : at + piece]) for at in range(0, len(pcm), piece)]
    return b"".join([*out, leveller.flush()])


class Tone(ToneSynthesizer):
    """A voice of a loudness that can be changed."""

    amplitude = 0.05

    def pcm(self, text: str) -> bytes:
        return pcm_of(sine(400, len(text) * self.ms_per_character / 1000, self.sample_rate, self.amplitude))


@pytest.mark.parametrize("rate", [8000, 22050, 24000, 44100, 48000])
def test_the_standards_own_check(rate: int) -> None:
    """BS.1770-4: a full-scale sine of 997 Hz in one channel measures -3.01 LKFS."""
    meter = LoudnessMeter(rate)
    meter.hear(sine(997, 2, rate))
    assert meter.lufs == pytest.approx(-3.01, abs=0.05)


def test_weighting_and_gate() -> None:
    """Low tones count less, high ones more; silence between words does not count."""

    def measured(samples: NDArray[np.float32]) -> float:
        return lufs(pcm_of(samples), 24000)

    assert measured(sine(50, 2, 24000, 0.3)) < measured(sine(997, 2, 24000, 0.3)) - 2
    assert measured(sine(4000, 2, 24000, 0.3)) > measured(sine(997, 2, 24000, 0.3)) + 2
    tone = sine(997, 2, 24000, 0.3)
    gaps = np.concatenate((tone, np.zeros(24000 * 8, np.float32)))
    assert measured(gaps) == pytest.approx(measured(tone), abs=0.5)
    assert LoudnessMeter(24000).lufs is None


@pytest.mark.parametrize("amplitude", [0.02, 0.1, 0.5])
@pytest.mark.parametrize("rate", [8000, 24000])
def test_every_voice_ends_up_equally_loud(amplitude: float, rate: int) -> None:
    pcm = pcm_of(speech_like(rate, 6, amplitude))
    out = levelled(pcm, rate)
    assert len(out) == len(pcm)
    assert lufs(out[rate * 4 :], rate) == pytest.approx(TARGET_LUFS, abs=1)


def test_a_known_voice_is_level_from_the_first_word() -> None:
    rate = 24000
    pcm = pcm_of(speech_like(rate, 4, 0.5))
    leveller = Leveller(rate)
    leveller.process(pcm)
    again = levelled(pcm, rate, gain_db=leveller.gain_db)
    assert lufs(again[: rate * 2], rate) == pytest.approx(TARGET_LUFS, abs=1)


async def test_a_voice_that_was_heard_for_long_is_level_without_being_measured() -> None:
    """Its gain is the average of its sentences. One in ten is measured still: a change is noticed."""
    tone = Tone()
    voice = LevelledSynthesizer(tone)

    async def say(text: str) -> bytes:
        request = SpeechRequest(text, "en")
        return b"".join([chunk async for chunk in voice.synthesize(request, deadline_s=5)])

    long = "x" * 1400  # 70 s
    await say(long)
    first = await say("x" * 40)
    assert lufs(first, tone.sample_rate) == pytest.approx(TARGET_LUFS, abs=0.5)
    tone.amplitude = 0.2
    louder = await say("x" * 40)
    assert lufs(louder, tone.sample_rate) == pytest.approx(TARGET_LUFS + 12, abs=1)  # nobody measured it
    for _ in range(10):
        await say(long)
    assert lufs(await say("x" * 40), tone.sample_rate) == pytest.approx(TARGET_LUFS, abs=1.5)


def test_silence_stays_silence() -> None:
    assert levelled(bytes(48000), 24000) == bytes(48000)
    assert levelled(b"", 24000) == b""


@settings(max_examples=25, deadline=None)
@given(
    peaks=st.lists(st.tuples(st.integers(0, 7999), st.floats(-1, 1)), max_size=20),
    piece=st.integers(161, 3001),
    gain_db=st.floats(-18, 18),
)
def test_it_never_clips_and_loses_nothing(peaks: list[tuple[int, float]], piece: int, gain_db: float) -> None:
    samples = sine(300, 1, 8000, 0.2)
    for at, height in peaks:
        samples[at] = height
    pcm = pcm_of(samples)
    out = np.frombuffer(levelled(pcm, 8000, piece, gain_db), "<i2")
    assert len(out) == 8000
    assert np.abs(out.astype(np.int32)).max() <= CEILING_PCM
