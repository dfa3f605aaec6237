"""Operators on a live call, over legs without a network: what each mode ties to what, what the flow does
meanwhile, and that nothing is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from ivr import supervision
from ivr.flow.loader import load_flow
from ivr.handover import Talk
from ivr.supervision import SupervisionRefused, Supervisors, Why
from ivr.switchboard import Found
from ivr.waiting import Waiting
from ivr.web.book import Mode, Supervision
from media.leg import Cause
from tests.fakes.engines import ToneSynthesizer
from tests.fakes.leg import FakeLeg
from tests.ivr.test_call import FLOW, Scene


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.002)


class Room:
    """A live call, and operators who come."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.call = scene.session
        self.caller = scene.leg
        self.supervisors = Supervisors(lambda call_id: self.call if call_id == "c1" else None)

    async def operator(self, mode: Mode = "listen", name: str = "asha") -> FakeLeg:
        leg = FakeLeg()
        leg.info = SimpleNamespace(id=f"of-{name}")  # type: ignore[assignment]
        await self.supervisors.begin(leg, Supervision("c1", mode, name))
        return leg

    def agent(self) -> FakeLeg:
        """The caller talks to one from here on."""
        agent = FakeLeg("outbound")
        found = Found(agent, "desk", 600.0, lambda: None)
        handover = self.call._handover
        handover.talk = Talk(self.caller, found, Waiting(self.caller), self.call._journal.note)
        return agent

    def told(self) -> list[str]:
        return [str(data["mode"]) for kind, data in self.scene.notebook.notes if kind == "supervised"]

    def steps(self) -> list[str]:
        return [str(data["step"]) for kind, data in self.scene.notebook.notes if kind == "step"]

    async def change(self, mode: Mode, name: str = "asha") -> None:
        await self.supervisors.change("c1", f"of-{name}", mode)

    async def end(self, gives_back: bool = False, name: str = "asha") -> None:
        await self.supervisors.end("c1", f"of-{name}", gives_back=gives_back)


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    (tmp_path / "confirm.yaml").write_text(FLOW, encoding="utf-8")
    room = Room(Scene(load_flow(tmp_path / "confirm.yaml"), tmp_path, FakeLeg(), ToneSynthesizer(), []))
    await room.caller.hears()
    yield room
    await room.call.hang_up()
    await room.scene.ends()
    await room.supervisors.close()
    assert (room.supervisors.count, room.supervisors._operators) == (0, {})


async def test_who_listens_in_is_tied_to_the_call_and_leaves_no_trace_but_in_the_record(room: Room) -> None:
    leg = await room.operator()
    await until(lambda: leg.overheard is room.caller)
    (shown,) = room.supervisors.of("c1")
    assert (shown.operator, shown.mode, shown.connecting) == ("asha", "listen", False)
    leg.far_end_hangs_up()
    await until(lambda: not room.supervisors.of("c1"))
    assert leg.overheard is None
    assert room.told() == ["listen", "over"]
    assert room.caller.ended is None


async def test_when_the_call_is_over_so_is_he(room: Room) -> None:
    leg = await room.operator()
    await until(lambda: leg.overheard is not None)
    room.caller.far_end_hangs_up()
    await until(lambda: leg.ended is Cause.NORMAL)


async def test_he_takes_over_and_the_flow_is_silent(room: Room) -> None:
    leg = await room.operator("take_over")
    await until(lambda: room.caller.bridged is leg)
    assert room.caller.playing == []
    room.caller.press("1")
    await until(lambda: ("key", {"key": "1"}) in room.scene.notebook.notes)
    assert room.steps() == ["offer"]
    assert len(room.caller.played) == 1


async def test_when_he_leaves_the_call_ends_and_is_reported(room: Room) -> None:
    leg = await room.operator("take_over")
    await until(lambda: room.caller.bridged is leg)
    await room.end()
    ended = await room.scene.ends()
    assert (ended.cause, ended.by) == ("normal", "us")
    assert [endpoint for endpoint, _ in room.scene.notebook.posts] == ["orders"]


async def test_he_gives_the_caller_back_and_the_step_asks_again(room: Room) -> None:
    leg = await room.operator("take_over")
    await until(lambda: room.caller.bridged is leg)
    await room.end(gives_back=True)
    await until(lambda: len(room.caller.played) == 2)
    assert (room.caller.bridged, room.steps()) == (None, ["offer", "offer"])
    room.caller.press("1")
    await until(lambda: room.steps()[-1] == "thanks")


