"""Scenario files: what a caller does in a flow, and what must be heard and come of it.

    flow: vendor-order
    with: {vendor: "शर्मा भोजनालय", order: "48213", amount: 1250.50, language: hi}
    scenarios:
      - name: accepts by key during the prompt
        steps: [{hears: "नमस्ते"}, {presses: "1"}, {hears: "कितने मिनट"}, {presses: "20#"}]
        result: {decision: accepted, eta: 20}

`NAME.scenarios.yaml` lies beside the flow `NAME.yaml`. A scenario may have its own `with` (over the
file's), a `cause` (how the call must end) and a `path` (the steps entered, in order; a step of a flow within
as FLOW/STEP). Fields of the result that are not named must have their defaults. Where a caller says
"tomorrow", the file or the scenario says what day it is: `today: "2026-11-22"`. After the last step the
caller says nothing more until the call is over. The steps:

| step | meaning |
|---|---|
| hears: TEXT | the server says it, now or next; `to_end: true` waits until it has been said to the end |
| presses: KEYS | keys, one after the other, at once |
| says: TEXT | speech, once the server listens; an empty text is speech that nobody understands |
| silence: 5s | nothing for so long |
| leaves_message: 8s | speaks for so long, once a message is recorded; what ends it comes after |
| consents: recording | it was stored that consent was given to the recording, or the opt-in of this name |
| refuses: recording | it was stored that it was refused; no answer is a refusal |
| answered_by: machine | who answered (human, machine, unknown), for a `voicemail` step; a human without it |
| hangs_up: true | the caller hangs up |
| sends: ENDPOINT | the flow has sent this request; `{to: ENDPOINT, body: {...}}` names values of its body |
| replies: {status: 200, body: {...}} | the endpoint answers the request that is awaited |
| fails: REASON | the request that is awaited fails |
| publishes: TOPIC | the flow has published this event; `{to: TOPIC, body: {...}}` names values of its body |
| signal: NAME | this happens outside, now; `{name: NAME, values: {...}}` brings values |
| queued: 2 | the caller is in this place of the queue while the transfer waits for an agent |
| agent: OUTCOME | how the conversation ends: next, otherwise, operator; `{outcome: ..., slots: {...}}` |
| transfer: OUTCOME | how the transfer goes (done, busy, no_answer, failed); `{to: TARGET, outcome: ...}` |

A transfer with `{whispers: TEXT, outcome: ...}` also looks at what the agent is told.
`{says: TEXT, means: OPTION}` is speech and what a classifier makes of it, where one is asked: an intent of
the menu, an option of the value, yes, no, operator, or none of them. Without it none answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

import yaml

from ivr.flow.loader import collector_at_rest, load_flow
from ivr.flow.model import Flow
from ivr.flow.nodes import MAX_BYTES, Fields, Reader, compose
from ivr.flow.problems import START, FlowError, ParamError, Problem, Report, Rule, did_you_mean
from ivr.flow.scenario_acts import CAUSES, ActReader, Step, read_data, read_mapping
from ivr.flow.types import KINDS, Mismatch, to_json

SUFFIX: Final = ".scenarios.yaml"


@dataclass(frozen=True, slots=True)
class Scenario:
    """`values` are bound to the flow; `result` is complete, as JSON values; None: not looked at."""

    name: str
    line: int
    values: Mapping[str, Any]
    steps: tuple[Step, ...]
    result: Mapping[str, Any] | None
    cause: str | None
    path: tuple[str, ...] | None
    today: date | None = None
    """What "tomorrow" and a date without a year count from; None: they are not understood."""


@dataclass(frozen=True, slots=True)
class ScenarioFile:
    path: Path
    flow: Flow
    scenarios: tuple[Scenario, ...]


class ScenarioError(Exception):
    """The scenarios, or the flow they belong to, cannot be used; `problems` say where and why."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = list(problems)


def load_scenarios(path: Path) -> ScenarioFile:
    """Reads a scenario file and its flow; raises `ScenarioError`."""
    with collector_at_rest():
        return _load(path)


def _load(path: Path) -> ScenarioFile:
    report = Report(str(path))
    text = _read_text(path, report)
    root = None if text is None else compose(text, report)
    if text is None or root is None:
        raise ScenarioError(report.sorted())
    if not _flow_path(path).exists():
        hint = f"scenarios lie beside their flow: {_flow_path(path).name} and {path.name}"
        report.add(START, Rule.YAML, f"there is no flow {_flow_path(path).name} beside it", hint)
        raise ScenarioError(report.sorted())
    try:
        flow = flow_of(path)
    except FlowError as error:
        raise ScenarioError(error.problems) from error
    scenarios = _FileReader(Reader(report, text), flow, _flow_path(path)).read(root)
    if report.found:
        raise ScenarioError(report.sorted())
    return ScenarioFile(path, flow, scenarios)


def flow_of(path: Path) -> Flow:
    """The flow of a scenario file; raises `FlowError`."""
    return load_flow(_flow_path(path))


def _flow_path(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(SUFFIX) + ".yaml")


def sample_values(path: Path) -> dict[str, Any]:
    """The `with` of a scenario file as JSON values, not bound to its flow; raises `ScenarioError`."""
    report = Report(str(path))
    text = _read_text(path, report)
    root = None if text is None else compose(text, report)
    values: dict[str, Any] = {}
    if text is not None and root is not None:
        node = Reader(report, text).fields(root, "the scenario file").take("with")
        values = {} if node is None else read_mapping(Reader(report, text), node, "with")
    if report.found:
        raise ScenarioError(report.sorted())
    return values


