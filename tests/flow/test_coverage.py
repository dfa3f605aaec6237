"""What scenarios try of a flow, and what `ivr test` writes of it for people and for CI."""

from io import StringIO
from itertools import count
from xml.etree import ElementTree as ET

import pytest

from ivr.flow.coverage import coverage_of, told
from ivr.flow.junit import Case, Suite, junit
from ivr.flow.rehearsal import play
from ivr.flow.scenario_player import Failed
from ivr.flow.test_command import Wishes, run
from tests.flow.kitchen import write

GOOD = "- {name: good, steps: [{presses: '120#'}]}"


@pytest.fixture
def covered(tmp_path):
    def covered(scenarios):
        file = write(tmp_path, scenarios)
        return coverage_of(file.flow, [play(file.flow, one) for one in file.scenarios])

    return covered


def test_a_call_tries_the_steps_and_outcomes_of_its_way(covered):
    found = covered(GOOD)
    assert (found.steps, found.outcomes) == (9, 14)
    assert found.missed_steps == ("lookup", "told", "sorry", "desk")
    assert ("ask", "good") not in found.missed_outcomes
    assert ("ask", "bad") in found.missed_outcomes
    assert found.percent == pytest.approx(100 * 9 / 23)


def test_it_is_told_by_step(covered):
    assert list(told([covered(GOOD)])) == [
        "kitchen: 5 of 9 steps, 4 of 14 outcomes (39.1 %)",
        "    lookup: never entered",
        "    told: never entered",
        "    sorry: never entered",
        "    desk: never entered",
        "    ask: never left by bad, person, otherwise",
        "    when: never left by otherwise",
    ]


ALL = """- {name: a, steps: [{presses: '120#'}]}
- {name: b, steps: [{presses: '2'}, {replies: {body: {order: {state: ready}}}}]}
- {name: c, steps: [{presses: '2'}, {fails: late}]}
- {name: d, steps: [{presses: '5'}, {transfer: busy}]}
- {name: e, steps: [{presses: '5'}, {transfer: done}]}
- {name: f, steps: [{presses: '1'}, {silence: 30s}]}
- {name: g, steps: []}"""


def test_what_is_sent_in_the_background_has_no_other_outcome(covered):
    found = covered(ALL)
    assert found.missed_steps == found.missed_outcomes == ()
    assert found.percent == 100


def test_the_command_fails_below_the_least(tmp_path):
    write(tmp_path, GOOD)
    out = StringIO()
    assert run([tmp_path], out, Wishes(min_coverage=39)) == 0
    assert run([tmp_path], out, Wishes(min_coverage=40)) == 1
    assert out.getvalue().endswith("kitchen: 39.1 % tried, 40 % wanted (--coverage shows what)\n")


def test_a_flow_without_scenarios_is_not_forgotten(tmp_path):
    write(tmp_path, ALL)
    (tmp_path / "other.yaml").write_text("flow: other")
    out = StringIO()
    assert run([tmp_path], out, Wishes(coverage=True)) == 0
    assert f"{tmp_path / 'other.yaml'}: no scenarios\n" in out.getvalue()
    assert run([tmp_path], out, Wishes(min_coverage=100)) == 1
    assert run([tmp_path / "kitchen.yaml"], out, Wishes(min_coverage=100)) == 0


def test_the_command_writes_junit(tmp_path):
    path = write(tmp_path, GOOD + "\n- {name: bad, steps: [{hears: Bye}]}").path
    (tmp_path / "a.scenarios.yaml").write_text("flow: a")
    written = tmp_path / "junit.xml"
    ticks = count()
    run([tmp_path], StringIO(), Wishes(junit=written), clock=lambda: next(ticks) * 0.25)
    root = ET.parse(written).getroot()
    assert (root.get("tests"), root.get("failures"), root.get("errors"), root.get("time")) == (
        "3", "1", "1", "0.500000",
    )  # fmt: skip
    unusable, kitchen = root
    assert "there is no flow a.yaml beside it" in unusable.find("testcase/error").get("message")
    good, bad = kitchen
    assert good.attrib == {
        "classname": "kitchen", "name": "good", "file": str(path), "line": "4", "time": "0.250000",
    }  # fmt: skip
    assert bad.find("failure").get("message").startswith('hears "Bye": heard instead')
    assert bad.find("failure").text.startswith(f"{path}:5\n")


def test_junit_of_text_that_xml_cannot_hold(tmp_path):
    failure = Failed(3, 1, "heard \x00\x1b<&\ud800", ("नमस्ते",))
    root = ET.fromstring(junit([Suite(tmp_path, "a\x01", [Case("b", 1, 0.1, failure)])]))
    assert root.find("testsuite/testcase/failure").get("message") == "heard ��<&�"
    assert root.find("testsuite/testcase/failure").text.endswith("नमस्ते")
