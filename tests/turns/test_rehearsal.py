"""Real sound over real prompts, in virtual time: what interrupts, how soon, and what does not."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from ivr.bench.callers import PROMPTS, RATE, Sound, Speakerphone, noises, to_pcm, to_wave, whispered
from ivr.bench.rehearsal import Hearing, Rehearsed, rehearse
from ivr.bench.turns import prompt_of
from ivr.flow.agent_protocol import Presumed
from ivr.flow.protocol import BargeIn, SpeechBegan, SpeechSpec
from media.clip import Clip
from tests.fakes.speech import spoken

FREE = SpeechSpec("hi", (), 30.0)
NOISES = ("cough", "knock", "typing", "music", "street", "ringing", "breath")


@cache
def prompt() -> Clip:
    return prompt_of(spoken(PROMPTS["hi"], "hi", "m5"))


async def hears(
    sound: Sound,
    spec: SpeechSpec = FREE,
    speakerphone: Speakerphone | None = None,
    mode: BargeIn = BargeIn.ANY,
    partials: bool = True,
) -> Rehearsed:
    return await rehearse(prompt(), sound, spec, Hearing(partials=partials), speakerphone, mode)


async def says(text: str, spec: SpeechSpec = FREE, partials: bool = True) -> Rehearsed:
    return await hears(Sound(text, spoken(text, "hi", "f1"), text), spec, partials=partials)


@pytest.mark.parametrize(
    ("text", "partials"),
    [
        ("मुझे एक आदमी से बात करनी है", True),
        ("मेरा order कहाँ है, tell me", True),
        ("रुको", True),
        ("रुको", False),
    ],
)
async def test_words_interrupt_and_how_soon(text: str, partials: bool) -> None:
    found = await says(text, partials=partials)
    assert found.cut
    assert found.ducked_s is not None
    assert found.ducked_s < 0.15
    assert found.silent_s is not None
    assert found.silent_s < 0.35
    assert found.heard == [text]


@pytest.mark.parametrize(("text", "partials"), [("हाँ", True), ("अच्छा", True), ("हम्म", False)])
async def test_a_listeners_word_does_not(text: str, partials: bool) -> None:
    found = await says(text, partials=partials)
    assert not found.cut
    assert found.resumed
    assert found.told == []


async def test_it_does_where_it_is_the_answer() -> None:
    found = await says("हाँ", SpeechSpec("hi", (), 30.0, answers={"affirm": (), "deny": ()}))
    assert found.cut
    assert found.heard == ["हाँ"]


async def test_what_nobody_means_anything_by_does_not() -> None:
    for sound in noises(1):
        if sound.name.split()[0] in NOISES:
            found = await hears(sound)
            assert not found.cut, sound.name
            assert found.told == [], sound.name


async def test_a_prompt_out_of_a_loudspeaker_does_not_but_who_speaks_over_it_does() -> None:
    phone = Speakerphone(0.15, -14.0, 0.04)
    silence = Sound("its own words", bytes(2 * 4 * RATE), PROMPTS["hi"])
    alone = await hears(silence, FREE, phone)
    assert alone.told == []
    text = "मेरा ऑर्डर कहाँ है"
    over = await hears(Sound(text, spoken(text, "hi", "m3"), text), FREE, phone)
    assert over.cut


async def test_a_whisper_is_heard_when_nobody_speaks_over_it() -> None:
    text = "मुझे एक आदमी से बात करनी है"
    sound = Sound(text, whispered(spoken(text, "hi", "f1"), 1), text)
    found = await hears(sound, mode=BargeIn.NONE)
    assert found.heard == [text]


async def test_who_never_pauses_is_heard_for_as_long_as_it_may_be() -> None:
    text = "मेरा ऑर्डर कहाँ है मुझे बताओ और फिर से बताओ"
    said = to_wave(spoken(text, "hi", "f1"))
    sound = Sound("on and on", to_pcm(np.tile(said[np.abs(said) > 50], 4)), text)
    found = await hears(sound, SpeechSpec("hi", (), 3.0))
    assert found.cut
    assert [type(told) for told in found.told].count(SpeechBegan) == 1
    assert len(found.heard) == 1
    assert text.startswith(found.heard[0])


async def test_what_may_be_all_is_told_before_the_turn_is_over() -> None:
    text = "मेरा ऑर्डर कहाँ है"
    found = await says(text)
    assert Presumed(text, "hi") in found.told
    assert found.told.index(Presumed(text, "hi")) < len(found.told) - 1
