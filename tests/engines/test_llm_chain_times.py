"""The row of models in virtual time: exact moments, and whatever the models do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from engines.breaker import Breaker
from engines.contract import EngineError, EngineTimeout, EngineUnavailable
from engines.llm.chain import ModelChain
from engines.llm.contract import ChatRequest, Finished, FromCaller, OnSpent, Piece, Slow, Usage, Words
from tests.fakes.virtual_time import run_virtually

REQUEST = ChatRequest((FromCaller("Is it there?"),))
DEADLINE_S = 6.0

Act = tuple[float, Literal["word", "error", "away", "late", "hang"]]
"""After so many seconds this happens."""


@dataclass
class Actor:
    name: str
    acts: list[Act]
    asked_at: list[float] = field(default_factory=list)
    open: int = 0

    def warm(self) -> None: ...

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def chat(
        self, request: ChatRequest, *, deadline_s: float, spent: OnSpent | None = None
    ) -> AsyncGenerator[Piece, None]:
        self.asked_at.append(round(asyncio.get_running_loop().time(), 3))
        self.open += 1
        try:
            for after_s, what in self.acts:
                await asyncio.sleep(after_s)
                match what:
                    case "word":
                        yield Words(self.name)
                    case "error":
                        raise EngineError(f"{self.name} is odd")
                    case "away":
                        raise EngineUnavailable(f"{self.name} is away")
                    case "late":
                        raise EngineTimeout(f"{self.name} is late")
                    case "hang":
                        await asyncio.sleep(deadline_s)
                        raise EngineTimeout(f"{self.name} hangs")
            yield Finished(self.name)
        finally:
            self.open -= 1
            if spent is not None:
                spent(Usage(1, 1, 0.5))


@dataclass
class Course:
    """What came when; `error` ended it."""

    pieces: list[tuple[float, Piece]] = field(default_factory=list)
    error: tuple[float, EngineError] | None = None

    def times(self) -> list[tuple[float, str]]:
        named = [
            (at, piece.text if isinstance(piece, Words) else type(piece).__name__)
            for at, piece in self.pieces
        ]
        return [(round(at, 3), name) for at, name in named]


async def course(chain: ModelChain, spent: list[Usage], leaves_at_s: float | None = None) -> Course:
    clock = asyncio.get_running_loop().time
    began, seen = clock(), Course()
    stream = chain.chat(REQUEST, deadline_s=DEADLINE_S, spent=spent.append)
    try:
        async with asyncio.timeout(leaves_at_s):
            async for piece in stream:
                seen.pieces.append((clock() - began, piece))
    except TimeoutError:
        pass
    except EngineError as error:
        seen.error = (clock() - began, error)
    finally:
        await stream.aclose()
    return seen


def played(*models: list[Act]) -> tuple[Course, list[Actor]]:
    actors = [Actor(name, acts) for name, acts in zip("abc", models, strict=False)]
    return run_virtually(course(ModelChain(actors), [])), actors


def test_who_is_quick_is_asked_alone() -> None:
    seen, (a, b) = played([(0.6, "word"), (3.0, "word")], [(0.1, "word")])
    assert seen.times() == [(0.6, "a"), (3.6, "a"), (3.6, "Finished")]
    assert (a.asked_at, b.asked_at) == ([0.0], [])


def test_a_filler_at_700_ms_and_the_second_at_1500() -> None:
    seen, (_, b) = played([(0.0, "hang")], [(0.3, "word")])
    assert seen.times() == [(0.7, "Slow"), (1.8, "b"), (1.8, "Finished")]
    assert b.asked_at == [1.5]


def test_the_first_may_have_the_first_word_still() -> None:
    seen, actors = played([(1.7, "word"), (1.0, "word")], [(0.3, "word")])
    assert seen.times() == [(0.7, "Slow"), (1.7, "a"), (2.7, "a"), (2.7, "Finished")]
    assert [actor.open for actor in actors] == [0, 0]


def test_each_has_as_long_before_the_next_is_asked_too() -> None:
    seen, actors = played([(0.0, "hang")], [(0.0, "hang")], [(0.5, "word")])
    assert [actor.asked_at for actor in actors] == [[0.0], [1.5], [3.0]]
    assert seen.times()[1:] == [(3.5, "c"), (3.5, "Finished")]


def test_one_that_fails_is_replaced_at_that_moment() -> None:
    seen, actors = played([(0.2, "away")], [(0.4, "error")], [(0.5, "word")])
    assert [actor.asked_at for actor in actors] == [[0.0], [0.2], [0.6]]
    assert [(round(at, 3), name) for at, name in seen.times()] == [
        (0.7, "Slow"),
        (1.1, "c"),
        (1.1, "Finished"),
    ]


def test_nobody_in_time() -> None:
    seen, actors = played([(0.0, "hang")], [(5.0, "word")])
    assert seen.times() == [(0.7, "Slow")]
    assert seen.error is not None
    assert seen.error[0] == DEADLINE_S
    assert isinstance(seen.error[1], EngineTimeout)
    assert [actor.open for actor in actors] == [0, 0]


acts = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.2, 0.7, 0.9, 1.5, 2.0, 7.0]),
        st.sampled_from(["word", "word", "word", "error", "away", "late", "hang"]),
    ),
    min_size=1,
    max_size=3,
)
leaves = st.none() | st.sampled_from([0.0, 0.1, 0.7, 1.0, 1.5, 2.0, 6.0])


@given(st.lists(acts, min_size=1, max_size=3), st.lists(leaves, min_size=1, max_size=4))
def test_whatever_the_models_do_and_whenever_the_asker_leaves(
    models: list[list[Act]], rounds: list[float | None]
) -> None:
    actors = [Actor(name, acts) for name, acts in zip("abc", models, strict=False)]
    breakers: list[Breaker] = []

    def breaker() -> Breaker:
        breakers.append(Breaker(2, 5.0, 10.0))
        return breakers[-1]

    async def all_rounds() -> None:
        chain = ModelChain(actors, breaker=breaker)
        for leaves_at_s in rounds:
            asked_before = sum(len(actor.asked_at) for actor in actors)
            began = asyncio.get_running_loop().time()
            spent: list[Usage] = []
            seen = await course(chain, spent, None if leaves_at_s is None else began + leaves_at_s)
            kinds = [type(piece) for _, piece in seen.pieces]
            assert kinds.count(Slow) <= 1
            assert Slow not in kinds[1:]
            words = [(at, piece) for at, piece in seen.pieces if isinstance(piece, Words)]
            assert len({piece.text for _, piece in words}) <= 1, "one of them speaks"
            if words:
                assert words[0][0] <= DEADLINE_S + 1e-6
                assert kinds[0] is Slow or words[0][0] <= 0.7 + 1e-6
            if leaves_at_s is None:
                assert (kinds[-1:] == [Finished]) is (seen.error is None)
            assert all(actor.open == 0 for actor in actors), "nobody writes for nobody"
            assert len(spent) <= sum(len(actor.asked_at) for actor in actors) - asked_before
            assert asyncio.all_tasks() == {asyncio.current_task()}
        later = asyncio.get_running_loop().time() + 1000
        assert all(one.admits(later) for one in breakers), "none is left alone for ever"

    run_virtually(all_rounds())
