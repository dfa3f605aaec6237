"""Prompts made ahead of calls: what is made, what is left out and why, and that calls find it."""

from __future__ import annotations

import asyncio
from collections import deque
from pathlib import Path

import pytest

from engines.contract import EngineUnavailable
from ivr.flow.loader import load_flow
from ivr.flow.model import Flow
from ivr.flow.protocol import PromptDone, Say, Utterance, pieces_of
from ivr.prompt_cache.building import Builder, Outcome, State, wishes_of
from ivr.prompt_cache.files import PromptFiles
from ivr.prompts import Prompts
from media.codecs import PCMA, PCMU
from tests.fakes.engines import ToneSynthesizer, routed
from tests.fakes.gated import GatedSynthesizer
from tests.flow.calls import Call

FLOW = """
flow: ready
languages: [en, hi]
voice: {en: low}
rate: 1.25
params: {vendor: text, language: language}
start: hello
steps:
  hello: {say: hello, next: thanks}
  thanks: {say: {en: "Thank you.", hi: "धन्यवाद।"}, next: bye}
  bye: {say: {en: "Thank you.", hi: "नमस्ते।"}, next: end}
  end: {end: normal}
prompts:
  hello:
    en: "Hello {{ vendor }}. Your order is ready. Press 1."
    hi: "नमस्ते {{ vendor }}"
"""


@pytest.fixture
def flow(tmp_path: Path) -> Flow:
    path = tmp_path / "ready.yaml"
    path.write_text(FLOW, encoding="utf-8")
    return load_flow(path)


def builder(voice: ToneSynthesizer, folder: Path, streams: int = 1) -> Builder:
    return Builder(routed(voice), PromptFiles(folder, 2**20), (PCMA, PCMU), {"last": streams})


def brief(outcomes: list[Outcome]) -> list[tuple[str, str, str, str]]:
    return [
        (one.prompt, one.language, one.state.value, one.reason if one.text is None else one.text.text)
        for one in outcomes
    ]


def said_by(call: Call) -> list[Utterance]:
    """All that is spoken in a call in which nothing happens, in pieces."""
    call.start()
    while not call.machine.finished:
        call.send(PromptDone(call.saying))
    says = [command for command in call.history if isinstance(command, Say)]
    return [piece for say in says for utterance in say.utterances for piece in pieces_of(utterance)]


async def test_each_text_once_and_what_is_left_out_is_told(flow: Flow, tmp_path: Path) -> None:
    voice = ToneSynthesizer()
    outcomes = await builder(voice, tmp_path).build(wishes_of([flow, flow]))
    assert brief(outcomes) == [
        ("hello", "en", "made", "Your order is ready. Press one."),
        ("hello", "en", "skipped", "holds values: vendor"),
        ("hello", "hi", "skipped", "holds values: vendor"),
        ("thanks.say", "en", "made", "Thank you."),
        ("thanks.say", "hi", "made", "धन्यवाद।"),
        ("bye.say", "en", "there", "Thank you."),
        ("bye.say", "hi", "made", "नमस्ते।"),
    ]
    assert len(voice.requests) == 4
    assert {(request.voice, request.speed) for request in voice.requests if request.language == "en"} == {
        ("low", 1.25)
    }
    assert all(one.codecs == ("PCMA", "PCMU") for one in outcomes if one.text is not None)
    again = await builder(voice, tmp_path).build(wishes_of([flow]))
    assert {one.state for one in again} == {State.THERE, State.SKIPPED}
    assert len(voice.requests) == 4


async def test_a_call_finds_all_of_it(flow: Flow, tmp_path: Path) -> None:
    voice = ToneSynthesizer()
    await builder(voice, tmp_path).build(wishes_of([flow]))
    built = len(voice.requests)
    prompts = Prompts(routed(voice), tmp_path)
    for codec in (PCMA, PCMU):
        for piece in said_by(Call(flow, None, vendor="Sharma", language="en")):
            await asyncio.wait_for(prompts.get(piece, codec).made, 20)
    await prompts.close()
    assert {request.text for request in voice.requests[built:]} == {"Hello Sharma."}


async def test_one_language_alone(flow: Flow, tmp_path: Path) -> None:
    outcomes = await builder(ToneSynthesizer(), tmp_path).build(wishes_of([flow], frozenset({"hi"})))
    assert {one.language for one in outcomes} == {"hi"}


async def test_one_failure_is_told_and_the_others_are_made(flow: Flow, tmp_path: Path) -> None:
    voice = ToneSynthesizer(failures=deque([EngineUnavailable("no memory")]))
    outcomes = await builder(voice, tmp_path).build(wishes_of([flow]))
    assert {one.reason for one in outcomes if one.state is State.FAILED} == {"no memory"}
    assert len({one.text for one in outcomes if one.state is State.FAILED}) == 1
    assert len({one.text for one in outcomes if one.state is State.MADE}) == 3


async def test_the_first_choice_alone_speaks(flow: Flow, tmp_path: Path) -> None:
    """What another voice says would be heard in its place for ever."""
    down = ToneSynthesizer(name="first", failures=deque([EngineUnavailable("down")] * 9))
    spare = ToneSynthesizer(name="spare")
    made = Builder(routed(down, spare), PromptFiles(tmp_path, 2**20), (PCMA,), {})
    outcomes = await made.build(wishes_of([flow]))
    assert {one.state for one in outcomes} == {State.FAILED, State.SKIPPED}
    assert not spare.requests


async def test_a_voice_that_no_engine_has_fails_and_is_not_spoken_by_another(
    flow: Flow, tmp_path: Path
) -> None:
    voice = ToneSynthesizer(known_voices=frozenset())
    outcomes = await builder(voice, tmp_path).build(wishes_of([flow], frozenset({"en"})))
    assert {one.reason for one in outcomes if one.state is State.FAILED} == {
        "no engine that is up has the voice low"
    }


async def test_an_engine_makes_as_many_at_once_as_it_can(flow: Flow, tmp_path: Path) -> None:
    voice = GatedSynthesizer()
    work = asyncio.create_task(builder(voice, tmp_path, streams=2).build(wishes_of([flow])))
    async with asyncio.timeout(20):
        while len(voice.begun) < 2:
            await asyncio.sleep(0.001)
    for number in range(4):
        assert len(voice.begun) <= number + 2
        async with asyncio.timeout(20):
            while len(voice.begun) <= number:
                await asyncio.sleep(0.001)
        voice.let(voice.begun[number])
    await work
    assert len(voice.begun) == 4
