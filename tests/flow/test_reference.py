"""The reference is what the program says of itself, and what it says of times is what the loader takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ivr.flow.loader import check_file
from ivr.flow.nodes import Reader
from ivr.flow.reading import StepReader
from ivr.flow.reference import COMMAND, reference
from ivr.flow.schema import flow_schema
from ivr.flow.schema_parts import FROM, TIME, TO, written
from ivr.flow.verbs import VERBS

ROOT = Path(__file__).parents[2]
FLOWS = [
    path
    for folder in ("flows", "docs/cookbook", "tests/flow", "tests/flows/bad")
    for path in sorted((ROOT / folder).glob("*.yaml"))
    if ".scenarios" not in path.name
]


def test_the_page_is_what_the_program_says() -> None:
    page = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    assert page == reference(), f"make it anew: {COMMAND}"


def test_every_verb_has_its_chapter_with_an_example() -> None:
    page = reference()
    for verb in VERBS:
        chapter = page.split(f"\n### {verb}\n", 1)[1].split("\n### ", 1)[0]
        assert "```yaml" in chapter, verb


def test_every_field_says_what_it_is_for() -> None:
    rows = [line.split(" | ") for line in reference().splitlines() if line.startswith("| `")]
    silent = [row[0].strip("|` ") for row in rows if row[-1].rstrip("| ") == ""]
    assert set(silent) <= set(VERBS), "of a verb's own field its chapter tells"


Span = tuple[str, str]


def times(node: Any, name: str, holder: str) -> Iterator[tuple[tuple[str, str], dict[str, Any]]]:
    """Every time of the schema, by its name and that of the mapping it stands in."""
    if isinstance(node, list):
        for inner in node:
            yield from times(inner, name, holder)
    elif isinstance(node, dict):
        if node.get("pattern") == TIME and not holder.endswith(" step"):
            yield (name, holder), node
        for key, inner in node.items():
            if key in ("properties", "$defs"):
                for each, schema in inner.items():
                    yield from times(schema, each, name)
            else:
                yield from times(inner, name, holder)


def test_times_are_those_that_the_loader_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: dict[tuple[str, str], set[Span]] = {}
    defaults: dict[tuple[str, str], set[str]] = {}
    read, read_field = Reader.seconds, StepReader.seconds

    def key_of(what: str) -> tuple[str, str]:
        name, holder, *_ = [*what.split(" of "), ""]
        return name, "tools" if holder.startswith("tool ") else holder

    def seconds(self: Reader, node: Any, what: str, low: float, high: float) -> float | None:
        taken.setdefault(key_of(what), set()).add((written(low), written(high)))
        return read(self, node, what, low, high)

    def field(self: StepReader, fields: Any, key: str, default: float, low: float, high: float) -> float:
        defaults.setdefault(key_of(f"{key} of {fields.what}"), set()).add(written(default))
        return read_field(self, fields, key, default, low, high)

    monkeypatch.setattr(Reader, "seconds", seconds)
    monkeypatch.setattr(StepReader, "seconds", field)
    for path in FLOWS:
        check_file(path)
    told = dict(times(flow_schema(), "", ""))
    for key, schema in told.items():
        if key in taken or key[1] != "timings":  # those are one table, which loader and schema share
            assert (schema[FROM], schema[TO]) in taken[key], key
        if key in defaults:
            assert schema["default"] in defaults[key], key
    assert len(told) >= 12
