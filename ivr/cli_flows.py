"""The commands for those who write flows; `register` hangs them into the `ivr` command."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from ivr.flow.templates import Template

if TYPE_CHECKING:
    from ivr.config import Config
    from ivr.flow.loader import Environment
    from ivr.flow.test_command import Wishes

OptionalPath = Optional[Path]  # noqa: UP045 (typer reads it at run time)
OptionalText = Optional[str]  # noqa: UP045
NamesFrom = Annotated[
    OptionalPath,
    typer.Option(
        "--config", "-c", help="Also check the endpoints and queues that flows name, against this file."
    ),
]
Flows = Annotated[list[Path], typer.Argument(help="Flow files, or folders of them.")]
FlowFile = Annotated[Path, typer.Argument(help="The flow's file.")]


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"


class Picture(StrEnum):
    MERMAID = "mermaid"
    SVG = "svg"


class Over(StrEnum):
    VIRTUAL = "virtual"
    SIP = "sip"


class CheckFormat(StrEnum):
    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


def check(
    paths: Flows,
    config: NamesFrom = None,
    format: Annotated[CheckFormat, typer.Option(help="How the mistakes are printed.")] = CheckFormat.TEXT,
    watch: Annotated[bool, typer.Option("--watch", help="Check again after every change.")] = False,
) -> None:
    """Checks flows: every mistake with its file, line, column, rule and a hint."""
    from ivr.flow.check_command import run
    from ivr.watching import watch as keep_watching

    if not watch:
        raise SystemExit(run(paths, _environment(config), format.value))
    beside = paths if config is None else [*paths, config]
    raise SystemExit(keep_watching(beside, lambda: run(paths, _environment(config), format.value)))


def simulate(
    flow: FlowFile,
    param: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--param", "-p", help="A value of the flow, as name=value; the rest are samples."),
    ] = None,
    language: Annotated[OptionalText, typer.Option(help="The language of the call.")] = None,
) -> None:
    """A call as text: type keys, or what the caller says."""
    from ivr.flow.simulator import run

    raise SystemExit(run(flow, _pairs(param or []), language, today=date.today()))


def play_scenarios(
    paths: Flows,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Name every scenario.")] = False,
    coverage: Annotated[
        bool, typer.Option("--coverage", help="Tell which steps and outcomes no scenario tries.")
    ] = False,
    min_coverage: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="Fail when less of a flow is tried, in percent of its steps and outcomes."),
    ] = None,
    junit: Annotated[OptionalPath, typer.Option(help="Also write the outcome as JUnit XML.")] = None,
    over: Annotated[
        Over, typer.Option(help="virtual: at once, without audio. sip: as real calls to a server of its own.")
    ] = Over.VIRTUAL,
) -> None:
    """Plays the scenarios that lie beside flows."""
    import time

    from ivr.flow.test_command import Wishes, run

    wishes = Wishes(verbose, coverage, min_coverage, junit)
    try:
        if over is Over.VIRTUAL:
            from ivr.spreading import spread

            raise SystemExit(run(paths, wishes=wishes, clock=time.perf_counter, spread=spread))
        raise SystemExit(_over_sip(paths, wishes))
    except OSError as error:
        raise SystemExit(f"ivr: {error}") from error


def _over_sip(paths: list[Path], wishes: Wishes) -> int:
    import time

    from engines.contract import EngineError
    from ivr.flow.test_command import run
    from ivr.local import ServerFailed
    from ivr.over_sip.run import over_sip
    from ivr.over_sip.stage import CannotStage
    from ivr.phone.phone import NoPhone

    try:
        with over_sip(paths) as play:
            return run(paths, wishes=wishes, play=play, clock=time.perf_counter)
    except (CannotStage, ServerFailed, NoPhone, EngineError) as error:
        raise SystemExit(f"ivr: {error}") from error


def diff(
    a: Annotated[Path, typer.Argument(help="The flow as it is.")],
    b: Annotated[Path, typer.Argument(help="The flow as it will be.")],
    format: Annotated[Format, typer.Option(help="How the changes are printed.")] = Format.TEXT,
) -> None:
    """What changes for callers between two versions of a flow; ends with 0 (nothing), 1 or 2 (error)."""
    from ivr.flow.diff import run

    raise SystemExit(run(a, b, format.value))


def graph(
    flow: FlowFile,
    format: Annotated[
        Optional[Picture],  # noqa: UP045
        typer.Option(help="The kind of picture; without it the name of --out decides, else mermaid."),
    ] = None,
    out: Annotated[OptionalPath, typer.Option(help="Write to this file instead of printing.")] = None,
    language: Annotated[OptionalText, typer.Option(help="The language of the prompts shown.")] = None,
    calls: Annotated[
        OptionalPath,
        typer.Option(help="Count how often past calls went each way, in the store of this configuration."),
    ] = None,
) -> None:
    """Draws a flow: steps, what they say, and where every outcome leads."""
    from ivr.flow.graph_command import run
    from ivr.store import StoreError, database_url
    from ivr.store.visits import count_visits

    named = Picture.SVG if out is not None and out.suffix == ".svg" else Picture.MERMAID
    visits = None
    if calls is not None:
        store = _config(calls).store
        visits = partial(count_visits, database_url(store.path, store.database))
    try:
        raise SystemExit(run(flow, (format or named).value, language, out, visits))
    except (OSError, StoreError) as error:
        raise SystemExit(f"ivr: {error}") from error


def new(
    name: Annotated[str, typer.Argument(help="The flow's name: letters, digits, - and _.")],
    template: Annotated[Template, typer.Option(help="What it begins with.")] = Template.MENU,
    folder: Annotated[Path, typer.Option(help="Where the files go.")] = Path("flows"),
) -> None:
    """Writes a flow that passes the check, and its scenarios, to begin with."""
    from ivr.flow.new import run

    try:
        raise SystemExit(run(name, template, folder))
    except OSError as error:
        raise SystemExit(f"ivr: {error}") from error


def schema(
    scenarios: Annotated[bool, typer.Option("--scenarios", help="That of scenario files instead.")] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="The reference of all of it, to read.")
    ] = False,
) -> None:
    """Prints the JSON Schema of a flow file, with which editors complete and validate."""
    import json

    from ivr.flow.reference import reference
    from ivr.flow.schema import flow_schema
    from ivr.flow.schema_scenarios import scenario_schema

    if markdown:
        print(reference(), end="")
        return
    print(json.dumps(scenario_schema() if scenarios else flow_schema(), ensure_ascii=False, indent=2))


def register(app: typer.Typer) -> None:
    app.command()(new)
    app.command()(check)
    app.command()(simulate)
    app.command("test")(play_scenarios)
    app.command()(graph)
    app.command()(diff)
    app.command()(schema)


def _pairs(texts: list[str]) -> dict[str, str]:
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise typer.BadParameter(f"write {text!r} as name=value")
        pairs[name.strip()] = value
    return pairs


def _environment(config: Path | None) -> Environment | None:
    from ivr.library import environment_of

    return None if config is None else environment_of(_config(config))


def _config(path: Path) -> Config:
    from ivr.config import ConfigError, load

    try:
        return load(path)
    except ConfigError as error:
        raise SystemExit(f"ivr: {error}") from error
