"""A flow goes from one process to another as bytes, and does there what it does here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ivr.flow.diff import diff
from ivr.flow.loader import load_flow
from ivr.flow.model import Flow
from ivr.flow.packing import pack, unpack
from ivr.flow.rehearsal import play
from ivr.flow.scenarios import load_scenarios
from tests.flow.kitchen import FLOW

SHIPPED = sorted((Path(__file__).parents[2] / "flows").rglob("*.scenarios.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_flows_behave_the_same(path: Path) -> None:
    file = load_scenarios(path)
    flow = unpack(pack(file.flow))
    assert flow.hash == file.flow.hash
    assert diff(flow, file.flow) == []
    for scenario in file.scenarios:
        assert play(flow, scenario) == play(file.flow, scenario)


def test_every_verb_travels(flow_of: Callable[[str], Flow]) -> None:
    flow = flow_of(FLOW)
    assert diff(unpack(pack(flow)), flow) == []


TEXTS = """
flow: texts
languages: [en]
params: {amount: rupees, order: digits, note: optional text}
variables: {double: {type: rupees, default: 0}}
say_as: {Acme: {en: "ack me"}}
start: count
steps:
  count: {set: {double: "{{ amount * 2 }}"}, next: hello}
  hello: {say: {en: "Acme 1 {{ double }} {{ order[-2:] | digits }} {% if note is none %}2{% else %}{{ note }}{% endif %}"}, next: bye}
  bye: {end: normal}
"""  # noqa: E501


@pytest.mark.parametrize(
    ("note", "end"), [(None, "two"), ("Acme 3", "ack me three")], ids=["without", "with a value"]
)
def test_expressions_are_compiled_where_they_are_needed(
    flow_of: Callable[[str], Flow], note: str | None, end: str
) -> None:
    from tests.flow.calls import Call

    flow = unpack(pack(unpack(pack(flow_of(TEXTS)))))
    call = Call(flow, amount=2, order="1234", note=note)
    call.start()
    assert call.said == f"ack me one four rupees three four {end}"


def test_a_flow_of_another_folder_keeps_its_own(tmp_path: Path) -> None:
    path = tmp_path / "texts.yaml"
    path.write_text(TEXTS, encoding="utf-8")
    assert unpack(pack(load_flow(path))).folder == tmp_path
