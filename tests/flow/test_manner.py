"""How a flow is spoken: voices, rate, and how words are said."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.flow.diff import diff
from ivr.flow.loader import Environment, check_file, load_flow
from ivr.flow.model import Flow
from ivr.flow.protocol import Say, Text
from ivr.flow.rehearsal import play
from ivr.flow.respelling import Respelling
from ivr.flow.scenarios import load_scenarios
from tests.flow.calls import Call

FLOW = """
flow: brand
languages: [hi, en]
voice: {hi: f2}
rate: 1.25
say_as:
  Mangwale: {hi: "मंगवाले", en: "mung-wah-lay"}
  Mangwale 2: {en: "mung-wah-lay the second"}
params: {vendor: text, dishes: list, order: digits, amount: rupees}
start: hello
steps:
  hello: {say: hello, next: bye}
  bye: {end: normal}
prompts:
  hello:
    hi: "MANGWALE में {{ vendor }}, {{ dishes }}, {{ order }}, {{ amount }}। Mangwalekar नहीं।"
    en: "Mangwale: {{ vendor }}, {{ dishes }}, {{ order }}, {{ amount }}. Not Mangwalekar, but Mangwale 2."
"""
VALUES = {"vendor": "Mangwale Foods", "dishes": ["mangwale", "Soup"], "order": "12", "amount": 2}


def said(flow: Flow, language: str) -> Text:
    call = Call(flow, language, **VALUES)
    call.start()
    (utterance,) = call.of(Say)[0].utterances
    assert isinstance(utterance, Text)
    return utterance


def test_words_are_said_as_the_dictionary_says_in_texts_and_in_values_of_text(
    flow_of: Callable[[str], Flow],
) -> None:
    flow = flow_of(FLOW)
    assert said(flow, "en").text == (
        "mung-wah-lay: mung-wah-lay Foods, mung-wah-lay and Soup, one two, two rupees. "
        "Not Mangwalekar, but mung-wah-lay the second."
    )
    assert said(flow, "hi").text == "मंगवाले में मंगवाले Foods, मंगवाले और Soup, एक दो, दो रुपये। Mangwalekar नहीं।"


def test_values_that_are_no_texts_are_left_alone(flow_of: Callable[[str], Flow]) -> None:
    flow = flow_of(FLOW.replace("  Mangwale 2:", "  two: {en: other}\n  Mangwale 2:"))
    assert "one two, two rupees" in said(flow, "en").text


def test_each_text_carries_the_voice_of_its_language_and_the_rate(flow_of: Callable[[str], Flow]) -> None:
    flow = flow_of(FLOW)
    hindi, english = said(flow, "hi"), said(flow, "en")
    assert (hindi.voice, hindi.rate) == ("f2", 1.25)
    assert (english.voice, english.rate) == ("", 1.25)


def test_the_dictionary_of_the_server_holds_too_and_that_of_the_flow_over_it(tmp_path: Path) -> None:
    path = tmp_path / "flow.yaml"
    path.write_text(FLOW, encoding="utf-8")
    shared = {"mangwale": {"en": "wrong"}, "soup": {"en": "broth"}}
    flow = load_flow(path, Environment(say_as=shared))
    assert "mung-wah-lay and broth" in said(flow, "en").text


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("मंगवाले", "X"),
        ("मंगवालेकर मंगवाले। मंगवाले", "मंगवालेकर X। X"),
        ("Sharma   Foods and Sharma", "Y and Z"),
        ("sharmas Sharma-foods Sharma.", "sharmas Z-foods Z."),
        ("Z", "Z"),
        ("क़लम", "pen"),
        ("caf\u0065\u0301", "coffee"),
        ("", ""),
    ],
)
def test_whole_words_the_longest_first_in_any_script(text: str, spoken: str) -> None:
    words = {"मंगवाले": "X", "Sharma": "Z", "Sharma Foods": "Y", "\u0958लम": "pen", "CAFÉ": "coffee"}
    assert Respelling(words)(text) == spoken
    assert pickle.loads(pickle.dumps(Respelling(words)))(text) == spoken


@given(st.dictionaries(st.text(min_size=1).filter(str.strip), st.text(), min_size=1, max_size=5), st.text())
def test_no_word_and_no_text_is_too_odd(words: dict[str, str], text: str) -> None:
    respell = Respelling(words)
    respell(text)
    for word in words:
        respell(f"a {word} b")


def problems(tmp_path: Path, text: str, environment: Environment | None = None) -> list[str]:
    path = tmp_path / "flow.yaml"
    path.write_text(text, encoding="utf-8")
    return [f"{p.line}:{p.column} {p.rule} {p.message}" for p in check_file(path, environment)]


def test_an_unknown_voice_is_told_when_the_engines_are_known(tmp_path: Path) -> None:
    assert problems(tmp_path, FLOW) == []
    offered = Environment(voices={"hi": frozenset({"f1", "m1"})})
    assert problems(tmp_path, FLOW, offered) == ['4:13 8 there is no voice "f2" for hi']


def test_the_hash_and_the_difference_know_of_it(flow_of: Callable[[str], Flow]) -> None:
    before = flow_of(FLOW)
    after = flow_of(FLOW.replace("rate: 1.25", "rate: 0.8").replace("voice: {hi: f2}", "voice: {en: m3}"))
    assert before.hash != after.hash
    changes = {change.what: (change.before, change.after) for change in diff(before, after)}
    assert changes == {
        "voice for en": (None, "m3"),
        "voice for hi": ("f2", None),
        "speaking rate": ("1.25", "0.8"),
    }


SCENARIOS = """
flow: brand
with: {vendor: "Mangwale Foods", dishes: [Soup], order: "12", amount: 2}
scenarios:
  - {name: as it is written, with: {}, steps: [{hears: "Mangwale में"}, {hears: "Mangwale Foods"}]}
  - {name: as it is said, steps: [{hears: "मंगवाले में मंगवाले"}]}
"""


def test_a_scenario_may_write_a_word_either_way(tmp_path: Path) -> None:
    (tmp_path / "brand.yaml").write_text(FLOW, encoding="utf-8")
    path = tmp_path / "brand.scenarios.yaml"
    path.write_text(SCENARIOS, encoding="utf-8")
    file = load_scenarios(path)
    assert [play(file.flow, scenario).failure for scenario in file.scenarios] == [None, None]
