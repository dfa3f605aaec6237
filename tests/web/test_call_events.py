"""What a client is told of its call is made of the record, as the record's own makers write it."""

from __future__ import annotations

from typing import Any

from ivr.call import HIDDEN
from ivr.desk import ENDED
from ivr.flow.protocol import Enter, Failure, Heard, Outcome, Queued
from ivr.journal import event_note, heard_note, step_note
from ivr.store import CallEvent
from ivr.waterfall import About, Stage, TurnTimes
from ivr.web.call_events import CallEvents, Told

ANSWERED_AT = 1_700_000_000.0


def told(*notes: tuple[str, dict[str, Any]], events: CallEvents | None = None) -> list[Told]:
    """Each note is 100 ms after the one before, the first at the answer."""
    events = events or CallEvents("c1", "vendor_order", "hi")
    said: list[Told] = []
    for number, (kind, data) in enumerate(notes):
        said.extend(events.of(CallEvent(ANSWERED_AT + number / 10, kind, data)))
    return said


def turn(language: str) -> dict[str, Any]:
    marks = {Stage.KEY: 1.0, Stage.INTENT: 1.001, Stage.FIRST_PACKET: 1.021}
    times = TurnTimes(1, About("confirm", "menu", language), marks, {Stage.FIRST_AUDIO: "cache"})
    return times.record(0.0)


def test_a_whole_call() -> None:
    said = told(
        ("answered", {"codec": "PCMA"}),
        step_note(Enter("confirm", 1)),
        ("prompt", {"text": "Accept the order?", "by": {"engine": "espeak"}}),
        ("speech_began", {}),
        ("prompt_cut", {"after_ms": 260}),
        ("heard", heard_note(Heard("हाँ", 0.93), "", None)),
        step_note(Outcome("confirm", "yes", "goodbye", "speech")),
        ("key", {"key": "1"}),
        ("turn", turn("hi")),
    )
    assert said == [
        {"type": "ready", "call_id": "c1", "flow": "vendor_order", "language": "hi"},
        {"type": "step", "step": "confirm", "at_ms": 100},
        {"type": "caption", "who": "server", "text": "Accept the order?", "final": True, "at_ms": 200},
        {"type": "caption", "who": "caller", "text": "", "final": False, "at_ms": 300},
        {"type": "cut", "after_ms": 260, "at_ms": 400},
        {"type": "caption", "who": "caller", "text": "हाँ", "final": True, "at_ms": 500},
        {"type": "key", "key": "1", "at_ms": 700},
        {
            "type": "turn",
            "turn": 1,
            "trigger": "key",
            "step": "confirm",
            "language": "hi",
            "reply_ms": 21.0,
            "ms": {"key": 0.0, "intent": 1.0, "first_packet": 21.0},
            "by": {"first_audio": "cache"},
        },
    ]


def test_what_is_secret_stays_so() -> None:
    said = told(
        ("answered", {"codec": "PCMA"}),
        ("key", {"key": HIDDEN}),
        ("heard", heard_note(Heard(HIDDEN, 0.9), "", None)),
    )
    assert [event.get("key", event.get("text")) for event in said[1:]] == ["•", "•"]


def test_speech_that_is_not_understood_ends_its_caption() -> None:
    said = told(
        ("speech_began", {}),
        ("nothing_said", {}),
        ("speech_began", {}),
        ("heard", heard_note(Heard(None, 0.0), "no recogniser is up", None)),
    )
    assert [(event["text"], event["final"]) for event in said] == [("", False), ("", True)] * 2


def test_another_language_is_told_once_before_what_is_said_in_it() -> None:
    said = told(
        ("prompt", {"text": "नमस्ते", "language": "hi"}),
        ("prompt", {"text": "नमस्कार", "language": "mr"}),
        ("prompt", {"text": "पुन्हा", "language": "mr"}),
        ("prompt", {"text": ""}),  # a recording
    )
    assert [event["type"] for event in said] == ["caption", "language", "caption", "caption", "caption"]
    assert said[1] == {"type": "language", "language": "mr"}


def test_a_step_of_a_subflow_names_it() -> None:
    (said,) = told(step_note(Enter("pin", 2, "check_pin", secret=True)))
    assert said == {"type": "step", "step": "pin", "flow": "check_pin", "at_ms": 0}


def test_waiting_failing_and_being_put_on_hold() -> None:
    said = told(
        event_note(Queued(3)),
        ("connected", {"to": "+919876543210"}),
        ("held", {"on": True}),
        event_note(Failure("no voice could speak a prompt")),
    )
    assert said == [
        {"type": "queued", "place": 3},
        {"type": "connected"},
        {"type": "held", "on": True},
        {"type": "error", "detail": "no voice could speak a prompt"},
    ]


def test_nothing_follows_the_end() -> None:
    events = CallEvents("c1", "vendor_order", "hi")
    assert events.ended("normal", {"order": "accepted"}) == [
        {"type": "ended", "cause": "normal", "result": {"order": "accepted"}}
    ]
    assert events.ended("normal", {}) == []
    assert told((ENDED, {"cause": "normal", "by": "us", "result": {}}), events=events) == []
    assert told(("key", {"key": "1"}), events=events) == []


def test_the_feed_tells_the_end() -> None:
    (said,) = told((ENDED, {"cause": "normal", "by": "us", "result": {"order": "accepted"}}))
    assert said == {"type": "ended", "cause": "normal", "result": {"order": "accepted"}}


def test_of_what_is_not_for_the_caller_nothing_is_told() -> None:
    assert told(("headers", {"X-Order": "17"}), ("request", {"id": "r1", "endpoint": "crm"})) == []
