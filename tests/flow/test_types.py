"""Phone numbers, order ids, yes or no, and lists: as parameters, in texts and conditions, asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ivr.flow.model import Flow
from ivr.flow.problems import ParamError
from ivr.flow.protocol import Heard, Key, PromptDone
from ivr.flow.types import Mismatch, ValueType, to_json
from tests.flow.calls import Call

Build = Callable[[str], Flow]

FLOW = """
flow: types
languages: [en, hi]
params: {rider: phone, order: order_id, gift: yes_no, dishes: list}
variables:
  desk: {type: phone, default: "+91 22 1234 5678"}
  extras: {type: list, default: [tea, "2 rotis"]}
result:
  callback: optional phone
  named: optional order_id
  wrapped: optional yes_no
  size: {one_of: [small, extra_large, unknown], default: unknown}
limits: {call: 30m}
intents:
  small: {en: [little one], hi: [छोटा]}
  extra_large: {hi: [बड़ा वाला]}
start: hello
steps:
  hello: {say: hello, next: which}
  which:
    branch:
      - {if: "gift and 'soup' in dishes and dishes | length < 9", next: callback}
      - {else: bye}
  callback:
    collect:
      {prompt: hello, into: callback, keys: {length: 3..15, end: "#"}, speech: {slot: phone},
       next: named, otherwise: bye}
  named:
    collect:
      {prompt: hello, into: named, keys: {length: 1..9, end: "#"}, speech: {slot: order_id},
       next: wrapped, otherwise: bye}
  wrapped:
    collect:
      {prompt: hello, into: wrapped, keys: {length: 1}, speech: {slot: yes_no}, next: size, otherwise: bye}
  size:
    collect: {prompt: hello, into: size, speech: {slot: one_of}, next: bye, otherwise: bye}
  bye: {end: normal}
prompts:
  hello:
    en: "{{ rider }}; {{ order }}; {{ gift }}; {{ dishes }}; {{ extras }}; {% if not gift %}no{% endif %}"
    hi: "{{ rider }}; {{ order }}; {{ gift }}; {{ dishes }}; {{ extras }}"
