"""Waits, signals and events in scenarios and in the simulator."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.flow.rehearsal import play
from ivr.flow.scenarios import ScenarioError, ScenarioFile, load_scenarios
from ivr.flow.simulator import Simulation
from tests.flow.test_waiting import FLOW


def written(folder: Path, steps: str, rest: str = "") -> ScenarioFile:
    (folder / "finding.yaml").write_text(FLOW, encoding="utf-8")
    path = folder / "finding.scenarios.yaml"
    path.write_text(
        f'flow: finding\nwith: {{order: "48213"}}\nscenarios:\n  - {{name: it, steps: [{steps}]{rest}}}\n',
        encoding="utf-8",
    )
    return load_scenarios(path)


def failure(file: ScenarioFile) -> str:
    played = play(file.flow, file.scenarios[0])
    return "" if played.failure is None else played.failure.message


FOUND = "{signal: {name: rider-found, values: {rider: Ravi, eta: 12}}}"
TOLD = "{publishes: {to: rider-events, body: {order: '48213', rider: Ravi}}}"
CLOSED = "{signal: {name: closed, values: {outcome: done}}}"


@pytest.mark.parametrize(
    "steps",
    [
        f"{{hears: one moment}}, {FOUND}, {{hears: ravi comes}}, {TOLD}, {CLOSED}",
        f"{{silence: 9s}}, {{signal: rider-found}}, {{silence: 9s}}, {FOUND}, {{hears: ravi comes}}, {TOLD}",
        f"{FOUND}, {{hears: ravi comes}}, {{silence: 40s}}",
        "{silence: 60s}, {hangs_up: true}, {publishes: rider-events}",
    ],
)
def test_scenarios_that_come_true(tmp_path: Path, steps: str) -> None:
    assert failure(written(tmp_path, steps)) == ""


def test_the_next_prompt_may_be_as_far_off_as_the_wait_is_long(tmp_path: Path) -> None:
    (tmp_path / "rest.yaml").write_text(
        "flow: rest\nlanguages: [en]\nstart: a\nsteps:\n  a: {say: {en: Wait.}, next: b}\n"
        "  b: {wait: {for: 50s, sound: ringback}, next: c}\n  c: {say: {en: Done.}, next: bye}\n"
        "  bye: {end: normal}\n"
    )
    path = tmp_path / "rest.scenarios.yaml"
    path.write_text("flow: rest\nscenarios:\n  - {name: it, steps: [{hears: wait}, {hears: done}]}\n")
    assert failure(load_scenarios(path)) == ""


def test_what_does_not_come_true_is_told(tmp_path: Path) -> None:
    told = failure(written(tmp_path, "{hears: one moment}, {hangs_up: true}, {publishes: other-events}"))
    assert told.startswith("publishes other-events: published were: rider-events {")
    assert told.endswith("; the call was over (hangup)")
    steps = (
        "{signal: {name: rider-found, values: {rider: Ravi}}},"
        " {publishes: {to: rider-events, body: {rider: Asha}}}"
    )
    told = failure(written(tmp_path, steps))
    assert "publishes rider-events {'rider': 'Asha'}: published were: rider-events {'order': '48213'" in told


def test_a_signal_that_the_flow_does_not_wait_for_is_a_mistake_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError) as caught:
        written(tmp_path, "{signal: rider-lost}, {signal: {name: rider-found, values: {eta: soon}}}")
    said = str(caught.value)
    assert 'no step of finding waits for a signal "rider-lost" (did you mean "rider-found"?)' in said
    assert "signal rider-found: eta must be a whole number" in said


def test_a_wait_in_the_simulator(tmp_path: Path) -> None:
    file = written(tmp_path, "")
    call = Simulation(file.flow, file.flow.bind({"order": "48213"}))
    hint = "(/signal NAME JSON happens outside; . lets the time pass)"
    assert call.begin() == [
        "[hello]",
        "server: One moment.",
        "    next",
        "[search]",
        "    waits, music",
        hint,
    ]
    assert call.feed("1") == [], "typed ahead"
    assert call.feed("/signal rider-lost")[0].startswith("(no step of finding waits for a signal")
    assert call.feed('/signal rider-found {"eta": "x"}') == ["(eta must be a whole number)"]
    assert call.feed("/signal rider-found [1]") == ["(values are a JSON object)"]
    assert call.feed("/signal rider-found {")[0].startswith("(this is no JSON")
    assert call.feed(".")[0] == "    next (time)"
    lines = call.feed('/signal rider-found {"rider": "Ravi", "eta": 12}')
    assert lines[:3] == ["    next (rider-found)", '        rider = "Ravi"', "        eta = 12"]
    lines = call.feed(".")
    assert '    publish rider-events {"order": "48213", "rider": "Ravi", "kind": 1}' in lines
    assert lines[-2:] == ["    waits, silence", hint]
    assert call.feed("/hangup")[0] == "    next (hangup)"
    assert call.over
