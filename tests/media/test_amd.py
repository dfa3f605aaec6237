"""Who answered: the automaton frame by frame, and greetings as espeak-ng speaks them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.amd import Answer, AnswerDetector, GreetingEnd, GreetingWatch, Reason, Timings, Who
from media.sounds import Heard, Sound, SoundMeter
from media.tones import Partial, power, ringback, silence, tone
from tests.fakes.speech import frames, spoken

RATE = 8000
VOICE, SILENCE = Heard(Sound.VOICE), Heard(Sound.SILENCE)


def verdict(*parts: tuple[Heard, int], timings: Timings | None = None) -> Answer | None:
    """What becomes of sounds of so many milliseconds."""
    detector = AnswerDetector(timings or Timings())
    for heard, ms in parts:
        for _ in range(ms // 20):
            if (answer := detector.take(heard)) is not None:
                return answer
    return None


def test_a_word_and_a_pause_is_a_person():
    assert verdict((SILENCE, 400), (VOICE, 500), (SILENCE, 2000)) == Answer(
        Who.HUMAN, Reason.SHORT_GREETING, 400 + 500 + 800
    )


def test_silence_from_the_start_is_a_machine():
    assert verdict((SILENCE, 9000)) == Answer(Who.MACHINE, Reason.INITIAL_SILENCE, 2500)


def test_who_speaks_on_is_a_machine():
    assert verdict((SILENCE, 200), (VOICE, 9000)) == Answer(Who.MACHINE, Reason.LONG_GREETING, 1700)


def test_a_pause_between_words_does_not_count_as_speech():
    answer = verdict((VOICE, 1000), (SILENCE, 400), (VOICE, 400), (SILENCE, 1000))
    assert answer == Answer(Who.HUMAN, Reason.SHORT_GREETING, 1000 + 400 + 400 + 800)


def test_three_words_are_a_machine():
    word = ((VOICE, 300), (SILENCE, 200))
    assert verdict(*word, *word, *word) == Answer(Who.MACHINE, Reason.MANY_WORDS, 500 + 500 + 100)


def test_clicks_are_no_words_and_short_gaps_part_none():
    assert verdict((VOICE, 80), (SILENCE, 300), (VOICE, 80), (SILENCE, 9000)) == Answer(
        Who.MACHINE, Reason.INITIAL_SILENCE, 80 + 300 + 80 + 2200
    )
    bridged = ((VOICE, 200), (SILENCE, 40))
    assert verdict(*bridged, *bridged, *bridged, (SILENCE, 1000)).who is Who.HUMAN


def test_a_key_means_a_person_at_any_time():
    detector = AnswerDetector(Timings())
    for _ in range(30):
        detector.take(VOICE)
    assert detector.key() == Answer(Who.HUMAN, Reason.KEY, 600)


def test_in_the_end_nobody_knows():
    slow = Timings(initial_silence_ms=9000)
    assert verdict((SILENCE, 9000), timings=slow) == Answer(Who.NOT_SURE, Reason.TOO_LONG, 5000)


@given(st.lists(st.sampled_from([VOICE, SILENCE, Heard(Sound.TONE, 400), Heard(Sound.TONE, 1100)])))
def test_whatever_is_heard_there_is_one_verdict_in_time(heard):
    detector = AnswerDetector(Timings())
    for count, each in enumerate([*heard, *[SILENCE] * 250]):
        answer = detector.take(each)
        if answer is not None:
            assert answer.after_ms == 20 * (count + 1) <= 5000
            return
    raise AssertionError("no verdict")


GREETINGS = {
    "en": "Hello, you have reached the voice mail of Sharma. Please leave a message after the tone.",
    "hi": "आप जिस व्यक्ति को फ़ोन कर रहे हैं, वह अभी उपलब्ध नहीं है। कृपया बीप के बाद अपना संदेश छोड़ें।",
    "mr": "तुम्ही ज्या व्यक्तीला फोन करत आहात ती सध्या उपलब्ध नाही. कृपया नंतर प्रयत्न करा.",
}
PEOPLE = [
    ("en", "Hello?"),
    ("en", "Yes?"),
    ("hi", "हैलो?"),
    ("hi", "जी बोलिए"),
    ("hi", "नमस्ते"),
    ("hi", "कौन?"),
    ("mr", "हॅलो?"),
    ("mr", "बोला"),
    ("mr", "नमस्कार"),
]


def answered(pcm: bytes) -> Answer:
    meter, detector = SoundMeter(RATE), AnswerDetector(Timings())
    for frame in frames(silence(400, RATE) + pcm + silence(6000, RATE)):
        if (answer := detector.take(meter.take(frame))) is not None:
            return answer
    raise AssertionError("no verdict")


@pytest.mark.parametrize(("language", "text"), PEOPLE)
def test_people_are_people(language, text):
    for speed in (0.8, 1.0, 1.3):
        answer = answered(spoken(text, language, speed=speed))
        assert (answer.who, answer.reason) == (Who.HUMAN, Reason.SHORT_GREETING)


@pytest.mark.parametrize("language", GREETINGS)
def test_mailboxes_are_machines(language):
    for speed in (0.8, 1.0, 1.3):
        answer = answered(spoken(GREETINGS[language], language, speed=speed))
        assert answer.who is Who.MACHINE
        assert answer.after_ms < 3000


@pytest.mark.parametrize("dbm0", [-10.0, -20.0, -30.0])
def test_noise_20_db_below_the_voice_changes_nothing(dbm0):
    for language, text in PEOPLE:
        assert answered(over_noise(spoken(text, language), dbm0)).who is Who.HUMAN
    for language, text in GREETINGS.items():
        assert answered(over_noise(spoken(text, language), dbm0)).who is Who.MACHINE


def over_noise(pcm: bytes, dbm0: float) -> bytes:
    """The voice at a level, with noise that goes on after it."""
    voice = np.frombuffer(pcm, "<i2").astype(float)
    loud = voice[np.abs(voice) > 200]
    voice *= np.sqrt(power(dbm0) / np.mean(loud**2))
    wave = np.concatenate([np.zeros(RATE // 2), voice, np.zeros(5 * RATE)])
    wave += np.random.default_rng(1).normal(0.0, np.sqrt(power(dbm0 - 20)), len(wave))
    return np.clip(wave, -32768, 32767).astype("<i2").tobytes()


def test_what_is_neither():
    assert answered(b"").reason is Reason.INITIAL_SILENCE
    assert answered(ringback(RATE) * 3).reason is Reason.TOO_LONG
    assert answered(ringback(RATE, "1") * 2).reason is Reason.TOO_LONG
    fax = tone((Partial(1100, -10),), 500, RATE) + silence(3000, RATE)
    assert answered(fax).reason is Reason.FAX
    assert answered(music(4)).reason is Reason.LONG_GREETING


def music(seconds: int) -> bytes:
    time = np.arange(RATE * seconds) / RATE
    step = 2 ** (np.floor(time * 4) % 5 / 12)
    chord = sum(np.sin(2 * np.pi * hertz * step * time) for hertz in (220, 277, 330))
    return (3000 * chord).astype("<i2").tobytes()


def test_a_short_greeting_with_a_beep_is_a_machine():
    beep = tone((Partial(1000, -12),), 300, RATE)
    answer = answered(spoken("Hello", "en") + silence(200, RATE) + beep)
    assert (answer.who, answer.reason) == (Who.MACHINE, Reason.BEEP)


def greeting_end(pcm: bytes) -> tuple[GreetingEnd, int]:
    meter, watch = SoundMeter(RATE), GreetingWatch(quiet_ms=2500, wait_ms=20_000)
    for count, frame in enumerate(frames(pcm)):
        if (end := watch.take(meter.take(frame))) is not None:
            return end, 20 * (count + 1)
    raise AssertionError("no end")


@pytest.mark.parametrize("hertz", [420, 850, 1000, 1400, 2000])
@pytest.mark.parametrize("language", GREETINGS)
def test_the_message_may_begin_when_the_beep_is_over(language, hertz):
    greeting = spoken(GREETINGS[language], language) + silence(700, RATE)
    beep = tone((Partial(hertz, -15),), 250, RATE)
    end, at_ms = greeting_end(greeting + beep + silence(4000, RATE))
    assert end is GreetingEnd.BEEP
    over_ms = len(greeting + beep) // 16
    assert 0 < at_ms - over_ms <= 120


def test_without_a_beep_a_long_silence_is_the_end():
    greeting = spoken(GREETINGS["en"], "en")
    end, at_ms = greeting_end(greeting + silence(5000, RATE))
    assert end is GreetingEnd.QUIET
    assert 2000 < at_ms - len(greeting) // 16 <= 2600


def test_patience_ends():
    assert greeting_end(spoken(GREETINGS["en"], "en") * 8)[0] is GreetingEnd.WAITED
