"""A live call that waits, is signalled to, and publishes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ivr.flow.loader import load_flow
from ivr.flow.model import Flow
from ivr.flow.problems import ParamError
from ivr.flow.signals import UnknownSignal
from ivr.waiting import Sound, Waiting, WaitingSounds
from tests.fakes.engines import ToneSynthesizer
from tests.fakes.leg import FakeLeg
from tests.ivr.test_call import Scene, is_prompt

FLOW = """
flow: finding
languages: [en]
params: {shop: text}
result: {rider: optional text}
limits: {call: 2m, visits: 4}
events: {hangup: report}
start: search
steps:
  search: {wait: {for: 60s, sound: SOUND, until: rider-found, values: [rider]}, next: told}
  told: {say: {en: "Somebody comes."}, next: report}
  report: {publish: {to: rider-events, body: {shop: "{{ shop }}", rider: "{{ rider }}"}}, next: bye}
  bye: {end: normal}
"""


def flow_of(folder: Path, sound: str) -> Flow:
    path = folder / "finding.yaml"
    path.write_text(FLOW.replace("SOUND", sound), encoding="utf-8")
    return load_flow(path)


def scene(folder: Path, sound: str = "music", leg: FakeLeg | None = None) -> Scene:
    leg = leg or FakeLeg()
    call = Scene(flow_of(folder, sound), folder, leg, ToneSynthesizer(), [])
    call.session._waiting = Waiting(leg, WaitingSounds())
    return call


async def until_noted(call: Scene, kind: str) -> None:
    async with asyncio.timeout(10):
        while kind not in call.notebook.order:
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("sound", ["music", "ringback", "silence"])
async def test_a_signal_ends_the_music_and_is_stored_before_it_is_told(tmp_path: Path, sound: str) -> None:
    call = scene(tmp_path, sound)
    await until_noted(call, "wait")
    assert [clip.loops for clip in call.leg.played] == ([] if sound == "silence" else [True])
    call.session.signal("rider-found", {"rider": "Ravi"})
    await until_noted(call, "prompt")
    if sound != "silence":
        assert call.leg.cut == 1
    assert call.notebook.commits == [{"rider": "Ravi"}]
    order = call.notebook.order
    assert order.index("signal") < order.index("commit") < order.index("prompt")
    assert ("signal", {"name": "rider-found", "values": {"rider": "Ravi"}}) in call.notebook.notes
    assert is_prompt(await call.leg.hears(), call.voice, "Somebody comes.")
    call.leg.finish()
    assert (await call.ends()).result == {"rider": "Ravi"}
    assert call.notebook.events == [("rider-events", {"shop": "Sharma", "rider": "Ravi"})]


async def test_a_signal_before_the_answer_is_kept(tmp_path: Path) -> None:
    call = scene(tmp_path, leg=FakeLeg("outbound"))
    await asyncio.sleep(0)
    call.session.signal("rider-found", {"rider": "Ravi"})
    call.leg.far_end_answers()
    await until_noted(call, "prompt")
    assert "wait" not in call.notebook.order
    call.leg.far_end_hangs_up()
    await call.ends()


async def test_what_the_flow_does_not_know_is_refused(tmp_path: Path) -> None:
    call = scene(tmp_path)
    await until_noted(call, "wait")
    with pytest.raises(UnknownSignal):
        call.session.signal("rider-lost", {})
    with pytest.raises(ParamError):
        call.session.signal("rider-found", {"rider": 7})
    call.leg.far_end_hangs_up()
    await call.ends()
    assert "signal" not in call.notebook.order


async def test_a_hang_up_in_the_music_ends_all_of_it_and_reports(tmp_path: Path) -> None:
    before = asyncio.all_tasks()
    call = scene(tmp_path)
    await until_noted(call, "wait")
    call.leg.far_end_hangs_up()
    ended = await call.ends()
    assert (ended.by, ended.result) == ("caller", {"rider": None})
    assert call.notebook.events == [("rider-events", {"shop": "Sharma", "rider": None})]
    call.session.signal("rider-found", {"rider": "Ravi"})  # too late, and no harm
    making = call.session._waiting._sounds._making
    await asyncio.gather(*making)
    assert asyncio.all_tasks() == before


def test_the_sounds_of_a_wait_are_those_of_the_server() -> None:
    assert {sound.value for sound in Sound} | {"silence"} == {"music", "ringback", "silence"}
