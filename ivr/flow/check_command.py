"""`ivr check PATH...`: what is wrong with flow files, for people and for tools."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Literal, TextIO

from ivr.flow.loader import Environment, check_file
from ivr.flow.problems import Problem

Format = Literal["text", "json"]

SCENARIO_SUFFIXES = (".test.yaml", ".test.yml", ".scenarios.yaml", ".scenarios.yml")
"""Files of tests that may lie beside flows."""


def flow_files(paths: Sequence[Path]) -> Iterator[Path]:
    """The flow files among paths: files as given, folders with every .yaml and .yml in them, in order."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for found in sorted((*path.rglob("*.yaml"), *path.rglob("*.yml"))):
            if not found.name.endswith(SCENARIO_SUFFIXES):
                yield found


def run(
    paths: Sequence[Path],
    environment: Environment | None = None,
    format: Format = "text",
    out: TextIO | None = None,
) -> int:
    """Checks files and folders, prints what was found, and returns the exit status: 0 when all can be used,
    1 when one cannot, 2 when there was nothing to check."""
    out = out or sys.stdout
    files = list(flow_files(paths))
    found = {path: check_file(path, environment) for path in files}
    if format == "json":
        listed = [asdict(problem) for problems in found.values() for problem in problems]
        out.write(json.dumps({"files": len(files), "problems": listed}, ensure_ascii=False, indent=2) + "\n")
    else:
        _print_text(found, out)
    if not files:
        return 2
    return 1 if any(found.values()) else 0


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
