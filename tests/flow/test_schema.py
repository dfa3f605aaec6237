"""The schema is held against the loader: what the loader takes, the schema takes; and a mistake of shape is
refused by both."""

import copy
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from ivr.flow.loader import check_file
from ivr.flow.scenarios import ScenarioError, load_scenarios
from ivr.flow.schema import flow_schema
from ivr.flow.schema_scenarios import scenario_schema
from ivr.flow.verbs import VERBS
from tests.flow.calls import write_wav
from tests.flow.kitchen import FLOW

ROOT = Path(__file__).parents[2]
BAD = ROOT / "tests" / "flows" / "bad"
GOOD = [
    path
    for folder in (ROOT / "flows", ROOT / "tests" / "flow", ROOT / "ivr" / "flow" / "templates")
    for path in sorted(folder.glob("*.yaml"))
    if ".scenarios" not in path.name
]
SCENARIOS = sorted((ROOT / "flows").glob("*.scenarios.yaml"))

SHAPE = {
    "rule1_branch_without_else", "rule1_misspelt_verb", "rule1_no_verb", "rule1_outcome_without_target",
    "rule1_two_verbs", "rule1_verb_not_available", "rule1_wait_without_end", "rule2_wait_for_no_key",
    "rule8_no_topic_named", "rule9_wait_of_two_hours", "rule2_choice_without_key_and_intent",
    "rule2_key_not_on_a_telephone", "rule3_unknown_type", "rule9_duration_without_unit", "rule9_language_no",
    "rule9_not_a_mapping", "rule9_unknown_field", "rule9_unquoted_key_digit", "rule9_options_yes_no",
    "rule9_braces_unquoted", "rule9_empty", "many_at_once", "rule3_accept_without_whisper",
    "rule9_whisper_of_a_blind_transfer",
}  # fmt: skip
"""Fixtures that can be told from a good flow without looking at names and meanings."""


@cache
def validator(scenarios: bool = False) -> Draft202012Validator:
    return Draft202012Validator(scenario_schema() if scenarios else flow_schema())


def errors(document: Any) -> list[str]:
    return [error.message for error in validator().iter_errors(document)]


