"""What the tools make of a flow within a flow."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest

from ivr.flow.check_command import run as check
from ivr.flow.diff import diff
from ivr.flow.drawing import Kind, draw
from ivr.flow.loader import load_flow
from ivr.flow.mermaid import mermaid
from ivr.flow.scenarios import ScenarioError, load_scenarios
from ivr.flow.simulator import Simulation
from ivr.flow.svg import svg
from ivr.flow.test_command import Wishes, run
from tests.flow.nested import PART, SHOP, write


def test_scenarios_go_through_it_and_its_coverage_is_that_of_all_who_enter_it(tmp_path: Path) -> None:
    write(tmp_path)
    out = StringIO()
    assert run([tmp_path], out=out, wishes=Wishes(coverage=True)) == 0
    assert out.getvalue().splitlines() == [
        "part: 3 of 3 steps, 2 of 3 outcomes (83.3 %)",
        "    ask: never left by small",
        "shop: 4 of 4 steps, 3 of 4 outcomes (87.5 %)",
        "    part: never left by otherwise",
        "2 scenarios, all came true",
    ]


def test_a_path_names_its_steps_with_the_flow(tmp_path: Path) -> None:
    shop, _ = write(tmp_path)
    path = shop.with_name("shop.scenarios.yaml")
    path.write_text(path.read_text().replace("part/bye", "part/by"), encoding="utf-8")
    with pytest.raises(ScenarioError, match='the flow has no step "part/by"') as caught:
        load_scenarios(path)
    assert caught.value.problems[0].hint == 'did you mean "part/bye"?'


def test_a_scenario_that_does_not_come_true_tells_the_way_through_it(tmp_path: Path) -> None:
    shop, _ = write(tmp_path)
    path = shop.with_name("shop.scenarios.yaml")
    path.write_text(path.read_text().replace("thank you, large", "thank you, small"), encoding="utf-8")
    out = StringIO()
    assert run([shop], out=out) == 1
    assert "the call went: part/ask (2) -> part (next) -> thanks" in out.getvalue()


def test_the_simulator_shows_its_steps_and_values(tmp_path: Path) -> None:
    shop, _ = write(tmp_path)
    call = Simulation(load_flow(shop), {"vendor": "Asha"})
    assert call.begin() == [
        "[part]",
        "[part/ask]",
        "server: Small or large, Asha?",
        '        part/shop = "Asha"',
        '        part/chosen = "small"',
    ]
    assert '    part/chosen = "small"' in call.feed("/state")
    lines = call.feed("2")
    assert '        size = "large"' in lines
    assert "server: Thank you, large." in lines
    assert call.feed("/back")[0] == "(back to before: 2)"


def test_it_is_drawn_as_a_box_with_two_frames(tmp_path: Path) -> None:
    shop, _ = write(tmp_path)
    drawing = draw(load_flow(shop))
    box = drawing.boxes[0]
    assert (box.kind, box.title, box.subtitle, box.text) == (Kind.FLOW, "part", "flow", "part")
    assert '    s0[["<b>part</b><br/>flow<br/>part"]]' in mermaid(drawing).splitlines()
    picture = svg(drawing)
    assert picture.count('class="inner"') == 1


def test_what_changes_in_it_is_told(tmp_path: Path) -> None:
    flows = []
    after = PART.replace("Small or large, {{ shop }}?", "Large, {{ shop }}?").replace('key: "1"', 'key: "3"')
    for name, part in (("a", PART), ("b", after)):
        (tmp_path / name).mkdir()
        shop, within = write(tmp_path / name)
        within.write_text(part, encoding="utf-8")
        flows.append(load_flow(shop))
    assert [str(change) for change in diff(*flows)] == [
        "flow part: step ask: key 3: new: small, leads to bye",
        "flow part: step ask: key 1: gone (was small, leads to bye)",
        'flow part: prompt ask: in en\n    - "Small or large, {{ shop }}?"\n    + "Large, {{ shop }}?"',
    ]


def test_what_it_is_given_and_what_is_taken_is_told(tmp_path: Path) -> None:
    flows = []
    for name, text in (
        ("a", SHOP),
        ("b", SHOP.replace('"{{ vendor }}"', "Asha").replace(", result: {size: chosen}", "")),
    ):
        (tmp_path / name).mkdir()
        shop, _ = write(tmp_path / name)
        shop.write_text(text, encoding="utf-8")
        flows.append(load_flow(shop))
    assert [str(change) for change in diff(*flows)] == [
        "step part: gives: was shop = vendor, now shop = Asha",
        "step part: takes: gone (was size from chosen)",
    ]


def test_a_folder_is_checked_with_the_flows_in_it(tmp_path: Path) -> None:
    shop, part = write(tmp_path)
    out = StringIO()
    assert check([tmp_path], out=out) == 0
    part.write_text(PART.replace("next: bye}", "next: by}", 1), encoding="utf-8")
    out = StringIO()
    assert check([tmp_path], out=out) == 1
    assert f"{part}:12:33: rule 1" in out.getvalue()
    assert f"{shop}:11:18: rule 8: step part: the flow part cannot be used" in out.getvalue()
