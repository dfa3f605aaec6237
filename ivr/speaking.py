"""What a live call says: the prompts of the flow as clips on the leg, and word of each that was played."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from engines.contract import Reason, Route
from ivr.flow.protocol import AudioFile, Failure, PromptDone, Say, Utterance, words_of
from ivr.prompts import Prompt, Prompts
from ivr.waiting import WAITING
from ivr.waterfall import Waterfall
from media.leg import Began, CallLeg, Stopped


@dataclass(frozen=True, slots=True)
class _Saying:
    """One utterance that plays or waits to: `last` of the `Say` with this id, in reply to this `turn`."""

    id: str
    prompt: Prompt
    last: bool
    turn: int


class Mouth:
    """The prompts of one call, each utterance under a mark of its own."""

    def __init__(
        self,
        leg: CallLeg,
        prompts: Prompts,
        folder: str,
        note: Callable[[str, Mapping[str, Any]], None],
        waterfall: Waterfall,
    ) -> None:
        """`folder` is where the audio files of the call's flow lie; `note` keeps an event of the record."""
        self._leg = leg
        self._prompts = prompts
        self._folder = folder
        self._note = note
        self._waterfall = waterfall
        self._saying: dict[str, _Saying] = {}

    def say(self, command: Say) -> None:
        codec = self._leg.codec
        left = len(command.utterances)
        turn = self._waterfall.replying(asyncio.get_running_loop().time()) if left else 0
        for utterance in command.utterances:
            left -= 1
            mark = f"{command.id}/{left}"
            prompt = self._prompts.get(self.located(utterance), codec)
            self._saying[mark] = _Saying(command.id, prompt, not left, turn)
            self._leg.play(prompt.clip, mark)
            self._tell(mark, utterance, prompt)

    def _tell(self, mark: str, utterance: Utterance, prompt: Prompt) -> None:
        """Notes what is said, and by whom: now, where that is known, else when its first sound is there."""
        text = words_of(utterance)
        if prompt.made.done():
            by = {} if prompt.route is None else {"by": replace(prompt.route, reason=Reason.CACHED).told()}
            self._note("prompt", {"text": text, **by})
            return

        def spoken_by(route: Route) -> None:
            if mark in self._saying:
                self._note("speech_made", {"text": text, "by": route.told()})

        self._note("prompt", {"text": text})
        prompt.on_route(spoken_by)

    def close(self) -> None:
        """The call is over: nothing more is noted of what it says."""
        self._saying.clear()

    def stop(self) -> None:
        """At the next packet; what is queued is dropped."""
        self._saying.clear()
        self._leg.stop()

    def played(self, mark: str) -> PromptDone | Failure | None:
        """What it means to the flow that the utterance with this mark was played."""
        saying = self._saying.pop(mark, None)
        if saying is None:
            return None
        if saying.prompt.failed and not saying.prompt.clip.frames:
            return Failure("no voice could speak a prompt")
        return PromptDone(saying.id) if saying.last else None

    def began(self, event: Began) -> None:
        saying = self._saying.get(event.mark)
        if saying is not None:
            prompt = saying.prompt
            self._waterfall.began(saying.turn, prompt.audio_at, prompt.voice, event.at)

    def stopped(self, event: Stopped) -> None:
        self._saying.pop(event.mark, None)
        if event.sample and event.mark != WAITING:
            self._note("prompt_cut", {"after_ms": event.sample * 1000 // self._leg.sample_rate})

    def prefetch(self, coming: Iterable[Utterance]) -> None:
        """Makes what may be spoken next while nothing waits for it: a menu's answer then starts in one
        frame."""
        self._prompts.prefetch(map(self.located, coming), self._leg.codec)

    def located(self, utterance: Utterance) -> Utterance:
        """Audio files lie in the folder of their flow."""
        if isinstance(utterance, AudioFile):
            return replace(utterance, path=f"{utterance.folder or self._folder}/{utterance.path}")
        return utterance
