"""Every rule has a fixture in `tests/flows/bad`, with what `ivr check` says of it beside it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from ivr.flow.check_command import problems_of, run
from ivr.flow.loader import Environment, check_file, load_flow
from ivr.flow.problems import FlowError, Rule

BAD = Path(__file__).parent.parent / "flows" / "bad"
SHIPPED = Path(__file__).parent.parent.parent / "flows"
FIXTURES = sorted(BAD.glob("*.yaml"))
GOODBYE = "flow: bye\nlanguages: [en]\nstart: bye\nsteps: {bye: {end: normal}}\n"
ENVIRONMENT = Environment(
    endpoints=frozenset({"order-webhook"}),
    queues=frozenset({"vendor-desk"}),
    classifiers=frozenset({"nlu", "llm"}),
    knowledge=frozenset({"returns"}),
    voices={"en": frozenset({"f1", "f2", "m1"})},
    topics={"rider-events": frozenset({"order"})},
)


@pytest.mark.parametrize("path", FIXTURES, ids=[path.stem for path in FIXTURES])
def test_a_bad_flow_gets_its_message(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BAD)
    said = "\n".join(map(str, check_file(Path(path.name), ENVIRONMENT)))
    assert said + "\n" == path.with_suffix(".txt").read_text(encoding="utf-8")


def test_each_rule_has_a_fixture_that_breaks_it() -> None:
    for rule in Rule:
        broken = [path for path in FIXTURES if path.stem.startswith(f"rule{rule.value}_")]
        assert broken, f"no fixture for rule {rule.value}"
        for path in broken:
            assert rule.value in {problem.rule for problem in check_file(path, ENVIRONMENT)}, path.name


def test_twenty_mistakes_are_reported_together_in_the_order_of_the_file() -> None:
    problems = check_file(BAD / "many_at_once.yaml", ENVIRONMENT)
    assert len(problems) >= 20
    assert [(p.line, p.column) for p in problems] == sorted((p.line, p.column) for p in problems)
    with pytest.raises(FlowError) as caught:
        load_flow(BAD / "many_at_once.yaml", ENVIRONMENT)
    assert caught.value.problems == problems


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_flows_and_scenarios_are_right(path: Path) -> None:
    assert problems_of(path) == []


def test_names_of_the_configuration_are_not_checked_without_one() -> None:
    assert check_file(BAD / "rule8_unknown_endpoint.yaml") == []


def test_the_command_prints_places_and_fails() -> None:
    out = io.StringIO()
    assert run([BAD / "rule1_unknown_start.yaml"], ENVIRONMENT, out=out) == 1
    assert "rule1_unknown_start.yaml:3:8: rule 1:" in out.getvalue()
    assert out.getvalue().endswith("1 file, 1 problem\n")


def test_the_command_is_content_with_good_files(tmp_path: Path) -> None:
    out = io.StringIO()
    (tmp_path / "bye.yaml").write_text(GOODBYE, encoding="utf-8")
    assert run([tmp_path], out=out) == 0
    assert out.getvalue() == f"{tmp_path / 'bye.yaml'}: ok\n"


def test_the_command_checks_scenarios_too(tmp_path: Path) -> None:
    out = io.StringIO()
    (tmp_path / "bye.yaml").write_text(GOODBYE, encoding="utf-8")
    (tmp_path / "bye.scenarios.yaml").write_text("flow: bye\n", encoding="utf-8")
    assert run([tmp_path], out=out) == 1
    assert "bye.scenarios.yaml:1:1: rule 9:" in out.getvalue()
    assert out.getvalue().endswith("2 files, 1 problem\n")


def test_the_command_says_when_there_is_nothing_to_check(tmp_path: Path) -> None:
    out = io.StringIO()
    assert run([tmp_path], out=out) == 2
    assert out.getvalue() == "no flow files found\n"


def test_the_command_writes_json_for_tools() -> None:
    out = io.StringIO()
    assert run([BAD / "rule1_unknown_start.yaml"], format="json", out=out) == 1
    found = json.loads(out.getvalue())
    assert found["files"] == 1
    assert found["problems"][0] == {
        "file": str(BAD / "rule1_unknown_start.yaml"),
        "line": 3,
        "column": 8,
        "rule": 1,
        "message": 'start leads to "aks", and there is no such step',
        "hint": 'did you mean "ask"?',
    }
