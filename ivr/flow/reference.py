"""The reference of the flow language as one page of Markdown, made from the schema, the verbs' own words and
the tables of types and rules: what the loader reads is what the page tells."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import unquote

from ivr.flow.problems import RULES
from ivr.flow.schema import flow_schema
from ivr.flow.schema_parts import FROM, NEXT, SPAN, TIME, TO, Schema, languages
from ivr.flow.schema_scenarios import scenario_schema
from ivr.flow.types import KINDS
from ivr.flow.verbs import VERBS

COMMAND: Final = "ivr schema --markdown > docs/reference.md"
_HEAD: Final = f"""# Reference

Every verb, field, type and rule of the flow language. This page is made from the program itself by
`{COMMAND}`; what it all means together is told in [Flows](flows.md).
"""
_PINNED: Final = "10. Kept by the server: a call stays with the version of its flow that it began with."
_DEEPEST: Final = 3
"""So deep are fields within fields listed."""


@dataclass(frozen=True, slots=True)
class Field:
    """A row of a table. `name` is a path; `needed`: it cannot be left out."""

    name: str
    needed: bool
    kind: str
    default: str
    about: str


def reference() -> str:
    """The page, which ends with a line end."""
    schema = flow_schema()
    parts = [_HEAD, *_top(schema), *_verbs(schema), *_types(), *_scenarios(), *_rules()]
    return "\n".join(parts)


# --- the parts of the page


def _top(schema: Schema) -> Iterator[str]:
    yield "## The top of a file\n"
    yield _table(_Fields(schema).of(schema, deep=("limits", "events")))
    yield "## Parts that many fields have\n"
    for name in ("type", "field", "wordings", "prompt", "retry", "phrases", "understanding", "payload"):
        definition = schema["$defs"][name]
        yield f"### {definition['title']}\n"
        yield f"{definition['description']}\n"
        if rows := list(_Fields(schema).of(definition)):
            yield _table(rows)


def _verbs(schema: Schema) -> Iterator[str]:
    yield "## Verbs\n"
    yield "| verb | does | outcomes |\n|---|---|---|"
    found = [_Verb(name, schema) for name in VERBS]
    yield (
        "\n".join(f"| [`{one.name}`](#{one.name}) | {one.summary} | {one.outcomes} |" for one in found) + "\n"
    )
    for one in found:
        yield f"### {one.name}\n"
        yield f"{one.text}\n"
        yield _table(one.fields)


def _types() -> Iterator[str]:
    yield "## Types\n"
    yield "Each also as `optional …`. How values are said and understood: [Flows](flows.md#types).\n"
    yield "| type | holds |\n|---|---|"
    yield "\n".join(f"| `{kind.name}` | {kind.about} |" for kind in KINDS.values()) + "\n"


def _scenarios() -> Iterator[str]:
    schema = scenario_schema()
    yield "## Scenario files\n"
    yield "`NAME.scenarios.yaml` beside `NAME.yaml`; `ivr test` plays it.\n"
    fields = _Fields(schema)
    yield _table(fields.of(schema, deep=()))
    scenario = schema["properties"]["scenarios"]["items"]
    yield "### A scenario\n"
    yield _table(fields.of(scenario, deep=()))
    yield "### Its steps\n"
    yield "| step | value | meaning |\n|---|---|---|"
    for step in scenario["properties"]["steps"]["items"]["oneOf"]:
        (act,) = step["required"]
        value = step["properties"][act]
        yield f"| `{act}` | {_cell(fields.kind(value))} | {_cell(value['description'])} |"
    yield ""


def _rules() -> Iterator[str]:
    yield "## Rules of the check\n"
    yield "Each problem has file, line, column, the number of its rule, and a hint.\n"
    yield "\n".join((*(f"{int(rule)}. {text}" for rule, text in RULES.items()), _PINNED)) + "\n"


class _Verb:
    def __init__(self, name: str, schema: Schema) -> None:
        self.name = name
        step = schema["$defs"][f"{name} step"]
        said = sys.modules[VERBS[name].__module__].__doc__ or ""
        first, _, rest = said.partition("\n")
        self.summary = first.removeprefix(f"{name}: ").rstrip(".")
        self.text = "\n\n".join((f"{self.summary[:1].upper()}{self.summary[1:]}.", _fenced(rest)))
        fields = _Fields(schema)
        self.fields = list(fields.of(step))
        self.outcomes = ", ".join(dict.fromkeys(fields.outcomes(step))) or "-"


def _fenced(text: str) -> str:
    """The indented examples of a docstring as blocks of YAML, and its paragraphs as they are."""
    lines: list[str] = []
    inside = False
    for line in text.rstrip().split("\n"):
        if line.startswith("    ") and not inside:
            lines.append("```yaml")
            inside = True
        elif inside and line and not line.startswith("    "):
            lines[-1:] = ["```", ""] if not lines[-1] else [lines[-1], "```"]
            inside = False
        lines.append(line.removeprefix("    ") if inside else line)
    return "\n".join([*lines, "```"] if inside else lines).strip("\n")


# --- fields


class _Fields:
    """Reads the properties of a schema; references are looked up in its definitions."""

    def __init__(self, schema: Schema) -> None:
        self._definitions: Mapping[str, Schema] = schema.get("$defs", {})

    def of(self, schema: Schema, deep: Sequence[str] | None = None, path: str = "") -> Iterator[Field]:
        """Its fields, and what is within those named (None: within all)."""
        for name, inner in self._properties(schema):
            where = f"{path}{name}"
            needed = name in self._needed(schema)
            merged = self._merged(inner)
            yield Field(where, needed, self.kind(inner), _default(merged), merged.get("description", ""))
            within = deep is None or name in deep
            if within and "$ref" not in inner and where.count(".") < _DEEPEST:
                yield from self._within(inner, where)

    def _within(self, schema: Schema, path: str) -> Iterator[Field]:
        """Fields of a mapping that is written in this place. Where it may be written in several ways, each is
        told once."""
        told: dict[str, Field] = {}
        ways = [one for one in (*schema.get("anyOf", ()), *schema.get("oneOf", ())) if "properties" in one]
        always = frozenset.intersection(*map(self._needed, ways)) if ways else None
        for one in (schema, *schema.get("anyOf", ()), *schema.get("oneOf", ())):
            if "properties" in one:
                found = self.of(one, path=f"{path}.")
            elif isinstance(one.get("additionalProperties"), dict):
                found = self._listed(one["additionalProperties"], f"{path}.NAME")
            elif "items" in one:
                found = self._listed(one["items"], f"{path}[]")
            else:
                continue
            for field in found:
                name = field.name.removeprefix(f"{path}.")
                if always is not None and "." not in name and name not in always:
                    field = replace(field, needed=False)
                told.setdefault(field.name, field)
        yield from told.values()

    def _listed(self, schema: Schema, path: str) -> Iterator[Field]:
        if "$ref" not in schema:
            yield from self._within(schema, path)

    def outcomes(self, schema: Schema) -> Iterator[str]:
        """Where a step may lead to."""
        for field in self.of(schema):
            if field.kind == "step":
                name = field.name.rpartition(".")[2]
                own = {"choices.NAME.next": "that of a choice", "[].next": "that of a case"}
                yield next((text for end, text in own.items() if field.name.endswith(end)), f"`{name}`")

    def kind(self, schema: Schema) -> str:
        """What may stand there, in words."""
        if "$ref" in schema:
            name = unquote(schema["$ref"].rpartition("/")[2])
            return self._named(name)
        for key in ("anyOf", "oneOf"):
            if key in schema and "properties" not in schema:
                return " or ".join(dict.fromkeys(map(self.kind, schema[key])))
        if "const" in schema:
            return f"`{_written(schema['const'])}`"
        if "enum" in schema and "title" in schema:
            return str(schema["title"])
        if "enum" in schema:
            return ", ".join(f"`{_written(word)}`" for word in schema["enum"])
        return self._plain(schema)

    def _named(self, name: str) -> str:
        definition = self._definitions[name]
        title = definition.get("title")
        if title is None:
            return self.kind(definition)
        return f"[{title.lower()}](#{re.sub(r'[^a-z0-9 -]', '', title.lower()).replace(' ', '-')})"

    def _plain(self, schema: Schema) -> str:
        match schema.get("type"):
            case "string" if schema.get("pattern") == TIME:
                return f"time, {schema[FROM]} to {schema[TO]}"
            case "string" if schema.get("pattern") == SPAN:
                return f"time, or two as 400ms..1s, {schema[FROM]} to {schema[TO]}"
            case "string":
                return "step" if schema.get("description", "").startswith(NEXT) else "text"
            case "integer" | "number":
                bounds = [schema[key] for key in ("minimum", "maximum") if key in schema]
                return " to ".join(map(str, bounds)) if len(bounds) == 2 else "number"
            case "boolean":
                return "true or false"
            case "array":
                return f"list of {self.kind(schema['items'])}" if "items" in schema else "list"
            case "object":
                values = schema.get("additionalProperties")
                return f"names, each with {self.kind(values)}" if isinstance(values, dict) else "mapping"
            case _:
                return "value"

    def _merged(self, schema: Schema) -> Schema:
        """With what is said of the definition that it refers to."""
        if "$ref" not in schema:
            return schema
        return {**self._definitions[unquote(schema["$ref"].rpartition("/")[2])], **schema}

    def _properties(self, schema: Schema) -> Iterable[tuple[str, Schema]]:
        found: dict[str, Schema] = dict(schema.get("properties", {}))
        if list(found) == languages():
            return (("LANGUAGE", next(iter(found.values()))),)
        for one in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
            for name, inner in one.get("properties", {}).items():
                found.setdefault(name, inner)
        return found.items()

    def _needed(self, schema: Schema) -> frozenset[str]:
        return frozenset(schema.get("required", ()))


def _default(schema: Schema) -> str:
    return f"`{_written(schema['default'])}`" if "default" in schema else ""


def _written(value: Any) -> str:
    """As it stands in a file."""
    if isinstance(value, bool):
        return "true" if value else "false"
    quoted = isinstance(value, str) and (value.isdigit() or value in ("#", "*"))
    return f'"{value}"' if quoted else str(value)


def _table(fields: Iterable[Field]) -> str:
    rows = ["| field | | takes | default | meaning |", "|---|---|---|---|---|"]
    for one in fields:
        needed = "needed" if one.needed else ""
        cells = (f"`{one.name}`", needed, one.kind, one.default, one.about)
        rows.append(f"| {' | '.join(map(_cell, cells))} |")
    return "\n".join(rows) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
