"""Every message that the check can give is shown by a fixture of `tests/flows/bad`."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import ivr.flow
from ivr.flow.loader import check_file
from tests.flow.test_checker import ENVIRONMENT, FIXTURES

SOURCES = Path(ivr.flow.__file__).resolve().parent
NOT_OF_FLOWS = {"scenario_acts.py", "scenarios.py", "test_command.py"}
"""What is said of scenario files has its own tests."""

SHOWN_ELSEWHERE = {
    "compiling.py": ("nested too deeply",),  # test_expressions: no fixture is long enough on every machine
    "loader.py": ("the file is larger than", "the file cannot be read"),  # test_loader
    "reading.py": ("too many expressions",),  # test_loader
    "syntax.py": ("not valid YAML", "the file cannot be read as YAML"),  # what no known cause explains
    "operators.py": ("only numbers and texts may stand here", "filter blocks"),  # the parser gives none
    "types.py": ("must be a number", "is too large to be spoken", "must be a list of at most"),  # test_loader
}  # fmt: skip


def messages() -> Iterator[tuple[Path, ast.Call]]:
    """The places where something wrong with a flow is told."""
    for path in sorted(SOURCES.rglob("*.py")):
        if path.name in NOT_OF_FLOWS:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _tells(ast.unparse(node.func)):
                yield path, node


def _tells(called: str) -> bool:
    last = called.rpartition(".")[2]
    return last in ("problem", "ExpressionError", "_Refused", "Mismatch") or called.endswith("report.add")


def test_every_message_has_a_fixture() -> None:
    lines: set[tuple[str, int]] = set()

    def in_function(frame: FrameType, event: str, _: Any) -> Any:
        lines.add((frame.f_code.co_filename, frame.f_lineno))
        return in_function

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        return in_function if frame.f_code.co_filename.startswith(str(SOURCES)) else None

    before = sys.gettrace()
    try:
        for path in FIXTURES:
            sys.settrace(trace)  # again for each: a stack that overflows has ended it
            check_file(path, ENVIRONMENT)
    finally:
        sys.settrace(before)
    silent = [
        f"{path.relative_to(SOURCES)}:{node.lineno}: {ast.unparse(node)}"
        for path, node in messages()
        if not any((str(path), line) in lines for line in range(node.lineno, (node.end_lineno or 0) + 1))
        and not any(known in ast.unparse(node) for known in SHOWN_ELSEWHERE.get(path.name, ()))
    ]
    assert silent == []
