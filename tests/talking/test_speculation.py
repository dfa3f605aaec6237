"""The answer to what a caller may have said, prepared while he pauses: kept when that was all, else gone."""

from __future__ import annotations

import pytest

from ivr.flow.agent_protocol import AgentCalls, AgentFills, AgentPrepares, AgentSays, Dropped, Presumed
from ivr.flow.protocol import Heard, NothingSaid, SpeechBegan
from ivr.talking.dialogue import PRESUMPTIONS
from ivr.talking.protocol import Ask, Broke, Cancel
from tests.talking.driver import Talk, call


@pytest.fixture
def talk() -> Talk:
    return Talk()


def test_what_was_presumed_is_prepared_and_said_when_it_is_sure(talk: Talk) -> None:
    talk.send(Presumed("where is it"))
    asked = talk.asked
    assert talk.dialog == ["FromCaller: where is it"]
    talk.model("I see your order. It is on the way.")
    assert talk.texts == []
    talk.send(Heard("Where is it?", 0.9))
    assert talk.texts == ["I see your order.", "It is on the way."]
    assert talk.asked is asked, "asked once"
    assert "speculation_kept" in talk.counts


def test_the_first_sentence_is_prepared_as_it_will_be_said(talk: Talk) -> None:
    words = "this is useless, worst service"
    talk.send(Presumed(words))
    talk.model("I am very sorry. It is on the way. Have", end=False)
    (coming,) = talk.of(AgentPrepares)
    assert coming.text == "I am very sorry."
    talk.send(Heard(words, 0.9))
    says = talk.of(AgentSays)[0]
    assert (says.text, says.emotion, says.intensity) == (coming.text, coming.emotion, coming.intensity)
    assert says.emotion == "sorry"
    assert talk.prepared == ["I am very sorry."], "it was said: there is nothing to take back"


@pytest.mark.parametrize("news", [Dropped(), NothingSaid(), Heard("no, the other", 0.9), Presumed("more")])
def test_what_was_prepared_for_nothing_is_not_wanted_any_more(
    talk: Talk, news: Dropped | NothingSaid | Heard | Presumed
) -> None:
    talk.send(Presumed("where is it"))
    talk.model("I see your order. It", end=False)
    talk.send(news)
    assert talk.prepared == ["I see your order.", ""]
    assert talk.of(AgentSays, all=True) == []


def test_nor_is_it_when_the_answer_breaks_off(talk: Talk) -> None:
    talk.send(Presumed("where is it"))
    talk.model("I see your order. It", end=False)
    talk.send(Broke(talk.asked.id, "gone"))
    assert talk.prepared == ["I see your order.", ""]


def test_an_answer_under_way_goes_on_as_the_real_one(talk: Talk) -> None:
    talk.send(Presumed("where is it"))
    talk.model("I see your order. It is", end=False)
    talk.send(Heard("where is it", 0.9))
    assert talk.texts == ["I see your order."]
    talk.model(" on the way.")
    assert talk.texts == ["It is on the way."]


def test_the_caller_goes_on(talk: Talk) -> None:
    talk.send(Presumed("where is it"))
    first = talk.asked
    talk.model("I see your order. It", end=False)
    talk.send(Dropped())
    assert Cancel(first.id) in talk.last
    talk.send(Presumed("where is it now"))
    assert talk.asked.id != first.id
    assert talk.dialog == ["FromCaller: where is it now"]


def test_one_at_a_time(talk: Talk) -> None:
    for words in ("where", "where is", "where is", "where is it"):
        talk.send(Presumed(words))
    asked = [ask.id for ask in talk.of(Ask, all=True)]
    assert len(asked) == 3
    assert talk.cancelled == asked[:-1]
    talk.send(Heard("something else", 0.9))
    assert talk.cancelled == asked


def test_a_caller_who_never_comes_to_an_end_costs_five_at_most(talk: Talk) -> None:
    said = ""
    for number in range(20):
        said += f" and then {number}"
        talk.send(SpeechBegan())
        talk.send(Presumed(said))
        talk.send(Dropped())
    assert len(talk.of(Ask, all=True)) == len(talk.cancelled) == PRESUMPTIONS
    talk.send(Heard(said, 0.9))
    assert len(talk.of(Ask)) == 1


def test_a_cough_after_an_answer_was_prepared_is_no_second_request(talk: Talk) -> None:
    first = talk.hears("where is it")
    talk.send(Presumed("hm"))
    talk.send(NothingSaid())
    assert talk.cancelled == [first.id, "a2"]
    assert talk.dialog == ["FromCaller: where is it"]


def test_no_tool_is_used_before_it_is_sure(talk: Talk) -> None:
    talk.send(Presumed("order 482"))
    talk.model(call("fill", order="482"), call("order-state"))
    assert talk.of(AgentFills) == []
    assert talk.of(AgentCalls) == []
    talk.send(Heard("order 482", 0.9))
    assert [fills.slots for fills in talk.of(AgentFills)] == [{"order": "482"}]
    assert len(talk.of(AgentCalls)) == 1
