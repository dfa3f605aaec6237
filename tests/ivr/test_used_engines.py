"""What was used, and why, is in the record of a call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from engines.contract import Passed, Reason, Route
from ivr.flow.protocol import AudioFile, BargeIn, Heard, Say, Text
from ivr.journal import heard_note
from ivr.prompts import Prompts
from ivr.speaking import Mouth
from ivr.waterfall import About, Waterfall
from tests.fakes.engines import ToneSynthesizer, routed
from tests.fakes.leg import FakeLeg
from tests.flow.calls import write_wav

HELLO = Text("Hello.", "en")


class Scene:
    """What one call says, and what is noted of it."""

    def __init__(self, folder: Path, hedge_s: float = 20.0) -> None:
        self.best = ToneSynthesizer(name="best")
        self.last = ToneSynthesizer(name="last")
        self.leg = FakeLeg()
        self.notes: list[tuple[str, Mapping[str, Any]]] = []
        self.prompts = Prompts(routed(self.best, self.last, hedge_s=hedge_s), folder / "prompts")
        waterfall = Waterfall(0.0, About, lambda _turn: None)
        self.mouth = Mouth(
            self.leg, self.prompts, str(folder), lambda kind, data: self.notes.append((kind, data)), waterfall
        )

    async def says(self, *utterances: Text | AudioFile) -> None:
        self.mouth.say(Say("1", utterances, BargeIn.ANY))
        async with asyncio.timeout(30):
            for utterance in utterances:
                await asyncio.wait([self.prompts.get(utterance, self.leg.codec).made])


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    one = Scene(tmp_path)
    yield one
    await one.prompts.close()


def without_ms(told: Mapping[str, Any]) -> dict[str, Any]:
    assert told["by"]["ms"] >= 0
    return {**told, "by": {name: value for name, value in told["by"].items() if name != "ms"}}


async def test_a_prompt_that_is_made_for_the_call_is_told_when_its_sound_is_there(scene: Scene) -> None:
    await scene.says(HELLO)
    (_, said), (kind, made) = scene.notes
    assert said == {"text": "Hello.", "language": "en"}
    assert (kind, without_ms(made)) == (
        "speech_made",
        {"text": "Hello.", "by": {"engine": "best", "why": "first choice"}},
    )


async def test_a_hedge_is_told_with_whom_it_passed(tmp_path: Path) -> None:
    scene = Scene(tmp_path, hedge_s=0.05)
    scene.best.delay_s = 3600.0
    await scene.says(HELLO)
    await scene.prompts.close()
    passed = [{"engine": "voice 1", "why": "late"}]
    assert without_ms(scene.notes[-1][1])["by"] == {"engine": "last", "why": "late", "passed": passed}


async def test_another_voice_in_the_middle_is_told_too(scene: Scene) -> None:
    scene.best.breaks_after = 1
    await scene.says(HELLO)
    told = [data["by"]["engine"] for kind, data in scene.notes if kind == "speech_made"]
    assert told == ["best", "last"]
    assert scene.notes[-1][1]["by"]["passed"][0]["detail"] == "the worker died"


async def test_a_prompt_that_was_there_is_told_as_cached(scene: Scene) -> None:
    await asyncio.wait([scene.prompts.get(HELLO, scene.leg.codec).made])
    await scene.says(HELLO)
    said = {"text": "Hello.", "language": "en", "by": {"engine": "best", "why": "cached"}}
    assert scene.notes == [("prompt", said)]


async def test_one_that_lay_on_disk_is_told_as_cached(scene: Scene, tmp_path: Path) -> None:
    await scene.says(HELLO)
    again = Scene(tmp_path)
    await again.says(HELLO)
    assert again.notes[-1][1]["by"] == {"engine": "best", "why": "cached"}
    assert again.best.requests == []
    await again.prompts.close()


async def test_nothing_is_noted_when_the_call_is_over_or_the_prompt_was_cut(scene: Scene) -> None:
    scene.mouth.say(Say("1", (HELLO,), BargeIn.ANY))
    scene.mouth.stop()
    scene.mouth.say(Say("2", (Text("Bye.", "en"),), BargeIn.ANY))
    scene.mouth.close()
    for text in (HELLO, Text("Bye.", "en")):
        await asyncio.wait([scene.prompts.get(text, scene.leg.codec).made])
    assert [kind for kind, _ in scene.notes] == ["prompt", "prompt"]


async def test_what_no_engine_spoke_names_none(scene: Scene, tmp_path: Path) -> None:
    write_wav(tmp_path / "hello.wav", bytes(1600))
    await scene.says(AudioFile("hello.wav"))
    assert all("by" not in data for _, data in scene.notes)


async def test_lookahead_leaves_the_first_choice_its_time_and_a_caller_does_not(tmp_path: Path) -> None:
    scene = Scene(tmp_path, hedge_s=0.05)
    scene.best.delay_s = 3600.0
    scene.prompts.ahead(HELLO, scene.leg.codec)
    await asyncio.sleep(0.2)
    assert scene.last.requests == []
    await scene.says(HELLO)
    assert without_ms(scene.notes[-1][1])["by"]["engine"] == "last"
    await scene.prompts.close()


async def test_what_another_engine_spoke_is_no_answer_of_the_first_choice_on_disk(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A breaker that is open does not make the embedded voice's file the prompt for ever."""
    monkeypatch.setattr("engines.routing.board.FIRST_S", 3600.0)
    scene.best.breaks_after = 1
    for number in range(4):
        await scene.says(Text(f"Hello {number}.", "en"))
    assert scene.notes[-1][1]["by"]["why"] == "breaker open"
    await scene.says(HELLO)
    again = Scene(tmp_path)
    await again.says(HELLO)
    assert again.notes[-1][1]["by"]["engine"] == "best"
    await again.prompts.close()


def test_what_was_heard_says_by_whom() -> None:
    route = Route("last", Reason.LATE, 0.3126, (Passed("best", Reason.LATE),))
    assert heard_note(Heard("yes", 0.91234), "", route) == {
        "text": "yes",
        "confidence": 0.912,
        "by": {"engine": "last", "why": "late", "ms": 313, "passed": [{"engine": "best", "why": "late"}]},
    }
    assert heard_note(Heard("", 0.0), "best: late", None)["failure"] == "best: late"
