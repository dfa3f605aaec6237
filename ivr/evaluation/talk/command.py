"""`ivr eval talk`: plays scenario after scenario, and tells how it went."""

from __future__ import annotations

import asyncio
import io
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TextIO

from engines.contract import EngineError
from ivr.config import Config, ConfigError
from ivr.config import load as load_config
from ivr.evaluation.talk.improvising import Improviser
from ivr.evaluation.talk.playing import Playing
from ivr.evaluation.talk.report import Outcome, figures, table, xml
from ivr.evaluation.talk.scenario import Scenario, ScenariosUnusable, scenario_files
from ivr.evaluation.talk.scoring import score
from ivr.evaluation.talk.stage import Staged, Suite, read, staged
from ivr.llm import chain_of
from ivr.local import ServerFailed
from ivr.phone.phone import NoPhone, open_phone
from ivr.phone.timeline import Timeline

Format = Literal["text", "json"]


@dataclass(frozen=True, slots=True)
class Options:
    """`config` says what conversations are held with (engines, language models); without it the embedded
    engines are. `only` is part of the names of the scenarios that are played, `at_once` how many calls there
    are at a time."""

    paths: tuple[Path, ...]
    config: Path | None = None
    only: str = ""
    at_once: int = 1
    format: Format = "text"
    json: Path | None = None
    junit: Path | None = None


def run(options: Options, out: TextIO | None = None) -> int:
    """0 when all went as expected, 1 when something did not, 2 when nothing could be played."""
    out = out or sys.stdout
    try:
        config = None if options.config is None else load_config(options.config)
        suites = read(scenario_files(options.paths))
        with (
            tempfile.TemporaryDirectory(prefix="ivr-eval-") as folder,
            staged(suites, config, Path(folder)) as stage,
        ):
            outcomes = asyncio.run(_all(suites, stage, config, options))
        if not outcomes:
            raise ScenariosUnusable(f"no scenario is named {options.only!r}")
    except (ScenariosUnusable, ConfigError, ServerFailed, NoPhone, EngineError, OSError) as error:
        print(f"ivr: {error}", file=sys.stderr)
        return 2
    told = json.dumps(figures(outcomes), indent=2, ensure_ascii=False) + "\n"
    out.write(told if options.format == "json" else table(outcomes))
    if options.json is not None:
        options.json.write_text(told, encoding="utf-8")
    if options.junit is not None:
        options.junit.write_bytes(xml(outcomes))
    return 0 if all(outcome.score.passed for outcome in outcomes) else 1


async def _all(suites: list[Suite], stage: Staged, config: Config | None, options: Options) -> list[Outcome]:
    """In the order of the files, however many are played at a time."""
    places = asyncio.Semaphore(options.at_once)
    async with _improviser(suites, config) as improviser, asyncio.TaskGroup() as calls:
        playing = [
            calls.create_task(_one(suite, scenario, caller, stage, improviser, places))
            for suite in suites
            for scenario in suite.file.scenarios
            if options.only in scenario.name
            for caller in range(len(suite.file.callers))
        ]
    return [task.result() for task in playing]


async def _one(
    suite: Suite,
    scenario: Scenario,
    caller: int,
    stage: Staged,
    improviser: Improviser | None,
    places: asyncio.Semaphore,
) -> Outcome:
    async with places:
        return await _played(suite, scenario, caller, stage, improviser)


async def _played(
    suite: Suite, scenario: Scenario, caller: int, stage: Staged, improviser: Improviser | None
) -> Outcome:
    began = time.monotonic()
    manner = suite.file.callers[caller]
    _progress(f"{scenario.name} [{manner.name}]")
    number = stage.numbers[suite.path, scenario.name, caller]
    language = suite.language(scenario)
    async with open_phone(language=language, timeline=Timeline(io.StringIO())) as phone:
        playing = Playing(scenario, manner, language, stage.server.api, improviser)
        heard, why = await playing.play(phone, stage.server.uri(number), number)
    found = score(heard, scenario.expect, suite.file.within)
    if why:
        found = replace(found, failures=(why, *found.failures))
    return Outcome(suite.path, suite.flow.name, scenario.name, manner.name, found, time.monotonic() - began)


@asynccontextmanager
async def _improviser(suites: list[Suite], config: Config | None) -> AsyncIterator[Improviser | None]:
    """Who plays callers that are not scripted; None where there are none."""
    if not any(suite.file.improvises for suite in suites):
        yield None
        return
    model = None if config is None else chain_of(config.llm)
    if model is None:
        raise ScenariosUnusable("callers that improvise need a language model: llm.providers of --config")
    async with AsyncExitStack() as on_exit:
        await model.start()
        on_exit.push_async_callback(model.close)
        yield Improviser(model)


def _progress(what: str) -> None:
    if sys.stderr.isatty():
        print(what, file=sys.stderr, flush=True)
