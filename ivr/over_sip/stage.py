"""What the server is told for a run: one number for each scenario, the endpoints, and the queues. And which
scenarios cannot be played by a telephone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Final

from ivr.flow.hearing.fold import fold
from ivr.flow.intents import builtin_phrases
from ivr.flow.machine import FlowMachine
from ivr.flow.model import Flow, Step
from ivr.flow.protocol import SUPPRESS_CALLER
from ivr.flow.scenario_acts import AgentGoes, IsQueued, Says, TransferGoes
from ivr.flow.scenarios import Scenario, ScenarioFile
from ivr.flow.siblings import file_of
from ivr.flow.types import to_json
from ivr.flow.verbs.transfer import Transfer

FIRST_NUMBER: Final = 1000
_UNDERSTOOD: Final = ("affirm", "deny")
"""Intents whose phrases the embedded recogniser tells apart in a synthetic voice."""

Key = tuple[str, int]
"""A scenario: the name of its flow, and its line."""


@dataclass(frozen=True, slots=True)
class Stage:
    """The configuration of the server, and the number that each scenario calls."""

    config: Mapping[str, Any]
    numbers: Mapping[Key, str]


class CannotStage(Exception):
    """The flows cannot be served together; the text says why."""


@dataclass(frozen=True, slots=True)
class Outside:
    """What stands for the world: `endpoints` is a URL that ends with /, `broker` one of MQTT, and `desk` the
    SIP address of every queue."""

    endpoints: str
    broker: str
    desk: str


def set_stage(files: Sequence[ScenarioFile], folder: Path, outside: Outside) -> Stage:
    """Copies the flows into `folder`. Raises `CannotStage`, OSError."""
    numbers: dict[Key, str] = {}
    listed: dict[str, Any] = {}
    config = serving([file.flow for file in files], folder, outside)
    for file in files:
        flow = file.flow
        for scenario in file.scenarios:
            number = str(FIRST_NUMBER + len(numbers))
            numbers[flow.name, scenario.line] = number
            params = {name: to_json(value) for name, value in scenario.values.items() if value is not None}
            listed[number] = {"flow": flow.name, "params": params}
    return Stage({**config, "numbers": listed}, numbers)


def serving(flows: Sequence[Flow], folder: Path, outside: Outside) -> dict[str, Any]:
    """What of the configuration these flows need but numbers; they are copied into `folder`. Raises
    `CannotStage`, OSError."""
    hooks: dict[str, Any] = {}
    queues: dict[str, str] = {}
    topics: dict[str, str] = {}
    names: set[str] = set()
    for flow in flows:
        if flow.name in names:
            raise CannotStage(f"there are two flows named {flow.name}: test them one after the other")
        names.add(flow.name)
        for one in flow.family.values():
            _copy(one, folder / one.name)
            for reference in chain.from_iterable(step.references() for step in one.steps.values()):
                if reference.section == "endpoints" and reference.name != SUPPRESS_CALLER:
                    hooks[reference.name] = {"url": outside.endpoints + reference.name}
                elif reference.section == "queues":
                    queues[reference.name] = outside.desk
                elif reference.section == "topics":
                    topics[reference.name] = reference.name
    config = {"flows": str(folder), "endpoints": hooks, "queues": queues}
    if topics:
        config["broker"] = {"url": outside.broker, "topics": topics}
    return config


def _copy(flow: Flow, folder: Path) -> None:
    """Several flows may enter the same one."""
    source = file_of(flow)
    if source is None:
        raise CannotStage(f"the file of the flow {flow.name} is not there any more")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, folder / source.name)
    for prompt in flow.prompts.values():
        for wording in prompt.wordings.values():
            if wording.audio is not None:
                target = folder / wording.audio
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(flow.folder / wording.audio, target)


def _steps(flow: Flow) -> Iterator[Step]:
    """All steps that a call in the flow can come to."""
    return chain.from_iterable(one.steps.values() for one in flow.family.values())


def cannot(flow: Flow, scenario: Scenario) -> str:
    """Why a scenario cannot be played as a call; empty when it can."""
    if scenario.today is not None:
        return f"the server's day is not {scenario.today}"
    language = FlowMachine(flow, scenario.values).language
    known = {fold(phrase) for intent in _UNDERSTOOD for phrase in builtin_phrases(intent, language)}
    for step in scenario.steps:
        if isinstance(step.act, Says) and step.act.means is not None:
            return f'says "{step.act.text}": there is no classifier to say what it means'
        if isinstance(step.act, Says) and fold(step.act.text) not in known:
            return f'says "{step.act.text}": only a plain yes or no is recognised for sure'
        if isinstance(step.act, IsQueued):
            return "waits in a queue"
        if isinstance(step.act, AgentGoes):
            return "there is no agent to talk to"
        if isinstance(step.act, TransferGoes) and not all(
            one.references() for one in _steps(flow) if isinstance(one, Transfer)
        ):
            return "transfers elsewhere than to a queue"
    return ""