@pytest.mark.parametrize("schema", [flow_schema, scenario_schema])
def test_it_is_a_schema(schema):
    Draft202012Validator.check_schema(schema())
    json.dumps(schema())


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_flow_that_loads_validates(path):
    assert check_file(path) == []
    assert errors(yaml.safe_load(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_scenarios_that_load_validate(path):
    load_scenarios(path)
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert [error.message for error in validator(True).iter_errors(document)] == []


@pytest.mark.parametrize("path", sorted(BAD.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_mistake_of_shape_is_refused_by_both(path):
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        return  # no editor gets as far as the schema
    if path.stem in SHAPE:
        assert check_file(path) != []
        assert errors(document) != []


def test_every_verb_has_its_shape_and_says_what_it_does():
    steps = flow_schema()["$defs"]
    for verb in VERBS:
        assert steps[f"{verb} step"]["properties"].keys() >= {verb}
        assert len(steps[f"{verb} step"]["description"]) > 10


# --- changed flows

VERY_FLOW = """
flow: every-verb
languages: [en, hi]
params: {amount: rupees, city: {type: text, optional: true}, language: language}
variables: {tries: {type: count, default: 0}, state: optional text}
result:
  answer: {one_of: [good, bad], default: good}
  pin: optional digits
  who: {one_of: [human, machine, unknown], default: unknown}
limits: {call: 8m, visits: 3}
voice: {en: m2}
rate: 1.1
say_as: {Acme: {en: "ack me", hi: "ऐक्मी"}}
events: {hangup: report, failure: report, operator: desk}
start: who
intents: {later: {en: ["later on"], hi: ["बाद में"]}}
steps:
  who:
    voicemail:
      machine: leave_message
      message: hello
      into: who
      timings: {greeting: 2s, maximum_words: 5}
    next: hello
  hello: {say: {prompt: hello, barge_in: none}, next: size}
  size: {branch: [{if: "amount > 10", next: count}, {else: ask}]}
  count: {set: {tries: "{{ tries + 1 }}", answer: bad}, next: ask}
  ask:
    menu:
      prompt: {en: "1 or 2?", hi: "1 या 2?"}
      barge_in: any
      choices:
        one: {key: "1", intent: affirm, set: {answer: good}, next: pin}
        two: {key: "#", phrases: {en: ["number two"], hi: ["नंबर दो"]}, next: look}
        later: {intent: later, next: report}
      retry: {wait: 4s, prompts: [hello]}
      otherwise: report
  pin:
    collect:
      prompt: hello
      into: pin
      keys: {length: 4, end: "#", gap: 2s}
      speech: {slot: digits, max: 8s, end_silence: 800ms}
      accept: "pin != '0000'"
      next: look
      otherwise: report
  look:
    request: {get: status, body: {a: "{{ amount }}", deep: {n: 1}}, answer: {state: order.0.state}}
    next: desk
    otherwise: report
  desk: {transfer: {to: "+911234567890", context: result, wait: 20s}, next: report, otherwise: memo}
  memo:
    record:
      prompt: hello
      barge_in: keys
      beep: true
      length: 30s
      silence: 2s
      end: "*"
      into: state
    next: told
    otherwise: report
  told: {consent: {for: recording, prompt: hello}, next: offers}
  offers:
    consent:
      for: {opt_in: offers}
      prompt: hello
      agree: {key: "1", intent: affirm}
      refuse: {key: "2", phrases: {en: ["not me"], hi: ["मैं नहीं"]}}
      barge_in: keys
      retry: {wait: 4s, prompts: [hello]}
    next: report
    otherwise: person
  person:
    transfer:
      to: "+911234567890"
      mode: attended
      whisper: hello
      accept: "1"
      sound: music
      wait: 30s
      queued: {prompt: {en: "Number {{ tries }}", hi: "{{ tries }}"}, into: tries, every: 20s}
    next: report
    otherwise: report
  report: {request: {post: report, body: result, background: true}, next: bye}
  bye: {end: normal}
prompts:
  hello: {en: {audio: hello.wav, text: "Hello"}, hi: "नमस्ते"}
"""

SOURCES = [yaml.safe_load(VERY_FLOW), yaml.safe_load(FLOW)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flows")
    write_wav(folder / "hello.wav")
    return folder


def loads(folder: Path, document: Any) -> bool:
    path = folder / "flow.yaml"
    path.write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return check_file(path) == []


def test_the_flows_that_are_changed_are_right(folder):
    for document in SOURCES:
        assert loads(folder, document)
        assert errors(document) == []


def places(node: Any) -> list[tuple[Any, Any]]:
    """Every container with each of its keys."""
    keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else []
    return [(node, key) for key in keys] + [place for key in keys for place in places(node[key])]


VALUES = st.sampled_from(
    [None, True, False, 0, 3, 7.5, "", "x", "5s", "bye", "hello", "1", "optional text", "result", [], ["x"],
     {}, {"x": 1}, {"en": "Hi", "hi": "हाय"}, {"type": "count"}, {"else": "bye"},
     {"say": "hello", "next": "bye"}]
)  # fmt: skip


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.data())
def test_what_the_loader_takes_the_schema_takes(folder, data):
    document = copy.deepcopy(data.draw(st.sampled_from(SOURCES)))
    for _ in range(data.draw(st.integers(1, 2))):
        container, key = data.draw(st.sampled_from(places(document)))
        what = data.draw(st.sampled_from(["drop", "replace", "rename", "add"]))
        if what == "drop":
            del container[key]
        elif what == "replace" or isinstance(container, list):
            container[key] = data.draw(VALUES)
        else:
            word = data.draw(st.sampled_from(["next", "otherwise", "key", "text", "zz", "wait", "in te"]))
            container[word] = container.pop(key) if what == "rename" else data.draw(VALUES)
    if loads(folder, document):
        assert errors(document) == []


WRONG_SHAPES = [
    (("flow",), None),
    (("languages",), "hi"),
    (("languages", 0), "fr"),
    (("limits", "call"), 5),
    (("limits", "visits"), 0),
    (("params", "amount"), "money"),
    (("result", "answer", "one_of"), []),
    (("start",), None),
    (("steps", "hello", "next"), None),
    (("steps", "hello", "say", "barge_in"), "sometimes"),
    (("steps", "size", "branch"), [{"if": "amount > 10", "next": "ask"}]),
    (("steps", "ask", "menu", "choices"), {}),
    (("steps", "ask", "menu", "choices", "one", "key"), "11"),
    (("steps", "ask", "menu", "otherwise"), None),
    (("steps", "ask", "menu", "retry", "wait"), "soon"),
    (("steps", "pin", "collect", "keys", "length"), "four"),
    (("steps", "pin", "collect", "keys", "end"), "1"),
    (("steps", "pin", "collect", "speech", "slot"), "colour"),
    (("steps", "look", "request", "post"), "other"),
    (("steps", "look", "otherwise"), None),
    (("steps", "look", "request", "answer", "state"), "order state"),
    (("steps", "report", "request", "answer"), {"state": "state"}),
    (("steps", "desk", "transfer", "to"), None),
    (("steps", "desk", "transfer", "whisper"), "hello"),
    (("steps", "person", "transfer", "mode"), None),
    (("steps", "person", "transfer", "mode"), "warm"),
    (("steps", "person", "transfer", "accept"), "12"),
    (("steps", "person", "transfer", "whisper"), None),
    (("steps", "person", "transfer", "sound"), "noise"),
    (("steps", "person", "transfer", "queued", "into"), None),
    (("steps", "bye", "end"), "well"),
    (("steps", "bye", "next"), "hello"),
    (("prompts", "hello", "en", "audio"), 1),
    (("anything",), "else"),
]


@pytest.mark.parametrize(
    ("place", "value"), WRONG_SHAPES, ids=[".".join(map(str, p)) for p, _ in WRONG_SHAPES]
)
def test_a_wrong_shape_is_refused_by_both(folder, place, value):
    document = copy.deepcopy(SOURCES[0])
    container = document
    for key in place[:-1]:
        container = container[key]
    if value is None:
        del container[place[-1]]
    else:
        container[place[-1]] = value
    assert not loads(folder, document)
    assert errors(document) != []


@pytest.mark.parametrize(
    "step",
    [{"heers": "x"}, {"hears": "x", "says": "y"}, {"hears": " "}, {"presses": "1x"}, {"silence": 5},
     {"hangs_up": False}, {"transfer": "gone"}, {"queued": 0}, {"transfer": {"whispers": "x"}},
     {"replies": {"status": 500}}, {"sends": {"body": {}}}],
    ids=str,
)  # fmt: skip
def test_a_wrong_step_of_a_scenario_is_refused_by_both(folder, step):
    (folder / "a.yaml").write_text(FLOW, encoding="utf-8")
    document = {"flow": "kitchen", "with": {"name": "Asha"}, "scenarios": [{"name": "a", "steps": [step]}]}
    path = folder / "a.scenarios.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    with pytest.raises(ScenarioError):
        load_scenarios(path)
    assert not validator(True).is_valid(document)
