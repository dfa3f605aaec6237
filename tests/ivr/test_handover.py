"""Handing over on legs without a network: the whisper and its key, the hold, and every way out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from ivr import handover
from ivr.flow.protocol import Attended, Text, Transfer, Transferred
from ivr.handover import Handover, Means, whispered
from ivr.prompts import Prompts
from ivr.queueing import Agent, Queue
from ivr.switchboard import Switchboard
from ivr.waiting import Waiting
from media.leg import CallLeg, Cause, Held, TransferOutcome
from sip.stack import OutboundCall
from tests.fakes.engines import ToneSynthesizer, routed
from tests.fakes.leg import FakeLeg

WHISPER = (Text("A customer.", "en"), Text("Press 1.", "en"))


@pytest.fixture
async def prompts(tmp_path: Path) -> AsyncIterator[Prompts]:
    made = Prompts(routed(ToneSynthesizer()), tmp_path)
    yield made
    await made.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)


class TestWhisper:
    async def test_without_a_key_to_press_it_is_heard_to_its_end(self, prompts: Prompts) -> None:
        leg = FakeLeg("outbound")
        telling = asyncio.create_task(whispered(leg, prompts, WHISPER, None))
        await until(lambda: len(leg.playing) == 2)
        leg.press("1")
        await asyncio.sleep(0)
        assert not telling.done()
        leg.finish()
        assert await telling

    async def test_nothing_to_say_takes_no_time(self, prompts: Prompts) -> None:
        assert await whispered(FakeLeg("outbound"), prompts, (), None)

    async def test_the_key_may_be_pressed_while_it_is_said(self, prompts: Prompts) -> None:
        leg = FakeLeg("outbound")
        telling = asyncio.create_task(whispered(leg, prompts, WHISPER, "1"))
        await until(lambda: bool(leg.playing))
        leg.press("2")
        leg.press("1")
        assert await telling
        assert leg.cut == 2

    async def test_it_is_said_twice_and_then_given_up(
        self, prompts: Prompts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(handover, "ACCEPT_S", 0.01)
        leg = FakeLeg("outbound")
        telling = asyncio.create_task(whispered(leg, prompts, WHISPER, "1"))
        for _ in range(2):
            await until(lambda: len(leg.playing) == 2)
            leg.finish()
        assert not await telling
        assert len(leg.played) == 4

    @pytest.mark.parametrize("finished", [False, True])
    async def test_a_hang_up_is_a_no(self, prompts: Prompts, finished: bool) -> None:
        leg = FakeLeg("outbound")
        telling = asyncio.create_task(whispered(leg, prompts, WHISPER, "1"))
        await until(lambda: len(leg.playing) == 2)
        if finished:
            leg.finish()
        leg.far_end_hangs_up()
        assert not await telling

    async def test_an_agent_who_hears_no_end_is_given_up(
        self, prompts: Prompts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(handover, "TAKING_S", 0.05)
        assert not await whispered(FakeLeg("outbound"), prompts, WHISPER, None)


class HeldLeg(FakeLeg):
    """Writes down its holds; joins as it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.holds: list[bool] = []
        self.joins = TransferOutcome.DONE

    async def hold(self, on: bool) -> bool:
        self.holds.append(on)
        return True

    async def transfer_to(self, other: CallLeg, wait_s: float) -> TransferOutcome:
        await asyncio.sleep(0)
        return self.joins


class Desk:
    """A caller, and one agent."""

    def __init__(self, prompts: Prompts, replaces: bool) -> None:
        self.caller = HeldLeg()
        self.agent = FakeLeg("outbound")
        self.notes: list[tuple[str, Mapping[str, Any]]] = []
        self.places: list[int] = []
        self.board = Switchboard({"desk": Queue("desk", (Agent("anu"),), patient=False)}, self.place)
        means = Means("c1", self.board, prompts, replaces, lambda utterance: utterance)
        self.handover = Handover(
            self.caller,
            Waiting(self.caller),
            means,
            lambda kind, data: self.notes.append((kind, data)),
            self.places.append,
        )
        self.called = asyncio.Event()
        self.headers: Mapping[str, str] = {}

    async def place(self, call: OutboundCall) -> CallLeg:
        self.headers = call.headers
        self.called.set()
        return self.agent

    def transfer(self, whisper: tuple[Text, ...] = ()) -> asyncio.Task[Transferred]:
        command = Transfer("desk", {"order": "482"}, 20.0, None, Attended(whisper))
        return asyncio.create_task(self.handover.transfer(command))

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.notes]


