"""What the pieces of a streamed answer say, and what is asked: as data, without a server."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.llm.contract import (
    ChatRequest,
    FromCaller,
    FromModel,
    FromTool,
    Instruction,
    ToolCall,
    ToolOffer,
    Words,
)
from engines.llm.openai_reading import MOST_CALLS, AnswerReader, body_of
from engines.llm.thinking import WithoutThoughts
from engines.llm.tokens import tokens_of, tokens_of_request

CONVERSATION = ChatRequest(
    (
        Instruction("Be short."),
        FromCaller("मेरा ऑर्डर कहाँ है?"),
        FromModel("", (ToolCall("c1", "order-state", {"order": "48213"}),)),
        FromTool("c1", '{"state": "on its way"}'),
    ),
    (ToolOffer("order-state", "How an order stands", {"type": "object"}),),
)


def delta(**fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": None}]}


def fragment(index: int | None, arguments: object, id: str = "", name: str = "") -> dict[str, Any]:
    call: dict[str, Any] = {"function": {"arguments": arguments}}
    if index is not None:
        call["index"] = index
    if id:
        call["id"] = id
    if name:
        call["function"]["name"] = name
    return delta(tool_calls=[call])


def read(*events: object, most_tokens: int = 100) -> AnswerReader:
    reader = AnswerReader(most_tokens)
    for event in events:
        reader.take(event)
    return reader


def test_a_conversation_is_asked_in_the_words_of_the_api() -> None:
    body = body_of(CONVERSATION, "small", {})
    assert body["messages"] == [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": "मेरा ऑर्डर कहाँ है?"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "order-state", "arguments": '{"order": "48213"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": '{"state": "on its way"}'},
    ]
    assert body["tools"][0]["function"]["name"] == "order-state"
    assert (body["stream"], body["max_tokens"]) == (True, 300)


def test_options_are_set_over_it_and_null_takes_a_field_out() -> None:
    options = {"chat_template_kwargs": {"enable_thinking": False}, "stream_options": None, "temperature": 1}
    body = body_of(CONVERSATION, "small", options)
    assert body["chat_template_kwargs"] == {"enable_thinking": False}
    assert "stream_options" not in body
    assert body["temperature"] == 1


def test_a_call_is_put_together_from_its_fragments() -> None:
    reader = read(
        fragment(0, "", "a", "order-state"),
        fragment(0, '{"ord'),
        fragment(1, "", "b", "person"),
        fragment(0, 'er": 7}'),
    )
    assert reader.calls() == [ToolCall("a", "order-state", {"order": 7}), ToolCall("b", "person", {})]


def test_calls_of_servers_that_do_not_count_them_are_told_apart_by_their_ids() -> None:
    same = read(
        fragment(0, '{"n":', "a", "x"), fragment(0, "1}"), fragment(0, '{"n":', "b", "y"), fragment(0, "2}")
    )
    assert same.calls() == [ToolCall("a", "x", {"n": 1}), ToolCall("b", "y", {"n": 2})]
    (call,) = read(fragment(None, {"n": 1}, name="x")).calls()
    assert call == ToolCall("call_0", "x", {"n": 1}), "no index, no id, and arguments that are no text"


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ('{"order": ', "no JSON"),
        ("order 7", "no JSON"),
        ('{"order": NaN}', "no JSON"),
        ("[1, 2]", "no object"),
        ('"7"', "no object"),
        ("[" * 100_000, "nested"),
    ],
)
def test_arguments_that_are_none_are_a_fault_of_the_call(arguments: str, fault: str) -> None:
    (call,) = read(fragment(0, arguments, "a", "order-state")).calls()
    assert fault in call.fault
    assert (call.tool, call.arguments) == ("order-state", {})


def test_a_call_without_a_name_is_a_fault_and_calls_are_bounded() -> None:
    (call,) = read(fragment(0, "{}", "a")).calls()
    assert "names no tool" in call.fault
    many = read(*(fragment(n, "{}", f"c{n}", "x") for n in range(100)))
    assert len(many.calls()) == MOST_CALLS


@pytest.mark.parametrize(
    "event",
    [None, 3, [], "text", {}, {"choices": None}, {"choices": 7}, {"choices": [None]}, {"choices": [{}]},
     {"choices": [{"delta": []}]}, delta(content=None), delta(content=7), delta(tool_calls=7),
     delta(tool_calls=[7, None]), {"usage": 3}, {"usage": {"prompt_tokens": -1, "completion_tokens": 2}},
     {"usage": {"prompt_tokens": "1", "completion_tokens": 2}}],
)  # fmt: skip
def test_events_of_another_shape_are_passed_over(event: object) -> None:
    reader = AnswerReader(10)
    assert reader.take(event) is None
    assert (reader.empty, reader.told, reader.finish, reader.error) == (True, None, "", "")
    assert reader.take(delta(content="yes")) == Words("yes")


_json: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "delta", "content", "tool_calls", "index", "id", "function", "arguments", "usage"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=25)
@given(st.lists(_json, max_size=6))
def test_whatever_is_sent_it_is_read(events: list[Any]) -> None:
    reader = read(*events)
    json.dumps([dict(call.arguments) for call in reader.calls()])
    assert reader.tokens_out >= 0


def test_an_answer_is_over_long_by_its_pieces_or_by_its_bytes() -> None:
    assert not read(*[delta(content="a ")] * 5, most_tokens=5).over_long
    assert read(*[delta(content="a ")] * 6, most_tokens=5).over_long
    assert read(delta(content="x" * 1000), most_tokens=5).over_long
    assert read(*[delta(reasoning_content="hm ")] * 6, most_tokens=5).over_long, "thoughts count"


def heard(*pieces: str) -> str:
    thoughts = WithoutThoughts()
    return "".join(map(thoughts.take, pieces)) + thoughts.rest()


@settings(max_examples=25)
@given(st.integers(1, 7), st.sampled_from(["", " ", "\n\n"]))
def test_thoughts_are_not_heard_however_they_are_cut(size: int, before: str) -> None:
    text = before + "<think>He wants <b>it</b>.\n</think>\n\nYes, at once <now>."
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    assert heard(*pieces) == "Yes, at once <now>."


@pytest.mark.parametrize("text", ["Yes.", "<", "<thinking aloud", " a <think> b </think>", "", "हाँ"])
def test_what_is_no_thought_is_heard(text: str) -> None:
    assert heard(*text).strip() == text.strip()
    assert heard(text).strip() == text.strip()


def test_thoughts_without_an_end_are_no_answer() -> None:
    assert heard("<think>", "and on, ", "and on") == ""
    reader = read(delta(content="<think>hm"), delta(content=" hm"))
    assert reader.empty
    assert reader.rest() is None


def test_tokens_are_rather_counted_too_many() -> None:
    assert tokens_of("") == 0
    assert tokens_of("on its way") == 3
    assert tokens_of("हाँ") == 3
    assert tokens_of_request(CONVERSATION) > 40
