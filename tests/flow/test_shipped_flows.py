"""The flows in flows/: they pass the check, their scenarios come true and leave no outcome untried."""

from pathlib import Path

import pytest

from ivr.config import load
from ivr.flow.loader import Environment, check_file
from ivr.flow.notices import Entered, LeftBy
from ivr.flow.rehearsal import rehearse
from ivr.flow.scenarios import load_scenarios, scenario_files
from ivr.flow.virtual_call import VirtualCall
from ivr.library import flow_files

REPOSITORY = Path(__file__).parents[2]
FLOWS = flow_files(REPOSITORY / "flows")
FILES = [load_scenarios(path) for path in scenario_files([REPOSITORY / "flows"])]
SCENARIOS = [(file, scenario) for file in FILES for scenario in file.scenarios]


def test_the_first_two_flows_are_there():
    assert {"vendor-order", "rider-assignment"} <= {file.flow.name for file in FILES}


@pytest.mark.parametrize("path", FLOWS, ids=lambda path: path.stem)
def test_passes_the_check_with_the_shipped_configuration(path):
    config = load(REPOSITORY / "ivr.yaml")
    environment = Environment(
        endpoints=frozenset(config.endpoints),
        queues=frozenset(config.queues),
        trunks=frozenset(config.trunks),
    )
    assert check_file(path, environment) == []


@pytest.mark.parametrize(
    ("file", "scenario"),
    SCENARIOS,
    ids=[f"{file.flow.name}: {scenario.name}" for file, scenario in SCENARIOS],
)
def test_comes_true(file, scenario):
    assert rehearse(file.flow, scenario) is None


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.flow.name)
def test_every_step_language_and_outcome_is_tried(file):
    notices, languages = [], set()

    class Watched(VirtualCall):
        def _carry_out(self, commands):
            found = super()._carry_out(commands)
            notices.extend(found)
            languages.add(self.machine.language)
            return found

    for scenario in file.scenarios:
        rehearse(file.flow, scenario, Watched)
    steps = file.flow.steps
    assert {notice.step for notice in notices if isinstance(notice, Entered)} == set(steps)
    assert languages == set(file.flow.languages)
    left = {(notice.step, notice.outcome) for notice in notices if isinstance(notice, LeftBy)}
    outcomes = {(name, way.outcome) for name, step in steps.items() for way in step.exits()}
    # A request in the background is not awaited, so it has no other outcome.
    assert outcomes - left <= {("report", "otherwise")}
