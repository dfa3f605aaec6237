"""What the pages about flows are made of: a copy that is read, traffic in a graph, a call as text."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ivr.admin.flows import comparing, picture, script
from ivr.admin.flows.copy import FlowCopy, names_within
from ivr.admin.flows.told import percent
from ivr.api.traffic import FlowTraffic, StepTraffic, WayTraffic
from ivr.flow.problems import FlowError
from ivr.flow.simulator import Simulation

FLOWS = Path(__file__).parents[2] / "flows"
TEXT = (FLOWS / "vendor_order.yaml").read_text(encoding="utf-8")
SCENARIOS = (FLOWS / "vendor_order.scenarios.yaml").read_text(encoding="utf-8")
ORDER = FlowCopy("vendor-order", TEXT, SCENARIOS)
HELLO = """flow: hello
languages: [en]
start: greet
steps:
  greet: {say: greet, next: pay}
  pay: {flow: payment, next: bye, otherwise: bye}
  bye: {end: normal}
prompts:
  greet: {en: {audio: audio/greet.wav}}
"""
PAYMENT = """flow: payment
languages: [en]
start: ask
steps:
  ask: {say: {en: "Pay."}, next: done}
  done: {end: normal}
"""


def traffic(
    *steps: tuple[str, int, int, int], ways: tuple[tuple[str, str, str, int], ...] = ()
) -> FlowTraffic:
    now = datetime.now(UTC)
    return FlowTraffic(
        flow="vendor-order",
        hash=None,
        since=now,
        until=now,
        complete=True,
        calls=max((calls for _, calls, _, _ in steps), default=0),
        live=0,
        steps=[
            StepTraffic(step=step, calls=calls, visits=visits, mean_visits=visits / calls, hung_up=lost)
            for step, calls, visits, lost in steps
        ],
        ways=[WayTraffic(step=step, outcome=out, next=to, count=n) for step, out, to, n in ways],
        endings=[],
    )


# --- the copy


def test_a_copy_is_read_with_the_flows_it_enters_and_without_its_audio() -> None:
    flow = FlowCopy("hello", HELLO, None, {"payment": PAYMENT}).flow()
    assert set(flow.family) == {"hello", "payment"}
    assert names_within(HELLO) >= {"hello", "payment"}


def test_a_name_outside_of_the_folder_is_the_checks_business(tmp_path: Path) -> None:
    outside = HELLO.replace("audio/greet.wav", "../../greet.wav")
    with pytest.raises(FlowError, match="lies outside the folder"):
        FlowCopy("hello", outside, None, {"payment": PAYMENT}).flow()


@pytest.mark.parametrize("text", ["", "\0", "- a\n- b", "flow: [", "flow: hello", "🙂", "x" * 600_000])
def test_what_is_no_flow_is_refused_with_its_problems(text: str) -> None:
    with pytest.raises(FlowError) as refused:
        FlowCopy("hello", text).flow()
    assert refused.value.problems


def test_scenarios_give_values_and_are_played() -> None:
    assert ORDER.samples()["order"] == "48213"
    assert FlowCopy("vendor-order", TEXT).samples() == {}
    assert len(ORDER.scenario_file().scenarios) > 10


# --- the traffic in the graph


def test_steps_in_which_callers_hang_up_come_first() -> None:
    counted = traffic(("offer", 100, 120, 4), ("eta", 60, 60, 9), ("bye", 80, 80, 20))
    found = {row.step: row for row in picture.rows(ORDER.flow(), counted)}
    assert list(found)[:3] == ["eta", "offer", "bye"]
    assert (found["eta"].share, found["offer"].mean_visits) == (0.15, 1.2)
    assert found["bye"].hung_up == 0  # the call was over
    assert set(found) == set(ORDER.flow().steps)


def test_the_picture_tells_counts_and_where_callers_hung_up() -> None:
    ways = (("offer", "accept", "eta", 60),)
    drawn = picture.picture(ORDER.flow(), traffic(("offer", 100, 120, 4), ways=ways), "en")
    assert "4 hung up here (3%)" in drawn
    assert re.search(r"accept \(1\) ×60", drawn)
    assert "Press 1 to" in drawn
    assert 'data-step="offer"' in drawn


def test_ways_that_only_older_versions_had_are_shown() -> None:
    flow = ORDER.flow()
    counted = traffic(("offer", 9, 9, 0), ("gone", 2, 2, 0), ways=(("offer", "later", "gone", 2),))
    ways = picture.ways_of(flow.steps["offer"], counted)
    assert ways[0] == picture.Ways("later", "gone", 2)
    assert {way.outcome for way in ways} >= {"accept", "reject", "otherwise", "later"}
    assert picture.gone_steps(flow, counted) == ["gone"]


def test_every_wording_of_a_step_is_shown_once() -> None:
    said = list(picture.prompts_of(ORDER.flow().steps["offer"]))
    assert {language for _, language, _ in said} == {"hi", "mr", "en"}
    assert len(said) == len(set(said))


def test_shares_are_told_so_that_none_and_few_differ() -> None:
    assert [percent(share) for share in (0, 0.004, 0.12, 1)] == ["0 %", "<1 %", "12 %", "100 %"]


# --- a call as text


def test_lines_of_a_call_are_told_apart() -> None:
    flow = ORDER.flow()
    fields = script.fields(flow, ORDER.samples())
    assert [field.name for field in fields] == ["vendor", "order", "amount"]  # the language is chosen apart
    values = script.values((field, field.value) for field in fields)
    values[script.language_param(flow) or ""] = "hi"
    call = Simulation(flow, flow.bind(values))
    said = list(script.told(call.begin()))
    assert said[0] == script.Said("step", "offer")
    assert said[1].kind == "server"
    said = list(script.told(call.feed("1")))
    kinds = {each.text: each.kind for each in said}
    assert kinds['decision = "accepted"'] == "value"
    assert kinds["accept (1)"] == "way"
    said = list(script.told([*call.feed("बीस मिनट")]))
    assert any(each.kind == "world" and each.text.startswith("request order-webhook") for each in said)
    assert [each.kind for each in said][-2:] == ["over", "over"]


def test_what_is_typed_is_shown_as_what_it_means() -> None:
    assert script.typed("1#") == script.Said("caller", "presses 1#")
    assert script.typed(" . ") == script.Said("caller", "says nothing")
    assert script.typed("हाँ") == script.Said("caller", "“हाँ”")
    assert script.typed("/hangup").kind == "hint"


# --- two texts


def test_lines_that_differ() -> None:
    after = TEXT.replace("limits: {call: 4m, visits: 4}", "limits: {call: 5m, visits: 4}")
    differing = list(comparing.lines(TEXT, after))
    assert [line.text[:15] for line in differing if line.kind == "gone"] == ["limits: {call: "]
    assert [line.text[:17] for line in differing if line.kind == "new"] == ["limits: {call: 5m"]
    assert list(comparing.lines(TEXT, TEXT)) == []
    changed = comparing.for_callers(ORDER, FlowCopy("vendor-order", after))
    assert changed == ["limits: call: was 240 s, now 300 s"]
    assert comparing.for_callers(ORDER, FlowCopy("vendor-order", "flow: [")) is None


def test_a_text_that_is_another_altogether_is_cut() -> None:
    differing = list(comparing.lines("a\n" * 10, "b\n" * 10_000))
    assert len(differing) == comparing.MOST_LINES + 1
    assert differing[-1].text == "… and more"
