"""Makes the prompts of flows before any call: each once for every voice that flows name, in every codec.

What holds values of a call cannot be made ahead; its sentences without any can, since calls look for them
apart (`ivr.flow.stretches`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from engines.contract import EngineError
from engines.routing.routes import name_of
from engines.tts.router import Choice, SpeechRouter
from ivr.flow.model import Flow, Prompt
from ivr.flow.protocol import Text
from ivr.flow.sayas import normalise
from ivr.prompt_cache.files import PromptFiles
from ivr.prompt_cache.key import PromptKey, may_be_filed
from ivr.prompts import in_frames, request_of
from media.codecs import FRAME_MS, Codec
from media.trim import LeadingSilence

FIRST_SOUND_S: Final = 120.0
"""Nobody waits on the line."""
_TEXT_S: Final = 600.0


class State(StrEnum):
    MADE = "made"
    THERE = "there"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Wish:
    """A prompt of a flow in a language: the texts of it that are the same in every call, and why the rest
    cannot be made, if there is more."""

    flow: str
    prompt: str
    language: str
    texts: tuple[Text, ...]
    skipped: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one text, or of what was skipped (`text` is None then). `seconds` is its length, `bytes`
    what was written for it."""

    flow: str
    prompt: str
    language: str
    state: State
    text: Text | None = None
    engine: str = ""
    version: str = ""
    codecs: tuple[str, ...] = ()
    seconds: float = 0.0
    bytes: int = 0
    reason: str = ""


def wishes_of(flows: Iterable[Flow], languages: frozenset[str] = frozenset()) -> list[Wish]:
    """The prompts of flows and of those within them, each flow once; of `languages` alone, if there are
    any."""
    family = {flow.hash: flow for given in flows for flow in given.family.values()}
    return [
        _wish(flow, prompt, language)
        for flow in family.values()
        for prompt in flow.prompts.values()
        for language in prompt.wordings
        if not languages or language in languages
    ]


def _wish(flow: Flow, prompt: Prompt, language: str) -> Wish:
    wording = prompt.wordings[language]
    texts = prompt.fixed(language)
    skipped = ""
    if wording.audio is not None:
        skipped = f"is the recording {wording.audio}"
    elif wording.text is not None and wording.text.names:
        skipped = f"holds values: {', '.join(sorted(wording.text.names))}"
    return Wish(flow.name, prompt.name, language, texts, skipped)


@dataclass(slots=True)
class Builder:
    """`streams` is how many texts an engine makes at once, by its name. Engines that are not up fail their
    prompts: another voice's would be of no use. `on_outcome` is told each as it comes."""

    voices: SpeechRouter
    files: PromptFiles
    codecs: Sequence[Codec]
    streams: Mapping[str, int]
    on_outcome: Callable[[Outcome], None] = lambda _outcome: None
    _turns: dict[str, asyncio.Semaphore] = field(default_factory=dict)

    async def build(self, wishes: Sequence[Wish]) -> list[Outcome]:
        """In the order of the wishes; nothing is raised for a text that cannot be made."""
        told: dict[int, Outcome] = {}
        first: dict[Text, int] = {}
        again: dict[int, Text] = {}
        async with asyncio.TaskGroup() as tasks:
            for place, (wish, text) in enumerate(_each(wishes)):
                if text is None:
                    told[place] = self._tell(wish, Outcome("", "", "", State.SKIPPED, reason=wish.skipped))
                elif text in first:
                    again[place] = text
                else:
                    first[text] = place
                    tasks.create_task(self._one(place, wish, text, told))
        for place, (wish, _) in enumerate(_each(wishes)):
            if place in again:
                outcome = told[first[again[place]]]
                same = (
                    outcome if outcome.state is State.FAILED else replace(outcome, state=State.THERE, bytes=0)
                )
                told[place] = self._tell(wish, same)
        return [told[place] for place in sorted(told)]

    async def _one(self, place: int, wish: Wish, text: Text, told: dict[int, Outcome]) -> None:
        told[place] = self._tell(wish, await self._make(text))

    def _tell(self, wish: Wish, outcome: Outcome) -> Outcome:
        outcome = replace(outcome, flow=wish.flow, prompt=wish.prompt, language=wish.language)
        self.on_outcome(outcome)
        return outcome

    async def _make(self, text: Text) -> Outcome:
        words = normalise(text.text, text.language)
        request = request_of(text, words)
        choices = self.voices.choices(request, text.purpose)
        if not choices:
            return _failed(text, f"no engine speaks {text.language}")
        choice = choices[0]
        engine = choice.engine
        if not may_be_filed(choice.request):
            return Outcome("", "", "", State.SKIPPED, text, reason="a person's own voice is kept in no file")
        if text.voice and choice.request.voice != text.voice:
            return _failed(text, f"no engine that is up has the voice {text.voice}", engine.name)
        keys = {codec: PromptKey.of(engine, choice.request, codec) for codec in self.codecs}
        made = replace(
            _failed(text, ""), engine=engine.name, version=engine.version, codecs=tuple(c.name for c in keys)
        )
        frames = await asyncio.to_thread(self.files.load, next(iter(keys.values())))
        if frames is not None and await asyncio.to_thread(self._all_there, keys.values()):
            return replace(made, state=State.THERE, seconds=len(frames) * FRAME_MS / 1000)
        try:
            async with self._turn(choice):
                pcm, rate = await _spoken(choice)
        except EngineError as error:
            return replace(made, reason=str(error) or type(error).__name__)
        if engine.version != made.version:
            return replace(made, reason="its model was switched meanwhile: build again")
        size = 0
        for codec, key in keys.items():
            frames = await asyncio.to_thread(in_frames, pcm, rate, codec)
            written = await asyncio.to_thread(self.files.keep, key, frames)
            if not written:
                return replace(made, reason="it could not be written: see the log")
            size += written
        return replace(made, state=State.MADE, seconds=len(pcm) / 2 / rate, bytes=size)

    def _all_there(self, keys: Iterable[PromptKey]) -> bool:
        return all(self.files.load(key) is not None for key in keys)

    def _turn(self, choice: Choice) -> asyncio.Semaphore:
        name = name_of(choice.key)
        return self._turns.setdefault(choice.key, asyncio.Semaphore(self.streams.get(name, 1)))


def _each(wishes: Iterable[Wish]) -> Iterator[tuple[Wish, Text | None]]:
    """Its texts one by one, and None for what is skipped of it."""
    for wish in wishes:
        for text in wish.texts:
            yield wish, text
        if wish.skipped:
            yield wish, None


def _failed(text: Text, reason: str, engine: str = "") -> Outcome:
    return Outcome("", "", "", State.FAILED, text, engine, reason=reason)


async def _spoken(choice: Choice) -> tuple[bytes, int]:
    """All of it as PCM, and its rate."""
    engine, request = choice.engine, replace(choice.request, waited_for=False)
    pcm = bytearray()
    lead = LeadingSilence(engine.sample_rate)
    try:
        async with (
            asyncio.timeout(_TEXT_S),
            contextlib.aclosing(engine.synthesize(request, deadline_s=FIRST_SOUND_S)) as sound,
        ):
            async for chunk in sound:
                pcm += lead.cut(chunk)
    except TimeoutError:
        raise EngineError(f"it took longer than {_TEXT_S:g} s") from None
    if not pcm:
        raise EngineError("it gave no sound")
    return bytes(pcm), engine.sample_rate
