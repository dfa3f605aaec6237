"""What is wrong with a request, in words for whoever wrote it: pydantic's own speak of its types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

_FORMS: Final = {"language": "a code, as hi, mr or en-IN"}
"""What a field with a pattern should be, by its name."""

_MOST_SHOWN: Final = 40

_OUTER: Final = frozenset({"body", "query", "path", "header"})


def in_words(faults: Iterable[Mapping[str, Any]]) -> tuple[str, str | None]:
    """All that pydantic found, as one text, and the first field that is wrong (None: the whole of it)."""
    told = [(_field(fault), fault) for fault in faults]
    return "; ".join(_sentence(field, fault) for field, fault in told), next(iter(told), ("", None))[
        0
    ] or None


def _field(fault: Mapping[str, Any]) -> str:
    """Empty for the whole body. Where in a text its JSON breaks is no field."""
    location: Sequence[str | int] = fault["loc"]
    if fault["type"] == "json_invalid":
        return ""
    inner = location[1:] if location and location[0] in _OUTER else location
    return ".".join(map(str, inner))


def _sentence(field: str, fault: Mapping[str, Any]) -> str:
    name = field or "the body"
    facts = fault.get("ctx", {})
    given = fault.get("input")
    match fault["type"]:
        case "missing" | "union_tag_not_found":
            return f"{name} is missing" if fault["type"] == "missing" else f"{name} has no `type`"
        case "extra_forbidden":
            return f"there is no field {name!r}"
        case "json_invalid":
            return f"{name} is no JSON: {facts['error']}"
        case "model_attributes_type" | "dict_type" | "model_type":
            return f"{name} should be a JSON object"
        case "string_too_long":
            return f"{name} has {len(str(given))} characters, and may have at most {facts['max_length']}"
        case "too_long":
            return f"{name} has over {facts['max_length']} entries"
        case "string_pattern_mismatch" if field in _FORMS:
            return f"{name} should be {_FORMS[field]}, not {_shown(given)}"
        case "union_tag_invalid":
            return f"there is no type {_shown(facts['tag'])}: it can be {facts['expected_tags']}"
    return f"{name}: {_plain(fault['msg'])}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


def _plain(message: str) -> str:
    return (
        message.replace("Input should", "should")
        .replace("String should", "should")
        .replace("Value error, ", "")
    )
