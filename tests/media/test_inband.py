"""The in-band receiver against the figures of ITU-T Q.24 (AT&T), through A-law, and against speech."""

from __future__ import annotations

import itertools
import random
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media import g711
from media.inband import InbandReceiver
from media.resample import resample_clip
from media.tones import KEYPAD, Partial, key_tone, silence, tone
from tests.fakes.speech import frames, noise, spoken
from tests.media.signals import heard, keys_in, noisy, pause, press, received

ALL_KEYS = "".join(KEYPAD)
PLACES_MS = (40.0, 43.1, 46.9, 51.3, 54.2, 58.7)
"""Where in a frame a press begins."""


def always(wave: np.ndarray) -> set[str]:
    """What is heard of the wave, wherever in a frame it begins."""
    return {heard(wave, lead_ms=place) for place in PLACES_MS}


@pytest.mark.parametrize("key", ALL_KEYS)
def test_every_key_is_heard_clean_and_at_15_db_of_noise(key):
    assert always(press(key, 40)) == {key}
    for seed in range(5):
        assert heard(noisy(press(key, 50), 15, seed), lead_ms=40 + 3.7 * seed) == key


@pytest.mark.parametrize("key", ["1", "D", "5", "*"])
@pytest.mark.parametrize(("low", "high"), list(itertools.product((-0.015, 0.0, 0.015), repeat=2)))
def test_frequencies_within_one_and_a_half_percent_are_accepted(key, low, high):
    assert always(press(key, low_off=low, high_off=high)) == {key}
    assert heard(noisy(press(key, low_off=low, high_off=high), 15, 3)) == key


@pytest.mark.parametrize("key", ["1", "D", "5", "*"])
@pytest.mark.parametrize(
    ("low", "high"),
    [(0.035, 0.0), (-0.035, 0.0), (0.0, 0.035), (0.0, -0.035), (0.035, -0.035), (0.05, 0.0), (0.0, -0.045)],
)
def test_frequencies_beyond_three_and_a_half_percent_are_not(key, low, high):
    assert always(press(key, 100, low_off=low, high_off=high)) == {""}


@pytest.mark.parametrize("dbm0", [0.0, -3.0, -10.0, -20.0, -25.0])
def test_levels_from_0_to_minus_25_dbm_are_accepted(dbm0):
    assert always(press("8", 40, dbm0, dbm0)) == {"8"}


@pytest.mark.parametrize("dbm0", [-55.0, -60.0])
def test_levels_of_minus_55_dbm_are_not(dbm0):
    assert always(press("8", 200, dbm0, dbm0)) == {""}


@pytest.mark.parametrize("twist_db", [4.0, 2.0, 0.0, -4.0, -8.0])
@pytest.mark.parametrize("key", ["1", "9", "0", "D"])
def test_either_tone_may_be_the_louder_one(key, twist_db):
    low, high = (-10.0, -10.0 + twist_db) if twist_db < 0 else (-10.0 - twist_db, -10.0)
    assert always(press(key, 40, low, high)) == {key}


@pytest.mark.parametrize("ms", [10, 15, 20, 23])
def test_23_ms_are_no_press(ms):
    for key in "15D":
        assert always(press(key, ms)) == {""}


def test_a_pause_of_40_ms_makes_two_presses():
    for place in PLACES_MS:
        for phase in (0.0, 2.0, 4.0):
            assert heard(press("5"), pause(40), press("5", phase=phase), lead_ms=place) == "55"
            assert heard(press("5"), pause(40), press("4", phase=phase), lead_ms=place) == "54"


@pytest.mark.parametrize("gap_ms", [2, 5, 8, 10])
def test_an_interruption_of_up_to_10_ms_is_bridged(gap_ms):
    for place in PLACES_MS:
        for phase in (0.0, 1.5, 3.1, 4.7):
            assert heard(press("7"), pause(gap_ms), press("7", phase=phase), lead_ms=place) == "7"


@pytest.mark.parametrize("seed", range(4))
def test_keys_in_a_hurry_come_93_ms_apart(seed):
    chance = random.Random(seed)
    keys = "".join(chance.choice(ALL_KEYS) for _ in range(20))
    waves = [part for key in keys for part in (press(key, 48, phase=chance.random() * 6), pause(45))]
    assert heard(noisy(np.concatenate(waves), 15, seed), lead_ms=30 + 10 * chance.random()) == keys


def test_a_long_press_is_one():
    assert always(press("3", 2000)) == {"3"}
    assert heard(noisy(press("3", 2000), 15, 8)) == "3"


def test_a_lost_frame_within_a_press_makes_no_second_one():
    coded = key_tone("6", 8000) + key_tone("6", 8000)
    whole = frames(coded)
    assert received(whole) == "66"
    for lost in range(5):
        assert received(frame for index, frame in enumerate(whole) if index != lost) == "66"


