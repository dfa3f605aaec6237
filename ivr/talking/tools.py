"""The tools of a conversation: what a model is offered, whether its call can be used, and how it gets to see
an answer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from engines.llm.contract import ToolOffer
from ivr.flow.agent_protocol import Converse, Slot, Tool
from ivr.flow.verbs.agent_reading import FILL

END: Final = "end_conversation"
"""Our own, where the flow has none that ends it well."""

MOST_TEXT: Final = 3000
"""Characters of a tool's answer that a model gets to see: two thousand tokens of Devanagari at the worst."""

_PAGE: Final = re.compile(r"<(?:!doctype|html|head|body|div|p|span|br|table|script)\b", re.IGNORECASE)
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+")


def leads_on(tools: tuple[Tool, ...]) -> tuple[Tool, ...]:
    """A way to end the conversation, where the flow declares none."""
    if any(tool.action == "end" for tool in tools):
        return ()
    return (Tool(END, "the task is done, and the caller has been told so", _NOTHING, "end"),)


_NOTHING: Final[Mapping[str, Any]] = {"type": "object", "properties": {}, "additionalProperties": False}


def offers(begin: Converse) -> tuple[ToolOffer, ...]:
    """All that the model may call."""
    tools = (*begin.tools, *leads_on(begin.tools))
    offered = [ToolOffer(tool.name, tool.about, tool.parameters) for tool in tools]
    if begin.slots:
        properties = {slot.name: {**slot.schema, "description": slot.about} for slot in begin.slots}
        schema = {"type": "object", "properties": properties, "additionalProperties": False}
        about = "keeps what you found out; only what the caller said, or a tool gave"
        offered.insert(0, ToolOffer(FILL, about, schema))
    return tuple(offered)


def misfit(value: Any, schema: Mapping[str, Any]) -> str:
    """Why a value does not fit the schema of a slot; empty where it does. Of JSON Schema what
    `ivr.flow.types.json_schema` writes."""
    if "anyOf" in schema:
        reasons = [misfit(value, one) for one in schema["anyOf"]]
        return "" if "" in reasons else reasons[0]
    if "enum" in schema:
        return "" if value in schema["enum"] else f"must be one of {', '.join(map(str, schema['enum']))}"
    kind = schema.get("type")
    if kind == "null":
        return "" if value is None else "must be null"
    fits = _KINDS.get(kind or "", lambda value: True)
    if not fits(value):
        return f"must be of type {kind}"
    if isinstance(value, str):
        if len(value) > schema.get("maxLength", len(value)):
            return f"must have at most {schema['maxLength']} characters"
        if "pattern" in schema and not re.search(schema["pattern"], value):
            return f"must match {schema['pattern']}"
    if "minimum" in schema and value < schema["minimum"]:
        return f"must be at least {schema['minimum']}"
    return ""


_KINDS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
}


def fitting(slots: tuple[Slot, ...], wanted: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """What can be kept of a `fill`, and what is wrong with the rest, by name."""
    known = {slot.name: slot for slot in slots}
    kept: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for name, value in wanted.items():
        slot = known.get(name)
        if slot is None:
            wrong[name[:40]] = "there is no such value"
        elif value is not None and value != "":  # models fill what they do not know with nothing
            if isinstance(value, str):
                value = " ".join(value.split())
            if reason := misfit(value, slot.schema):
                wrong[name] = reason
            else:
                kept[name] = value
    return kept, wrong


def languages_of(slot: Slot) -> tuple[str, ...]:
    """What a slot for the language may hold."""
    for schema in (slot.schema, *slot.schema.get("anyOf", ())):
        if "enum" in schema:
            return tuple(schema["enum"])
    return ()


def answer_text(answer: Any, error: str = "") -> str:
    """What came of a tool, for the model: bounded, without markup, and marked as data."""
    if error:
        return f"error: {_bounded(_CONTROL.sub(' ', error), 300)}"
    if answer is None:
        return "error: the answer holds no data"
    return as_data(_bounded(json.dumps(_plain(answer), ensure_ascii=False), MOST_TEXT))


def as_data(text: str) -> str:
    """Nothing within it ends it."""
    return f"<data>{text.replace('<', chr(0x2039)).replace('>', chr(0x203A))}</data>"


def _plain(value: Any, depth: int = 0) -> Any:
    """Texts without markup and control characters; what is nested too deep is left out."""
    if depth > 8:
        return None
    if isinstance(value, str):
        # More than is shown can never be needed, however long the markup before it.
        text = value[: 20 * MOST_TEXT]
        if _PAGE.search(text):
            text = _without_markup(text)
        return " ".join(_CONTROL.sub(" ", text).split())
    if isinstance(value, Mapping):
        return {str(key)[:80]: _plain(item, depth + 1) for key, item in list(value.items())[:200]}
    if isinstance(value, list):
        return [_plain(item, depth + 1) for item in value[:200]]
    return value


def _without_markup(page: str) -> str:
    """The words of a page; in one pass, whatever is open in it."""
    parts: list[str] = []
    lower, at = page.lower(), 0
    while (start := page.find("<", at)) >= 0:
        parts.append(page[at:start])
        unseen = next((name for name in ("script", "style") if lower.startswith(name, start + 1)), "")
        end = lower.find(f"</{unseen}", start) if unseen else start
        end = page.find(">", end) if end >= 0 else -1
        if end < 0:
            return " ".join(parts)
        at = end + 1
    return " ".join((*parts, page[at:]))


def _bounded(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]} … (cut off)"
