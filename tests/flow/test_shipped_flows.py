"""The flows in flows/ and the recipes in docs/cookbook/: they pass the check, their scenarios come true and
leave no step, outcome or language untried."""

import re
from pathlib import Path

import pytest

from ivr.config import load
from ivr.flow.coverage import coverage_of
from ivr.flow.loader import check_file
from ivr.flow.rehearsal import play
from ivr.flow.scenarios import load_scenarios, scenario_files, without_scenarios
from ivr.flow.virtual_call import VirtualCall
from ivr.library import environment_of, flow_files

REPOSITORY = Path(__file__).parents[2]
SHIPPED, COOKBOOK = REPOSITORY / "flows", REPOSITORY / "docs" / "cookbook"
FILES = [load_scenarios(path) for path in scenario_files([SHIPPED, COOKBOOK])]
SCENARIOS = [(file, scenario) for file in FILES for scenario in file.scenarios]
ALL = {"vendor-order", "rider-assignment", "customer-support", "admin-voice"}


def test_the_flows_of_the_marketplace_are_there_in_its_three_languages():
    languages = {file.flow.name: file.flow.languages for file in FILES if file.path.parent == SHIPPED}
    assert languages == dict.fromkeys(ALL, ("hi", "mr", "en"))


def test_each_has_scenarios():
    assert without_scenarios([SHIPPED, COOKBOOK]) == []


@pytest.mark.parametrize("path", flow_files(SHIPPED), ids=lambda path: path.stem)
def test_passes_the_check_with_the_shipped_configuration(path):
    assert check_file(path, environment_of(load(REPOSITORY / "ivr.yaml"))) == []


def test_a_number_of_the_shipped_configuration_answers_with_each():
    numbers = load(REPOSITORY / "ivr.yaml").numbers.values()
    assert {number.flow for number in numbers} == ALL
    flows = {file.flow.name: file.flow for file in FILES}
    for number in numbers:
        flows[number.flow].bind(number.params)


@pytest.mark.parametrize("path", flow_files(SHIPPED), ids=lambda path: path.stem)
def test_asks_for_a_native_reader(path):
    assert "wants a native reader's check" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.flow.name)
def test_every_prompt_is_in_letters_that_its_voice_reads(file):
    for prompt in file.flow.prompts.values():
        for language, wording in prompt.wordings.items():
            fixed = re.sub(r"\{[{%].*?[}%]\}", "", wording.text.source)
            foreign = r"[\u0900-\u097f]" if language == "en" else r"[A-Za-z]"
            assert not re.findall(foreign, fixed), f"{prompt.name} in {language}"


@pytest.mark.parametrize(
    ("file", "scenario"),
    SCENARIOS,
    ids=[f"{file.flow.name}: {scenario.name}" for file, scenario in SCENARIOS],
)
def test_comes_true(file, scenario):
    assert play(file.flow, scenario).failure is None


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.flow.name)
def test_every_step_language_and_outcome_is_tried(file):
    languages = set()

    class Watched(VirtualCall):
        def _carry_out(self, commands):
            found = super()._carry_out(commands)
            languages.add(self.machine.language)
            return found

    coverage = coverage_of(file.flow, [play(file.flow, scenario, Watched) for scenario in file.scenarios])
    assert (coverage.missed_steps, coverage.missed_outcomes) == ((), ())
    assert languages == set(file.flow.languages)


class TestCookbook:
    PAGE = (REPOSITORY / "docs" / "cookbook.md").read_text(encoding="utf-8")

    def test_tells_of_every_recipe(self):
        told = re.findall(r"\(cookbook/(\w+\.yaml)\)", self.PAGE)
        assert told == list(dict.fromkeys(told))
        assert set(told) == {path.name for path in flow_files(COOKBOOK)}

    @pytest.mark.parametrize("section", PAGE.split("\n## ")[1:], ids=lambda text: text.splitlines()[0])
    def test_what_it_shows_stands_in_the_recipe(self, section):
        (name,) = re.findall(r"\(cookbook/(\w+\.yaml)\)", section)
        recipe = (COOKBOOK / name).read_text(encoding="utf-8")
        shown = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
        assert shown
        for block in shown:
            assert block in recipe
