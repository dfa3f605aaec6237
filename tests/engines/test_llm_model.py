"""A model behind an OpenAI-compatible server, with all that real ones do."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncGenerator

import pytest

from engines.contract import EngineError, EngineTimeout, EngineUnavailable
from engines.llm.contract import (
    ChatRequest,
    Finished,
    FromCaller,
    Instruction,
    Piece,
    ToolCall,
    ToolOffer,
    Usage,
    Words,
)
from engines.llm.openai_model import OpenAiModel, Prices, Provider
from tests.fakes.llm_server import Answer, Call, Fault, LlmServer, llm_server, rules

REQUEST = ChatRequest((Instruction("Be short."), FromCaller("Is it there?")))
LONG_S = 25.0
"""A deadline that a busy machine keeps."""


@pytest.fixture
async def server() -> AsyncGenerator[LlmServer]:
    async with llm_server() as server:
        yield server


@contextlib.asynccontextmanager
async def model_of(server: LlmServer, key: str | None = "sk-secret-1") -> AsyncGenerator[OpenAiModel]:
    model = OpenAiModel(Provider("qwen", server.url, "small", key, Prices(1.0, 2.0)))
    try:
        yield model
    finally:
        await model.close()


async def answer(
    model: OpenAiModel, request: ChatRequest = REQUEST, deadline_s: float = LONG_S
) -> tuple[list[Piece], list[Usage]]:
    spent: list[Usage] = []
    pieces = [piece async for piece in model.chat(request, deadline_s=deadline_s, spent=spent.append)]
    return pieces, spent


def text_of(pieces: list[Piece]) -> str:
    return "".join(piece.text for piece in pieces if isinstance(piece, Words))


async def test_words_come_as_they_are_written_and_the_end_says_what_it_took(server: LlmServer) -> None:
    server.script.append(Answer("हाँ, it is there."))
    async with model_of(server) as model:
        pieces, spent = await answer(model)
    assert pieces[:-1] == [Words("हाँ,"), Words(" it"), Words(" is"), Words(" there.")]
    assert pieces[-1] == Finished("qwen", spent[0])
    (asked,) = server.asked
    assert asked.said == ["system: Be short.", "user: Is it there?"]
    assert asked.headers["authorization"] == "Bearer sk-secret-1"
    assert spent == [Usage(spent[0].tokens_in, 4, spent[0].tokens_in / 1e6 + 4 * 2 / 1e6)]
    assert not asked.client_left


async def test_where_the_server_does_not_count_it_is_estimated_and_said_so(server: LlmServer) -> None:
    server.script.append(Answer("It is there.", usage=False))
    async with model_of(server) as model:
        _, (spent,) = await answer(model)
    assert spent.estimated
    assert spent.tokens_out >= 3
    assert spent.tokens_in > 0
    assert spent.cost > 0


async def test_without_a_key_none_is_sent_nor_that_of_the_environment(
    server: LlmServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-somebody-else")
    server.script.append(Answer("yes"))
    async with model_of(server, key=None) as model:
        await model.start()
        await answer(model)
    assert "authorization" not in server.asked[0].headers


async def test_tools_are_offered_and_calls_come_whole(server: LlmServer) -> None:
    call = Call("order-state", '{"order": "48213"}', fragments=5)
    server.script.append(Answer("One moment.", (call, Call("person", "{nonsense", "call_2"))))
    offer = ToolOffer("order-state", "How an order stands", {"type": "object"})
    async with model_of(server) as model:
        pieces, _ = await answer(model, ChatRequest(REQUEST.messages, (offer,)))
    assert text_of(pieces) == "One moment."
    good, bad = (piece for piece in pieces if isinstance(piece, ToolCall))
    assert good == ToolCall("call_1", "order-state", {"order": "48213"})
    assert (bad.tool, bad.arguments) == ("person", {})
    assert "no JSON" in bad.fault
    assert server.asked[0].body["tools"][0]["function"]["name"] == "order-state"


async def test_connections_are_opened_before_they_are_needed_and_used_again(server: LlmServer) -> None:
    server.script.extend([Answer("one"), Answer("two")])
    async with model_of(server) as model:
        await model.start()
        await answer(model)
        await answer(model)
    assert server.fetched == ["/v1/models"]
    assert server.connections == 1


async def test_a_connection_is_opened_ahead_unless_one_was_used_of_late(server: LlmServer) -> None:
    server.script.extend([Answer("one"), Answer("two")])
    async with model_of(server) as model:
        model.warm()
        model.warm()
        async with asyncio.timeout(LONG_S):
            while any(task.get_name() == "qwen warms up" for task in asyncio.all_tasks()):
                await asyncio.sleep(0.001)
        await answer(model)
        model.warm()
        await answer(model)
    assert (server.fetched, server.connections) == (["/v1/models"], 1)


async def test_many_that_are_cancelled_at_any_time_leave_nothing(server: LlmServer) -> None:
    server.otherwise = lambda body: Answer("and on", first_s=0.01, token_s=0.001, fault="endless")
    spent: list[Usage] = []
    before = asyncio.all_tasks()

    async def one(model: OpenAiModel, pieces: int) -> None:
        stream = model.chat(REQUEST, deadline_s=LONG_S, spent=spent.append)
        for _ in range(pieces):
            await anext(stream)
        await stream.aclose()

    async with model_of(server) as model:
        asking = [asyncio.create_task(one(model, n % 20)) for n in range(40)]
        await server.came(10)
        for task in asking[::3]:
            task.cancel()
        done = await asyncio.gather(*asking, return_exceptions=True)
        async with asyncio.timeout(LONG_S):
            for asked in server.asked:
                await asked.over.wait()
        assert {type(one) for one in done} <= {type(None), asyncio.CancelledError}
        assert all(asked.client_left for asked in server.asked)
        assert len(spent) >= len(server.asked)
    assert {task for task in asyncio.all_tasks() - before if "llm_server" not in str(task)} == set()


async def test_closing_it_ends_the_connection_and_what_it_took_is_counted(server: LlmServer) -> None:
    server.script.append(Answer("never " * 300, token_s=0.05))
    spent: list[Usage] = []
    async with model_of(server) as model:
        stream = model.chat(REQUEST, deadline_s=LONG_S, spent=spent.append)
        assert isinstance(await anext(stream), Words)
        await stream.aclose()
        async with asyncio.timeout(LONG_S):
            await server.asked[0].over.wait()
    assert server.asked[0].client_left
    assert server.asked[0].sent < 300
    assert spent[0].estimated
    assert 1 <= spent[0].tokens_out < 300


async def test_a_request_that_is_cancelled_before_its_first_word_ends_too(server: LlmServer) -> None:
    server.script.append(Answer(fault="silent"))
    spent: list[Usage] = []
    async with model_of(server) as model:
        stream = model.chat(REQUEST, deadline_s=LONG_S, spent=spent.append)
        first = asyncio.ensure_future(anext(stream))
        asked = await server.came(1)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        async with asyncio.timeout(LONG_S):
            await asked.over.wait()
    assert asked.client_left
    assert (len(spent), spent[0].tokens_out) == (1, 0)


@pytest.mark.parametrize("fault", ["silent", "slow loris", "empty deltas"])
async def test_no_word_before_the_deadline(server: LlmServer, fault: Fault) -> None:
    server.script.append(Answer(fault=fault))
    async with model_of(server) as model:
        await model.start()
        with pytest.raises(EngineTimeout, match=r"no word from qwen within 0\.5 s"):
            await answer(model, deadline_s=0.5)
        async with asyncio.timeout(LONG_S):
            await server.asked[0].over.wait()
    assert server.asked[0].client_left


async def test_no_pause_is_longer_than_the_deadline(server: LlmServer) -> None:
    server.script.append(Answer("one two", token_s=60.0))
    async with model_of(server) as model:
        stream = model.chat(REQUEST, deadline_s=2.0)
        assert await anext(stream) == Words("one")
        with pytest.raises(EngineTimeout, match="no further word"):
            await anext(stream)


async def test_who_listens_slowly_is_not_the_models_fault(server: LlmServer) -> None:
    server.script.append(Answer("one two three"))
    async with model_of(server) as model:
        words = []
        async for piece in model.chat(REQUEST, deadline_s=1.0):
            words.append(piece)
            if len(words) == 1:
                await asyncio.sleep(1.1)
    assert text_of(words) == "one two three"


@pytest.mark.parametrize(("fault", "most"), [("endless", 20), ("", 3)])
async def test_an_answer_without_end_is_cut(server: LlmServer, fault: Fault, most: int) -> None:
    server.script.append(Answer("and on and on", fault=fault))
    async with model_of(server) as model:
        pieces, (spent,) = await answer(model, ChatRequest(REQUEST.messages, most_tokens=most))
        async with asyncio.timeout(LONG_S):
            await server.asked[0].over.wait()
    last = pieces[-1]
    assert isinstance(last, Finished)
    assert last.cut
    assert len(pieces) <= most + 2
    assert spent.tokens_out <= most * 2 + 2
    assert server.asked[0].client_left is (fault == "endless")


async def test_a_line_without_end_takes_no_memory(server: LlmServer) -> None:
    server.script.append(Answer(fault="endless line"))
    async with model_of(server) as model:
        with pytest.raises(EngineError, match="more than 4 MiB"):
            await answer(model)


@pytest.mark.parametrize(
    ("fault", "words", "kind", "message"),
    [
        ("cut", "I will", EngineUnavailable, "the connection failed"),
        ("no end", "I will", EngineUnavailable, "in the middle"),
        ("error", "I will", EngineError, "CUDA out of memory"),
        ("nothing", "", EngineError, "answered nothing"),
        ("html", "", EngineError, "text/html"),
        ("json", "", EngineError, "application/json"),
        ("nonsense", "", EngineError, "no answer"),
    ],
)
async def test_an_answer_that_is_none(
    server: LlmServer, fault: Fault, words: str, kind: type[EngineError], message: str
) -> None:
    server.script.append(Answer(words, fault=fault, message="CUDA out of memory"))
    said = ""
    async with model_of(server) as model:
        stream = model.chat(REQUEST, deadline_s=LONG_S)
        for word in words.split(" ") if words else []:
            piece = await anext(stream)
            assert isinstance(piece, Words)
            said += piece.text
            assert word in said
        with pytest.raises(EngineError, match=message) as raised:
            await anext(stream)
    assert raised.type is kind
    assert said == words


async def test_odd_shapes_in_between_are_passed_over(server: LlmServer) -> None:
    server.script.append(Answer("Yes.", fault="odd shapes"))
    async with model_of(server) as model:
        pieces, _ = await answer(model)
    assert text_of(pieces) == "Yes."


@pytest.mark.parametrize(
    ("status", "kind", "message"),
    [
        (401, EngineUnavailable, r"does not take its key \(status 401\): no such key \*\*\*"),
        (403, EngineUnavailable, "does not take its key"),
        (404, EngineUnavailable, "no model small"),
        (429, EngineUnavailable, "no more requests now"),
        (500, EngineUnavailable, r"failed \(status 500\)"),
        (503, EngineUnavailable, r"failed \(status 503\)"),
        (400, EngineError, r"refused the request \(status 400\)"),
    ],
)
async def test_a_refusal_says_what_is_wrong_and_is_not_repeated(
    server: LlmServer, status: int, kind: type[EngineError], message: str
) -> None:
    server.script.append(Answer(status=status, message="no such key sk-secret-1"))
    spent: list[Usage] = []
    async with model_of(server) as model:
        with pytest.raises(EngineError, match=message) as raised:
            await anext(model.chat(REQUEST, deadline_s=LONG_S, spent=spent.append))
    assert raised.type is kind
    assert "sk-secret-1" not in str(raised.value)
    assert len(server.asked) == 1
    assert spent == []


async def test_a_redirect_is_not_followed(server: LlmServer) -> None:
    server.script.append(Answer(status=307, headers=("Location: http://127.0.0.1:1/v1/chat/completions",)))
    async with model_of(server) as model:
        with pytest.raises(EngineError, match="307"):
            await answer(model)


async def test_a_server_that_is_away(caplog: pytest.LogCaptureFixture) -> None:
    async with llm_server() as server:
        pass
    async with model_of(server) as model:
        with caplog.at_level(logging.WARNING):
            await model.start()
        assert "qwen is not there yet" in caplog.text
        with pytest.raises(EngineUnavailable, match="the connection failed"):
            await answer(model)


async def test_after_a_failure_the_next_answer_is_whole(server: LlmServer) -> None:
    server.script.extend([Answer("a", fault="cut"), Answer(fault="silent"), Answer("b")])
    async with model_of(server) as model:
        for deadline_s in (LONG_S, 0.5):
            with pytest.raises(EngineError):
                await answer(model, deadline_s=deadline_s)
        assert text_of((await answer(model))[0]) == "b"


def test_the_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(EngineError, match=r"ivr-server\[llm\]"):
        OpenAiModel(Provider("qwen", "http://127.0.0.1:1/v1", "small"))


def test_a_script_by_hand_answers_by_what_was_said() -> None:
    script = rules(
        [
            {"when": "order", "say": "One moment.", "call": {"tool": "state", "arguments": {"order": 7}}},
            {"when": "^tool: ", "say": "It is on its way."},
        ],
        0.2,
        0.02,
    )

    def said(role: str, text: str) -> Answer:
        return script({"messages": [{"role": role, "content": text}]})

    assert said("user", "my order") == Answer("One moment.", (Call("state", '{"order": 7}'),), 0.2, 0.02)
    assert said("tool", "{}").text == "It is on its way."
    assert said("user", "hello").text == "You said: hello"


def test_a_key_is_not_shown() -> None:
    assert "sk-secret" not in repr(Provider("qwen", "http://gpu-1/v1", "small", "sk-secret-1"))
