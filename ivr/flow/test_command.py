"""`ivr test PATH...`: plays the scenarios of flows and says which came true."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

from ivr.flow.model import Flow
from ivr.flow.rehearsal import rehearse
from ivr.flow.scenario_player import Failed
from ivr.flow.scenarios import Scenario, ScenarioError, load_scenarios, scenario_files

Rehearse = Callable[[Flow, Scenario], Failed | None]
"""Plays one scenario; None when all of it came true."""


def run(
    paths: Sequence[Path], out: TextIO | None = None, verbose: bool = False, play: Rehearse = rehearse
) -> int:
    """Plays all scenarios of files and folders, prints the failures (with `verbose` every scenario) and a
    summary.

    Returns the exit status: 0 when all came true, 1 when one did not or a file cannot be used, 2 when there
    was nothing to play.
    """
    out = out or sys.stdout
    played = failed = unusable = 0
    for path in scenario_files(paths):
        try:
            file = load_scenarios(path)
        except ScenarioError as error:
            unusable += 1
            out.write(f"{error}\n")
            continue
        for scenario in file.scenarios:
            played += 1
            failure = play(file.flow, scenario)
            if failure is not None:
                failed += 1
                out.write(_told(path, scenario, failure))
            elif verbose:
                out.write(f"{path}:{scenario.line}: {scenario.name}: ok\n")
    out.write(_summary(played, failed, unusable))
    if failed or unusable:
        return 1
    return 0 if played else 2


def _told(path: Path, scenario: Scenario, failure: Failed) -> str:
    where = f"step {failure.step}: " if failure.step is not None else ""
    lines = [f"{path}:{failure.line}: {scenario.name}: {where}{failure.message}"]
    return "\n    ".join([*lines, *failure.details]) + "\n"


def _summary(played: int, failed: int, unusable: int) -> str:
    if not played and not unusable:
        return "no scenarios found\n"
    parts = [f"{played} scenario{'' if played == 1 else 's'}"]
    parts.append(f"{failed} failed" if failed else "all came true")
    if unusable:
        parts.append(f"{unusable} file{'' if unusable == 1 else 's'} cannot be used")
    return ", ".join(parts) + "\n"
