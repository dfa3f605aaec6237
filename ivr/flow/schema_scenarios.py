"""JSON Schema of scenario files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args

from ivr.flow.agent_protocol import AGENT_OUTCOMES
from ivr.flow.scenario_acts import CAUSES, KEYS, TransferOutcome, WhoAnswered
from ivr.flow.schema_parts import (
    ANYTHING,
    DIALECT,
    TEXT,
    Schema,
    flag,
    name,
    obj,
    one_of,
    said,
    time,
    whole,
)

_STRING: Final[Schema] = {"type": "string"}


def scenario_schema() -> Schema:
    steps = [obj({act: schema, **_BESIDE.get(act, {})}, [act]) for act, schema in _acts().items()]
    today = said({"type": "string", "format": "date"}, 'The day of the calls, such as "2026-11-22".')
    scenario = obj(
        {
            "name": said(_STRING, "What happens."),
            "with": said(ANYTHING, "Values of the flow, over those of the file."),
            "steps": said(_list({"oneOf": steps}), "What the caller and the world do, in order."),
            "result": said(ANYTHING, "What must come of it; fields not named must have their defaults."),
            "cause": one_of(CAUSES, "How the call must end."),
            "path": said(_list(_STRING), "The steps entered, in order; of a flow within as FLOW/STEP."),
            "today": today,
        },
        ("name", "steps"),
    )
    head = {
        "flow": said(_STRING, "The flow's name."),
        "with": said(ANYTHING, "Values that the calls start with."),
        "today": today,
        "scenarios": said(_list(scenario), "Each is one call."),
    }
    return {"$schema": DIALECT, "title": "Scenarios of a flow", **obj(head, ("flow", "scenarios"))}


_BESIDE: Final[Mapping[str, Mapping[str, Schema]]] = {
    "hears": {"to_end": flag("Wait until it has been said to the end.", default=False)},
    "says": {"means": name("What a classifier makes of it, if one is asked.")},
}


def _acts() -> Mapping[str, Schema]:
    outcome = one_of(get_args(TransferOutcome))
    agent = one_of(AGENT_OUTCOMES)
    transfer = {"to": _STRING, "outcome": outcome, "whispers": _STRING}
    replies: dict[str, Any] = {"status": whole(200, 299, "", 200), "body": {}}
    return {
        "hears": said(
            {"type": "string", "pattern": r"\S"},
            "The server says it, now or next; with `to_end: true` beside it, it is heard to its end.",
        ),
        "presses": said(
            {"type": "string", "pattern": f"^[{''.join(sorted(KEYS))}]*$"},
            "Keys, one after the other, at once.",
        ),
        "says": said(
            _STRING,
            "Speech, once the server listens; an empty text is speech that nobody understands. With "
            "`means: OPTION` beside it, that is what a classifier makes of it, if one is asked: an intent, "
            "an option, yes, no, operator, or none.",
        ),
        "silence": time("Nothing for so long.", 0, 3600),
        "leaves_message": time(
            "Speaks for so long, once a message is recorded; what ends it comes after.", 0.2, 3600
        ),
        "consents": said(TEXT, "It was stored that consent was given to the recording, or to this opt-in."),
        "refuses": said(TEXT, "It was stored that it was refused; no answer is a refusal."),
        "hangs_up": said({"const": True}, "The caller hangs up."),
        "sends": said(
            _either({"to": _STRING, "body": ANYTHING}, "to"),
            "The flow has sent this request; `{to: ENDPOINT, body: {...}}` names values of its body.",
        ),
        "publishes": said(
            _either({"to": _STRING, "body": ANYTHING}, "to"),
            "The flow has published this event; `{to: TOPIC, body: {...}}` names values of its body.",
        ),
        "signal": said(
            _either({"name": _STRING, "values": ANYTHING}, "name"),
            "This happens outside, now; `{name: NAME, values: {...}}` brings values.",
        ),
        "replies": said(obj(replies), "The endpoint answers the request that is awaited."),
        "fails": said(_STRING, "The request that is awaited fails, for this reason."),
        "transfer": said(
            {"anyOf": [outcome, obj(transfer, ["outcome"])]},
            "How the transfer goes; `{to: TARGET, whispers: TEXT, outcome: ...}` looks at the target, and at "
            "what the agent is told.",
        ),
        "answered_by": one_of(
            get_args(WhoAnswered), "Who answered, for a voicemail step; a human without it."
        ),
        "agent": said(
            {"anyOf": [agent, obj({"outcome": agent, "slots": ANYTHING, "summary": _STRING})]},
            "How the conversation ends; `{slots: {...}, summary: TEXT, outcome: ...}` fills slots before, "
            "and the summary of a step that has one.",
        ),
        "queued": whole(1, 999, "The caller is in this place of the queue while the transfer waits."),
    }


def _either(fields: Mapping[str, Schema], needed: str) -> Schema:
    return {"anyOf": [_STRING, obj(fields, [needed])]}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}
