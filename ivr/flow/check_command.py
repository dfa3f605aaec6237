"""`ivr check PATH...`: what is wrong with flows and their scenarios, for people and for tools."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any, Literal, TextIO

from ivr.flow.children import Children
from ivr.flow.loader import Environment, check_file, flows_of
from ivr.flow.problems import Problem
from ivr.flow.sarif import sarif
from ivr.flow.scenarios import SUFFIX as SCENARIOS
from ivr.flow.scenarios import ScenarioError, load_scenarios

Format = Literal["text", "json", "sarif"]


def yaml_files(paths: Sequence[Path]) -> Iterator[Path]:
    """Files as given, and folders with every .yaml and .yml in them, in order."""
    for path in paths:
        if path.is_dir():
            yield from sorted((*path.rglob("*.yaml"), *path.rglob("*.yml")))
        else:
            yield path


def problems_of(
    path: Path, environment: Environment | None = None, children: Children | None = None
) -> list[Problem]:
    """What is wrong with a flow or a file of scenarios. `children` are the flows that it may enter, those of
    its folder without any."""
    if not path.name.endswith(SCENARIOS):
        return check_file(path, environment, children)
    try:
        load_scenarios(path)
    except ScenarioError as error:
        # What is wrong with the flow they belong to is said where the flow is checked.
        return [problem for problem in error.problems if problem.file == str(path)]
    return []


def run(
    paths: Sequence[Path],
    environment: Environment | None = None,
    format: Format = "text",
    out: TextIO | None = None,
) -> int:
    """Checks files and folders, prints what was found, and returns the exit status: 0 when all can be used,
    1 when one cannot, 2 when there was nothing to check."""
    out = out or sys.stdout
    found: dict[Path, list[Problem]] = {}
    for given in paths:
        children = flows_of(given if given.is_dir() else given.parent, environment)
        for path in yaml_files([given]):
            if path not in found:
                found[path] = problems_of(path, environment, children)
    if format == "json":
        listed = [asdict(problem) for problems in found.values() for problem in problems]
        _print_json({"files": len(found), "problems": listed}, out)
    elif format == "sarif":
        _print_json(sarif(chain.from_iterable(found.values()), version("ivr-server")), out)
    else:
        _print_text(found, out)
    if not found:
        return 2
    return 1 if any(found.values()) else 0


def _print_json(document: Any, out: TextIO) -> None:
    out.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")


def _print_text(found: dict[Path, list[Problem]], out: TextIO) -> None:
    for path, problems in found.items():
        out.writelines(f"{problem}\n" for problem in problems)
        if not problems:
            out.write(f"{path}: ok\n")
    wrong = sum(len(problems) for problems in found.values())
    files = f"{len(found)} file{'' if len(found) == 1 else 's'}"
    if not found:
        out.write("no flow files found\n")
    elif wrong:
        out.write(f"{files}, {wrong} problem{'' if wrong == 1 else 's'}\n")
