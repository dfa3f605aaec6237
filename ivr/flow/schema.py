"""JSON Schema (draft 2020-12) of flow files and of scenario files, so that editors complete and validate.

Made from the tables that the loader reads with (verbs, types, languages, keys, causes). It knows shapes
only: what refers to something else in the file, `ivr check` proves. What the loader takes, the schema takes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any, Final, get_args

from ivr.flow.manner import FASTEST, MAX_WORD, MAX_WORDS, SLOWEST
from ivr.flow.protocol import BargeIn, WaitingSound
from ivr.flow.sayas import known_languages
from ivr.flow.scenarios import KEYS as SCENARIO_KEYS
from ivr.flow.scenarios import TransferOutcome, WhoAnswered
from ivr.flow.types import ASKED_NAMES, MAX_DIGITS, SIMPLE_NAMES
from ivr.flow.verbs import VERBS
from ivr.flow.verbs.end import CAUSES
from ivr.flow.verbs.menu import KEYS
from ivr.flow.verbs.transfer import SOUNDS, Mode
from ivr.flow.verbs.voicemail import MOST_WORDS, TIMINGS, OnMachine
from ivr.flow.verbs.wait import KEYS as WAIT_KEYS

Schema = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_TEXT: Final[Schema] = {"type": "string", "minLength": 1}
_WORDS: Final[Schema] = {"type": "string"}
"""What is spoken may be nothing, in one language of several."""
_FLAG: Final[Schema] = {"type": "boolean"}
_NAME: Final[Schema] = {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_-]*$"}
_CLASSIFIERS: Final[Schema] = {"type": "array", "items": _NAME, "uniqueItems": True}
_STEP: Final[Schema] = {"type": "string", "description": "The step that follows."}
_DURATION: Final[Schema] = {
    "type": "string",
    "pattern": r"^\d+(\.\d+)?(ms|s|m)$",
    "description": "A time with its unit: 800ms, 5s, 4m.",
}
_SCALAR: Final[Schema] = {"type": ["string", "number", "boolean"]}
_END: Final[Schema] = {"enum": [key for key in KEYS if not key.isdigit()]}
_VALUE_NAME: Final = r"^[A-Za-z_][A-Za-z0-9_]*$"
_STEP_NAME: Final = r"^[^\s!-,./:-@\[-^`{-~0-9][^\s!-,./:-@\[-^`{-~]*$"
_PATH: Final = r"^[A-Za-z_][\w-]*(\.([A-Za-z_][\w-]*|\d+))*$"


def flow_schema() -> Schema:
    declared, with_default = _ref("type"), _ref("field")
    return {
        "$schema": DIALECT,
        "title": "A flow",
        **_object(
            {
                "flow": {**_NAME, "description": "The name of the flow."},
                "languages": {
                    "type": "array",
                    "items": {"enum": _languages()},
                    "minItems": 1,
                    "uniqueItems": True,
                    "description": "The first is the fallback.",
                },
                "voice": {
                    "type": "object",
                    "propertyNames": {"enum": _languages()},
                    "additionalProperties": _TEXT,
                    "description": "The voice in each language, by its engine's name.",
                },
                "rate": {
                    "type": "number",
                    "minimum": SLOWEST,
                    "maximum": FASTEST,
                    "description": "How fast it is spoken; 1 is the voice's own speed.",
                },
                "say_as": {
                    "type": "object",
                    "maxProperties": MAX_WORDS,
                    "propertyNames": {"maxLength": MAX_WORD},
                    "additionalProperties": _by_language({"type": "string", "maxLength": MAX_WORD}),
                    "description": "How words are said, in each language.",
                },
                "params": _map(declared, _VALUE_NAME, "Values the call starts with."),
                "result": _map(
                    with_default, _VALUE_NAME, "What the call is for: optional, or with a default."
                ),
                "variables": _map(with_default, _VALUE_NAME, "Values beyond those."),
                "limits": _object(
                    {"call": _DURATION, "visits": {"type": "integer", "minimum": 1, "maximum": 100}}
                ),
                "events": _object(dict.fromkeys(("hangup", "failure", "operator"), _STEP)),
                "start": {**_STEP, "description": "The first step."},
                "understanding": _ref("understanding"),
                "intents": _map(_ref("phrases")),
                "steps": {**_map(_ref("step"), _STEP_NAME), "minProperties": 1},
                "prompts": _map(_ref("wordings")),
            },
            required=("flow", "languages", "start", "steps"),
        ),
        "$defs": {
            "type": {"anyOf": [_type_name(), _type_mapping()]},
            "field": {"anyOf": [_type_name(), _type_mapping(default=True)]},
            "phrases": _by_language({"type": "array", "items": _TEXT}),
            "wordings": _by_language(
                {"anyOf": [_WORDS, {**_object({"audio": _TEXT, "text": _WORDS}), "minProperties": 1}]}
            ),
            "understanding": {
                "anyOf": [_CLASSIFIERS, _object({"by": _CLASSIFIERS, "within": _DURATION}, ["by"])],
                "description": "Classifiers that are asked what was meant, where the phrases leave a doubt.",
            },
            "prompt": {
                "anyOf": [{**_TEXT, "description": "The name of a prompt."}, _ref("wordings")],
            },
            "barge_in": {"enum": [kind.value for kind in BargeIn], "description": "What may cut the prompt."},
            "retry": _object({"wait": _DURATION, "prompts": {"type": "array", "items": _ref("prompt")}}),
            "constant": {
                "anyOf": [_SCALAR, {"type": "null"}, {"type": "array", "items": {"type": "string"}}]
            },
            "assignments": _map(_ref("constant")),
            "payload": {"anyOf": [{"const": "result"}, _ref("values")]},
            "values": {
                "type": "object",
                "additionalProperties": {"anyOf": [_SCALAR, _ref("values")]},
            },
            "step": {"oneOf": [_ref(f"{verb} step") for verb in VERBS]},
            **{f"{verb} step": {"description": _about(verb), **_STEPS[verb]()} for verb in VERBS},
        },
    }


def scenario_schema() -> Schema:
    outcome = {"enum": list(get_args(TransferOutcome))}
    anything: Schema = {"type": "object"}
    keys = "".join(sorted(SCENARIO_KEYS))
    acts: Mapping[str, Schema] = {
        "hears": {"type": "string", "pattern": r"\S"},
        "presses": {"type": "string", "pattern": f"^[{keys}]*$"},
        "says": {"type": "string"},
        "silence": _DURATION,
        "leaves_message": _DURATION,
        "answered_by": {"enum": list(get_args(WhoAnswered))},
        "consents": _TEXT,
        "refuses": _TEXT,
        "hangs_up": {"const": True},
        "sends": {
            "anyOf": [{"type": "string"}, _object({"to": {"type": "string"}, "body": anything}, ["to"])]
        },
        "publishes": {
            "anyOf": [{"type": "string"}, _object({"to": {"type": "string"}, "body": anything}, ["to"])]
        },
        "signal": {
            "anyOf": [{"type": "string"}, _object({"name": {"type": "string"}, "values": anything}, ["name"])]
        },
        "replies": _object({"status": {"type": "integer", "minimum": 200, "maximum": 299}, "body": {}}),
        "fails": {"type": "string"},
        "transfer": {
            "anyOf": [
                outcome,
                _object(
                    {"to": {"type": "string"}, "outcome": outcome, "whispers": {"type": "string"}},
                    ["outcome"],
                ),
            ]
        },
        "queued": {"type": "integer", "minimum": 1, "maximum": 999},
    }
    beside: Mapping[str, Schema] = {
        "hears": {"to_end": _FLAG},
        "says": {"means": {**_NAME, "description": "What a classifier makes of it, if one is asked."}},
    }
    steps = [_object({name: act, **beside.get(name, {})}, [name]) for name, act in acts.items()]
    today = {"type": "string", "format": "date", "description": 'The day of the calls: "2026-11-22".'}
    scenario = _object(
        {
            "name": {"type": "string", "description": "What happens."},
            "with": {**anything, "description": "Values of the flow, over those of the file."},
            "steps": {"type": "array", "items": {"oneOf": steps}},
            "result": anything,
            "cause": {"type": "string", "description": "How the call must end."},
            "path": {"type": "array", "items": {"type": "string"}, "description": "The steps entered."},
            "today": today,
        },
        ("name", "steps"),
    )
    head = {
        "flow": {"type": "string"},
        "with": {**anything, "description": "Values of the flow."},
        "today": today,
        "scenarios": {"type": "array", "items": scenario},
    }
    return {"$schema": DIALECT, "title": "Scenarios of a flow", **_object(head, ("flow", "scenarios"))}


# --- the verbs


def _say() -> Schema:
    # A mapping of languages is a prompt; one with `prompt` has the details.
    detailed = _object({"prompt": _ref("prompt"), "barge_in": _ref("barge_in")}, ["prompt"])
    return _object({"say": {"anyOf": [_ref("prompt"), detailed]}, "next": _STEP}, ("say", "next"))


def _menu() -> Schema:
    choice = _object(
        {
            "key": {"enum": list(KEYS)},
            "intent": _NAME,
            "phrases": _ref("phrases"),
            "set": _ref("assignments"),
            "next": _STEP,
        },
        ["next"],
    )
    choice["anyOf"] = [{"required": [field]} for field in ("key", "intent", "phrases")]
    choices = {"type": "object", "additionalProperties": choice, "minProperties": 1}
    return _asking("menu", {"choices": choices}, ("choices",))


def _collect() -> Schema:
    length: Schema = {
        "anyOf": [
            {"type": "integer", "minimum": 1, "maximum": MAX_DIGITS},
            {"type": "string", "pattern": r"^\d{1,2}(\.\.\d{1,2})?$"},
        ],
        "description": "How many digits: 4 or 1..3.",
    }
    fields = {
        "into": {**_TEXT, "description": "The value to fill, of result or variables."},
        "keys": _object({"length": length, "end": _END, "gap": _DURATION}, ["length"]),
        "speech": _object(
            {"slot": {"enum": list(ASKED_NAMES)}, "max": _DURATION, "end_silence": _DURATION}, ["slot"]
        ),
        "accept": {**_TEXT, "description": 'A condition, such as "5 <= eta <= 240".'},
        "next": _STEP,
    }
    step = _asking("collect", fields, ("into", "next"))
    step["properties"]["collect"]["anyOf"] = [{"required": ["keys"]}, {"required": ["speech"]}]
    return step


def _asking(verb: str, fields: Mapping[str, Schema], required: Iterable[str]) -> Schema:
    shared = {
        "prompt": _ref("prompt"),
        "barge_in": _ref("barge_in"),
        "retry": _ref("retry"),
        "understanding": _ref("understanding"),
        "otherwise": _STEP,
    }
    return _object({verb: _object({**shared, **fields}, ("prompt", "otherwise", *required))}, [verb])


def _set() -> Schema:
    return _object({"set": _ref("assignments"), "next": _STEP}, ("set", "next"))


def _branch() -> Schema:
    case, last = _object({"if": _TEXT, "next": _STEP}, ("if", "next")), _object({"else": _STEP}, ["else"])
    cases = {
        "type": "array",
        "items": {"anyOf": [case, last]},
        "contains": {"required": ["else"]},
        "maxContains": 1,
    }
    return _object({"branch": cases}, ["branch"])


def _record() -> Schema:
    fields = {
        "prompt": _ref("prompt"),
        "barge_in": _ref("barge_in"),
        "beep": {**_FLAG, "description": "Whether a tone tells when to speak; true by default."},
        "length": {**_DURATION, "description": "The longest message, to 10m; 60s by default."},
        "silence": {**_DURATION, "description": "So long a pause ends it; 3s by default."},
        "end": {**_END, "description": 'The key that ends it; "#" by default.'},
        "into": {**_TEXT, "description": "A text that gets the name of the message."},
    }
    return _object(
        {"record": _object(fields, ["prompt"]), "next": _STEP, "otherwise": _STEP},
        ("record", "next", "otherwise"),
    )


def _consent() -> Schema:
    purpose = {"anyOf": [{"const": "recording"}, _object({"opt_in": _NAME}, ["opt_in"])]}
    answer = _object({"key": {"enum": list(KEYS)}, "intent": _NAME, "phrases": _ref("phrases")})
    answer["minProperties"] = 1
    fields: Mapping[str, Schema] = {"for": purpose, "prompt": _ref("prompt")}
    asked = {"agree": answer, "refuse": answer, "barge_in": _ref("barge_in"), "retry": _ref("retry")}
    told = {"for": {"const": "recording"}, "prompt": _ref("prompt")}
    announcement, question = _object(told, told), _object({**fields, **asked}, (*fields, "agree", "refuse"))
    step = _object(
        {"consent": {"oneOf": [announcement, question]}, "next": _STEP, "otherwise": _STEP},
        ("consent", "next"),
    )
    step["if"] = {"properties": {"consent": {"required": ["agree"]}}}
    step["then"] = {"required": ["otherwise"]}
    step["else"] = {"properties": {"otherwise": False}}
    return step


def _voicemail() -> Schema:
    words: Schema = {"type": "integer", "minimum": 1, "maximum": MOST_WORDS}
    timings = _object({**dict.fromkeys(TIMINGS, _DURATION), "maximum_words": words})
    body = _object(
        {
            "machine": {"enum": [kind.value for kind in OnMachine], "description": "What a machine gets."},
            "message": _ref("prompt"),
            "into": {**_TEXT, "description": "A one_of of human, machine and unknown that gets the answer."},
            "timings": {**timings, "description": "How machines are told, as in docs/outbound.md."},
        },
        ["machine"],
    )
    body["if"] = {"properties": {"machine": {"const": OnMachine.LEAVE_MESSAGE.value}}}
    body["then"] = {"required": ["message"]}
    body["else"] = {"properties": {"message": False}}
    return _object({"voicemail": body, "next": _STEP}, ("voicemail", "next"))


def _request() -> Schema:
    methods = ("get", "post", "put")
    body = _object(
        {
            **{method: {**_TEXT, "description": "The name of an endpoint."} for method in methods},
            "body": _ref("payload"),
            "answer": {
                "type": "object",
                "additionalProperties": {"type": "string", "pattern": _PATH},
                "description": "Values filled from the answer, by their path in its JSON.",
            },
            "timeout": _DURATION,
            "background": {**_FLAG, "description": "Sent for sure, and no answer awaited."},
        }
    )
    body["oneOf"] = [{"required": [method]} for method in methods]
    step = _object({"request": body, "next": _STEP, "otherwise": _STEP}, ("request", "next"))
    background = {"properties": {"background": {"const": True}}, "required": ["background"]}
    step["if"] = {"properties": {"request": background}}
    step["then"] = {"properties": {"request": {"not": {"required": ["answer"]}}}}
    step["else"] = {"required": ["otherwise"]}
    return step


def _flow() -> Schema:
    name = {**_NAME, "description": "The name of a flow in this folder, or below it."}
    given = _map(_ref("constant"), _VALUE_NAME, 'Its parameters: constants, or "{{ ... }}".')
    field = {"type": "string", "pattern": _VALUE_NAME}
    taken = _map(
        field, _VALUE_NAME, "Values of this flow, each with the field of its result that it follows."
    )
    detailed = _object({"name": name, "with": given, "result": taken}, ["name"])
    needed = ("flow", "next", "otherwise")
    return _object({"flow": {"anyOf": [name, detailed]}, "next": _STEP, "otherwise": _STEP}, needed)


def _transfer() -> Schema:
    attended = {
        "whisper": {**_ref("prompt"), "description": "What the agent alone hears before he is connected."},
        "accept": {"enum": list(KEYS), "description": "The key by which the agent takes the call."},
        "queued": {
            **_object({"prompt": _ref("prompt"), "into": _TEXT, "every": _DURATION}, ("prompt", "into")),
            "description": "The caller is told his place in the queue.",
        },
    }
    fields = {
        "to": {**_TEXT, "description": "A number, a SIP address or a queue."},
        "mode": {"enum": [mode.value for mode in Mode]},
        "sound": {"enum": list(SOUNDS), "description": "What the caller hears meanwhile."},
        "context": _ref("payload"),
        "wait": _DURATION,
        **attended,
    }
    body = _object(fields, ["to"])
    body["if"] = {"not": {"properties": {"mode": {"const": "attended"}}, "required": ["mode"]}}
    body["then"] = {"properties": dict.fromkeys(attended, False)}
    body["dependentRequired"] = {"accept": ["whisper"]}
    return _object(
        {"transfer": body, "next": _STEP, "otherwise": _STEP},
        ("transfer", "next", "otherwise"),
    )


def _end() -> Schema:
    return _object({"end": {"enum": list(CAUSES)}}, ["end"])


def _publish() -> Schema:
    event = _object({"to": {**_NAME, "description": "The name of a topic."}, "body": _ref("payload")}, ["to"])
    return _object({"publish": event, "next": _STEP}, ("publish", "next"))


def _wait() -> Schema:
    detailed = _object(
        {
            "for": _DURATION,
            "sound": {"enum": list(get_args(WaitingSound)), "description": "What the caller hears."},
            "until": {**_NAME, "description": "The signal that ends it."},
            "values": {"type": "array", "items": _TEXT, "description": "Values that the signal brings."},
            "key": {"enum": list(WAIT_KEYS), "description": "The key that ends it."},
        },
        ["for"],
    )
    detailed["dependentRequired"] = {"values": ["until"]}
    return _object({"wait": {"anyOf": [_DURATION, detailed]}, "next": _STEP}, ("wait", "next"))


_STEPS: Final = {
    "say": _say,
    "menu": _menu,
    "collect": _collect,
    "record": _record,
    "consent": _consent,
    "set": _set,
    "branch": _branch,
    "request": _request,
    "publish": _publish,
    "wait": _wait,
    "voicemail": _voicemail,
    "flow": _flow,
    "transfer": _transfer,
    "end": _end,
}


def _about(verb: str) -> str:
    """The first line of the verb's module says what it does."""
    first = (sys.modules[VERBS[verb].__module__].__doc__ or "").partition("\n")[0]
    return first.removeprefix(f"{verb}: ")


