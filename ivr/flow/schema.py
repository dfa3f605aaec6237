"""JSON Schema (draft 2020-12) of flow files, so that editors complete and validate. `schema_scenarios` has
that of scenario files, `schema_verbs` the steps, `schema_parts` what all are made of.

Made from the tables that the loader reads with (verbs, types, languages, keys, causes). It knows shapes
only: what refers to something else in the file, `ivr check` proves. What the loader takes, the schema takes.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Final

from ivr.flow.manner import FASTEST, MAX_WORD, MAX_WORDS, SLOWEST
from ivr.flow.model import Limits
from ivr.flow.protocol import BargeIn
from ivr.flow.schema_parts import (
    DIALECT,
    NAME,
    SCALAR,
    STEP_NAME,
    TEXT,
    VALUE_NAME,
    WORDS,
    Schema,
    by_language,
    languages,
    name,
    names,
    next_step,
    obj,
    one_of,
    ref,
    said,
    text,
    time,
    type_mapping,
    type_name,
    whole,
)
from ivr.flow.schema_verbs import STEPS, retry
from ivr.flow.understanding import WITHIN_S
from ivr.flow.verbs import VERBS

_LIMITS: Final = Limits()


def flow_schema() -> Schema:
    return {
        "$schema": DIALECT,
        "title": "A flow",
        **obj(_top(), required=("flow", "languages", "start", "steps")),
        "$defs": {
            **_definitions(),
            "step": {"oneOf": [ref(f"{verb} step") for verb in VERBS]},
            **{f"{verb} step": {"description": _about(verb), **STEPS[verb]()} for verb in VERBS},
        },
    }


def _top() -> Mapping[str, Schema]:
    known = {"type": "array", "items": {"enum": languages()}, "minItems": 1, "uniqueItems": True}
    voices = {"type": "object", "propertyNames": {"enum": languages()}, "additionalProperties": TEXT}
    dictionary = {
        "type": "object",
        "maxProperties": MAX_WORDS,
        "propertyNames": {"maxLength": MAX_WORD},
        "additionalProperties": by_language({"type": "string", "maxLength": MAX_WORD}),
    }
    rate = {"type": "number", "minimum": SLOWEST, "maximum": FASTEST}
    return {
        "flow": name("The name of the flow."),
        "languages": said(known, "What it speaks; the first is the fallback."),
        "voice": said(voices, "The voice in each language, by its engine's name."),
        "rate": said(rate, "How fast it is spoken; 1 is the voice's own speed.", 1),
        "say_as": said(dictionary, "How words are said, in each language."),
        "params": names(ref("type"), VALUE_NAME, "Values the call starts with."),
        "result": names(ref("field"), VALUE_NAME, "What the call is for: optional, or with a default."),
        "variables": names(ref("field"), VALUE_NAME, "Values beyond those."),
        "limits": said(
            obj(
                {
                    "call": time("The longest call.", 5, 7200, _LIMITS.call_s),
                    "visits": whole(1, 100, "How often any one step may be entered.", _LIMITS.visits),
                }
            ),
            "What bounds a call.",
        ),
        "events": said(
            obj(
                {
                    "hangup": next_step("when the caller hangs up: only silent steps from there"),
                    "failure": next_step("when the call cannot go on as meant"),
                    "operator": next_step("when the caller asks for a person, or presses a free 0"),
                }
            ),
            "Where a call goes on when something happens that is no outcome of a step.",
        ),
        "start": next_step("at the beginning"),
        "understanding": ref("understanding"),
        "intents": names(ref("phrases"), None, "Phrases of your own intents, and more of the built-in ones."),
        "steps": said(
            {**names(ref("step"), STEP_NAME), "minProperties": 1}, "The steps by name, one verb each."
        ),
        "prompts": names(ref("wordings"), None, "What is said, by name."),
    }


def _definitions() -> Mapping[str, Schema]:
    spoken = obj(
        {
            "audio": text("A mono 16-bit WAV file, relative to the flow's folder."),
            "text": said(WORDS, "What is said where the file cannot be read."),
        }
    )
    wording = {"anyOf": [WORDS, {**spoken, "minProperties": 1}]}
    classifiers = {"type": "array", "items": NAME, "uniqueItems": True}
    asked = {
        "by": said(classifiers, "Classifiers of the configuration, in order."),
        "within": time("The longest that the caller waits for them.", 0.1, 5, WITHIN_S),
    }
    return {
        "type name": {"title": "Types", **type_name()},
        "type": {
            "title": "A declared type",
            "description": "The name of a type, or a mapping with more: `{one_of: [a, b]}`.",
            "anyOf": [ref("type name"), type_mapping()],
        },
        "field": {
            "title": "A declared value",
            "description": "The name of a type, or a mapping with more: `{type: count, default: 0}`.",
            "anyOf": [ref("type name"), type_mapping(default=True)],
        },
        "phrases": {
            "title": "Phrases",
            "description": "For each language what callers say; similar words are heard as well.",
            **by_language(said({"type": "array", "items": TEXT}, "What callers say in it.")),
        },
        "wordings": {
            "title": "Wordings",
            "description": "For each language what is said: a text with `{{ values }}`, or "
            "`{audio: FILE, text: TEXT}`.",
            **by_language(said(wording, "What is said in it.")),
        },
        "understanding": {
            "title": "Understanding",
            "description": "Classifiers that are asked what was meant, where the phrases leave a doubt.",
            "anyOf": [classifiers, obj(asked, ["by"])],
        },
        "prompt": {
            "title": "Prompt",
            "description": "The name of a prompt, or its wordings in place.",
            "anyOf": [TEXT, ref("wordings")],
        },
        "barge_in": one_of((kind.value for kind in BargeIn), "What may cut the prompt.", "any"),
        "retry": {
            "title": "Retry",
            "description": "What is done when nothing is said, or nothing understood.",
            **retry(),
        },
        "constant": {
            "anyOf": [SCALAR, {"type": "null"}, {"type": "array", "items": {"type": "string"}}],
        },
        "assignments": names(ref("constant"), None, 'Values by name: constants, or "{{ ... }}".'),
        "payload": {
            "title": "Payload",
            "description": 'The whole `result`, or values by name: constants, "{{ ... }}", mappings of them.',
            "anyOf": [{"const": "result"}, ref("values")],
        },
        "values": {"type": "object", "additionalProperties": {"anyOf": [SCALAR, ref("values")]}},
    }


def _about(verb: str) -> str:
    """The first line of the verb's module says what it does."""
    first = (sys.modules[VERBS[verb].__module__].__doc__ or "").partition("\n")[0]
    return first.removeprefix(f"{verb}: ")
