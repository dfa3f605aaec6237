"""What the API says of flows, with the examples that the documentation shows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from ivr.api.models import utc
from ivr.flow.problems import Problem
from ivr.library import Change, Entry
from ivr.shelf.keeper import Put
from ivr.store import FlowVersion

EXAMPLE_TEXT: Final = """flow: hello
languages: [en]
start: greet
steps:
  greet: {say: {en: "Hello."}, next: bye}
  bye: {end: normal}
"""
EXAMPLE_SCENARIOS: Final = """flow: hello
scenarios:
  - name: is greeted
    steps: [{hears: "Hello"}]
    result: {}
"""
_HASH: Final = "5f0c6ad1b5a04a6f8a52ad3f5d5a5ce1"
_PROBLEM: Final[dict[str, Any]] = {
    "line": 5,
    "column": 38,
    "rule": 1,
    "message": 'next of step greet leads to "by", and there is no such step',
    "hint": 'did you mean "bye"?',
    "file": "hello.yaml",
}
_FLOW: Final[dict[str, Any]] = {
    "name": "hello",
    "file": "hello.yaml",
    "state": "behind",
    "hash": _HASH,
    "since": "2025-11-22T09:30:00Z",
    "by": "dashboard",
    "languages": ["en"],
    "steps": 2,
    "calls": 3,
    "calls_behind": 1,
    "problems": [_PROBLEM],
    "href": "/api/flows/hello",
}


def _example(example: Mapping[str, Any]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [dict(example)]})


class FlowProblem(BaseModel):
    """One mistake in a flow's file, as `ivr check` tells it."""

    model_config = _example(_PROBLEM)

    line: int
    column: int
    rule: int
    message: str
    hint: str = Field(description="What to write instead; may be empty")
    file: str = Field(description="Relative to the folder of the flows")


class FlowShort(BaseModel):
    """A flow of the folder: the version that answers, and what is wrong with the file as it is now."""

    model_config = _example(_FLOW)

    name: str
    file: str = Field(description="Relative to the folder of the flows")
    state: Literal["current", "behind", "broken"] = Field(
        description="current: the file is what answers; behind: it has problems, and an older version "
        "answers; broken: no version answers"
    )
    hash: str | None = Field(description="Of the version that answers new calls; null: none does")
    since: datetime | None
    by: str | None = Field(description="Who put it: a key's holder, or `file` for a change of the folder")
    languages: list[str]
    steps: int
    calls: int = Field(description="Live calls of this flow, of all versions")
    calls_behind: int = Field(description="Those of them that began with an older version, and keep it")
    problems: list[FlowProblem]
    href: str


class FlowList(BaseModel):
    """All flows, by name; files whose flow another file has already come last."""

    flows: list[FlowShort]


class FlowDetail(FlowShort):
    """One flow with the text of its file, problems and all."""

    model_config = _example({**_FLOW, "text": EXAMPLE_TEXT, "etag": "9a0364b9e99bb480dd25e1f0284c8555"})

    text: str
    etag: str = Field(description="What If-Match wants, without its quotes: it changes with every byte")


class FlowPut(BaseModel):
    """A text that passed the check. With `dry_run` nothing was changed."""

    model_config = _example(
        {
            "name": "hello",
            "hash": _HASH,
            "etag": "9a0364b9e99bb480dd25e1f0284c8555",
            "created": False,
            "dry_run": False,
            "href": "/api/flows/hello",
        }
    )

    name: str
    hash: str
    etag: str
    created: bool
    dry_run: bool
    href: str


class FlowVersionShort(BaseModel):
    """A version that answered calls."""

    model_config = _example({"hash": _HASH, "since": "2025-11-22T09:30:00Z", "by": "dashboard"})

    hash: str
    since: datetime
    by: str


class FlowVersionList(BaseModel):
    """The history of a flow, newest first; the first is what answers now, if any does."""

    name: str
    versions: list[FlowVersionShort]


class FlowVersionDetail(FlowVersionShort):
    """A version with its text."""

    model_config = _example(
        {"hash": _HASH, "since": "2025-11-22T09:30:00Z", "by": "dashboard", "text": EXAMPLE_TEXT}
    )

    text: str


class FlowChange(BaseModel):
    """What became of a file that had changed."""

    model_config = _example({"name": "hello", "file": "hello.yaml", "what": "replaced"})

    name: str
    file: str
    what: Literal["added", "replaced", "mended", "refused", "removed", "kept"]


class FlowChanges(BaseModel):
    changes: list[FlowChange]


def flow_problems(problems: list[Problem] | tuple[Problem, ...], folder: str) -> list[dict[str, Any]]:
    return [
        {
            "line": problem.line,
            "column": problem.column,
            "rule": problem.rule,
            "message": problem.message,
            "hint": problem.hint,
            "file": problem.file.removeprefix(f"{folder}/"),
        }
        for problem in problems
    ]


def _iso(at: float) -> str:
    return utc(at).isoformat().replace("+00:00", "Z")


def flow_href(name: str) -> str:
    return f"/api/flows/{name}"


def flow_short(entry: Entry, folder: str, calls: Mapping[tuple[str, str], int]) -> dict[str, Any]:
    """A `FlowShort` as JSON: made by hand, since there may be hundreds, and calls are live meanwhile."""
    version = entry.version
    of_hash = {hash_: count for (name, hash_), count in calls.items() if name == entry.name}
    total = sum(of_hash.values())
    return {
        "name": entry.name,
        "file": entry.file,
        "state": entry.state,
        "hash": None if version is None else version.hash,
        "since": None if version is None else _iso(entry.since),
        "by": None if version is None else entry.by,
        "languages": [] if version is None else list(version.languages),
        "steps": 0 if version is None else version.steps,
        "calls": total,
        "calls_behind": total - of_hash.get("" if version is None else version.hash, 0),
        "problems": flow_problems(entry.problems, folder),
        "href": flow_href(entry.name),
    }


def flow_put(name: str, put: Put, *, dry_run: bool) -> FlowPut:
    return FlowPut(
        name=name,
        hash=put.hash,
        etag=put.etag,
        created=put.created,
        dry_run=dry_run,
        href=flow_href(name),
    )


def version_short(version: FlowVersion) -> FlowVersionShort:
    return FlowVersionShort(hash=version.hash, since=utc(version.at), by=version.by)


def flow_change(change: Change) -> dict[str, Any]:
    """A `FlowChange` as JSON."""
    return {"name": change.entry.name, "file": change.entry.file, "what": change.what}
