"""The shell: requests that are tasks, cancelled for real, and a call that goes on whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from typing import Any

import pytest

from engines.contract import EngineUnavailable
from engines.llm.contract import ChatRequest, Finished, OnSpent, Piece, Usage, Words
from ivr.flow.agent_protocol import AgentSays, Bounds, Conversed, Presumed, Said
from ivr.flow.protocol import Heard
from ivr.knowledge.contract import Passage
from ivr.talking.asking import Style
from ivr.talking.protocol import Counted
from ivr.talking.service import Conversation, ModelAgents
from tests.talking.driver import begin

Script = list[Piece | float | BaseException]


class Model:
    """Answers by its scripts, one for each request; at a number it stops for ever."""

    name = "scripted"

    def __init__(self, *scripts: Script) -> None:
        self.scripts = list(scripts)
        self.requests: list[ChatRequest] = []
        self.closed: list[int] = []
        self.warmed = 0

    def warm(self) -> None:
        self.warmed += 1

    async def chat(
        self, request: ChatRequest, *, deadline_s: float, spent: OnSpent | None = None
    ) -> AsyncGenerator[Piece, None]:
        number = len(self.requests)
        self.requests.append(request)
        try:
            for piece in self.scripts.pop(0):
                if isinstance(piece, BaseException):
                    raise piece
                if isinstance(piece, float):
                    await asyncio.get_running_loop().create_future()
                else:
                    yield piece
        finally:
            self.closed.append(number)
            if spent is not None:
                spent(Usage(10, 5, 2.0))


INF = float("inf")


class Watcher:
    def __init__(self) -> None:
        self.counts: list[str] = []
        self.over: list[str] = []

    def agent_counted(self, what: Counted) -> None:
        self.counts.append(what)

    def agent_over(self, outcome: str, seconds: float) -> None:
        self.over.append(outcome)


class Line:
    """A conversation and what it sends."""

    def __init__(self, model: Model, shelf: Any = None, **changes: Any) -> None:
        self.watcher = Watcher()
        self.sent: list[Any] = []
        self.model = model
        agents = ModelAgents(model, self.watcher, Style(), 5.0, shelf)
        self.conversation: Conversation = agents.open(begin(**changes), self.sent.append)

    async def until(self, kind: type, count: int = 1) -> list[Any]:
        async with asyncio.timeout(20):
            while len(found := [one for one in self.sent if isinstance(one, kind)]) < count:
                await asyncio.sleep(0)
        return found


def text(*words: str) -> Script:
    return [*map(Words, words), Finished("scripted")]


async def until(condition: Any) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0)


async def test_words_become_sentences_while_the_model_writes() -> None:
    line = Line(Model([Words("I see it. It is"), INF]))
    line.conversation.tell(Heard("where is it", 0.9))
    (says,) = await line.until(AgentSays)
    assert says.text == "I see it."
    assert line.model.warmed == 1
    line.conversation.stop()
    await until(lambda: line.model.closed == [0])
    assert line.watcher.over == ["left"]


async def test_barge_in_ends_the_request_for_real() -> None:
    line = Line(Model([Words("I see it. It is"), INF], text("Which one?")))
    line.conversation.tell(Heard("where is it", 0.9))
    (says,) = await line.until(AgentSays)
    line.conversation.tell(Said(says.mark, cut=True, heard="I"))
    await until(lambda: line.model.closed == [0])
    line.conversation.tell(Heard("no", 0.9))
    await line.until(AgentSays, 2)
    assert line.watcher.counts.count("interrupted") == 1
    line.conversation.stop()


async def test_what_was_presumed_and_dropped_is_cancelled_and_costs() -> None:
    line = Line(Model([INF], [INF]), bounds=Bounds(20, 180.0, 2.0))
    for number, words in enumerate(("where", "where is"), start=1):
        line.conversation.tell(Presumed(words))
        await until(lambda n=number: len(line.model.requests) == n and len(line.model.closed) == n - 1)
    line.conversation.tell(Presumed("where is it"))
    await until(lambda: line.model.closed == [0, 1])
    assert len(line.model.requests) == 2, "2 of 2 are spent"
    line.conversation.tell(Heard("where is it now", 0.9))
    assert line.sent == [Conversed("agent1", "otherwise", {}, "cost")]


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ([EngineUnavailable("all are away")], "model: all are away"),
        ([RuntimeError("a fault of ours")], "model: RuntimeError"),
        ([], "model: the answer has no end"),
    ],
)
async def test_whatever_goes_wrong_the_call_is_told(script: Script, reason: str) -> None:
    line = Line(Model(script))
    line.conversation.tell(Heard("hello", 0.9))
    (over,) = await line.until(Conversed)
    assert (over.outcome, over.reason) == ("otherwise", reason)
    assert line.watcher.over == ["otherwise"]
    line.conversation.tell(Heard("hello", 0.9))
    assert len(line.sent) == 1


async def test_a_fault_within_is_no_fault_of_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line(Model())
    monkeypatch.setattr(line.conversation._dialogue, "handle", lambda event, now: 1 / 0)
    line.conversation.tell(Heard("hello", 0.9))
    assert line.sent == [Conversed("agent1", "otherwise", {}, "internal error")]


async def test_who_is_silent_is_spoken_to_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ivr.talking.dialogue.OPENING_S", 0.01)
    line = Line(Model(text("Hello, who is it?")))
    (says,) = await line.until(AgentSays)
    assert says.text == "Hello, who is it?"
    line.conversation.stop()


class Shelf:
    async def find(
        self, collections: tuple[str, ...], question: str, *, most: int = 4, deadline_s: float = 0.3
    ) -> tuple[Passage, ...]:
        return (Passage(f"{question}: 14 days", "returns.md", collections[0], 1.0),)


async def test_knowledge_is_asked_before_the_model() -> None:
    line = Line(Model(text("You have 14 days.")), Shelf(), knowledge=("returns",))
    line.conversation.tell(Heard("returns", 0.9))
    (says,) = await line.until(AgentSays)
    assert says.text == "You have 14 days."
    assert "returns.md: returns: 14 days" in line.model.requests[0].messages[-1].text
    line.conversation.stop()


async def test_nothing_is_left_of_any() -> None:
    lines = [Line(Model([Words("Yes. And"), INF])) for _ in range(5)]
    for line in lines:
        line.conversation.tell(Heard("hello", 0.9))
        await line.until(AgentSays)
        line.conversation.stop()
    await until(lambda: all(line.model.closed == [0] for line in lines))
    assert not _names(asyncio.all_tasks()) & {"_ask", "_find"}


def _names(tasks: Iterable[asyncio.Task[Any]]) -> set[str]:
    return {task.get_coro().__name__ for task in tasks}  # type: ignore[union-attr]
