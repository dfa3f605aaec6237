"""What the server of an evaluation is told, and what stands for the world around it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ivr.config import Config
from ivr.evaluation.talk.scenario import Answer, Scenario, ScenarioFile, ScenariosUnusable, load
from ivr.flow.loader import load_flow
from ivr.flow.machine import FlowMachine
from ivr.flow.model import Flow
from ivr.flow.problems import FlowError, ParamError
from ivr.local import LocalServer, local_server
from ivr.over_sip.broker import Message, broker
from ivr.over_sip.endpoints import Asked, answering
from ivr.over_sip.stage import FIRST_NUMBER, CannotStage, Outside, serving

_NOBODY: Final = "sip:nobody@127.0.0.1:9"
"""Every queue: no agent ever answers."""

_SECTIONS: Final = {"engines", "llm", "knowledge", "classifiers", "say_as"}
"""What an evaluation takes over of a configuration: what a conversation is held with."""


Part = tuple[Path, str, int]
"""A caller of a scenario: its file, its name, and which of the callers."""


@dataclass(frozen=True, slots=True)
class Suite:
    """A file with its flow."""

    path: Path
    file: ScenarioFile
    flow: Flow

    def language(self, scenario: Scenario) -> str:
        """What its caller speaks."""
        values = self.flow.bind({**self.file.params, **scenario.params})
        return self.file.language or FlowMachine(self.flow, values).language


@dataclass(frozen=True, slots=True)
class Staged:
    """A server that runs, and the number that each caller of each scenario calls."""

    server: LocalServer
    numbers: Mapping[Part, str]


def read(paths: Sequence[Path]) -> list[Suite]:
    """Files with their flows, all of it checked. Raises `ScenariosUnusable`."""
    suites = []
    for path in paths:
        file = load(path)
        try:
            flow = load_flow(file.flow)
        except FlowError as error:
            raise ScenariosUnusable(f"{path}: its flow cannot be used:\n{error}") from error
        for scenario in file.scenarios:
            try:
                flow.bind({**file.params, **scenario.params})
            except ParamError as error:
                raise ScenariosUnusable(f"{path}: {scenario.name}: params: {error}") from error
        suites.append(Suite(path, file, flow))
    return suites


@contextmanager
def staged(suites: Sequence[Suite], config: Config | None, folder: Path) -> Iterator[Staged]:
    """Raises `ServerFailed`, `ScenariosUnusable`, OSError."""
    numbers: dict[Part, str] = {}
    listed: dict[str, Any] = {}
    answers: dict[str, Answer] = {}
    flows = {suite.flow.name: suite.flow for suite in suites}
    for suite in suites:
        if flows[suite.flow.name].folder != suite.flow.folder:
            raise ScenariosUnusable(f"{suite.path}: there are two flows named {suite.flow.name}")
        answers |= suite.file.endpoints
        for scenario in suite.file.scenarios:
            params = {**suite.file.params, **scenario.params}
            for caller in range(len(suite.file.callers)):
                number = str(FIRST_NUMBER + len(numbers))
                numbers[suite.path, scenario.name, caller] = number
                listed[number] = {"flow": suite.flow.name, "params": params}
    published: queue.SimpleQueue[Message] = queue.SimpleQueue()
    with _endpoints(answers) as endpoints, broker(published) as url:
        try:
            served = serving(list(flows.values()), folder / "flows", Outside(endpoints, url, _NOBODY))
        except CannotStage as error:
            raise ScenariosUnusable(str(error)) from error
        talk = {} if config is None else config.model_dump(mode="json", include=_SECTIONS, exclude_unset=True)
        with local_server(folder / "server", {**talk, **served, "numbers": listed}) as server:
            yield Staged(server, numbers)


@contextmanager
def _endpoints(answers: Mapping[str, Answer]) -> Iterator[str]:
    """The endpoints of the flows: what stands in no file is not there (404)."""
    asked: queue.SimpleQueue[Asked | None] = queue.SimpleQueue()

    def reply() -> None:
        while (request := asked.get()) is not None:
            answer = answers.get(request.endpoint, Answer(status=404))
            request.answer(answer.status, answer.body)

    thread = threading.Thread(target=reply, daemon=True)
    thread.start()
    try:
        with answering(asked) as url:  # type: ignore[arg-type]  # it only puts
            yield url
    finally:
        asked.put(None)
        thread.join()
