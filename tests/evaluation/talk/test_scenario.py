"""Files of simulated callers: what they may say, and how mistakes are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.evaluation.talk.scenario import Cough, Interrupt, ScenariosUnusable, load, scenario_files

GOOD = """\
flow: order.yaml
callers: [{voice: m1}, {voice: f2, rate: 1.25, snr: 15, accent: mr}]
within: 1500ms
scenarios:
  - name: cuts in
    caller:
      - cough
      - interrupt: {text: "नहीं", after: 1.5s}
      - say: "हाँ"
      - press: "20#"
      - silent: 2s
      - hang_up
    expect: {result: {eta: 20}, talked_over: 1}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "talk.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_says_what_callers_do(tmp_path: Path) -> None:
    file = load(written(tmp_path, GOOD))
    (scenario,) = file.scenarios
    done = [act.done for act in scenario.caller]
    assert done == [Cough(), Interrupt(text="नहीं", after=1.5), "हाँ", "20#", 2.0, True]
    assert file.flow == tmp_path / "order.yaml"
    assert file.within == 1.5
    assert [manner.name for manner in file.callers] == ["m1", "mr f2 ×1.25 15 dB"]
    assert not file.improvises


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("voice: m1", "voice: bob", "2:19: callers.voice: String should match pattern"),
        ("within: 1500ms", "within: soon", "3:9: within: 'soon' is no duration; write 800ms, 2s or 1m"),
        ("- cough", "- sneeze: 1", "7:17: scenarios.caller.sneeze: is not known here"),
        (
            '- say: "हाँ"',
            '- {say: "हाँ", press: "1"}',
            "9:9: scenarios.caller: a caller does one thing at a time",
        ),
        ('"20#"', '"20x"', "10:16: scenarios.caller.press: '20X' are no keys"),
        ("talked_over: 1", "talked_over: some", "13:46: scenarios.expect.talked_over: Input should be"),
        ("flow: order.yaml\n", "", "1:1: flow: is missing"),
        ("within: 1500ms", "within: [", "5:3: no valid YAML"),
        (
            "- cough",
            "- {cough: {after: 1s, text: no}}",
            "7:35: scenarios.caller.cough.text: is not known here",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, before: str, after: str, told: str) -> None:
    assert before in GOOD
    path = written(tmp_path, GOOD.replace(before, after, 1))
    with pytest.raises(ScenariosUnusable) as error:
        load(path)
    assert str(error.value).startswith(f"{path}:{told}")


def test_two_scenarios_of_one_name_are_refused(tmp_path: Path) -> None:
    twice = GOOD + GOOD[GOOD.index("  - name") :]
    with pytest.raises(ScenariosUnusable, match="two scenarios named 'cuts in'"):
        load(written(tmp_path, twice))


def test_a_folder_is_all_that_is_in_it(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    (tmp_path / "notes.txt").touch()
    assert scenario_files([tmp_path]) == [path]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ScenariosUnusable, match="there are no scenarios"):
        scenario_files([tmp_path / "empty"])


def test_what_is_shipped_can_be_used() -> None:
    from ivr.evaluation.talk.stage import read

    suites = read(scenario_files([Path("evals"), Path("evals/model")]))
    assert {suite.flow.name for suite in suites} == {"vendor-order", "assistant"}
    for suite in suites:
        for scenario in suite.file.scenarios:
            assert suite.language(scenario) in suite.flow.languages
