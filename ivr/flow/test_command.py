"""`ivr test PATH...`: plays the scenarios of flows and says which came true."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from io import StringIO
from pathlib import Path
from typing import TextIO

from ivr.flow.coverage import Coverage, coverage_of
from ivr.flow.coverage import told as coverage_told
from ivr.flow.junit import Case, Suite, junit
from ivr.flow.model import Flow
from ivr.flow.rehearsal import Played, play
from ivr.flow.scenario_player import Failed
from ivr.flow.scenarios import (
    SUFFIX,
    Scenario,
    ScenarioError,
    ScenarioFile,
    flow_of,
    load_scenarios,
    scenario_files,
    without_scenarios,
)

Play = Callable[[Flow, Scenario], Played]
"""Plays one scenario to the end of its call."""


def no_clock() -> float:
    """For whom it does not matter how long a scenario took."""
    return 0.0


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is asked for besides the failures and the summary.

    `verbose` names every scenario; `coverage` tells what was never tried; below `min_coverage` percent (of
    any flow) the run fails; `junit` is where the JUnit XML goes."""

    verbose: bool = False
    coverage: bool = False
    min_coverage: float | None = None
    junit: Path | None = None


@dataclass(frozen=True, slots=True)
class _Rehearsed:
    """What came of one file; `told` is what is to be said of it."""

    suite: Suite
    played: tuple[Played, ...]
    told: str = ""


Spread = Callable[[Callable[[Path], _Rehearsed], Sequence[Path]], Iterable[_Rehearsed]]
"""Does it for each file, in any process, and gives what came of them in their order."""


def run(
    paths: Sequence[Path],
    out: TextIO | None = None,
    wishes: Wishes = Wishes(),
    play: Play = play,
    clock: Callable[[], float] = no_clock,
    spread: Spread | None = None,
) -> int:
    """Plays all scenarios of files and folders, and prints what came of it; `clock` gives seconds.

    With `spread` the files are played apart, and each is told when it is over; without, every scenario is.
    Returns the exit status: 0 when all came true, 1 when one did not, a file cannot be used or too little
    was tried, 2 when there was nothing to play. Raises OSError when the JUnit file cannot be written.
    """
    out = out or sys.stdout
    rehearsed: list[_Rehearsed] = []
    untried: list[Path] = []
    files = scenario_files(paths)
    if spread is None:
        rehearsed += (_rehearse(path, wishes.verbose, play, clock, out) for path in files)
    else:
        for done in spread(partial(_apart, verbose=wishes.verbose, play=play, clock=clock), files):
            out.write(done.told)
            rehearsed.append(done)
    suites = [done.suite for done in rehearsed]
    coverages = _coverages(rehearsed) if wishes.coverage or wishes.min_coverage is not None else []
    if wishes.coverage:
        out.writelines(f"{line}\n" for line in coverage_told(coverages))
    if wishes.coverage or wishes.min_coverage:
        untried = without_scenarios(paths)
        out.writelines(f"{path}: no scenarios\n" for path in untried)
    out.write(_summary(suites))
    if wishes.junit is not None:
        wishes.junit.write_bytes(junit(suites))
    if wishes.min_coverage is None:
        return _status(suites, enough=True)
    short = list(_short(coverages, wishes.min_coverage, out))
    return _status(suites, enough=not short and not (untried and wishes.min_coverage))


def _apart(path: Path, verbose: bool, play: Play, clock: Callable[[], float]) -> _Rehearsed:
    out = StringIO()
    return replace(_rehearse(path, verbose, play, clock, out), told=out.getvalue())


def _rehearse(path: Path, verbose: bool, play: Play, clock: Callable[[], float], out: TextIO) -> _Rehearsed:
    """Plays the scenarios of one file, and tells each as it goes."""
    try:
        file = load_scenarios(path)
    except ScenarioError as error:
        out.write(f"{error}\n")
        return _Rehearsed(Suite(path, path.name.removesuffix(SUFFIX), error=str(error)), ())
    all_played: list[Played] = []
    cases: list[Case] = []
    for scenario, played, took_s in _played(file, play, clock):
        all_played.append(played)
        cases.append(Case(scenario.name, scenario.line, took_s, played.failure, played.skipped))
        if played.failure is not None:
            out.write(_told(path, scenario, played.failure))
        elif verbose or played.skipped:
            how = f"skipped: {played.skipped}" if played.skipped else "ok"
            out.write(f"{path}:{scenario.line}: {scenario.name}: {how}\n")
        out.flush()
    return _Rehearsed(Suite(path, file.flow.name, cases), tuple(all_played))


def _coverages(rehearsed: Iterable[_Rehearsed]) -> list[Coverage]:
    """Of each flow; what others tried of it by entering it counts as well."""
    tried = [(flow_of(done.suite.path), done.played) for done in rehearsed if not done.suite.error]
    return [coverage_of(flow, played, _around(flow, tried)) for flow, played in tried]


def _around(flow: Flow, tried: Sequence[tuple[Flow, tuple[Played, ...]]]) -> Iterator[Played]:
    for other, played in tried:
        if other is not flow and flow.name in other.family:
            yield from played


def _played(
    file: ScenarioFile, play: Play, clock: Callable[[], float]
) -> Iterator[tuple[Scenario, Played, float]]:
    for scenario in file.scenarios:
        began = clock()
        played = play(file.flow, scenario)
        yield scenario, played, clock() - began


def _short(coverages: list[Coverage], least: float, out: TextIO) -> Iterator[Coverage]:
    """Flows of which too little was tried; says so."""
    for one in coverages:
        if one.percent < least:
            out.write(f"{one.flow}: {one.percent:.1f} % tried, {least:g} % wanted (--coverage shows what)\n")
            yield one


def _told(path: Path, scenario: Scenario, failure: Failed) -> str:
    where = f"step {failure.step}: " if failure.step is not None else ""
    lines = [f"{path}:{failure.line}: {scenario.name}: {where}{failure.message}"]
    return "\n    ".join([*lines, *failure.details]) + "\n"


def _status(suites: list[Suite], *, enough: bool) -> int:
    failed = any(case.failure is not None for suite in suites for case in suite.cases)
    if failed or not enough or any(suite.error for suite in suites):
        return 1
    return 0 if any(not case.skipped for suite in suites for case in suite.cases) else 2


def _summary(suites: list[Suite]) -> str:
    cases = [case for suite in suites for case in suite.cases]
    unusable = sum(bool(suite.error) for suite in suites)
    if not cases and not unusable:
        return "no scenarios found\n"
    failed = sum(case.failure is not None for case in cases)
    parts = [f"{len(cases)} scenario{'' if len(cases) == 1 else 's'}"]
    skipped = sum(bool(case.skipped) for case in cases)
    if cases:
        parts.append(f"{failed} failed" if failed else "all came true" if not skipped else "none failed")
    if skipped:
        parts.append(f"{skipped} skipped")
    if unusable:
        parts.append(f"{unusable} file{'' if unusable == 1 else 's'} cannot be used")
    return ", ".join(parts) + "\n"