def test_one_tone_alone_is_no_key():
    for hertz in (697, 941, 1209, 1633, 400, 1100, 2100):
        assert keys_in(tone((Partial(hertz, -8),), 500, 8000) + silence(60, 8000)) == ""


def test_the_progress_tones_of_the_line_are_no_keys():
    for pair in ((350, 440), (440, 480), (480, 620), (400, 450), (1300, 1700), (697, 770), (1209, 1477)):
        assert keys_in(tone([Partial(hertz, -8) for hertz in pair], 500, 8000)) == ""


def test_noise_is_no_key():
    for seed in range(3):
        assert received(frames(noise(8000 * 20, 4000, seed))) == ""


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.binary(min_size=320, max_size=320), st.none()), max_size=12), st.booleans())
def test_no_sound_does_harm(sounds, silent):
    receiver = InbandReceiver(8000)
    for sound in sounds:
        if sound is not None:
            receiver.take(sound)
        elif silent:
            receiver.silent()
        else:
            receiver.missing()
    after = [receiver.take(frame) for frame in frames(silence(200, 8000) + key_tone("9", 8000))]
    assert [key for key in after if key] == ["9"]


def test_wideband_audio_is_heard_as_well():
    pcm = b"".join(key_tone(key, 16000) for key in "0147#")
    assert keys_in(pcm + bytes(640), 16000) == "0147#"


def test_our_own_tones_are_heard_through_either_law():
    keys = ALL_KEYS * 2
    pcm = b"".join(key_tone(key, 8000) for key in keys)
    assert keys_in(g711.decode_alaw(g711.encode_alaw(pcm))) == keys
    assert keys_in(g711.decode_ulaw(g711.encode_ulaw(pcm))) == keys


def test_silence_between_two_presses_that_was_not_sent_parts_them():
    receiver = InbandReceiver(8000)
    first = [receiver.take(frame) for frame in frames(press_pcm("2"))]
    receiver.silent()
    second = [receiver.take(frame) for frame in frames(press_pcm("2"))]
    assert [key for key in first + second if key] == ["2", "2"]


def press_pcm(key: str) -> bytes:
    return press(key, 80).astype("<i2").tobytes()


SENTENCES = {
    "hi": "नमस्ते। आपका ऑर्डर अड़तालीस हज़ार दो सौ तेरह तैयार है। स्वीकार करने के लिए एक दबाएँ, मना करने के लिए "
    "दो, या बोलिए। कितने मिनट में तैयार होगा? धन्यवाद, हम आपको फिर से फ़ोन करेंगे।",
    "mr": "नमस्कार. तुमची ऑर्डर तयार आहे. स्वीकारण्यासाठी एक दाबा, नाकारण्यासाठी दोन दाबा, किंवा बोला. "
    "किती मिनिटांत तयार होईल? धन्यवाद, आम्ही पुन्हा फोन करू.",
    "en": "Hello, this is the order desk. You have three new orders, the first for eight hundred and fifty "
    "rupees. Press one to accept, two to reject, nine to hear it again, or just tell me. Thank you, goodbye.",
}


@pytest.mark.parametrize("language", SENTENCES)
def test_speech_is_no_key(language):
    """A few minutes; `python -m bench.inband_dtmf` listens for hours."""
    for speed in (0.8, 1.0, 1.25):
        pcm = spoken(SENTENCES[language], language, speed=speed)
        for semitones in range(-6, 7, 2):
            pitched = resample_clip(pcm, 8000, round(8000 * 2 ** (semitones / 12)))
            assert received(frames(g711.decode_alaw(g711.encode_alaw(pitched)))) == ""


def test_a_key_is_heard_in_the_midst_of_speech():
    pcm = spoken(SENTENCES["en"], "en")
    place = len(pcm) // 4 * 2
    assert received(frames(pcm[:place] + silence(40, 8000) + key_tone("4", 8000) + pcm[place:])) == "4"


def test_another_receiver_hears_our_keys(tmp_path: Path):
    keys = "1234567890*#ABCD"
    pcm = b"".join(key_tone(key, 8000) for key in keys)
    coded = g711.decode_alaw(g711.encode_alaw(silence(200, 8000) + pcm + silence(200, 8000)))
    path = tmp_path / "keys.raw"
    path.write_bytes(resample_clip(coded, 8000, 22050))
    command = ["multimon-ng", "-q", "-a", "DTMF", "-t", "raw", str(path)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    assert (
        "".join(line.removeprefix("DTMF: ") for line in said.splitlines() if line.startswith("DTMF: "))
        == keys
    )
