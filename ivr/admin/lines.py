"""A call as lines to read: what was said both ways, keys, and what happened between. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

Side = Literal["caller", "server", "note"]

_NOTES: Final = {
    "ringing": "rings",
    "answered": "answered",
    "connected": "talks to {to}",
    "talk_over": "the talk with the agent is over",
    "transfer": "is handed over",
    "transferred": "transfer: {outcome}",
    "queued": "waits, place {place}",
    "recording": "is recorded",
    "recording_deleted": "the recording was deleted",
    "message": "left a message",
    "language": "language: {language}",
    "failure": "failure: {reason}",
    "request": "asks {endpoint}",
    "request_failed": "a request failed: {reason}",
    "publish": "publishes {topic}",
    "signal": "signal {name}",
    "supervised": "{operator}: {mode}",
    "interrupted": "cut off when the server stopped",
}
"""Events that a reader wants to see; of the others a call has too many."""


@dataclass(frozen=True, slots=True)
class Line:
    """`at` is Unix seconds; `cut_ms`: the caller heard no more than that of it."""

    at: float
    side: Side
    text: str
    cut_ms: int | None = None


def line_of(kind: str, data: Mapping[str, Any], at: float) -> Line | None:
    """The line of an event of a call's record; None for one that is passed over. Words of an erased call are
    gone, its lines are empty then."""
    match kind:
        case "prompt":
            return Line(at, "server", str(data.get("text", "")))
        case "heard":
            return Line(at, "caller", str(data.get("text") or "") or "(not understood)")
        case "key":
            return Line(at, "caller", f"⌨ {data.get('key', '')}")
        case "step":
            flow = f"{data['flow']}/" if data.get("flow") else ""
            return Line(at, "note", f"→ {flow}{data.get('step', '')}")
        case "held":
            return Line(at, "note", "on hold" if data.get("on") else "off hold")
    text = _NOTES.get(kind)
    return None if text is None else Line(at, "note", text.format_map(_Known(data)))


def cut(line: Line, after_ms: int) -> Line:
    """The same, broken off."""
    return Line(line.at, line.side, line.text, after_ms)


class _Known(dict[str, Any]):
    """What a record does not tell is left out."""

    def __missing__(self, key: str) -> str:
        return ""
