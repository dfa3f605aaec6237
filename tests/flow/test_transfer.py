"""A transfer with a whisper and a queue, in the tools that authors use: scenarios, simulator, diff."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.flow.diff import diff
from ivr.flow.loader import load_flow
from ivr.flow.rehearsal import rehearse
from ivr.flow.scenarios import load_scenarios
from ivr.flow.simulator import Simulation

FLOW = """
flow: desk
languages: [en, hi]
params: {name: text}
variables: {place: {type: count, default: 0}}
limits: {call: 5m}
start: person
steps:
  person:
    transfer:
      to: support
      mode: attended
      whisper: {en: "{{ name }} calls. Press 1.", hi: "{{ name }} का फ़ोन है। 1 दबाएँ।"}
      accept: "1"
      wait: 2m
      queued: {prompt: queued, into: place, every: 20s}
    next: bye
    otherwise: sorry
  sorry: {say: sorry, next: bye}
  bye: {end: normal}
prompts:
  queued: {en: "You are number {{ place }}.", hi: "आपका नंबर {{ place }} है।"}
  sorry: {en: "Nobody is free.", hi: "अभी कोई खाली नहीं है।"}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "desk.yaml"
    file.write_text(FLOW, encoding="utf-8")
    return file


def failure(path: Path, steps: str) -> str | None:
    """Why a scenario does not come true; None when it does."""
    scenarios = path.with_name("desk.scenarios.yaml")
    text = f"flow: desk\nwith: {{name: Asha}}\nscenarios:\n- {{name: one, steps: [{steps}]}}\n"
    scenarios.write_text(text, encoding="utf-8")
    file = load_scenarios(scenarios)
    failed = rehearse(file.flow, file.scenarios[0])
    return None if failed is None else failed.message


@pytest.mark.parametrize(
    "steps",
    [
        '{transfer: {to: support, whispers: "Asha calls", outcome: done}}',
        '{transfer: {whispers: "press 1", outcome: no_answer}}, {hears: "Nobody"}',
        '{queued: 3}, {hears: "number 3"}, {queued: 2}, {silence: 20s}, {hears: "number two"}',
        "{queued: 3}, {transfer: done}",
        "{queued: 1}, {hangs_up: true}",
    ],
)
def test_comes_true(path: Path, steps: str) -> None:
    assert failure(path, steps) is None


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        (
            '{transfer: {whispers: "Ravi", outcome: done}}',
            'transfer done whispers "Ravi": the agent is told "Asha calls. Press one."',
        ),
        ("{transfer: busy}, {queued: 2}", "queued 2: the call was over (normal)"),
        ('{queued: 3}, {queued: 2}, {hears: "number two"}', 'hears "number two": heard instead: '),
    ],
)
def test_does_not_come_true(path: Path, steps: str, why: str) -> None:
    message = failure(path, steps)
    assert message is not None
    assert message.startswith(why)


def test_the_simulator_shows_the_whisper_and_moves_in_the_queue(path: Path) -> None:
    call = Simulation(load_flow(path), {"name": "Asha"})
    assert call.begin()[1:3] == ["    transfer to support", "    to the agent: Asha calls. Press one."]
    assert call.feed("/queued none") == ["(a place in a queue is a number from 1 on)"]
    assert call.feed("/queued 2") == ["server: You are number two.", "        place = 2"]
    assert "server: Nobody is free." in call.feed("/transfer busy")
    assert call.feed("/queued 2") in ([], ["(no transfer is under way)"])


def test_what_changes_for_callers_and_agents_is_told(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    changed = FLOW.replace('accept: "1"', 'accept: "5"').replace("every: 20s", "every: 40s")
    changed = changed.replace("Press 1.", "Press 5.").replace(
        "      wait: 2m", "      sound: music\n      wait: 2m"
    )
    other.write_text(changed, encoding="utf-8")
    told = [str(change) for change in diff(load_flow(path), load_flow(other))]
    assert told == [
        "step person: accept: was 1, now 5",
        "step person: the caller hears: new: music",
        "step person: tells the place again after: was 20 s, now 40 s",
        """prompt person.whisper: in en
    - "{{ name }} calls. Press 1."
    + "{{ name }} calls. Press 5.\"""",
    ]


def test_an_attended_transfer_may_wait_longer_than_a_blind_one(path: Path) -> None:
    assert load_flow(path).steps["person"].seconds({}) == 167.0
