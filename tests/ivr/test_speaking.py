"""What a call says, in pieces, and what is made ahead of it: by order of events, however slow the voice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ivr.flow.protocol import BargeIn, Failure, PromptDone, Say, Text
from ivr.prompt_cache.ahead import Ahead
from ivr.prompts import Prompt, PromptLimits, Prompts
from ivr.speaking import Mouth
from ivr.waterfall import About, Waterfall
from media.codecs import PCMA, PCMU
from media.leg import Began, Stopped
from tests.fakes.engines import routed
from tests.fakes.gated import GatedSynthesizer
from tests.fakes.leg import FakeLeg

HELLO = Text("Hello Sharma.", "en", personal=True)
READY = Text("Your order is ready.", "en")
COST = Text("It costs ten rupees.", "en", personal=True)
WHOLE = Text(f"{HELLO.text} {READY.text} {COST.text}", "en", personal=True, pieces=(HELLO, READY, COST))
MENU = [Text(f"Choice {letter}.", "en") for letter in "abcdef"]


@pytest.fixture
def voice() -> GatedSynthesizer:
    return GatedSynthesizer(streams=1)


@pytest.fixture
async def prompts(voice: GatedSynthesizer, tmp_path: Path) -> AsyncIterator[Prompts]:
    cache = Prompts(routed(voice), tmp_path, limits=PromptLimits(ahead=4))
    yield cache
    await cache.close()


class Scene:
    def __init__(self, prompts: Prompts) -> None:
        self.leg = FakeLeg()
        self.notes: list[tuple[str, Any]] = []

        def note(kind: str, data: Any) -> None:
            self.notes.append((kind, data))

        self.mouth = Mouth(self.leg, prompts, "/flows", note, Waterfall(About(), 0.0, note))

    def say(self, *utterances: Text) -> None:
        self.mouth.say(Say("1", utterances, BargeIn.ANY))

    async def plays(self) -> PromptDone | Failure | None:
        """The leg plays what is next to its end."""
        async with asyncio.timeout(20):
            while not self.leg.playing[0][1].finished:
                await asyncio.sleep(0.001)
        mark, _ = self.leg.playing.pop(0)
        return self.mouth.played(mark)


@pytest.fixture
def scene(prompts: Prompts) -> Scene:
    return Scene(prompts)


async def made(prompt: Prompt) -> None:
    async with asyncio.timeout(20):
        await asyncio.wait([prompt.made])


class TestPieces:
    async def test_the_next_piece_is_made_while_the_first_plays(
        self, scene: Scene, voice: GatedSynthesizer
    ) -> None:
        scene.say(WHOLE)
        await voice.is_asked(HELLO.text)
        voice.let(HELLO.text)
        await voice.is_asked(READY.text)
        assert voice.begun == [HELLO.text, READY.text], (
            "one stream: in order, and nobody has heard the first yet"
        )
        assert await scene.plays() is None
        voice.let(READY.text, COST.text)
        assert await scene.plays() is None
        assert await scene.plays() == PromptDone("1")
        kinds = [kind for kind, _ in scene.notes]
        assert kinds == ["prompt", *["speech_made"] * 3]
        said = {"text": WHOLE.text, "language": "en"}
        assert scene.notes[0][1] == said, "the record has what was said, in one"
        assert [data["text"] for _, data in scene.notes[1:]] == [HELLO.text, READY.text, COST.text]

    async def test_what_many_calls_say_is_kept_and_what_has_values_is_not(
        self, scene: Scene, prompts: Prompts, voice: GatedSynthesizer
    ) -> None:
        voice.let(HELLO.text, READY.text, COST.text)
        scene.say(WHOLE)
        for _ in range(3):
            await scene.plays()
        assert [entry.key.text for entry in prompts.files.entries()] == [READY.text]

    async def test_a_cut_is_told_from_the_beginning_of_the_utterance(
        self, scene: Scene, voice: GatedSynthesizer
    ) -> None:
        voice.let(HELLO.text, READY.text, COST.text)
        scene.say(WHOLE)
        await scene.plays()
        mark = scene.leg.playing[0][0]
        scene.mouth.stop()
        scene.mouth.stopped(Stopped(0.0, mark, 800))
        first_ms = len(HELLO.text) * voice.ms_per_character
        ((_, cut),) = [note for note in scene.notes if note[0] == "prompt_cut"]
        assert abs(cut["after_ms"] - (first_ms + 100)) <= 20

    async def test_a_late_voice_is_hurried_before_there_is_a_hole(
        self, scene: Scene, prompts: Prompts, voice: GatedSynthesizer
    ) -> None:
        voice.let(HELLO.text)
        scene.say(WHOLE)
        await made(prompts.get(HELLO, PCMA))
        following = prompts.ahead(READY, PCMA)
        assert not following.urgent
        scene.mouth.began(Began(0.0, scene.leg.playing[0][0]))
        async with asyncio.timeout(20):
            await following.awaited
        assert len(scene.leg.playing) == 3, "the first still plays"

    async def test_a_barge_in_frees_the_voice(self, scene: Scene, voice: GatedSynthesizer) -> None:
        scene.say(WHOLE)
        await voice.is_asked(HELLO.text)
        scene.mouth.stop()
        await voice.is_cancelled(HELLO.text)
        scene.say(Text("Goodbye.", "en"))
        await voice.is_asked("Goodbye.")
        assert voice.begun == [HELLO.text, "Goodbye."]
        voice.let("Goodbye.")
        assert await scene.plays() == PromptDone("1")

    async def test_a_hang_up_frees_the_voice(
        self, scene: Scene, voice: GatedSynthesizer, prompts: Prompts
    ) -> None:
        scene.say(WHOLE)
        scene.mouth.prefetch(MENU)
        await voice.is_asked(HELLO.text)
        scene.mouth.close()
        await voice.is_cancelled(HELLO.text)
        async with asyncio.timeout(20):
            while len(prompts.memory):
                await asyncio.sleep(0.001)
        assert voice.begun == [HELLO.text]


class TestAhead:
    async def test_a_menus_answer_is_there_before_the_key_however_slow_the_voice(
        self, scene: Scene, prompts: Prompts, voice: GatedSynthesizer
    ) -> None:
        scene.say(READY)
        scene.mouth.prefetch(MENU[:2])
        voice.let(READY.text)
        voice.let(MENU[0].text, MENU[1].text)
        await voice.is_asked(MENU[0].text, MENU[1].text)
        assert voice.begun[0] == READY.text, "what is said now comes first"
        await made(prompts.ahead(MENU[0], PCMA))
        assert len(scene.leg.played) == 1
        scene.mouth.stop()
        scene.say(MENU[0])
        assert scene.leg.played[-1].finished, "all of it, in the moment of the key"
        assert abs(scene.leg.played[-1].duration_ms - len(MENU[0].text) * voice.ms_per_character) <= 20

    async def test_no_more_than_the_limit_and_one_after_the_other(
        self, prompts: Prompts, voice: GatedSynthesizer
    ) -> None:
        ahead = Ahead(prompts)
        ahead.want(MENU, PCMA)
        for number, text in enumerate(MENU[:4]):
            assert len(prompts.memory) <= number + 1
            voice.let(text.text)
            await voice.is_asked(text.text)
            await made(prompts.ahead(text, PCMA))
        assert voice.begun == [text.text for text in MENU[:4]], "the nearest first, and no more than four"
        ahead.close()

    async def test_another_step_drops_what_it_does_not_lead_to(
        self, prompts: Prompts, voice: GatedSynthesizer
    ) -> None:
        ahead = Ahead(prompts)
        ahead.want(MENU[:3], PCMA)
        stays = prompts.ahead(MENU[1], PCMA)
        goes = prompts.ahead(MENU[0], PCMA)
        prompts.release(goes)
        ahead.want([MENU[5], MENU[1]], PCMA)
        await made(goes)
        assert goes.made.cancelled()
        voice.let(MENU[1].text, MENU[5].text)
        await voice.is_asked(MENU[1].text, MENU[5].text)
        await made(stays)
        assert voice.begun.count(MENU[1].text) == 1, "what stays is not begun anew"
        assert MENU[2].text not in voice.begun
        ahead.close()

    async def test_what_a_caller_waits_for_is_not_dropped_with_the_lookahead(
        self, scene: Scene, voice: GatedSynthesizer
    ) -> None:
        scene.mouth.prefetch(MENU[:1])
        await voice.is_asked(MENU[0].text)
        scene.say(MENU[0])
        scene.mouth.prefetch([])
        voice.let(MENU[0].text)
        assert await scene.plays() == PromptDone("1")
        assert voice.begun == [MENU[0].text]

    async def test_two_calls_share_what_is_made_and_one_that_goes_leaves_it_to_the_other(
        self, prompts: Prompts, voice: GatedSynthesizer
    ) -> None:
        first, second = Ahead(prompts), Ahead(prompts)
        for ahead in (first, second):
            ahead.want(MENU[:1], PCMA)
        await voice.is_asked(MENU[0].text)
        first.close()
        voice.let(MENU[0].text)
        await made(prompts.get(MENU[0], PCMA))
        second.close()
        assert voice.begun == [MENU[0].text]
        assert not voice.cancelled

    async def test_another_codec_is_made_anew(self, prompts: Prompts, voice: GatedSynthesizer) -> None:
        voice.let(*(text.text for text in MENU))
        ahead = Ahead(prompts)
        for codec in (PCMA, PCMU):
            ahead.want(MENU[:1], codec)
            prompt = prompts.get(MENU[0], codec)
            await made(prompt)
            assert prompt.clip.codec is codec
        assert prompts.lookups.memory == 2
        ahead.close()

    async def test_nothing_is_made_ahead_when_that_is_switched_off(
        self, voice: GatedSynthesizer, tmp_path: Path
    ) -> None:
        cache = Prompts(routed(voice), tmp_path, limits=PromptLimits(ahead=0))
        Ahead(cache).want(MENU, PCMA)
        assert len(cache.memory) == 0
        await cache.close()
