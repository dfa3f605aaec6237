"""A call with a slow voice: by order of events, since nothing here is about how fast this machine is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ivr.flow.loader import load_flow
from tests.fakes.gated import GatedSynthesizer
from tests.fakes.leg import FakeLeg
from tests.ivr.test_call import FLOW, Scene

FIRST, SECOND, ANSWER, RETRY = "Accept?", "Press one or two.", "Thanks.", "Again."


@pytest.fixture
async def call(tmp_path: Path) -> AsyncIterator[tuple[Scene, GatedSynthesizer]]:
    path = tmp_path / "confirm.yaml"
    asked = FLOW.replace('"Accept?"', '"Accept? {{ shop }} asks. Press one or two."')
    path.write_text(asked, encoding="utf-8")
    voice = GatedSynthesizer(streams=1)
    scene = Scene(load_flow(path), tmp_path, FakeLeg(), voice, [])
    yield scene, voice
    scene.leg.far_end_hangs_up()
    await scene.ends()


async def test_the_answer_to_a_key_is_whole_before_the_key(call: tuple[Scene, GatedSynthesizer]) -> None:
    scene, voice = call
    leg = scene.leg
    voice.let(FIRST, "Sharma asks.", SECOND)
    await leg.until(lambda leg: len(leg.played) == 3)
    await voice.is_asked(FIRST, "Sharma asks.", SECOND)
    voice.let(ANSWER, RETRY)
    await voice.is_asked(ANSWER, RETRY)
    assert voice.begun[:3] == [FIRST, "Sharma asks.", SECOND], "what is said now comes first, and in order"
    async with asyncio.timeout(20):
        while not scene.prompts.files.bytes or len(list(scene.prompts.files.entries())) < 4:
            await asyncio.sleep(0.001)
    leg.press("1")
    await leg.until(lambda leg: len(leg.played) == 4)
    answer = leg.played[3]
    assert answer.finished, "not a frame of it is missing when it begins to play"
    assert abs(answer.duration_ms - len(ANSWER) * voice.ms_per_character) <= 20
    assert voice.begun.count(ANSWER) == 1


async def test_what_one_call_waits_for_is_waited_for_and_what_is_ahead_is_not(
    call: tuple[Scene, GatedSynthesizer],
) -> None:
    """So that a model serves those first who wait for its sound."""
    _, voice = call
    voice.let(FIRST, "Sharma asks.", SECOND, ANSWER, RETRY)
    await voice.is_asked(FIRST, ANSWER, RETRY)
    async with asyncio.timeout(20):
        while len(voice.requests) < 5:
            await asyncio.sleep(0.001)
    waited_for = {request.text: request.waited_for for request in voice.requests}
    assert (waited_for[ANSWER], waited_for[RETRY]) == (False, False)


async def test_a_hang_up_ends_all_of_it(call: tuple[Scene, GatedSynthesizer]) -> None:
    scene, voice = call
    await voice.is_asked(FIRST)
    scene.leg.far_end_hangs_up()
    await voice.is_cancelled(FIRST)
    async with asyncio.timeout(20):
        while len(scene.prompts.memory):
            await asyncio.sleep(0.001)
    assert voice.begun == [FIRST]
