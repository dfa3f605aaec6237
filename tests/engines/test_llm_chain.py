"""Models in order, as one: who is asked when, who wins, who is left alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import pytest

from engines.breaker import Breaker
from engines.contract import EngineError, EngineTimeout, EngineUnavailable
from engines.llm.chain import ModelChain, Patience
from engines.llm.contract import ChatRequest, Finished, FromCaller, OnSpent, Piece, Slow, Usage, Words
from engines.llm.openai_model import OpenAiModel, Prices, Provider
from tests.fakes.llm_server import Answer, llm_server

REQUEST = ChatRequest((FromCaller("Is it there?"),))
LONG_S = 25.0
QUICK = Patience(0.02, 0.05)
PATIENT = Patience(LONG_S, LONG_S)


@dataclass
class Model:
    """Says its name when `speak` is set, then goes on when `finish` is; or raises `error` instead. A model
    that `breaks` raises after its first word."""

    name: str
    speaks: bool = True
    error: EngineError | None = None
    breaks: bool = False
    asked: int = 0
    closed: int = 0
    speak: asyncio.Event = field(default_factory=asyncio.Event)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    warmed: int = 0

    def warm(self) -> None:
        self.warmed += 1

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def chat(
        self, request: ChatRequest, *, deadline_s: float, spent: OnSpent | None = None
    ) -> AsyncGenerator[Piece, None]:
        self.asked += 1
        self.came.set()
        try:
            if self.error is not None:
                raise self.error
            if not self.speaks:
                await self.speak.wait()
            yield Words(self.name)
            if self.breaks:
                raise EngineUnavailable(f"{self.name} broke")
            yield Finished(self.name, Usage(1, 1))
        finally:
            self.closed += 1
            if spent is not None:
                spent(Usage(1, 1))


@dataclass
class Observed:
    outcomes: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, name: str, outcome: str, first_s: float | None) -> None:
        self.outcomes.append((name, outcome))
        assert (first_s is not None) or outcome != "answered"


def chain_of(*models: Model, patience: Patience = PATIENT, observe: Observed | None = None) -> ModelChain:
    return ModelChain(models, patience, observe or Observed(), breaker=lambda: Breaker(2, 60.0))


async def answer(chain: ModelChain, deadline_s: float = LONG_S) -> list[Piece]:
    return [piece async for piece in chain.chat(REQUEST, deadline_s=deadline_s)]


def names(pieces: list[Piece]) -> list[str]:
    return [
        piece.text if isinstance(piece, Words) else "slow" if isinstance(piece, Slow) else "end"
        for piece in pieces
    ]


async def test_the_first_is_asked_alone() -> None:
    a, b = Model("a"), Model("b")
    seen = Observed()
    assert names(await answer(chain_of(a, b, observe=seen))) == ["a", "end"]
    assert (a.asked, a.closed, b.asked) == (1, 1, 0)
    assert seen.outcomes == [("a", "answered")]


async def test_slow_ones_say_so_then_the_second_is_asked_and_the_first_is_cancelled() -> None:
    a, b = Model("a", speaks=False), Model("b")
    seen = Observed()
    assert names(await answer(chain_of(a, b, patience=QUICK, observe=seen))) == ["slow", "b", "end"]
    assert (a.asked, a.closed) == (1, 1)
    assert sorted(seen.outcomes) == [("a", "late"), ("b", "answered")]


async def test_the_first_may_still_win() -> None:
    a, b = Model("a", speaks=False), Model("b", speaks=False)
    seen = Observed()
    asking = asyncio.create_task(answer(chain_of(a, b, patience=Patience(0.0, 0.05), observe=seen)))
    async with asyncio.timeout(LONG_S):
        await b.came.wait()
        a.speak.set()
        assert names(await asking) == ["slow", "a", "end"]
    assert b.closed == 1
    assert dict(seen.outcomes)["a"] == "answered"


async def test_it_says_once_that_it_takes_long() -> None:
    models = [Model(name, speaks=False) for name in "abc"]
    asking = asyncio.create_task(answer(chain_of(*models, patience=QUICK)))
    async with asyncio.timeout(LONG_S):
        await models[2].came.wait()
        models[2].speak.set()
        assert names(await asking) == ["slow", "c", "end"]


async def test_one_that_fails_is_replaced_at_once() -> None:
    a, b = Model("a", error=EngineUnavailable("a is away")), Model("b")
    seen = Observed()
    assert names(await answer(chain_of(a, b, observe=seen))) == ["b", "end"]
    assert seen.outcomes == [("a", "failed"), ("b", "answered")]


async def test_when_all_fail_it_says_why() -> None:
    a, b = Model("a", error=EngineUnavailable("a is away")), Model("b", error=EngineError("b is odd"))
    with pytest.raises(EngineUnavailable, match="a is away; b is odd"):
        await answer(chain_of(a, b))
    with pytest.raises(EngineError, match="b is odd"):
        await answer(chain_of(Model("b", error=EngineError("b is odd"))))


async def test_none_before_the_deadline() -> None:
    a, b = Model("a", speaks=False), Model("b", speaks=False)
    with pytest.raises(EngineTimeout, match="no word from a model"):
        await answer(chain_of(a, b, patience=QUICK), deadline_s=0.3)
    assert a.asked == a.closed == 1
    assert b.asked == b.closed


async def test_half_an_answer_is_not_begun_again() -> None:
    a, b = Model("a", breaks=True), Model("b")
    seen = Observed()
    stream = chain_of(a, b, observe=seen).chat(REQUEST, deadline_s=LONG_S)
    assert await anext(stream) == Words("a", by="a")
    with pytest.raises(EngineUnavailable, match="a broke"):
        await anext(stream)
    assert b.asked == 0
    assert seen.outcomes == [("a", "failed")]


async def test_what_fails_again_and_again_is_left_alone() -> None:
    a, b = Model("a", error=EngineUnavailable("a is away")), Model("b")
    seen = Observed()
    chain = chain_of(a, b, observe=seen)
    for _ in range(3):
        assert names(await answer(chain)) == ["b", "end"]
    assert a.asked == 2
    assert seen.outcomes[-2:] == [("a", "skipped"), ("b", "answered")]


async def test_one_that_is_overtaken_again_and_again_is_left_alone() -> None:
    a, b = Model("a", speaks=False), Model("b")
    chain = chain_of(a, b, patience=QUICK)
    for _ in range(2):
        assert names(await answer(chain)) == ["slow", "b", "end"]
    assert names(await answer(chain)) == ["b", "end"], "and nobody waits for it"


async def test_one_that_always_breaks_in_the_middle_is_left_alone() -> None:
    a, b = Model("a", breaks=True), Model("b")
    chain = chain_of(a, b)
    for _ in range(2):
        with pytest.raises(EngineUnavailable):
            await answer(chain)
    assert names(await answer(chain)) == ["b", "end"]


async def test_when_all_are_left_alone_it_is_told_at_once() -> None:
    a = Model("a", error=EngineUnavailable("a is away"))
    chain = chain_of(a)
    for _ in range(2):
        with pytest.raises(EngineUnavailable, match="a is away"):
            await answer(chain)
    with pytest.raises(EngineUnavailable, match="every model has failed of late"):
        await answer(chain)


async def test_closing_it_closes_all_and_says_nothing_of_them() -> None:
    a, b = Model("a", speaks=False), Model("b", speaks=False)
    seen = Observed()
    chain = chain_of(a, b, patience=Patience(0.0, LONG_S), observe=seen)
    for _ in range(3):
        stream = chain.chat(REQUEST, deadline_s=LONG_S)
        assert isinstance(await anext(stream), Slow)
        waiting = asyncio.ensure_future(anext(stream))
        async with asyncio.timeout(LONG_S):
            await a.came.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await stream.aclose()
        a.came.clear()
    assert (a.asked, a.closed, b.asked) == (3, 3, 0)
    assert seen.outcomes == [("a", "cancelled")] * 3
    a.speaks = True
    assert names(await answer(chain))[-2:] == ["a", "end"], "it is not held against it"


async def test_all_are_warmed_up_since_each_may_be_asked() -> None:
    a, b = Model("a"), Model("b")
    chain_of(a, b).warm()
    assert (a.warmed, b.warmed) == (1, 1)


async def test_closing_it_at_once_asks_nobody() -> None:
    a = Model("a")
    stream = chain_of(a).chat(REQUEST, deadline_s=LONG_S)
    await stream.aclose()
    assert a.asked == 0


async def test_a_fault_of_our_own_is_not_hidden() -> None:
    class Odd(Model):
        async def chat(
            self, request: ChatRequest, *, deadline_s: float, spent: OnSpent | None = None
        ) -> AsyncGenerator[Piece, None]:
            raise ZeroDivisionError
            yield Slow()

    with pytest.raises(ZeroDivisionError):
        await answer(chain_of(Odd("a"), Model("b")))


async def test_over_real_connections_the_loser_is_hung_up_on_and_paid_for() -> None:
    async with llm_server(Answer(fault="silent")) as slow, llm_server(Answer("It is.")) as good:
        first = OpenAiModel(Provider("first", slow.url, "m", prices=Prices(1.0, 1.0)))
        second = OpenAiModel(Provider("second", good.url, "m", prices=Prices(1.0, 1.0)))
        counted: list[tuple[str, Usage]] = []
        chain = ModelChain([first, second], QUICK, count=lambda name, usage: counted.append((name, usage)))
        await chain.start()
        spent: list[Usage] = []
        pieces = [piece async for piece in chain.chat(REQUEST, deadline_s=LONG_S, spent=spent.append)]
        async with asyncio.timeout(LONG_S):
            await (await slow.came(1)).over.wait()
        assert slow.asked[0].client_left
        assert names(pieces) == ["slow", "It", " is.", "end"]
        last = pieces[-1]
        assert isinstance(last, Finished)
        assert last.model == "second"
        assert sorted(name for name, _ in counted) == ["first", "second"]
        assert [usage for _, usage in counted] == spent
        assert sum(one.cost for one in spent) > last.usage.cost > 0
        await chain.close()
