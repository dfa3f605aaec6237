"""Which voices flows may name is known before any engine runs, and said when one is misspelt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engines.catalogue import find
from engines.tts.espeak import VARIANTS
from engines.tts.profiles import Consent, VoiceProfiles
from ivr.config import Config
from ivr.engine_places import shelf_of
from ivr.flow.loader import check_file
from ivr.known_voices import known_voices, voices_of_engine
from ivr.library import environment_of
from tests.flow.calls import write_wav


def config(tmp_path: Path, **engines: Any) -> Config:
    return Config.model_validate({"store": {"path": str(tmp_path)}, "engines": engines})


def test_the_embedded_voices_are_there_without_any_engine(tmp_path: Path) -> None:
    assert known_voices(config(tmp_path)) == dict.fromkeys(("hi", "mr", "en"), VARIANTS)


def test_those_of_every_engine_of_a_languages_chains(tmp_path: Path) -> None:
    found = known_voices(
        config(
            tmp_path,
            tts={"hi": ["kokoro", "indic-parler"], "en": ["chatterbox-turbo", "elevenlabs"]},
            setup={"elevenlabs": {"key": "k" * 8, "voices": {"asha": "id1"}}},
        )
    )
    assert found["hi"] == VARIANTS | set(find("kokoro").voices["hi"]) | {"Divya", "Rohit", "Rani", "Aman"}
    assert found["en"] == VARIANTS | {"asha"}
    assert found["mr"] == VARIANTS


def test_a_language_whose_engine_may_have_others_is_not_checked(tmp_path: Path) -> None:
    """What nobody has seen is no mistake."""
    told = config(
        tmp_path,
        tts={"en": ["vibevoice-realtime"], "hi": ["xtts-v2"]},
        setup={"xtts-v2": {"licence_accepted": True}},
    )
    assert known_voices(told) == {"mr": VARIANTS}
    shelf_of(told).note(find("xtts-v2"), voices={"hi": ["Ana Florence"], "en": ["Ana Florence"]})
    assert known_voices(told)["hi"] == VARIANTS | {"Ana Florence"}


def test_files_beside_the_weights_are_voices(tmp_path: Path) -> None:
    voices = tmp_path / "weights" / "voices"
    voices.mkdir(parents=True)
    (voices / "en-Carter_man.pt").write_bytes(b"")
    told = config(
        tmp_path,
        tts={"en": ["vibevoice-realtime"]},
        setup={"vibevoice-realtime": {"weights": str(tmp_path / "weights")}},
    )
    assert known_voices(told)["en"] == VARIANTS | {"en-Carter_man"}
    write_wav(voices / "asha.wav", b"\0\1" * 100)
    other = config(
        tmp_path, setup={"cosyvoice3": {"weights": "/nowhere", "options": {"voices": str(voices)}}}
    )
    assert voices_of_engine(other, "cosyvoice3") == {
        language: {"asha"} for language in find("cosyvoice3").languages
    }


def test_an_engine_elsewhere_has_those_that_it_was_seen_with_and_the_profiles(tmp_path: Path) -> None:
    told = config(
        tmp_path, tts={"en": ["chatterbox-turbo"]}, setup={"chatterbox-turbo": {"address": "http://gpu:7002"}}
    )
    assert "en" not in known_voices(told)
    profile = VoiceProfiles(tmp_path / "voices").make(
        name="Asha", owner="shop", language="en", engine="chatterbox-turbo", transcript="",
        consent=Consent("Asha", "2026-01-01T00:00:00+05:30", "Yes."), pcm=b"\0\1" * 80_000, rate=8000,
    )  # fmt: skip
    shelf_of(told).note(find("chatterbox-turbo"), voices={"en": ["voice_of_before"]})
    assert known_voices(told)["en"] == VARIANTS | {"voice_of_before", profile.id}


FLOW = """
flow: hello
languages: [hi, mr]
voice: {hi: hf_alfa, mr: Nobody}
start: hello
steps:
  hello: {say: {hi: "नमस्ते", mr: "नमस्कार"}, next: end}
  end: {end: normal}
"""


def test_a_misspelt_voice_is_told_with_the_nearest(tmp_path: Path) -> None:
    told = config(tmp_path, tts={"hi": ["kokoro"], "mr": ["indic-parler"]})
    (tmp_path / "hello.yaml").write_text(FLOW, encoding="utf-8")
    problems = check_file(tmp_path / "hello.yaml", environment_of(told))
    assert [(problem.line, problem.message, problem.hint) for problem in problems] == [
        (4, 'there is no voice "hf_alfa" for hi', 'did you mean "hf_alpha"?'),
        (
            4,
            'there is no voice "Nobody" for mr',
            "there are, among others, Isha, Nikhil, Radha, Sanjay, Sunita, Varun, f1, f2, f3, f4, f5, m1",
        ),
    ]


@pytest.mark.parametrize("name", ["espeak", "kokoro"])
def test_the_voices_of_one_engine(tmp_path: Path, name: str) -> None:
    found = voices_of_engine(config(tmp_path), name)
    assert found is not None
    assert found["hi"]
