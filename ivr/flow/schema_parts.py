"""What the schemas of flows and scenarios are made of. A part says what it takes, its default, and in words
what it is for: editors show it, and the reference lists it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from ivr.flow.sayas import known_languages
from ivr.flow.types import KINDS, SIMPLE_NAMES
from ivr.flow.verbs.menu import KEYS

Schema = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
TIME: Final = r"^\d+(\.\d+)?(ms|s|m)$"
SPAN: Final = r"^\d+(\.\d+)?(ms|s|m)(\.\.\d+(\.\d+)?(ms|s|m))?$"
NEXT: Final = "The step that follows"
"""What is said of every field that leads to a step begins so."""

FROM, TO = "x-from", "x-to"
"""Bounds of a time: a schema has no word for them."""

NAME: Final[Schema] = {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_-]*$"}
TEXT: Final[Schema] = {"type": "string", "minLength": 1}
WORDS: Final[Schema] = {"type": "string"}
"""What is spoken may be nothing, in one language of several."""
SCALAR: Final[Schema] = {"type": ["string", "number", "boolean"]}
ANYTHING: Final[Schema] = {"type": "object"}
VALUE_NAME: Final = r"^[A-Za-z_][A-Za-z0-9_]*$"
STEP_NAME: Final = r"^[^\s!-,./:-@\[-^`{-~0-9][^\s!-,./:-@\[-^`{-~]*$"
PATH: Final = r"^[A-Za-z_][\w-]*(\.([A-Za-z_][\w-]*|\d+))*$"


def ref(name: str, about: str = "") -> Schema:
    return said({"$ref": f"#/$defs/{name.replace(' ', '%20')}"}, about)


def said(schema: Schema, about: str, default: Any = None) -> Schema:
    """With words, and what is taken without it."""
    found = {**schema, "description": about} if about else dict(schema)
    return found if default is None else {**found, "default": default}


def obj(properties: Mapping[str, Schema], required: Iterable[str] = ()) -> Schema:
    found: Schema = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    if needed := list(required):
        found["required"] = needed
    return found


def names(values: Schema, pattern: str | None = None, about: str = "") -> Schema:
    """A mapping whose keys the author chooses."""
    found: Schema = {"type": "object", "additionalProperties": values}
    if pattern is not None:
        found["propertyNames"] = {"pattern": pattern}
    return said(found, about)


def text(about: str) -> Schema:
    return said(TEXT, about)


def name(about: str) -> Schema:
    return said(NAME, about)


def flag(about: str, default: bool) -> Schema:
    return said({"type": "boolean"}, about, default)


def one_of(words: Iterable[str], about: str = "", default: str | None = None) -> Schema:
    return said({"enum": list(words)}, about, default)


def whole(low: int, high: int, about: str, default: int | None = None) -> Schema:
    return said({"type": "integer", "minimum": low, "maximum": high}, about, default)


def time(about: str, low_s: float, high_s: float, default_s: float | None = None) -> Schema:
    bounds = {FROM: written(low_s), TO: written(high_s)}
    default = None if default_s is None else written(default_s)
    return said({"type": "string", "pattern": TIME, **bounds}, about, default)


def end_silence() -> Schema:
    """The silence that ends what a caller says."""
    bounds = {FROM: "200ms", TO: "5s"}
    about = (
        "So long a pause ends what is said; of two times the first when it is complete, the second when not."
    )
    return said({"type": "string", "pattern": SPAN, **bounds}, about, "400ms..1s")


def written(seconds: float) -> str:
    """A time as authors write it."""
    if seconds < 1:
        return f"{round(seconds * 1000)}ms"
    return f"{seconds / 60:g}m" if seconds >= 60 and not seconds % 60 else f"{seconds:g}s"


def next_step(when: str = "") -> Schema:
    return said({"type": "string"}, f"{NEXT}{' ' if when else ''}{when}.")


def key(about: str = "The key.") -> Schema:
    return {"title": "key (0-9, *, #, A-D)", **one_of(KEYS, about)}


def end_key(about: str, default: str | None = None) -> Schema:
    return one_of((each for each in KEYS if not each.isdigit()), about, default)


def languages() -> list[str]:
    return sorted(known_languages())


def by_language(value: Schema) -> Schema:
    return obj(dict.fromkeys(languages(), value))


def type_name() -> Schema:
    listed = [*SIMPLE_NAMES, *(f"optional {each}" for each in SIMPLE_NAMES)]
    about = [KINDS[each.removeprefix("optional ")].about for each in listed]
    return {"enum": listed, "markdownEnumDescriptions": about}


def type_mapping(*, default: bool = False) -> Schema:
    options = {"type": "array", "items": TEXT, "minItems": 1, "uniqueItems": True}
    fields = {
        "type": ref("type name", "One of the types."),
        "one_of": said(options, "The texts that it may be, in place of `type`."),
        "optional": flag("Whether it may have no value.", default=False),
    }
    if default:
        fields["default"] = ref("constant", "What it holds until it is set.")
    found = obj(fields)
    found["oneOf"] = [{"required": ["type"]}, {"required": ["one_of"]}]
    return found