# --- parts


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name.replace(' ', '%20')}"}


def _object(properties: Mapping[str, Schema], required: Iterable[str] = ()) -> Schema:
    found: Schema = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    if needed := list(required):
        found["required"] = needed
    return found


def _map(values: Schema, names: str | None = None, about: str = "") -> Schema:
    found: Schema = {"type": "object", "additionalProperties": values}
    if names is not None:
        found["propertyNames"] = {"pattern": names}
    return {**found, "description": about} if about else found


def _languages() -> list[str]:
    return sorted(known_languages())


def _by_language(value: Schema) -> Schema:
    return _object(dict.fromkeys(_languages(), value))


def _type_name() -> Schema:
    return {"enum": [*SIMPLE_NAMES, *(f"optional {name}" for name in SIMPLE_NAMES)]}


def _type_mapping(*, default: bool = False) -> Schema:
    options = {"type": "array", "items": _TEXT, "minItems": 1, "uniqueItems": True}
    value = {"anyOf": [_SCALAR, {"type": "null"}, {"type": "array", "items": {"type": "string"}}]}
    fields = {"type": _type_name(), "one_of": options, "optional": _FLAG}
    found = _object({**fields, "default": value} if default else fields)
    found["oneOf"] = [{"required": ["type"]}, {"required": ["one_of"]}]
    return found
