"""Simulated callers: how they sound, how a model plays one, and one whole call."""

from __future__ import annotations

import io
from collections.abc import AsyncGenerator
from pathlib import Path

import numpy as np
import pytest

from engines.contract import EngineError, SpeechRequest
from engines.llm.contract import (
    ChatRequest,
    Finished,
    FromCaller,
    FromModel,
    Instruction,
    OnSpent,
    Piece,
    Words,
)
from ivr.evaluation.talk.command import Options, run
from ivr.evaluation.talk.improvising import Improviser
from ivr.evaluation.talk.scenario import Improvise, Manner
from ivr.evaluation.talk.voice import RATE, Voice
from media.codecs import PCMA
from tests.fakes.engines import ToneSynthesizer


def pcm(frames: list[bytes]) -> np.ndarray:
    return np.frombuffer(PCMA.new_decoder()(b"".join(frames)), "<i2").astype(float)


async def test_words_are_said_in_the_voice_and_over_the_noise_of_the_line() -> None:
    engine = ToneSynthesizer()
    quiet = await Voice(engine, Manner(voice="m1", rate=1.5), "hi", PCMA).words("हाँ जी")
    assert engine.requests[-1] == SpeechRequest("हाँ जी", "hi", "m1", 1.5)
    assert 0.0 <= quiet.begins_s < quiet.ends_s <= quiet.clip.duration_ms / 1000
    noisy = Voice(engine, Manner(snr=10.0, accent="mr"), "hi", PCMA)
    said = await noisy.words("हाँ जी")
    assert engine.requests[-1].language == "mr"
    assert (said.begins_s, said.ends_s) == (quiet.begins_s, quiet.ends_s)
    hum = noisy.hum()
    assert hum is not None
    assert hum.loops
    assert 600 < np.sqrt((pcm(hum.frames) ** 2).mean()) < 1300  # 10 dB below 3000
    assert Voice(engine, Manner(), "hi", PCMA).hum() is None


def test_a_cough_is_short_and_dies_away() -> None:
    cough = Voice(ToneSynthesizer(), Manner(), "hi", PCMA).cough(0.3)
    samples = pcm(cough.clip.frames)
    assert cough.clip.duration_ms == 300
    half = RATE * 3 // 20
    assert np.abs(samples[:half]).max() > 4 * np.abs(samples[half:]).mean()


class Actor:
    """A model that says what it is told to."""

    name = "actor"

    def __init__(self, *lines: str) -> None:
        self.lines = list(lines)
        self.requests: list[ChatRequest] = []

    async def chat(
        self, request: ChatRequest, *, deadline_s: float, spent: OnSpent | None = None
    ) -> AsyncGenerator[Piece, None]:
        self.requests.append(request)
        for word in self.lines.pop(0).split(" "):
            yield Words(f"{word} ")
        yield Finished(self.name)


async def test_a_model_plays_a_caller_until_it_has_what_it_wants() -> None:
    actor = Actor("हाँ, मंज़ूर है।", "बीस मिनट। GOODBYE")
    talk = Improviser(actor).begin(Improvise(persona="a busy vendor", goal="to take the order"), "hi")
    told = [("server", "नमस्ते।"), ("server", "ऑर्डर 12।")]
    assert await talk.next(told) == "हाँ, मंज़ूर है।"
    told += [("caller", "हाँ मंज़ूर है"), ("server", "कितने मिनट?")]
    assert await talk.next(told) == "बीस मिनट।"
    assert await talk.next(told) is None
    role, *rest = actor.requests[1].messages
    assert isinstance(role, Instruction)
    assert "a busy vendor" in role.text
    assert "Hindi" in role.text
    assert rest == [FromCaller("नमस्ते। ऑर्डर 12।"), FromModel("हाँ, मंज़ूर है।"), FromCaller("कितने मिनट?")]


async def test_a_model_that_has_nothing_to_say_is_an_error() -> None:
    talk = Improviser(Actor(" ")).begin(Improvise(persona="a", goal="b"), "en")
    with pytest.raises(EngineError, match="actor wrote nothing"):
        await talk.next([])


def test_one_call_is_played_and_told(tmp_path: Path) -> None:
    flow = """\
flow: ask
languages: [en]
result: {answer: {one_of: ["yes", "no", none], default: none}}
start: ask
steps:
  ask:
    menu:
      prompt: {en: "Is it so?"}
      choices:
        one: {key: "1", set: {answer: "yes"}, next: bye}
      retry: {wait: 5s}
      otherwise: bye
  bye: {end: normal}
"""
    talk = """\
flow: ask.yaml
scenarios:
  - name: presses one
    caller: [{press: "1"}]
    expect: {result: {answer: "yes"}, ended: normal}
"""
    (tmp_path / "ask.yaml").write_text(flow, encoding="utf-8")
    (tmp_path / "talk.yaml").write_text(talk, encoding="utf-8")
    out, junit = io.StringIO(), tmp_path / "talk.xml"
    status = run(Options((tmp_path / "talk.yaml",), junit=junit), out)
    assert (status, "1 of 1 as expected" in out.getvalue()) == (0, True), out.getvalue()
    assert 'tests="1"' in junit.read_text(encoding="utf-8")


def test_what_cannot_be_played_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "talk.yaml").write_text(
        "flow: no.yaml\nscenarios: [{name: a, caller: [hang_up]}]\n", encoding="utf-8"
    )
    assert run(Options((tmp_path,))) == 2
    assert "its flow cannot be used" in capsys.readouterr().err
