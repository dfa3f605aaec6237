"""`ivr bench turns`: what interrupts a prompt that should, and what does that should not.

Callers of synthetic voices speak over prompts in three languages: with words that want the turn, with a
listener's words, and with sounds that mean nothing; and prompts come back out of loudspeakers. All in virtual
time, through our own media and the real voice-activity detector; what is said is known to the recogniser,
whose delay is an option, for it is not what is measured. Whispers are counted apart: where they are not heard
there are keys.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from engines.contract import EngineError
from ivr.bench.callers import (
    INTERRUPTIONS,
    LISTENING,
    PROMPTS,
    RATE,
    VOICES,
    Sound,
    Speaker,
    Speakerphone,
    noises,
    speaker,
    to_pcm,
    to_wave,
    whispered,
)
from ivr.bench.rehearsal import Hearing, Rehearsed, rehearse
from ivr.bench.stats import percentile
from ivr.flow.protocol import SpeechSpec
from media.clip import Clip, ClipWriter
from media.codecs import PCMA

_DITHER: Final = 20.0
"""So loud, no frame of a prompt is silence, and one that is sent was made so."""

SPEAKERPHONES: Final = tuple(
    Speakerphone(delay_s, db, room_s)
    for delay_s in (0.03, 0.12, 0.3)
    for db, room_s in ((-8.0, 0.02), (-18.0, 0.05))
)


@dataclass(frozen=True, slots=True)
class Options:
    """`seeds` is how many of each sound that means nothing, `voices` how many say each text; `final_ms` is
    what the recogniser takes, `partials` whether it tells what it has heard so far."""

    seeds: int = 10
    voices: int = 2
    final_ms: int = 150
    partials: bool = True


@dataclass(frozen=True, slots=True)
class Case:
    """`wants`: the caller is to have the turn."""

    group: str
    language: str
    sound: Sound
    wants: bool
    speakerphone: Speakerphone | None = None


def run(options: Options) -> int:
    """Prints the JSON; the exit status is 0 when false and missed interruptions are both under 2 %."""
    try:
        report = asyncio.run(measure(options))
    except EngineError as error:
        print(f"ivr bench turns: {error}", file=sys.stderr)
        return 2
    print(json.dumps(report, indent=2, ensure_ascii=False))
    return 0 if max(report["false"]["share"], report["missed"]["share"]) < 0.02 else 1


async def measure(options: Options) -> dict[str, Any]:
    """Raises `EngineError` when the voice is not there."""
    hearing = Hearing(options.final_ms / 1000, options.partials)
    async with speaker() as voices:
        prompts = {
            language: prompt_of(await voices.say(text, language, "m5")) for language, text in PROMPTS.items()
        }
        listed = [case async for case in cases(voices, options)]
    return _report([(case, await play(case, prompts[case.language], hearing)) for case in listed])


async def play(case: Case, prompt: Clip, hearing: Hearing) -> Rehearsed:
    spec = SpeechSpec(case.language, (), 30.0)
    return await rehearse(prompt, case.sound, spec, hearing, case.speakerphone)


def prompt_of(said: bytes) -> Clip:
    """Long enough for all that may be said over it."""
    whole = np.tile(to_wave(said), 3)
    writer = ClipWriter(Clip(PCMA), RATE)
    writer.write(to_pcm(whole + np.random.default_rng(1).normal(0.0, _DITHER, len(whole))))
    writer.close()
    return writer.clip


async def cases(voices: Speaker, options: Options) -> AsyncIterator[Case]:
    """All of them, in one order."""
    for group, texts, wants in (("interruption", INTERRUPTIONS, True), ("listener", LISTENING, False)):
        for language, listed in texts.items():
            for text in listed:
                for voice in VOICES[: options.voices]:
                    said = await voices.say(text, language, voice)
                    yield Case(group, language, Sound(f"{voice}: {text}", said, text), wants)
                    if wants and voice == VOICES[0]:
                        over = Speakerphone(0.12, -20.0, 0.05)
                        yield Case("over an echo", language, Sound(text, said, text), wants, over)
                        soft = Sound(f"whispered: {text}", whispered(said, len(text)), text)
                        yield Case("whisper", language, soft, wants)
    for sound in noises(options.seeds):
        yield Case("noise", "hi", sound, False)
    nothing = to_pcm(np.random.default_rng(2).normal(0.0, 3.0, 5 * RATE))
    for number, speakerphone in enumerate(SPEAKERPHONES):
        language = tuple(PROMPTS)[number % len(PROMPTS)]
        # A recogniser would understand every word of it.
        own = Sound(f"{speakerphone.delay_s:g} s late", nothing, PROMPTS[language])
        yield Case("echo", language, own, False, speakerphone)


def _report(outcomes: Sequence[tuple[Case, Rehearsed]]) -> dict[str, Any]:
    wanted = [(case, found) for case, found in outcomes if case.wants and case.group != "whisper"]
    unwanted = [(case, found) for case, found in outcomes if not case.wants]
    return {
        "false": _wrong(unwanted, cut=True),
        "missed": _wrong(wanted, cut=False),
        "groups": {
            group: _wrong([each for each in outcomes if each[0].group == group], cut=None)
            for group in dict.fromkeys(case.group for case, _ in outcomes)
        },
        "softer_for_nothing": {
            group: _softer([found for case, found in unwanted if case.group == group])
            for group in dict.fromkeys(case.group for case, _ in unwanted)
        },
        "ducked_ms": _ms([found.ducked_s for case, found in wanted if case.speakerphone is None]),
        "silent_ms": _ms([found.silent_s for case, found in wanted if case.speakerphone is None]),
        "silent_over_an_echo_ms": _ms([found.silent_s for case, found in wanted if case.speakerphone]),
    }


def _softer(found: list[Rehearsed]) -> dict[str, Any]:
    """How many made the prompt softer, if only for a moment: nobody is interrupted by that."""
    ducked = sum(each.ducked_s is not None for each in found)
    return {"of": len(found), "share": round(ducked / len(found), 4)}


def _wrong(outcomes: list[tuple[Case, Rehearsed]], *, cut: bool | None) -> dict[str, Any]:
    """How many went wrong, and which; by `cut`, or by what each is to be."""
    wrong = [c for c, found in outcomes if found.cut == (not c.wants if cut is None else cut)]
    return {
        "of": len(outcomes),
        "share": round(len(wrong) / len(outcomes), 4) if outcomes else 0.0,
        "which": [f"{case.group}: {case.sound.name}" for case in wrong],
    }


def _ms(times: list[float | None]) -> dict[str, int | None]:
    known = sorted(round(time * 1000) for time in times if time is not None)
    return {name: percentile(known, share) if known else None for name, share in _SHARES.items()}


_SHARES: Final = {"p50": 0.5, "p95": 0.95, "max": 1.0}
