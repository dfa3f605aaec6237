"""Runs the scenarios against a server of their own, or a foreign one, and prints a table."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

import httpx

from ivr.local import ServerFailed, local_server
from sipp_scenarios.config import make_world
from sipp_scenarios.scenario import Scenario
from sipp_scenarios.scenarios import ALL
from sipp_scenarios.stage import CODE, Failed, Skipped, Stage

JOBS: Final = 4
_FIRST_CALLER: Final = 2001


class Outcome(Enum):
    PASSED = "passed"
    FAILED = "FAILED"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Result:
    """How one scenario went; `detail` says why, when it did not pass."""

    scenario: Scenario
    outcome: Outcome
    seconds: float
    detail: str = ""


MakeStage = Callable[[Scenario], Stage]


@contextmanager
def own_server(folder: Path) -> Iterator[MakeStage]:
    """A server of our own and the stages around it; it is gone when the block is left."""
    world = make_world(folder)
    with local_server(folder, world.config) as server:
        targets = dict(address.split(":", 1) for address in server.sip if "[" not in address)
        targets["udp6"] = next(a.partition(":")[2] for a in server.sip if a.startswith("udp:["))
        yield lambda scenario: Stage(
            targets, _subfolder(folder, scenario), _caller(scenario), server=server, world=world
        )


def foreign_server(target: str, number: str, folder: Path) -> MakeStage:
    """Stages around a server that runs already, by its UDP address and a number that answers and waits."""
    return lambda scenario: Stage({"udp": target}, _subfolder(folder, scenario), _caller(scenario), number)


def play(scenario: Scenario, make_stage: MakeStage) -> Result:
    """Runs one scenario; never raises for a scenario that went wrong."""
    began = time.monotonic()
    outcome, detail = Outcome.PASSED, ""
    try:
        scenario.play(make_stage(scenario))
    except Skipped as error:
        outcome, detail = Outcome.SKIPPED, str(error)
    except (Failed, ServerFailed, TimeoutError, RuntimeError, OSError, httpx.HTTPError) as error:
        outcome, detail = Outcome.FAILED, str(error) or type(error).__name__
    return Result(scenario, outcome, time.monotonic() - began, detail)


def play_all(scenarios: Sequence[Scenario], make_stage: MakeStage, jobs: int = JOBS) -> Iterator[Result]:
    """Runs the scenarios, some at a time, those that must be alone last; gives results in order."""
    together = [scenario for scenario in scenarios if not scenario.alone]
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(lambda scenario: play(scenario, make_stage), together)
    for scenario in scenarios:
        if scenario.alone:
            yield play(scenario, make_stage)


def choose(names: Sequence[str], slow: bool) -> list[Scenario]:
    """The named scenarios, else all (slow ones on demand); raises KeyError for an unknown name."""
    known = {scenario.name: scenario for scenario in ALL}
    if names:
        return [known[name] for name in names]
    return [scenario for scenario in ALL if slow or not scenario.slow]


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    if options.list:
        for scenario in ALL:
            _say(f"{scenario.name:20} {scenario.about}{' (slow)' if scenario.slow else ''}")
        return 0
    try:
        scenarios = choose(options.only, options.slow)
    except KeyError as error:
        _say(f"there is no scenario {error}; --list shows them")
        return 2
    with _folder(options.keep) as folder:
        if options.target:
            make_stage = foreign_server(options.target, options.number, folder)
            return _report(play_all(scenarios, make_stage, options.jobs))
        try:
            with own_server(folder) as make_stage:
                return _report(play_all(scenarios, make_stage, options.jobs))
        except ServerFailed as error:
            _say(str(error))
            return 1


def _report(results: Iterable[Result]) -> int:
    began, counts = time.monotonic(), dict.fromkeys(Outcome, 0)
    for result in results:
        counts[result.outcome] += 1
        scenario = result.scenario
        _say(f"{result.outcome.value:8} {scenario.name:20} {result.seconds:5.1f} s  {scenario.about}")
        if result.detail:
            _say(f"         {_indented(result.detail)}")
    spent = time.monotonic() - began
    _say(
        ", ".join(f"{count} {outcome.value.lower()}" for outcome, count in counts.items())
        + f" in {spent:.0f} s"
    )
    return 1 if counts[Outcome.FAILED] else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sipp_scenarios/run", description="Calls the server with SIPp, and is called by it."
    )
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="run this scenario (repeatable)"
    )
    parser.add_argument("--slow", action="store_true", help="also run the slow ones")
    parser.add_argument("--list", action="store_true", help="show the scenarios")
    parser.add_argument(
        "--jobs", type=int, default=JOBS, metavar="N", help="scenarios at a time (default %(default)s)"
    )
    parser.add_argument("--target", metavar="HOST:PORT", help="call this server instead of starting one")
    parser.add_argument(
        "--number", default=CODE, help="a number of the target that answers (default %(default)s)"
    )
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="keep logs and messages in a new folder in there"
    )
    return parser


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        folder = keep.resolve() / time.strftime("%Y%m%d-%H%M%S")
        folder.mkdir(parents=True)
        _say(f"logs and messages: {folder}")
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="sipp-") as name:
        yield Path(name)


def _subfolder(folder: Path, scenario: Scenario) -> Path:
    path = folder / scenario.name
    path.mkdir(exist_ok=True)
    return path


def _caller(scenario: Scenario) -> str:
    """A number of its own for each scenario, by which its records are found."""
    return str(_FIRST_CALLER + ALL.index(scenario))


def _indented(text: str) -> str:
    return text.replace("\n", "\n         ")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
