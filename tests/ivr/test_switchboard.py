"""The search for an agent over legs without a network: whatever comes between, no leg and no task is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from ivr.queueing import Agent, Queue, Strategy
from ivr.switchboard import Found, NoAgent, Search, Switchboard
from media.leg import CallLeg, Cause
from sip.stack import BadNumber, OutboundCall, TrunkBusy
from tests.fakes.leg import FakeLeg

DESK = Queue("desk", (Agent("anu"), Agent("bala", trunk="other", ring_s=15.0)))


class Floor:
    """A switchboard, and what it does."""

    def __init__(self, queue: Queue = DESK, trunks: tuple[str, ...] = ()) -> None:
        self.placed: list[OutboundCall] = []
        self.legs: dict[str, FakeLeg] = {}
        self.refuses: dict[str, Exception] = {}
        self.notes: list[tuple[str, Mapping[str, Any]]] = []
        self.places: list[int] = []
        self.interviewed: list[CallLeg] = []
        self.answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.observed: list[str] = []
        self.board = Switchboard(
            {"desk": queue},
            self.place,
            lambda trunk: 60.0,
            lambda outcome, s: self.observed.append(outcome),
            trunks,
        )

    async def place(self, call: OutboundCall) -> CallLeg:
        self.placed.append(call)
        await asyncio.sleep(0)
        if call.to in self.refuses:
            raise self.refuses[call.to]
        leg = self.legs[call.to] = FakeLeg("outbound")
        return leg

    async def interview(self, leg: CallLeg) -> bool:
        self.interviewed.append(leg)
        return await asyncio.shield(self.answer)

    def search(self, to: str = "desk", wait_s: float = 30.0, confirms: bool = False) -> asyncio.Task[Found]:
        wanted = Search(to, "local", wait_s, confirms, {"X-Order": "1"})
        return asyncio.create_task(
            self.board.find(
                wanted, self.interview, self.places.append, lambda k, d: self.notes.append((k, d))
            )
        )

    async def rings(self, *agents: str) -> None:
        async with asyncio.timeout(5):
            while not self.legs.keys() >= set(agents):
                await asyncio.sleep(0)

    async def hears(self) -> None:
        async with asyncio.timeout(5):
            while not self.interviewed:
                await asyncio.sleep(0)

    async def is_settled(self) -> None:
        """Waits until whoever was hung up on is gone."""
        async with asyncio.timeout(5):
            while self.board._tasks:
                await asyncio.sleep(0)

    @property
    def live(self) -> set[str]:
        return {to for to, leg in self.legs.items() if leg.ended is None}


@pytest.fixture
async def floor() -> AsyncIterator[Floor]:
    made = Floor()
    yield made
    await made.is_settled()
    assert (made.board.legs, made.board._seats, made.board._tasks, made.live) == (0, {}, set(), set())
    assert made.board._queues.due is None


async def test_an_agent_who_takes_the_call_is_given_with_his_leg(floor: Floor) -> None:
    search = floor.search()
    await floor.rings("anu")
    assert floor.placed == [OutboundCall("anu", "local", None, {"X-Order": "1"}, 20.0, within=True)]
    floor.legs["anu"].far_end_answers()
    floor.answer.set_result(True)
    found = await search
    assert (found.leg, found.to, found.longest_s) == (floor.legs["anu"], "anu", 60.0)
    assert floor.board.legs == 1
    assert [kind for kind, _ in floor.notes] == ["agent_called", "agent_answered"]
    await found.leg.hang_up()
    found.release()
    assert floor.observed == ["found"]


@pytest.mark.parametrize(
    ("trunks", "used"), [((), "local"), (("other", "local"), "local"), (("first", "second"), "first")]
)
async def test_agents_are_called_over_the_trunk_of_the_caller_or_the_first(
    trunks: tuple[str, ...], used: str
) -> None:
    """Who calls by a browser or a socket came by no trunk."""
    floor = Floor(Queue("desk", (Agent("anu"),)), trunks)
    search = floor.search()
    await floor.rings("anu")
    assert floor.placed[0].trunk == used
    search.cancel()
    await asyncio.gather(search, return_exceptions=True)
    await floor.is_settled()


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(TrunkBusy("full"), "busy"), (BadNumber("no"), "failed"), (RuntimeError("a fault of ours"), "failed")],
)
async def test_who_cannot_be_called_is_passed_over(floor: Floor, error: Exception, outcome: str) -> None:
    floor.refuses["anu"] = error
    search = floor.search()
    await floor.rings("bala")
    assert [(call.to, call.trunk) for call in floor.placed] == [("anu", "local"), ("bala", "other")]
    assert ("agent_refused", {"to": "anu", "outcome": outcome}) in floor.notes
    search.cancel()
    with pytest.raises(asyncio.CancelledError):
        await search
    assert floor.observed == ["gone"]


async def test_an_agent_who_hangs_up_while_he_is_told_is_passed_over(floor: Floor) -> None:
    search = floor.search()
    await floor.rings("anu")
    floor.legs["anu"].far_end_answers()
    await floor.hears()
    floor.legs["anu"].far_end_hangs_up()
    floor.answer.set_result(False)
    await floor.rings("bala")
    search.cancel()
    await asyncio.gather(search, return_exceptions=True)


async def test_an_interview_that_fails_is_the_end_of_that_call_only(floor: Floor) -> None:
    search = floor.search()
    await floor.rings("anu")
    floor.legs["anu"].far_end_answers()
    await floor.hears()
    floor.answer.set_exception(RuntimeError("a fault of ours"))
    await floor.rings("bala")
    assert floor.live == {"bala"}
    search.cancel()
    await asyncio.gather(search, return_exceptions=True)


@pytest.mark.parametrize("steps", range(12))
async def test_a_caller_may_hang_up_at_any_moment(floor: Floor, steps: int) -> None:
    search = floor.search()
    floor.answer.set_result(True)
    for step in range(steps):
        if step == 3 and "anu" in floor.legs:
            floor.legs["anu"].far_end_answers()
        await asyncio.sleep(0)
    search.cancel()
    (result,) = await asyncio.gather(search, return_exceptions=True)
    if isinstance(result, Found):  # it was too late to cancel
        await result.leg.hang_up()
        result.release()
    await asyncio.sleep(0)


async def test_when_the_time_is_over_nobody_rings_any_more(floor: Floor) -> None:
    search = floor.search(wait_s=0.05)
    await floor.rings("anu")
    with pytest.raises(NoAgent) as caught:
        await search
    assert caught.value.outcome == "no_answer"
    await floor.is_settled()
    assert floor.legs["anu"].ended is Cause.NORMAL


async def test_a_number_that_is_no_queue_is_called_itself(floor: Floor) -> None:
    floor.refuses["+911234567890"] = TrunkBusy("full")
    with pytest.raises(NoAgent) as caught:
        await floor.search("+911234567890")
    assert caught.value.outcome == "busy"
    assert [(call.to, call.ring_s) for call in floor.placed] == [("+911234567890", 30.0)]


async def test_who_rings_in_vain_is_told_that_somebody_else_has_the_call() -> None:
    floor = Floor(Queue("desk", DESK.agents, Strategy.ALL_AT_ONCE))
    search = floor.search()
    await floor.rings("anu", "bala")
    floor.legs["bala"].far_end_answers()
    floor.answer.set_result(True)
    found = await search
    await floor.is_settled()
    assert (floor.legs["anu"].ended, floor.legs["bala"].ended) == (Cause.ELSEWHERE, None)
    await found.leg.hang_up()
    found.release()


async def test_places_are_told_while_nobody_is_free(floor: Floor) -> None:
    first = floor.search()
    await floor.rings("anu")
    second = floor.search()
    await floor.rings("bala")
    third = floor.search()
    await asyncio.sleep(0)
    assert floor.places == [3]
    for search in (second, third, first):
        search.cancel()
        await asyncio.gather(search, return_exceptions=True)