"""
GIVEN = {"rider": "+91 98765-43210", "order": "ORD-48", "gift": True, "dishes": ["soup", "rice", "dal"]}


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        ("phone", "+91 98765-43210", "+919876543210"),
        ("phone", "(022) 1234.5678", "02212345678"),
        ("phone", "112", "112"),
        ("order_id", "ORD-48213/2", "ORD-48213/2"),
        ("order_id", "007", "007"),
        ("yes_no", True, True),
        ("yes_no", "No", False),
        ("yes_no", "true", True),
        ("list", ["a", "b"], ("a", "b")),
        ("list", [], ()),
    ],
)
def test_is_accepted(kind: str, raw: Any, value: object) -> None:
    assert ValueType(kind).accept(raw) == value


@pytest.mark.parametrize(
    ("kind", "raw", "message"),
    [
        ("phone", 9876543210, "must be a phone number in quotes"),
        ("phone", "12", "3 to 15 digits"),
        ("phone", "1234567890123456", "3 to 15 digits"),
        ("phone", "98765x", "3 to 15 digits"),
        ("phone", "91+98", "3 to 15 digits"),
        ("phone", True, "3 to 15 digits"),
        ("order_id", 48213, "lose leading zeros"),
        ("order_id", "", "letters and digits"),
        ("order_id", "-5", "letters and digits"),
        ("order_id", "ओ४", "letters and digits"),
        ("order_id", "X" * 65, "letters and digits"),
        ("yes_no", 1, "must be true or false"),
        ("yes_no", "maybe", "must be true or false"),
        ("list", "a, b", "must be a list of at most 50 texts"),
        ("list", ["a"] * 51, "must be a list of at most 50 texts"),
        ("list", ["a", 2], "each text of it must be a text, in quotes"),
        ("list", {"a": 1}, "must be a list"),
    ],
)
def test_is_refused(kind: str, raw: Any, message: str) -> None:
    with pytest.raises(Mismatch, match=message):
        ValueType(kind).accept(raw)


def test_a_list_and_a_truth_go_back_to_json() -> None:
    assert to_json(("a", "b")) == ["a", "b"]
    assert to_json(True) is True


def test_they_are_spoken(flow_of: Build) -> None:
    flow = flow_of(FLOW)
    english, hindi = Call(flow, **GIVEN), Call(flow, "hi", **GIVEN)
    english.start()
    hindi.start()
    assert english.said == (
        "plus nine one, nine eight seven six five, four three two one zero; O R D, four eight; yes; "
        "soup, rice and dal; tea and two rotis;"
    )
    assert hindi.said.endswith("; ओ आर डी, चार आठ; हाँ; soup, rice और dal; tea और दो rotis")
    refused = Call(flow, **{**GIVEN, "gift": "no", "dishes": []})
    refused.start()
    assert refused.said.endswith("; no; ; tea and two rotis; no")


def call_at_callback(flow: Flow, language: str) -> Call:
    call = Call(flow, language, **GIVEN)
    call.start()
    call.send(PromptDone(call.saying))
    assert call.machine.step == "callback"
    return call


def test_they_are_asked_for_by_voice(flow_of: Build) -> None:
    call = call_at_callback(flow_of(FLOW), "hi")
    for said in ("प्लस नौ एक डबल नौ आठ सात", "ओ आर डी चार आठ", "नहीं", "बड़ा वाला"):
        call.send(Heard(said))
    assert call.machine.finished
    assert call.machine.result == {
        "callback": "+919987",
        "named": "ORD48",
        "wrapped": False,
        "size": "extra_large",
    }


def test_they_are_asked_for_by_key(flow_of: Build) -> None:
    call = call_at_callback(flow_of(FLOW), "en")
    for key in "9876543210#0482#1":
        call.send(Key(key))
    call.send(Heard("the little one"))
    assert call.machine.result == {
        "callback": "9876543210",
        "named": "0482",
        "wrapped": True,
        "size": "small",
    }


def test_an_unfit_parameter_is_named(flow_of: Build) -> None:
    with pytest.raises(ParamError) as caught:
        flow_of(FLOW).bind({**GIVEN, "gift": "perhaps", "dishes": "soup"})
    assert caught.value.fields == {
        "gift": "must be true or false",
        "dishes": "must be a list of at most 50 texts",
    }


MENU = """
flow: keys
languages: [en, hi, mr]
result: {chosen: {one_of: [one, two, nothing], default: nothing}}
limits: {call: 10m}
start: ask
steps:
  ask:
    menu:
      prompt: ask
      choices:
        one: {key: "1", intent: affirm, set: {chosen: one}, next: bye}
        two: {key: "2", set: {chosen: two}, next: bye}
      retry: {wait: 5s, prompts: [ask]}
      otherwise: bye
  bye: {end: normal}
prompts:
  ask: {en: Ask?, hi: पूछें?, mr: विचारा?}
"""


@pytest.mark.parametrize(
    ("language", "said", "chosen"),
    [
        ("en", "one", "one"),
        ("en", "press two please", "two"),
        ("hi", "एक", "one"),
        ("hi", "दो नंबर", "two"),
        ("mr", "दोन दाबा", "two"),
        ("en", "yes", "one"),
        ("en", "three", "nothing"),
        ("hi", "एक मिनट रुको", "nothing"),
        ("mr", "बारा", "nothing"),
        ("en", "one or two", "nothing"),
        ("en", "zero", "nothing"),
    ],
)
def test_a_choice_may_be_asked_for_by_its_key(flow_of: Build, language: str, said: str, chosen: str) -> None:
    call = Call(flow_of(MENU), language)
    call.start()
    call.send(Heard(said), 1.0)
    assert call.machine.result == {"chosen": chosen}
    assert call.machine.finished is (chosen != "nothing")