def _read_text(path: Path, report: Report) -> str | None:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES).decode("utf-8-sig")
    except OSError as error:
        report.add(START, Rule.YAML, f"the file cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        report.add(START, Rule.YAML, "the file is not UTF-8", "save it as UTF-8")
    return None


class _FileReader:
    def __init__(self, reader: Reader, flow: Flow, flow_path: Path) -> None:
        self._reader = reader
        self._acts = ActReader(reader, flow)
        self._flow = flow
        self._flow_path = flow_path

    def read(self, root: yaml.MappingNode) -> tuple[Scenario, ...]:
        reader = self._reader
        fields = reader.fields(root, "the scenario file")
        name_node = fields.need("flow", hint="name the flow: flow: NAME")
        name = None if name_node is None else reader.text(name_node, "flow")
        if name_node is not None and name is not None and name != self._flow.name:
            hint = f'did you mean "{self._flow.name}"?'
            reader.problem(name_node, Rule.YAML, f"{self._flow_path.name} is not the flow {name}", hint)
        common = self._values(fields)
        today = self._today(fields)
        node = fields.need("scenarios")
        items = [] if node is None else reader.items(node, "scenarios")
        found = [self._scenario(item, common, today) for item in items]
        fields.finish()
        self._tell_apart(items, found)
        return tuple(scenario for scenario in found if scenario is not None)

    def _tell_apart(self, items: Sequence[yaml.Node], found: Sequence[Scenario | None]) -> None:
        """Reports a name that stands twice: what fails is told by it."""
        lines: dict[str, int] = {}
        for node, scenario in zip(items, found, strict=True):
            if scenario is not None and scenario.name:
                line = lines.setdefault(scenario.name, scenario.line)
                if line != scenario.line:
                    message = f'two scenarios are named "{scenario.name}" (the first in line {line})'
                    self._reader.problem(node, Rule.YAML, message, "say what is different in this one")

    def _values(self, fields: Fields) -> dict[str, Any]:
        node = fields.take("with")
        return {} if node is None else read_mapping(self._reader, node, "with")

    def _today(self, fields: Fields) -> date | None:
        node = fields.take("today")
        text = None if node is None else self._reader.text(node, f"today of {fields.what}")
        if node is None or text is None:
            return None
        try:
            day = KINDS["date"].accept(text)
        except Mismatch as error:
            self._reader.problem(node, Rule.YAML, f"today {error}")
            return None
        return day if isinstance(day, date) else None

    def _scenario(self, node: yaml.Node, common: Mapping[str, Any], today: date | None) -> Scenario | None:
        reader = self._reader
        fields = reader.fields(node, "a scenario")
        name_node = fields.need("name", hint="say what happens: name: accepts by key")
        name = "" if name_node is None else reader.text(name_node, "name of a scenario") or ""
        raw = {**common, **self._values(fields)}
        try:
            values = self._flow.bind(raw)
        except ParamError as error:
            for field, text in error.fields.items():
                reader.problem(fields.place, Rule.YAML, f'scenario "{name}": with: {field} {text}')
            values = {}
        steps_node = fields.need("steps")
        items = [] if steps_node is None else reader.items(steps_node, f'steps of "{name}"')
        steps = [step for item in items if (step := self._acts.read(item)) is not None]
        result = self._result(fields, name)
        cause_node = fields.take("cause")
        cause = None if cause_node is None else reader.one_of(cause_node, f'cause of "{name}"', CAUSES)
        path = self._path(fields, name)
        today = self._today(fields) or today
        fields.finish()
        return Scenario(name, fields.place.line, values, tuple(steps), result, cause, path, today)

    def _result(self, fields: Fields, name: str) -> dict[str, Any] | None:
        """The complete result: the defaults, and over them what is named."""
        node = fields.take("result")
        if node is None:
            return None
        expected = {field: to_json(self._flow.result[field].default) for field in self._flow.result}
        for entry in self._reader.entries(node, f'result of "{name}"'):
            declared = self._flow.result.get(entry.key)
            if declared is None:
                hint = did_you_mean(entry.key, self._flow.result)
                self._reader.problem(entry.key_place, Rule.YAML, f"the flow has no result {entry.key}", hint)
                continue
            try:
                value = declared.type.accept(read_data(self._reader, entry.node, entry.key))
            except Mismatch as error:
                self._reader.problem(entry.node, Rule.YAML, f"result {entry.key} {error}")
                continue
            expected[entry.key] = to_json(value)
        return expected

    def _path(self, fields: Fields, name: str) -> tuple[str, ...] | None:
        node = fields.take("path")
        if node is None:
            return None
        within = [flow for flow in self._flow.family.values() if flow is not self._flow]
        known = {*self._flow.steps, *(f"{flow.name}/{step}" for flow in within for step in flow.steps)}
        steps = []
        for item in self._reader.items(node, f'path of "{name}"'):
            step = self._reader.text(item, "a step of the path")
            if step is not None and step not in known:
                hint = did_you_mean(step, known)
                self._reader.problem(item, Rule.YAML, f'the flow has no step "{step}"', hint)
            steps.append(step or "")
        return tuple(steps)


def scenario_files(paths: Sequence[Path]) -> list[Path]:
    """The scenario files among paths: files as given (a flow stands for its scenarios), folders with all in
    them.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(path.rglob("*" + SUFFIX))
        elif path.name.endswith(SUFFIX):
            found.append(path)
        else:
            found.append(path.with_name(path.stem + SUFFIX))
    return list(dict.fromkeys(found))


def without_scenarios(paths: Sequence[Path]) -> list[Path]:
    """The flows in folders among paths that have no scenarios beside them."""
    return [
        path
        for folder in paths
        if folder.is_dir()
        for path in sorted(folder.rglob("*.yaml"))
        if not path.name.endswith(SUFFIX) and not path.with_name(path.stem + SUFFIX).exists()
    ]
