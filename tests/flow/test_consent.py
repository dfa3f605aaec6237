"""consent: what was heard to its end or answered is stored, with its words, before anything else is said."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ivr.flow.loader import load_flow
from ivr.flow.model import Flow
from ivr.flow.protocol import (
    BargeIn,
    Heard,
    HungUpEvent,
    Key,
    Listen,
    Outcome,
    PromptDone,
    Say,
    StopSaying,
    StoreConsent,
)
from ivr.flow.verbs.consent import asks_to_record
from tests.flow import calls
from tests.flow.calls import HELPLINE, Call

DELIVERY = load_flow(calls.DELIVERY)
NOTICE = "Sharma records this call."
QUESTION = "May we send you offers? one for yes, two for no."


def announced() -> Call:
    call = Call(DELIVERY, shop="Sharma", language="en")
    call.start()
    return call


def asked() -> Call:
    """A call whose question has been heard, at 5 s."""
    call = announced()
    call.send(PromptDone(call.saying), 2.0)
    call.send(PromptDone(call.saying), 5.0)
    return call


def stored(call: Call) -> StoreConsent:
    (command,) = call.of(StoreConsent)
    return command


def test_an_announcement_that_was_heard_is_consent() -> None:
    call = announced()
    assert call.said == NOTICE
    assert call.of(Say)[0].barge_in is BargeIn.NONE
    assert not call.of(StoreConsent), "not before it was heard"
    call.send(PromptDone(call.saying), 2.0)
    assert stored(call) == StoreConsent(
        "recording", None, True, "announced", "en", NOTICE, "notice", "delivery", DELIVERY.hash
    )
    kinds = [type(command) for command in call.last]
    assert kinds.index(StoreConsent) < kinds.index(Say)


def test_nothing_cuts_an_announcement() -> None:
    call = announced()
    assert call.send(Key("1"), 0.5) == []
    assert call.send(Heard("yes"), 0.6) == []
    assert not call.of(Listen)


def test_a_key_typed_during_it_answers_no_question_after_it() -> None:
    call = announced()
    call.send(Key("1"), 0.5)
    call.send(PromptDone(call.saying), 2.0)
    assert call.machine.step == "offers"
    assert call.said == QUESTION


def test_who_hangs_up_during_it_has_agreed_to_nothing() -> None:
    call = announced()
    call.send(HungUpEvent(), 1.0)
    assert not call.of(StoreConsent)
    assert call.finish.cause == "hangup"


@pytest.mark.parametrize(
    ("event", "granted", "how", "following"),
    [
        (Key("1"), True, "key", "agreed"),
        (Key("2"), False, "key", "report"),
        (Heard("yes please"), True, "speech", "agreed"),
        (Heard("no"), False, "speech", "report"),
        (Heard("one"), True, "speech", "agreed"),
    ],
)
def test_an_answer_is_stored_with_the_way_it_was_given(
    event: Key | Heard, granted: bool, how: str, following: str
) -> None:
    call = asked()
    call.send(event, 6.0)
    assert stored(call).purpose == "opt_in"
    assert stored(call).name == "whatsapp-offers"
    assert (stored(call).granted, stored(call).how, stored(call).wording) == (granted, how, QUESTION)
    outcome = next(c for c in call.of(Outcome) if c.step == "offers")
    assert (outcome.outcome, outcome.next) == ("next" if granted else "otherwise", following)
    kinds = [type(command) for command in call.last]
    assert not granted or kinds.index(StoreConsent) < kinds.index(Say)
    assert call.machine.result == {"offers": granted}


def test_the_question_is_heard_to_its_end() -> None:
    call = announced()
    call.send(PromptDone(call.saying), 2.0)
    assert call.of(Say)[0].barge_in is BargeIn.NONE
    assert call.send(Key("1"), 3.0) == []
    assert not call.of(Listen)


def test_what_was_said_again_is_part_of_the_words() -> None:
    call = asked()
    call.tick()
    assert call.said == "one for yes, two for no."
    call.send(PromptDone(call.saying), 12.0)
    call.send(Key("1"), 13.0)
    assert stored(call).wording == f"{QUESTION}\none for yes, two for no."


def test_no_answer_is_a_refusal_that_is_stored() -> None:
    call = asked()
    call.tick()
    call.send(PromptDone(call.saying), 12.0)
    call.tick()
    assert (stored(call).granted, stored(call).how) == (False, "no_answer")


def test_a_hang_up_is_no_answer_at_all() -> None:
    call = asked()
    call.send(HungUpEvent(), 6.0)
    assert not call.of(StoreConsent)


def test_the_words_are_those_of_the_language_that_was_spoken() -> None:
    call = Call(DELIVERY, shop="शर्मा", language="hi")
    call.start()
    call.send(PromptDone(call.saying), 2.0)
    assert (stored(call).language, stored(call).wording) == ("hi", "शर्मा यह कॉल रिकॉर्ड करता है।")


def test_a_flow_that_asks_for_it_is_not_recorded_before() -> None:
    assert asks_to_record(DELIVERY)
    assert not asks_to_record(load_flow(HELPLINE))


Build = Callable[[str], Flow]


def test_a_question_that_may_be_cut_still_wants_to_be_asked(flow_of: Build) -> None:
    text = """
flow: one
languages: [en]
start: hello
steps:
  hello: {say: {en: "Hello."}, next: ask}
  ask:
    consent: {for: recording, prompt: {en: "May we?"}, agree: {key: "1"}, refuse: {key: "2"}, barge_in: any}
    next: bye
    otherwise: bye
  bye: {end: normal}
"""
    call = Call(flow_of(text))
    call.start()
    call.send(Key("1"), 0.5)
    assert call.machine.step == "ask"
    assert not call.of(StoreConsent), "a key that was typed before it is no answer"
    assert call.said == "May we?"
    call.send(Key("1"), 1.0)
    assert call.of(StopSaying)
    assert stored(call).granted
