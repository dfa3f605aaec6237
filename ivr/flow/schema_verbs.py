"""The shape of each verb's step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, get_args

from ivr.flow.protocol import WaitingSound
from ivr.flow.schema_agent import agent_step
from ivr.flow.schema_parts import (
    PATH,
    TEXT,
    VALUE_NAME,
    Schema,
    end_key,
    end_silence,
    flag,
    key,
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
from ivr.flow.types import ASKED_NAMES, MAX_DIGITS
from ivr.flow.verbs.asking import DEFAULT_WAIT_S
from ivr.flow.verbs.end import CAUSES
from ivr.flow.verbs.record import DEFAULT_LENGTH_S, DEFAULT_SILENCE_S
from ivr.flow.verbs.transfer import LONGEST_WAIT_S, SOUNDS, Mode
from ivr.flow.verbs.voicemail import MOST_WORDS, TIMINGS, OnMachine
from ivr.flow.verbs.wait import KEYS as WAIT_KEYS
from ivr.flow.verbs.wait import LONGEST_S


def retry() -> Schema:
    """Of every step that asks."""
    prompts = {"type": "array", "items": ref("prompt")}
    return obj(
        {
            "wait": time(
                "How long an answer is awaited, from the end of a prompt.", 0.5, 120, DEFAULT_WAIT_S
            ),
            "prompts": said(prompts, "What is said each time before waiting again, one after the other."),
        }
    )


def _say() -> Schema:
    # A mapping of languages is a prompt; one with `prompt` has the details.
    detailed = obj({"prompt": ref("prompt"), "barge_in": ref("barge_in")}, ["prompt"])
    return obj({"say": {"anyOf": [ref("prompt"), detailed]}, "next": next_step()}, ("say", "next"))


def _means() -> dict[str, Schema]:
    """How something is chosen."""
    return {
        "key": key(),
        "intent": name("What is said: `affirm`, `deny`, `repeat`, `operator`, or one of the flow's."),
        "phrases": ref("phrases", "What is said for it, beside the intent's phrases."),
    }


def _menu() -> Schema:
    values = ref("assignments", "Values that are set on the way.")
    choice = obj({**_means(), "set": values, "next": next_step("when it is chosen")}, ["next"])
    choice["anyOf"] = [{"required": [field]} for field in ("key", "intent", "phrases")]
    choices = {"type": "object", "additionalProperties": choice, "minProperties": 1}
    return _asking("menu", {"choices": said(choices, "What may be chosen, by name.")}, ("choices",))


def _collect() -> Schema:
    length: Schema = {
        "anyOf": [
            {"type": "integer", "minimum": 1, "maximum": MAX_DIGITS},
            {"type": "string", "pattern": r"^\d{1,2}(\.\.\d{1,2})?$"},
        ],
        "description": f"How many digits: 4 or 1..3; at most {MAX_DIGITS}.",
    }
    typed = {
        "length": length,
        "end": end_key("The key that ends them."),
        "gap": time("How long the next digit is awaited.", 0.2, 30, 3),
    }
    spoken = {
        "slot": one_of(ASKED_NAMES, "The type of what is said."),
        "max": time("The longest answer.", 1, 120, 10),
        "end_silence": end_silence(),
    }
    fields = {
        "into": text("The value to fill, of result or variables."),
        "keys": said(obj(typed, ["length"]), "The answer in digits."),
        "speech": said(obj(spoken, ["slot"]), "The answer in words."),
        "accept": text('A condition on it, such as "5 <= eta <= 240".'),
        "secret": flag("What is typed and said stands in no record; `into` is a variable.", default=False),
        "next": next_step("when the value is there"),
    }
    step = _asking("collect", fields, ("into", "next"))
    step["properties"]["collect"]["anyOf"] = [{"required": ["keys"]}, {"required": ["speech"]}]
    return step


def _asking(verb: str, fields: Mapping[str, Schema], required: Iterable[str]) -> Schema:
    shared = {
        "prompt": ref("prompt"),
        "barge_in": ref("barge_in"),
        "retry": ref("retry"),
        "understanding": ref("understanding"),
        "otherwise": next_step("when the last retry was in vain"),
    }
    return obj({verb: obj({**shared, **fields}, ("prompt", "otherwise", *required))}, [verb])


def _set() -> Schema:
    return obj({"set": ref("assignments"), "next": next_step()}, ("set", "next"))


def _branch() -> Schema:
    condition = text('A condition, such as "amount > 1000".')
    case = obj({"if": condition, "next": next_step("when it holds")}, ("if", "next"))
    last = obj({"else": next_step("when none holds")}, ["else"])
    cases = {
        "type": "array",
        "items": {"anyOf": [case, last]},
        "contains": {"required": ["else"]},
        "maxContains": 1,
    }
    return obj({"branch": said(cases, "Cases in order, with an else at the end.")}, ["branch"])


def _record() -> Schema:
    fields = {
        "prompt": ref("prompt"),
        "barge_in": ref("barge_in"),
        "beep": flag("Whether a tone tells when to speak.", default=True),
        "length": time("The longest message.", 1, 600, DEFAULT_LENGTH_S),
        "silence": time("So long a pause ends it.", 0.5, 60, DEFAULT_SILENCE_S),
        "end": end_key("The key that ends it.", "#"),
        "into": text("A text that gets the name of the message."),
    }
    return obj(
        {
            "record": obj(fields, ["prompt"]),
            "next": next_step("when something was said"),
            "otherwise": next_step("when nothing was"),
        },
        ("record", "next", "otherwise"),
    )


def _consent() -> Schema:
    purpose = {"anyOf": [{"const": "recording"}, obj({"opt_in": name("Its name.")}, ["opt_in"])]}
    answer = obj(_means())
    answer["minProperties"] = 1
    needed = {
        "for": said(purpose, "What is agreed to: `recording`, or an opt-in by name."),
        "prompt": ref("prompt"),
    }
    asked = {
        "agree": said(answer, "How the caller agrees; without it, it is an announcement."),
        "refuse": said(answer, "How he refuses."),
        "barge_in": said(ref("barge_in"), "What may cut the question.", "none"),
        "retry": ref("retry"),
    }
    told = {"for": {"const": "recording"}, "prompt": ref("prompt")}
    announcement, question = obj(told, told), obj({**needed, **asked}, (*needed, "agree", "refuse"))
    step = obj(
        {
            "consent": {"oneOf": [question, announcement]},
            "next": next_step("when it was agreed to, or the announcement was heard"),
            "otherwise": next_step("when it was refused, or not answered"),
        },
        ("consent", "next"),
    )
    step["if"] = {"properties": {"consent": {"required": ["agree"]}}}
    step["then"] = {"required": ["otherwise"]}
    step["else"] = {"properties": {"otherwise": False}}
    return step


def _request() -> Schema:
    methods = ("get", "post", "put")
    answer = names({"type": "string", "pattern": PATH})
    body = obj(
        {
            **{method: text(f"The name of an endpoint, asked by {method.upper()}.") for method in methods},
            "body": ref("payload", "What is sent; for get, the query."),
            "answer": said(answer, "Values filled from the answer, by their path in its JSON."),
            "timeout": time("How long the answer is awaited.", 0.1, 30, 2),
            "background": flag("Sent for sure, and no answer awaited.", default=False),
        }
    )
    body["oneOf"] = [{"required": [method]} for method in methods]
    step = obj(
        {
            "request": body,
            "next": next_step("when it answered"),
            "otherwise": next_step("when it did not, or not as expected"),
        },
        ("request", "next"),
    )
    background = {"properties": {"background": {"const": True}}, "required": ["background"]}
    step["if"] = {"properties": {"request": background}}
    step["then"] = {"properties": {"request": {"not": {"required": ["answer"]}}}}
    step["else"] = {"required": ["otherwise"]}
    return step


def _flow() -> Schema:
    flow = name("The name of a flow in this folder, or below it.")
    given = names(ref("constant"), VALUE_NAME, 'Its parameters: constants, or "{{ ... }}".')
    field = {"type": "string", "pattern": VALUE_NAME}
    followed = "Values of this flow, each with the field of its result that it follows."
    detailed = obj({"name": flow, "with": given, "result": names(field, VALUE_NAME, followed)}, ["name"])
    step = {
        "flow": {"anyOf": [flow, detailed]},
        "next": next_step("when it came to end: normal"),
        "otherwise": next_step("when it failed, took too long, or ended otherwise"),
    }
    return obj(step, step)


def _transfer() -> Schema:
    queued = {
        "prompt": ref("prompt"),
        "into": text("The value that holds his place."),
        "every": time("How often he is told.", 5, 600, 30),
    }
    attended = {
        "whisper": ref("prompt", "What the agent alone hears before he is connected."),
        "accept": key("The key by which the agent takes the call."),
        "queued": said(obj(queued, ("prompt", "into")), "The caller is told his place in the queue."),
    }
    longest = max(LONGEST_WAIT_S.values())
    blind = LONGEST_WAIT_S["blind"]
    fields = {
        "to": text("A number, a SIP address or a queue."),
        "mode": one_of((mode.value for mode in Mode), "Attended: the agent is called first.", "blind"),
        "sound": one_of(SOUNDS, "What the caller hears meanwhile; `media.transfer_sound` without it."),
        "context": ref("payload", "What goes along."),
        "wait": time(f"How long an answer is awaited; at most {blind:g}s when blind.", 1, longest, 30),
        **attended,
    }
    body = obj(fields, ["to"])
    body["if"] = {"not": {"properties": {"mode": {"const": "attended"}}, "required": ["mode"]}}
    body["then"] = {"properties": dict.fromkeys(attended, False)}
    body["dependentRequired"] = {"accept": ["whisper"]}
    step = {
        "transfer": body,
        "next": next_step("silently, when the caller is with somebody else"),
        "otherwise": next_step("when it was busy, or nobody answered, or it failed"),
    }
    return obj(step, step)


def _end() -> Schema:
    return obj({"end": one_of(CAUSES, "How the call ends.")}, ["end"])


def _publish() -> Schema:
    event = obj({"to": name("The name of a topic."), "body": ref("payload", "What it says.")}, ["to"])
    return obj({"publish": event, "next": next_step()}, ("publish", "next"))


def _wait() -> Schema:
    values = {"type": "array", "items": TEXT}
    lasting = time("The longest it lasts.", 0.1, LONGEST_S)
    detailed = obj(
        {
            "for": lasting,
            "sound": one_of(get_args(WaitingSound), "What the caller hears.", "silence"),
            "until": name("The signal that ends it."),
            "values": said(values, "Values that the signal brings."),
            "key": one_of(WAIT_KEYS, "The key that ends it."),
        },
        ["for"],
    )
    detailed["dependentRequired"] = {"values": ["until"]}
    return obj({"wait": {"anyOf": [lasting, detailed]}, "next": next_step()}, ("wait", "next"))


def _voicemail() -> Schema:
    timings = {
        **{each: time(_TIMINGS[each], low_s, high_s) for each, (low_s, high_s) in TIMINGS.items()},
        "maximum_words": whole(1, MOST_WORDS, "More words than these are a machine."),
    }
    body = obj(
        {
            "machine": one_of((kind.value for kind in OnMachine), "What a machine gets."),
            "message": ref("prompt", "What is spoken after its beep, with leave_message."),
            "into": text("A one_of of human, machine and unknown that gets the answer."),
            "timings": said(obj(timings), "How machines are told, as in docs/outbound.md."),
        },
        ["machine"],
    )
    body["if"] = {"properties": {"machine": {"const": OnMachine.LEAVE_MESSAGE.value}}}
    body["then"] = {"required": ["message"]}
    body["else"] = {"properties": {"message": False}}
    after = next_step("when a human answered, nobody is sure, or with go_on")
    return obj({"voicemail": body, "next": after}, ("voicemail", "next"))


_TIMINGS: Final[Mapping[str, str]] = {
    "total": "The most that is listened; then nobody is sure.",
    "initial_silence": "So long a silence before the first word is a machine.",
    "greeting": "So much speech is a machine.",
    "after_greeting_silence": "So long a silence after the first words is a person.",
    "minimum_word": "Shorter sounds are no words.",
    "between_words": "Shorter gaps are within a word.",
    "greeting_end": "So long a silence ends a machine's greeting.",
    "beep_wait": "How long the end of a machine's greeting is awaited.",
}

STEPS: Final[Mapping[str, Callable[[], Schema]]] = {
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
    "flow": _flow,
    "agent": agent_step,
    "transfer": _transfer,
    "voicemail": _voicemail,
    "end": _end,
}
