"""Levels, lengths and cadences of the tones that we send."""

from __future__ import annotations

import numpy as np
import pytest

from media.tones import KEY_GAP_MS, KEY_MS, Partial, amplitude, key_tone, power, ringback, tone

RATE = 8000


def level_dbm0(pcm: bytes, hertz: float) -> float:
    """Level of one frequency, over all of the sound."""
    samples = np.frombuffer(pcm, "<i2").astype(float)
    wave = np.exp(-2j * np.pi * hertz * np.arange(len(samples)) / RATE)
    return float(20 * np.log10(2 * abs(samples @ wave) / len(samples) / amplitude(0.0)))


def test_levels_are_those_of_the_digital_milliwatt():
    assert amplitude(3.14) == pytest.approx(32768)
    assert power(0.0) == pytest.approx(32768**2 / 2 / 10**0.314)


@pytest.mark.parametrize(("key", "low", "high"), [("1", 697, 1209), ("#", 941, 1477), ("D", 941, 1633)])
def test_a_key_has_the_levels_of_a_telephone(key, low, high):
    pcm = key_tone(key, RATE)
    sound = pcm[: 2 * RATE * KEY_MS // 1000]
    assert level_dbm0(sound, low) == pytest.approx(-9.0, abs=0.5)
    assert level_dbm0(sound, high) == pytest.approx(-7.0, abs=0.5)
    assert len(pcm) == 2 * RATE * (KEY_MS + KEY_GAP_MS) // 1000
    assert not any(pcm[len(sound) :])


def cadence(pcm: bytes) -> list[tuple[bool, int]]:
    """Sound or not, and for how many milliseconds, in steps of 100."""
    runs: list[tuple[bool, int]] = []
    for at in range(0, len(pcm), 2 * RATE // 10):
        loud = any(pcm[at : at + 2 * RATE // 10])
        if runs and runs[-1][0] == loud:
            runs[-1] = (loud, runs[-1][1] + 100)
        else:
            runs.append((loud, 100))
    return runs


@pytest.mark.parametrize(
    ("country", "expected"),
    [
        ("91", [(True, 400), (False, 200), (True, 400), (False, 2000)]),
        ("44", [(True, 400), (False, 200), (True, 400), (False, 2000)]),
        ("1", [(True, 2000), (False, 4000)]),
        ("49", [(True, 400), (False, 200), (True, 400), (False, 2000)]),
    ],
)
def test_each_country_rings_in_its_own_way(country, expected):
    assert cadence(ringback(RATE, country)) == expected


def test_the_indian_ringback_is_400_hz_modulated_by_25():
    sound = ringback(RATE)[: 2 * RATE * 400 // 1000]
    assert level_dbm0(sound, 375) == pytest.approx(level_dbm0(sound, 425), abs=0.5)
    assert level_dbm0(sound, 375) > level_dbm0(sound, 400) + 20


def test_a_tone_that_is_too_loud_is_clipped_not_wrapped():
    pcm = np.frombuffer(tone((Partial(697, 0.0), Partial(1209, 0.0)), 100, RATE), "<i2")
    assert int(pcm.max()) == 32767
    assert int(np.abs(np.diff(pcm.astype(int))).max()) < 40000
