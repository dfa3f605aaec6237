"""What a model is shown of a conversation."""

from __future__ import annotations

from engines.llm.contract import FromCaller, FromModel, FromTool
from ivr.talking.history import MOST_CHARACTERS, PENDING, History, Reply, Sentence, State
from tests.talking.driver import call


def test_a_call_without_an_answer_has_one_all_the_same() -> None:
    history = History()
    history.heard("where is it")
    history.reply(Reply([Sentence("Let me look.")], [call("order-state")]))
    history.heard("hello?")
    assert history.messages() == (
        FromCaller("where is it"),
        FromModel("Let me look.", (call("order-state"),)),
        FromTool("x", PENDING),
        FromCaller("hello?"),
    )


def test_a_long_one_is_shown_from_words_of_the_caller_on() -> None:
    history = History()
    history.reply(Reply([Sentence("Welcome.")]))
    assert history.messages() == (FromModel("Welcome."),)
    for number in range(40):
        history.heard(f"{number} " + "x" * 500)
        history.reply(Reply([Sentence("y" * 500)], [call("order-state")]))
        history.answered("x", "z" * 200)
    shown = history.messages("(aside)")
    assert isinstance(shown[0], FromCaller)
    assert MOST_CHARACTERS - 2000 < sum(len(message.text) for message in shown) <= MOST_CHARACTERS + 10
    assert shown[-3].text.startswith("(aside)\n39 ")


def test_one_that_is_too_long_by_itself_is_shown() -> None:
    history = History()
    history.heard("x" * 2 * MOST_CHARACTERS)
    assert len(history.messages()) == 1


def test_what_is_owed() -> None:
    history = History()
    assert not history.owed
    history.heard("hello")
    assert history.owed
    reply = Reply([Sentence("Yes.")])
    history.reply(reply)
    assert not history.owed
    reply.sentences[0].state = State.CUT
    assert history.owed, "nothing of it was heard"
    assert list(history.transcript()) == [("caller", "hello")]
