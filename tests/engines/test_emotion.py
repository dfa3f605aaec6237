"""The authors' vocabulary, and what each engine makes of it."""

from __future__ import annotations

import pytest

from engines.tts.emotion import (
    EMOTIONS,
    TAGS,
    Fitted,
    UnknownTag,
    check_tags,
    fit,
    spoken_parts,
    style,
    without_tags,
)

TEXT = "[laugh] That was quick, [clear throat] was it not [breath]? [Sigh]"


@pytest.mark.parametrize(
    ("engine", "fitted"),
    [
        (
            "chatterbox-turbo",
            Fitted("[laugh] That was quick, [clear throat] was it not? [sigh]", ("breath",)),
        ),
        (
            "cosyvoice3",
            Fitted("[laughter] That was quick, was it not [breath]?", ("clear throat", "sigh")),
        ),
        ("espeak", Fitted("That was quick, was it not?", ("laugh", "clear throat", "breath", "sigh"))),
        ("kokoro", Fitted("That was quick, was it not?", ("laugh", "clear throat", "breath", "sigh"))),
    ],
)
def test_a_tag_is_voiced_or_dropped(engine: str, fitted: Fitted) -> None:
    assert fit(TEXT, engine) == fitted


def test_a_text_without_tags_is_left_as_it_is() -> None:
    text = "Two  blanks , and [brackets]"
    assert fit(text, "espeak") == Fitted(text)
    assert without_tags("[cough]") == ""


def test_a_tag_that_does_not_exist_is_told_with_what_was_meant() -> None:
    check_tags(" ".join(f"[{tag}]" for tag in TAGS))
    check_tags("[CLEAR_THROAT]")
    with pytest.raises(UnknownTag, match=r'no tag "\[lauhg\]"; did you mean "\[laugh\]"\?'):
        check_tags("well [lauhg]")
    with pytest.raises(UnknownTag, match="there are laugh, chuckle"):
        check_tags("[zzz]")


def test_words_are_rewritten_beside_tags() -> None:
    assert spoken_parts("one [sigh] two [x]") == [("one ", False), ("[sigh]", True), (" two [x]", False)]
    assert "".join(part for part, _ in spoken_parts(TEXT)) == TEXT


@pytest.mark.parametrize("engine", ["chatterbox-multilingual", "elevenlabs"])
def test_an_emotion_grows_with_its_intensity(engine: str) -> None:
    none, half, full = (style(engine, "excited", intensity) for intensity in (0.0, 0.5, 1.0))
    assert none == style(engine, "neutral")
    assert none is not None
    assert half is not None
    assert full is not None
    for key in none:
        steps = [float(at[key]) for at in (none, half, full)]
        assert steps in (sorted(steps), sorted(steps, reverse=True))
        assert len(set(steps)) > 1
        assert all(0 <= step <= 1 for step in steps)


def test_engines_that_take_words_get_words() -> None:
    assert style("indic-parler", "sorry", 0.9) == {"tone": "very apologetic and gentle"}
    assert style("cosyvoice3", "neutral") == {"tone": ""}
    assert style("cosyvoice3", "happy", 0.0) == {"tone": ""}


def test_an_engine_without_emotions_says_so() -> None:
    assert [style("kokoro", emotion) for emotion in EMOTIONS] == [{}, *[None] * (len(EMOTIONS) - 1)]
    with pytest.raises(ValueError, match="no emotion 'hapy'; there are neutral"):
        style("kokoro", "hapy")
