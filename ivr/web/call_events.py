"""What a client is told of its own call while it lasts: captions both ways, steps, keys, turns, the end.

One vocabulary for a browser's data channel, `/ws/voice` and whoever else shows a call. It is made of the
events of the call's record, as they are noted; what is secret there ("•") is so here. Each is a JSON object:

    {"type": "ready", "call_id": "0198…", "flow": "vendor_order", "language": "hi"}
    {"type": "caption", "who": "server", "text": "नमस्ते…", "final": true, "at_ms": 40}
    {"type": "caption", "who": "caller", "text": "", "final": false, "at_ms": 2100}   begins to speak
    {"type": "caption", "who": "caller", "text": "हाँ", "final": true, "at_ms": 2900}  or "": not understood
    {"type": "cut", "after_ms": 1260, "at_ms": 2300}     so much of what is said was heard
    {"type": "step", "step": "confirm", "at_ms": 3000}   and "flow" where it is a subflow's
    {"type": "key", "key": "1", "at_ms": 3500}
    {"type": "turn", "turn": 1, "trigger": "key", "step": "confirm", "language": "hi", "reply_ms": 21.4,
     "ms": {"key": 0.0, "intent": 1.2, "first_packet": 21.4}, "by": {"first_audio": "cache"}}
    {"type": "language", "language": "mr"}
    {"type": "queued", "place": 3}                       waits for an agent
    {"type": "connected"}                                talks to one
    {"type": "held", "on": true}
    {"type": "error", "detail": "no voice could speak a prompt"}
    {"type": "ended", "cause": "normal", "result": {"order": "accepted"}}

`at_ms` counts from the answer. `ready` is the first and `ended` the last. Others may be added: a client
passes over what it does not know. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from ivr.store import CallEvent

Told = dict[str, Any]
"""One event as a JSON object."""

Who = Literal["caller", "server"]

TURN_FIELDS: Final = ("turn", "trigger", "step", "language", "reply_ms", "ms", "by")


class CallEvents:
    """The events of one call for its client, made of those of its record, in order."""

    def __init__(self, call_id: str, flow: str, language: str) -> None:
        self._call_id = call_id
        self._flow = flow
        self._language = language
        self._answered_at: float | None = None
        self._over = False

    def of(self, event: CallEvent) -> list[Told]:
        """What the client is told of it, which is nothing of most; nothing follows the end."""
        if self._over:
            return []
        told, data, at_ms = [], event.data, self._since(event.at)
        match event.kind:
            case "answered":
                self._answered_at = event.at
                told.append(self._ready())
            case "step":
                within = {"flow": data["flow"]} if "flow" in data else {}
                told.append({"type": "step", "step": data["step"], **within, "at_ms": at_ms})
            case "prompt":
                told.extend(self._language_of(data))
                told.append(_caption("server", data["text"], at_ms))
            case "prompt_cut":
                told.append({"type": "cut", "after_ms": data["after_ms"], "at_ms": at_ms})
            case "speech_began":
                told.append(_caption("caller", "", at_ms, final=False))
            case "nothing_said":
                told.append(_caption("caller", "", at_ms))
            case "heard":
                told.append(_caption("caller", data["text"] or "", at_ms))
            case "key":
                told.append({"type": "key", "key": data["key"], "at_ms": at_ms})
            case "turn":
                told.append({"type": "turn", **{name: data[name] for name in TURN_FIELDS}})
            case "queued":
                told.append({"type": "queued", "place": data["place"]})
            case "connected":
                told.append({"type": "connected"})
            case "held":
                told.append({"type": "held", "on": data["on"]})
            case "failure":
                told.append({"type": "error", "detail": data["reason"]})
            case "call_ended":  # as the feed tells it last
                told.extend(self.ended(data["cause"], data["result"]))
        return told

    def ended(self, cause: str, result: Mapping[str, Any]) -> list[Told]:
        """The last event; nothing when it was told before."""
        if self._over:
            return []
        self._over = True
        return [{"type": "ended", "cause": cause, "result": dict(result)}]

    def _ready(self) -> Told:
        return {"type": "ready", "call_id": self._call_id, "flow": self._flow, "language": self._language}

    def _language_of(self, data: Mapping[str, Any]) -> list[Told]:
        """Told when it is another than before, before what is said in it."""
        language = data.get("language", "")
        if language in ("", self._language):
            return []
        self._language = language
        return [{"type": "language", "language": self._language}]

    def _since(self, at: float) -> int:
        """Milliseconds since the answer; 0 before it."""
        return 0 if self._answered_at is None else max(0, round((at - self._answered_at) * 1000))


def _caption(who: Who, text: str, at_ms: int, *, final: bool = True) -> Told:
    return {"type": "caption", "who": who, "text": text, "final": final, "at_ms": at_ms}
