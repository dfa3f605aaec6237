"""`ivr test --over sip`: a server for the scenarios of some files, and a way to play each."""

from __future__ import annotations

import asyncio
import io
import queue
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ivr.flow.machine import FlowMachine
from ivr.flow.model import Flow
from ivr.flow.rehearsal import Played
from ivr.flow.scenarios import (
    Scenario,
    ScenarioError,
    ScenarioFile,
    load_scenarios,
    scenario_files,
)
from ivr.flow.test_command import Play
from ivr.local import LocalServer, local_server
from ivr.over_sip.broker import Message, broker
from ivr.over_sip.endpoints import Asked, answering
from ivr.over_sip.playing import Playing
from ivr.over_sip.stage import Outside, cannot, set_stage
from ivr.phone.phone import Phone, open_phone
from ivr.phone.timeline import Timeline
from sip.tolls import ANY_HOST


@contextmanager
def over_sip(paths: Sequence[Path]) -> Iterator[Play]:
    """Starts a server for the flows of these files, and gives what plays their scenarios, one call after the
    other. Raises `CannotStage`, `ServerFailed`, `NoPhone`, `EngineError`, OSError."""
    files = _usable(paths)
    asked: queue.SimpleQueue[Asked] = queue.SimpleQueue()
    published: queue.SimpleQueue[Message] = queue.SimpleQueue()
    with (
        tempfile.TemporaryDirectory(prefix="ivr-test-") as temporary,
        answering(asked) as endpoints,
        broker(published) as url,
        asyncio.Runner() as runner,
    ):
        folder = Path(temporary)
        desk_context = open_phone(timeline=_quiet())
        desk: Phone = runner.run(desk_context.__aenter__())
        try:
            stage = set_stage(files, folder / "flows", Outside(endpoints, url, desk.address))
            with local_server(folder / "server", stage.config) as server:

                def play(flow: Flow, scenario: Scenario) -> Played:
                    if why := cannot(flow, scenario):
                        return Played(None, skipped=why)
                    number = stage.numbers[flow.name, scenario.line]
                    return runner.run(_play(flow, scenario, server, number, desk, asked, published))

                yield play
        finally:
            runner.run(desk_context.__aexit__(None, None, None))


async def _play(
    flow: Flow,
    scenario: Scenario,
    server: LocalServer,
    number: str,
    desk: Phone,
    asked: queue.SimpleQueue[Asked],
    published: queue.SimpleQueue[Message],
) -> Played:
    while not asked.empty():
        asked.get().answer(204)  # of a call before: it came too late for it
    language = FlowMachine(flow, scenario.values).language
    async with open_phone(language=language, timeline=_quiet(), refer_to=(ANY_HOST,)) as phone:
        playing = Playing(flow, scenario, server.api, phone, desk, asked, published)
        return await playing.play(server.uri(number), number)


def _usable(paths: Sequence[Path]) -> list[ScenarioFile]:
    """What cannot be used is told where the scenarios are played."""
    found: list[ScenarioFile] = []
    for path in scenario_files(paths):
        try:
            found.append(load_scenarios(path))
        except ScenarioError:
            continue
    return found


def _quiet() -> Timeline:
    return Timeline(io.StringIO())
