"""The pure parts of the recogniser: sounds, grammars, and the cutting of an utterance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.asr.grammar import END, START, Vocabulary, build
from engines.asr.phones import pronunciations
from engines.asr.signal import MODEL_RATE, Utterance
from tests.fakes.speech import noise, silence


@pytest.mark.parametrize(
    ("ipa", "english", "phones"),
    [
        ("h_ˈã", False, ("HH AA", "HH AA N")),  # हाँ: nasal vowels are heard with and without an N
        ("n_ˈʌ_h_ĩ", False, ("N AH HH IY", "N AH HH IY N")),  # नहीं
        ("ʈʰ_ˈiː_k", False, ("T IY K",)),  # ठीक
        ("s_ʋ_i_k_ˈaː_ɾ", False, ("S V IY K AA R", "S W IY K AA R")),  # स्वीकार
        ("ˈʌ_cʰcʰ_aː", False, ("AH CH AA",)),  # अच्छा: a double consonant is one
        ("j_ˈɛ_s", True, ("Y EH S",)),  # yes
        ("w_ˈɔː_ɾ_ɚ", True, ("W AO T ER",)),  # water: the English tap is a T
        ("(en)_ˌəʊ_k_ˈeɪ_(hi)", True, ("OW K EY",)),  # marks of a switch of language are no sounds
        ("", False, ()),
        ("ˈ_?", False, ()),
    ],
)
def test_sounds_go_to_their_english_neighbours(ipa: str, english: bool, phones: tuple[str, ...]) -> None:
    assert pronunciations(ipa, english=english) == phones


@given(st.text(), st.booleans())
def test_any_text_gives_at_most_four_ways_to_say_it(ipa: str, english: bool) -> None:
    ways = pronunciations(ipa, english=english)
    assert len(ways) <= 4
    assert len(set(ways)) == len(ways)
    assert all(way for way in ways)


def vocabulary() -> tuple[Vocabulary, dict[str, str]]:
    """Words are "pronounced" letter by letter, except that the letter x is silent."""
    dictionary: dict[str, str] = {}
    words = Vocabulary(
        prefix="w",
        pronounce=lambda word: (" ".join(word.replace("x", "").upper()),) if word.strip("x") else (),
        add=dictionary.__setitem__,
    )
    return words, dictionary


def test_each_phrase_is_a_path_from_start_to_end() -> None:
    words, dictionary = vocabulary()
    grammar = build(("yes", "no thanks", "no"), words)
    assert dictionary == {"w0": "Y E S", "w1": "N O", "w2": "T H A N K S"}
    assert grammar.phrases == {"w0": "yes", "w1 w2": "no thanks", "w1": "no"}
    assert grammar.transitions == (
        (START, END, 1.0, "w0"),
        (START, 2, 1.0, "w1"),
        (2, END, 1.0, "w2"),
        (START, END, 1.0, "w1"),
    )


def test_phrases_that_sound_the_same_are_one_and_silent_ones_none() -> None:
    words, _ = vocabulary()
    grammar = build(("yes", "Yes!", "yexs", "xx", "", "?!"), words)
    assert grammar.phrases == {"w0": "yes"}
    assert len(grammar.transitions) == 1
    assert build(("xx",), words).transitions == ()


def test_words_keep_their_ids_from_one_grammar_to_the_next() -> None:
    words, dictionary = vocabulary()
    build(("yes", "no"), words)
    assert build(("no", "maybe"), words).phrases == {"w1": "no", "w2": "maybe"}
    assert len(words) == len(dictionary) == 3
    assert words.phones("w2") == 5


def test_a_word_of_several_sounds_has_numbered_entries() -> None:
    dictionary: dict[str, str] = {}
    words = Vocabulary(prefix="hi", pronounce=lambda _word: ("HH AA", "HH AA N"), add=dictionary.__setitem__)
    assert words.word("हाँ") == "hi0"
    assert dictionary == {"hi0": "HH AA", "hi0(2)": "HH AA N"}


def test_devanagari_signs_stay_in_the_word() -> None:
    heard: list[str] = []

    def pronounce(word: str) -> tuple[str, ...]:
        heard.append(word)
        return (word,)

    build(("ठीक है, ज़रूर!",), Vocabulary("w", pronounce, lambda _id, _phones: None))
    assert heard == ["ठीक", "है", "ज़रूर"]


def test_speech_is_found_in_silence() -> None:
    """Half a second of sound, 400 ms after the start, in frames of 20 ms."""
    utterance = Utterance(8000)
    audio = silence(3200) + noise(4000, rms=2000) + silence(1600)
    for at in range(0, len(audio), 320):
        utterance.add(audio[at : at + 320])
    speech = utterance.speech()
    assert speech is not None
    assert (speech.first, speech.end) == (40, 90)
    assert speech.seconds == pytest.approx(0.5)
    assert not utterance.pausing(speech)
    utterance.add(silence(800))
    assert utterance.pausing(speech)
    assert utterance.speech() == speech


@pytest.mark.parametrize("rms", [100, 1000, 10_000])
@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize("around_s", [1.0, 0.05, 0.0])  # a file may be cut closer than the margins
def test_it_is_given_at_one_loudness_and_rate_with_its_margins(
    rms: float, rate: int, around_s: float
) -> None:
    utterance = Utterance(rate)
    quiet = silence(int(around_s * rate))
    utterance.add(quiet + noise(rate // 2, rms) + quiet)
    speech = utterance.speech()
    assert speech is not None
    pcm = np.frombuffer(utterance.prepare(speech), "<i2").astype(np.float64)
    assert len(pcm) == pytest.approx(MODEL_RATE * (0.3 + 0.5 + 0.3), abs=10)
    middle = pcm[int(0.4 * MODEL_RATE) : int(0.7 * MODEL_RATE)]
    assert np.sqrt((middle**2).mean()) == pytest.approx(3000, rel=0.1)
    edge = pcm[: int(0.2 * MODEL_RATE)]
    assert np.sqrt((edge**2).mean()) == pytest.approx(120, rel=0.1)  # the floor, not digital silence


@pytest.mark.parametrize("pcm", [b"", b"\x01", silence(8000), noise(8000, rms=10)], ids=len)
def test_silence_is_no_speech(pcm: bytes) -> None:
    utterance = Utterance(8000)
    utterance.add(pcm)
    assert utterance.speech() is None
