"""Whole conversations of shipped flows, in virtual time: the flow, the dialogue, a model with a script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.llm.contract import ChatRequest, Finished, FromCaller, Piece, ToolCall, Words
from ivr.flow.loader import load_flow
from ivr.flow.protocol import Heard, HungUpEvent, Key, NothingSaid, SpeechBegan, words_of
from ivr.talking.phrasebook import PHRASES
from tests.talking.pair import Pair, of_tool

ROOT = Path(__file__).parents[2]
FLOW = load_flow(ROOT / "docs" / "cookbook" / "assistant.yaml")
SUPPORT = load_flow(ROOT / "flows" / "customer_support.yaml")


def answer(text: str = "", *calls: ToolCall) -> list[Piece | str]:
    words = [Words(word if at == 0 else f" {word}") for at, word in enumerate(text.split(" "))]
    return [*words, *calls, Finished("scripted")]


def call(tool: str, **arguments: Any) -> ToolCall:
    return ToolCall("c", tool, arguments)


def last(request: ChatRequest) -> str:
    return next(m.text for m in reversed(request.messages) if isinstance(m, FromCaller))


def helper(request: ChatRequest) -> list[Piece | str]:
    """A good model, in Hindi."""
    if request.messages[0].text.startswith("You write for a colleague"):
        return answer("ऑर्डर 4821 देर से है। ग्राहक को व्यक्ति चाहिए।")
    if of_tool(request):
        return answer("आपका ऑर्डर रास्ते में है। वह बीस मिनट में पहुँचेगा।")
    if "4821" in last(request):
        return answer("एक पल रुकिए।", call("fill", order="4821"), call("order-state", order="4821"))
    if "इंसान" in last(request):
        return answer("ठीक है, जोड़ रहे हैं।", call("person"))
    if "धन्यवाद" in last(request):
        return answer("आपका दिन शुभ हो।", call("done"))
    return answer("ऑर्डर का नंबर बताइए।")


def pair(model: Any = helper, takes: float = 0.2, **changes: Any) -> Pair:
    answers = {"order-status": (takes, {"state": "on the way", "minutes": 20})}
    values = {"shop": "मंगवाले", "caller": "+919812345678", "language": "hi"} | changes
    talk = Pair(FLOW, model, answers, **values)
    talk.run(5)
    talk.said.clear()
    return talk


def says(talk: Pair, text: str, then_s: float = 10.0) -> None:
    talk.caller(SpeechBegan())
    talk.run(1.0)
    talk.caller(Heard(text, 0.9))
    talk.run(then_s)


def test_it_helps() -> None:
    talk = pair()
    says(talk, "मेरा ऑर्डर 4821 कहाँ है")
    assert talk.said == [
        "एक पल रुकिए।",
        "आपका ऑर्डर रास्ते में है।",
        "वह बीस मिनट में पहुँचेगा।",
    ]
    assert [(request.endpoint, request.body) for request in talk.sent] == [
        ("order-status", {"order": "4821"})
    ]
    says(talk, "धन्यवाद")
    assert talk.said[3:5] == ["आपका दिन शुभ हो।", "धन्यवाद।"]
    assert talk.finished is not None
    result = talk.finished.result
    assert (result["order"], result["outcome"]) == ("4821", "helped")
    assert result["brief"] == "ऑर्डर 4821 देर से है। ग्राहक को व्यक्ति चाहिए।"


def test_a_slow_tool_is_bridged() -> None:
    talk = pair(takes=2.5)
    says(talk, "मेरा ऑर्डर 4821 कहाँ है")
    assert talk.said == [
        "एक पल रुकिए।",
        PHRASES["hi"].looking[0],
        "आपका ऑर्डर रास्ते में है।",
        "वह बीस मिनट में पहुँचेगा।",
    ]


def test_a_tool_that_does_not_answer_is_told_to_the_model() -> None:
    talk = pair(takes=100.0)
    says(talk, "मेरा ऑर्डर 4821 कहाँ है")
    assert talk.asked[-1].messages[-1].text == "error: no answer in time"


def test_the_caller_cuts_in_and_the_model_knows_what_he_heard() -> None:
    talk = pair()
    says(talk, "मेरा ऑर्डर 4821 कहाँ है", then_s=3.6)
    assert talk.said[-2:] == ["आपका ऑर्डर रास्ते में है।", "वह बीस मिनट में पहुँचेगा।"]
    says(talk, "किसी इंसान से बात", then_s=1.0)
    history = [message.text for message in talk.asked[-2].messages]
    assert "आपका ऑर्डर रास्ते में …" in history
    assert not any("वह बीस" in text for text in history[1:]), "that was never said"


def test_a_person_hears_what_it_was_about() -> None:
    talk = pair()
    says(talk, "मेरा ऑर्डर 4821 कहाँ है")
    says(talk, "किसी इंसान से बात करनी है")
    (transfer,) = talk.transfers
    assert transfer.attended is not None
    (whisper,) = transfer.attended.whisper
    assert words_of(whisper).endswith("देर से है। ग्राहक को व्यक्ति चाहिए। लेने के लिए एक दबाएँ।")
    assert transfer.context["brief"] == "ऑर्डर 4821 देर से है। ग्राहक को व्यक्ति चाहिए।"
    assert "ठीक है, जोड़ रहे हैं।" in talk.said


def test_key_0_is_a_person_with_a_summary() -> None:
    talk = pair()
    says(talk, "मेरा ऑर्डर 4821 कहाँ है")
    talk.caller(Key("0"))
    talk.run(10)
    assert talk.transfers[0].context["brief"].startswith("ऑर्डर 4821")


def test_no_model_is_a_person_with_what_is_known() -> None:
    talk = pair(lambda request: ["<all are away>"])
    says(talk, "मेरा ऑर्डर 4821 कहाँ है")
    assert talk.transfers[0].context["brief"] == "जानकारी: -। कॉलर ने कहा: मेरा ऑर्डर 4821 कहाँ है"


def test_the_time_is_bounded_and_the_flow_goes_on() -> None:
    talk = pair(lambda request: answer("बताइए, और क्या?"))
    for _ in range(20):
        says(talk, "और", then_s=5.0)
    assert talk.transfers
    assert talk.machine.result["outcome"] == "handed_over"


@pytest.mark.parametrize("silence_s", [60.0])
def test_who_says_nothing_is_asked_twice_and_given_a_person(silence_s: float) -> None:
    talk = pair(lambda request: answer("बताइए, क्या मदद करें?"))
    talk.run(silence_s)
    assert talk.said[:3] == ["बताइए, क्या मदद करें?", *PHRASES["hi"].still_there]
    assert talk.transfers


def test_the_support_flow_greets_and_helps() -> None:
    answers = {"order-status": (0.2, {"order": {"state": "preparing"}})}
    talk = Pair(SUPPORT, helper, answers, shop="मंगवाले", language="hi")
    talk.caller(Key("1"))
    talk.run(20)
    while not talk.asked and talk.now < 90:
        says(talk, "कुछ और ही बात है", then_s=4.0)
    assert any("अपने शब्दों में" in text for text in talk.said)
    history = [message.text for message in talk.asked[0].messages]
    assert any(text.startswith("अपने शब्दों में") for text in history), "the model knows what was asked"


CALLER: st.SearchStrategy[Any] = st.sampled_from(
    [
        Heard("मेरा ऑर्डर 4821 कहाँ है", 0.9),
        Heard("किसी इंसान से", 0.9),
        Heard("धन्यवाद", 0.9),
        Heard("", 0.0),
        Heard(None, 0.0),
        SpeechBegan(),
        NothingSaid(),
        Key("5"),
        Key("0"),
    ]
)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.floats(0.0, 6.0), CALLER), max_size=12),
    st.floats(0.0, 40.0),
    st.integers(0, 3),
)
def test_whenever_the_caller_goes_it_ends_once(
    events: list[tuple[float, Any]], gone_at: float, failures: int
) -> None:
    left = [failures]

    def model(request: ChatRequest) -> list[Piece | str]:
        left[0] -= 1
        return ["<gone>"] if left[0] == 0 else helper(request)

    talk = pair(model)
    began = talk.now
    for after, event in events:
        if talk.now + after - began > gone_at:
            break
        talk.run(after)
        talk.caller(event)
    talk.caller(HungUpEvent())
    talk.run(120)
    assert talk.finished is not None
    tickets = [request for request in talk.sent if request.endpoint == "tickets"]
    assert len(tickets) == 1
