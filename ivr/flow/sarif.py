"""Problems as SARIF 2.1.0 (OASIS Static Analysis Results Interchange Format), which code hosts show beside
the lines."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import quote

from ivr.flow.problems import RULES, Problem, Rule

VERSION: Final = "2.1.0"
SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
ROOT: Final = "%SRCROOT%"
"""The folder that relative files are counted from: where the check was run."""


def sarif(problems: Iterable[Problem], version: str) -> dict[str, Any]:
    """One run of the check, as a JSON object; `version` is that of this program."""
    driver = {"name": "ivr check", "version": version, "rules": [_rule(rule) for rule in Rule]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(problem) for problem in problems],
    }
    return {"$schema": SCHEMA, "version": VERSION, "runs": [run]}


def _id(rule: Rule) -> str:
    return f"rule{int(rule)}"


def _rule(rule: Rule) -> dict[str, Any]:
    text = {"text": RULES[rule]}
    return {
        "id": _id(rule),
        "name": rule.name.title().replace("_", ""),
        "shortDescription": text,
        "defaultConfiguration": {"level": "error"},
    }


def _result(problem: Problem) -> dict[str, Any]:
    rule = Rule(problem.rule)
    text = f"{problem.message} ({problem.hint})" if problem.hint else problem.message
    region = {"startLine": problem.line, "startColumn": problem.column}
    return {
        "ruleId": _id(rule),
        "ruleIndex": list(Rule).index(rule),
        "level": "error",
        "message": {"text": text},
        "locations": [{"physicalLocation": {"artifactLocation": _file(problem.file), "region": region}}],
    }


def _file(name: str) -> dict[str, str]:
    path = Path(name)
    if path.is_absolute():
        return {"uri": path.as_uri()}
    return {"uri": quote(str(PurePosixPath(path))), "uriBaseId": ROOT}
