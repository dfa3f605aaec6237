"""The shape of an agent step, the largest of all."""

from __future__ import annotations

from engines.tts.emotion import EMOTIONS
from ivr.flow.agent_protocol import READABLE
from ivr.flow.schema_parts import (
    NAME,
    TEXT,
    Schema,
    by_language,
    end_silence,
    flag,
    name,
    names,
    next_step,
    obj,
    one_of,
    ref,
    said,
    text,
    time,
    whole,
)
from ivr.flow.verbs.agent_reading import ACTIONS, BOUNDS, MAX_SLOTS, MAX_TOOLS, TIMEOUT_S


def agent_step() -> Schema:
    fields = {
        "instructions": said(
            {"anyOf": [TEXT, by_language(said(TEXT, "What it is told in it."))]},
            "What the agent is for: one text, or one in each language, with `{{ values }}` as data.",
        ),
        "greeting": said(ref("prompt"), "What is said first, where there is an agent to answer."),
        "slots": said(
            {**names(_slot()), "maxProperties": MAX_SLOTS}, "Values to find out, with what they are."
        ),
        "tools": said(
            {**names(_tool()), "maxProperties": MAX_TOOLS}, "What the flow does when it asks for it."
        ),
        "knowledge": said(
            {"type": "array", "items": NAME}, "Collections of the configuration that it may look into."
        ),
        "limits": said(obj(_limits()), "What bounds the conversation."),
        "barge_in": said(ref("barge_in"), "What may cut its words.", "any"),
        "end_silence": end_silence(),
        "emotion": one_of(EMOTIONS, "The manner of its voice.", "neutral"),
        "reads_out": said(
            {"type": "array", "items": {"enum": list(READABLE)}}, "Personal data that it may tell the caller."
        ),
        "summary": name("A text of the flow that gets a summary for a colleague."),
        "transcript": name("A list of the flow that gets what was said, line by line."),
    }
    step = {
        "agent": obj(fields, ["instructions"]),
        "next": next_step("when every slot that is required was found out"),
        "otherwise": next_step("when there is no agent, a bound was reached, or a slot is missing"),
        "operator": next_step("when the caller wants a person; without it the flow's operator event"),
    }
    return obj(step, ("agent", "next", "otherwise"))


def _slot() -> Schema:
    detailed = {
        "about": text("What it is."),
        "required": flag("Whether `next` needs it.", default=True),
    }
    return {"anyOf": [TEXT, obj(detailed, ["about"])]}


def _tool() -> Schema:
    methods = ("get", "post", "put")
    tool = obj(
        {
            "about": text("When the agent is to use it."),
            **{method: name(f"The name of an endpoint, asked by {method.upper()}.") for method in methods},
            "action": one_of(ACTIONS, "In place of an endpoint: leaves by operator, or by next."),
            "parameters": names(ref("type"), None, "The arguments of a request, by name, with their types."),
            "timeout": time("How long the answer is awaited.", 0.1, 30, TIMEOUT_S),
        },
        ["about"],
    )
    tool["oneOf"] = [{"required": [way]} for way in (*methods, "action")]
    return tool


def _limits() -> dict[str, Schema]:
    cost = {"type": "number", "exclusiveMinimum": 0}
    return {
        "turns": whole(1, 100, "How often the caller may speak.", BOUNDS.turns),
        "time": time("How long it may last.", 5, 1800, BOUNDS.time_s),
        "cost": said(cost, "What it may cost, in the unit of the service."),
    }