@pytest.fixture(params=[False, True], ids=["bridge", "replaces"])
async def desk(request: pytest.FixtureRequest, prompts: Prompts) -> Desk:
    return Desk(prompts, request.param)


def is_held(desk: Desk) -> bool:
    return bool(desk.caller.holds) and desk.caller.holds[-1]


async def test_the_call_to_an_agent_names_the_record_of_the_callers_with_all_that_was_said(
    desk: Desk,
) -> None:
    going = desk.transfer()
    await desk.called.wait()
    assert desk.headers == {"X-Order": "482", "X-Call-Id": "c1"}
    await desk.agent.reject(Cause.BUSY)
    await going


async def test_an_agent_who_is_busy_leaves_the_caller_as_he_was(desk: Desk) -> None:
    going = desk.transfer()
    await desk.called.wait()
    await desk.agent.reject(Cause.BUSY)
    assert await going == Transferred("busy")
    assert not is_held(desk)
    assert desk.board.legs == 0


@pytest.mark.parametrize("steps", range(14))
async def test_it_may_be_cancelled_at_any_moment(desk: Desk, steps: int) -> None:
    going = desk.transfer()
    for step in range(steps):
        if step == 5:
            desk.agent.far_end_answers()
        await asyncio.sleep(0)
    going.cancel()
    await asyncio.gather(going, return_exceptions=True)
    await desk.handover.close()
    await until(lambda: not desk.board._tasks)
    assert (desk.board.legs, desk.board._seats) == (0, {})
    assert not desk.called.is_set() or desk.agent.ended is not None or "referred" in desk.kinds()
    assert not is_held(desk) or "referred" in desk.kinds()


async def test_the_far_end_that_changes_over_needs_no_bridge(prompts: Prompts) -> None:
    desk = Desk(prompts, replaces=True)
    going = desk.transfer()
    await desk.called.wait()
    assert is_held(desk)
    desk.agent.far_end_answers()
    assert await going == Transferred("done")
    assert (desk.handover.talk, desk.caller.bridged, desk.board.legs) == (None, None, 0)


async def test_the_far_end_that_refuses_is_taken_back_and_bridged(prompts: Prompts) -> None:
    desk = Desk(prompts, replaces=True)
    desk.caller.joins = TransferOutcome.FAILED
    going = desk.transfer()
    await desk.called.wait()
    desk.agent.far_end_answers()
    assert await going == Transferred("done")
    assert (desk.caller.holds, desk.caller.bridged) == ([True, False], desk.agent)
    await desk.handover.close()
    assert desk.agent.ended is Cause.NORMAL


async def test_a_talk_is_over_once_and_says_by_whom(prompts: Prompts) -> None:
    desk = Desk(prompts, replaces=False)
    going = desk.transfer()
    await desk.called.wait()
    desk.agent.far_end_answers()
    await going
    talk = desk.handover.talk
    assert talk is not None
    running = asyncio.create_task(talk.run())
    desk.agent._happen(Held(0.0, True))
    desk.agent.far_end_hangs_up()
    await running
    await desk.handover.close()
    assert [dict(data)["by"] for kind, data in desk.notes if kind == "talk_over"] == ["agent"]
    assert desk.caller.ended is Cause.NORMAL
    assert desk.board.legs == 0


async def test_an_agent_who_is_gone_before_the_bridge_is_a_failure(prompts: Prompts) -> None:
    desk = Desk(prompts, replaces=False)
    going = desk.transfer()
    await desk.called.wait()
    desk.agent.far_end_answers()
    desk.caller.ended = Cause.NORMAL  # the caller's leg can be bridged no more
    assert await going == Transferred("failed")
    assert desk.agent.ended is Cause.NORMAL
    assert desk.board.legs == 0
