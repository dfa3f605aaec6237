"""Flows to begin with: each is right, tries everything, and speaks three languages."""

from io import StringIO

import pytest

from ivr.flow import check_command, test_command
from ivr.flow.loader import load_flow
from ivr.flow.new import run
from ivr.flow.scenarios import load_scenarios
from ivr.flow.templates import Template


@pytest.mark.parametrize("template", Template)
def test_a_new_flow_is_right_and_its_scenarios_try_all_of_it(tmp_path, template):
    out = StringIO()
    assert run("my-flow", template, tmp_path / "flows", out) == 0
    path = tmp_path / "flows" / "my_flow.yaml"
    assert check_command.run([path.parent], out=StringIO()) == 0
    wishes = test_command.Wishes(coverage=True, min_coverage=100)
    told = StringIO()
    assert test_command.run([path.parent], told, wishes) == 0, told.getvalue()
    flow = load_flow(path)
    assert flow.name == "my-flow"
    assert flow.languages == ("hi", "mr", "en")
    tried = {one.values["language"] for one in load_scenarios(path.with_suffix(".scenarios.yaml")).scenarios}
    assert tried == {"hi", "mr", "en"}


def test_it_says_what_to_run_next(tmp_path):
    out = StringIO()
    run("a", Template.BLANK, tmp_path, out)
    flow = tmp_path / "a.yaml"
    assert out.getvalue().splitlines() == [
        str(flow),
        str(tmp_path / "a.scenarios.yaml"),
        f"try it:      ivr simulate {flow}",
        f"change it:   ivr check --watch {flow}",
        f"test it:     ivr test --coverage {flow}",
    ]


@pytest.mark.parametrize("there", ["a.yaml", "a.scenarios.yaml"])
def test_nothing_is_written_over(tmp_path, there, capsys):
    (tmp_path / there).write_text("mine")
    assert run("a", Template.MENU, tmp_path, StringIO()) == 1
    assert capsys.readouterr().err == f"{tmp_path / there} is there already\n"
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text() == "mine"


@pytest.mark.parametrize("name", ["", "1st", "../a", "a b", "मेनू"])
def test_what_is_no_name_makes_no_file(tmp_path, name, capsys):
    assert run(name, Template.MENU, tmp_path, StringIO()) == 1
    assert "is not a name" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