async def test_when_his_connection_is_lost_the_flow_has_the_caller_again(room: Room) -> None:
    leg = await room.operator("take_over")
    await until(lambda: room.caller.bridged is leg)
    leg.vanishes()
    await until(lambda: len(room.caller.played) == 2)
    assert (room.caller.bridged, room.caller.ended) == (None, None)


async def test_from_taking_over_he_may_go_back_to_listening(room: Room) -> None:
    leg = await room.operator("take_over")
    await until(lambda: room.caller.bridged is leg)
    await room.change("listen")
    await until(lambda: len(room.caller.played) == 2)
    assert leg.overheard is room.caller
    await room.change("take_over")
    await until(lambda: room.caller.bridged is leg)
    assert room.told() == ["take_over", "listen", "take_over"]


async def test_a_whisper_needs_an_agent_and_goes_to_him_alone(room: Room) -> None:
    await refused("no_agent", room.operator("whisper"))
    leg = await room.operator()
    await until(lambda: leg.overheard is not None)
    await refused("no_agent", room.change("whisper"))
    agent = room.agent()
    await room.change("whisper")
    assert (leg.whispers_to, leg.overheard) == (agent, room.caller)
    await room.change("listen")
    assert leg.whispers_to is None
    assert room.told() == ["listen", "whisper", "listen"]


async def test_he_takes_the_caller_from_an_agent_who_is_hung_up_on(room: Room) -> None:
    agent = room.agent()
    leg = await room.operator("take_over")
    await until(lambda: room.caller.bridged is leg)
    assert agent.ended is Cause.NORMAL
    assert room.caller.ended is None


async def test_what_cannot_be_is_refused_with_the_reason(room: Room) -> None:
    await refused("not_live", room.supervisors.begin(FakeLeg(), Supervision("c2", "listen", "x")))
    await refused("not_supervised", room.supervisors.change("c1", "nobody", "listen"))
    await refused("not_supervised", room.supervisors.end("c1", "nobody", gives_back=False))
    leg = await room.operator("take_over")
    await until(lambda: room.caller.bridged is leg)
    await refused("taken", room.operator("take_over", "ravi"))
    second = await room.operator("listen", "ravi")
    await until(lambda: second.overheard is not None)
    await refused("taken", room.change("take_over", "ravi"))


async def test_no_more_come_than_can_be_borne(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "MOST", 1)
    await room.operator()
    await refused("too_many", room.operator(name="ravi"))


async def test_two_who_want_him_at_the_same_moment_do_not_both_get_him(room: Room) -> None:
    first, second = await room.operator("take_over"), await room.operator("take_over", "ravi")
    await until(lambda: len(room.supervisors.of("c1")) == 1)
    (left,) = room.supervisors.of("c1")
    taker = room.caller.bridged
    assert taker in (first, second)
    assert left.session_id == taker.info.id
    assert room.caller.ended is None


async def test_an_operator_whose_leg_never_has_media_is_let_go(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "CONNECTED_S", 0.01)

    class Slow(FakeLeg):
        async def answer(self) -> None:
            await asyncio.Event().wait()

    leg = Slow()
    await room.supervisors.begin(leg, Supervision("c1", "listen", "asha"))
    await until(lambda: not room.supervisors.of("c1"))
    assert leg.ended is not None
    assert room.told() == []


async def test_a_call_that_rings_cannot_be_heard(tmp_path: Path) -> None:
    (tmp_path / "confirm.yaml").write_text(FLOW, encoding="utf-8")
    scene = Scene(load_flow(tmp_path / "confirm.yaml"), tmp_path, FakeLeg("outbound"), ToneSynthesizer(), [])
    room = Room(scene)
    await asyncio.sleep(0)
    await refused("not_answered", room.operator())
    await scene.session.hang_up()
    await scene.ends()


@pytest.mark.parametrize("moment", range(12))
async def test_the_caller_may_hang_up_at_any_moment_of_it(room: Room, moment: int) -> None:
    leg = await room.operator("take_over")
    for _ in range(moment):
        await asyncio.sleep(0)
    room.caller.far_end_hangs_up()
    await room.scene.ends()
    await until(lambda: not room.supervisors.count)
    assert leg.ended is not None


@pytest.mark.parametrize("moment", range(8))
async def test_so_may_the_operator(room: Room, moment: int) -> None:
    leg = await room.operator("take_over")
    for _ in range(moment):
        await asyncio.sleep(0)
    leg.far_end_hangs_up()
    await until(lambda: not room.supervisors.count)
    assert room.call.hands.taker is None or room.caller.ended is not None


async def refused(why: Why, doing: object) -> None:
    with pytest.raises(SupervisionRefused) as error:
        await doing  # type: ignore[misc]
    assert error.value.why == why
