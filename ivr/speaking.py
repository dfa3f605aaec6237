"""What a live call says: the prompts of the flow as clips on the leg, and word of each that was played."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from engines.contract import Reason, Route
from ivr.flow.protocol import (
    AudioFile,
    BargeIn,
    Failure,
    PromptDone,
    Say,
    SpokenSoFar,
    Text,
    Utterance,
    pieces_of,
    words_of,
)
from ivr.flow.timing import SPEAKING_RATE
from ivr.prompt_cache.ahead import Ahead
from ivr.prompts import Prompt, Prompts
from ivr.turns.words_out import words_out
from ivr.waiting import WAITING
from ivr.waterfall import Waterfall
from media.leg import Began, CallLeg, Stopped

BEFORE_S: Final = 0.5
"""So long before a piece is due its voice is hurried, if it has given no sound yet: the hedge, and the first
sound of the next voice, fit in."""


@dataclass(frozen=True, slots=True)
class _Saying:
    """One piece that plays or waits to, in these words: `ends` an utterance, `last` of the `Say` with this
    id, in reply to this `turn`; `before` are the words of those before it."""

    id: str
    prompt: Prompt
    ends: bool
    last: bool
    turn: int
    words: str
    before: str


class Mouth:
    """The prompts of one call, each piece of an utterance under a mark of its own. `close` it with the
    call."""

    def __init__(
        self,
        leg: CallLeg,
        prompts: Prompts,
        folder: str,
        note: Callable[[str, Mapping[str, Any]], None],
        waterfall: Waterfall,
        on_playing: Callable[[BargeIn | None], None] = lambda _mode: None,
    ) -> None:
        """`folder` is where the audio files of the call's flow lie; `note` keeps an event of the record.
        `on_playing` is told by what may be interrupted what is said from now on, and None when all is."""
        self._leg = leg
        self._prompts = prompts
        self._folder = folder
        self._note = note
        self._waterfall = waterfall
        self._on_playing = on_playing
        self._saying: dict[str, _Saying] = {}
        """By mark, in the order in which they are heard."""
        self._heard_ms = 0
        """Of the utterance that plays, in its pieces that are over."""
        self._cut_ms = 0
        """The same of the one that was stopped."""
        self._ahead = Ahead(prompts)
        self._soon: asyncio.TimerHandle | None = None
        """Wakes the piece that follows shortly before it is due."""

    def say(self, command: Say) -> None:
        codec = self._leg.codec
        utterances = [(utterance, pieces_of(self.located(utterance))) for utterance in command.utterances]
        left = sum(len(pieces) for _, pieces in utterances)
        turn = self._waterfall.replying(asyncio.get_running_loop().time()) if left else 0
        prompt, before = self._latest, ""
        if left:
            self._on_playing(command.barge_in)
        for utterance, pieces in utterances:
            made = []
            for number, piece in enumerate(pieces, 1):
                left -= 1
                mark = f"{command.id}/{left}"
                # While one plays the next is made.
                prompt = self._prompts.get(piece, codec, after=prompt)
                made.append((mark, piece, prompt))
                words, ends = piece.text if isinstance(piece, Text) else "", number == len(pieces)
                self._saying[mark] = _Saying(command.id, prompt, ends, not left, turn, words, before)
                before = f"{before} {words}".strip()
                self._leg.play(prompt.clip, mark)
            self._tell(utterance, made)

    def _tell(self, utterance: Utterance, made: list[tuple[str, Utterance, Prompt]]) -> None:
        """Notes what is said, in which language, and by whom: now, where that is known, else when its first
        sound is there."""
        by: dict[str, Any] = {}
        if len(made) == 1 and made[0][2].made.done() and (route := made[0][2].route) is not None:
            by = {"by": replace(route, reason=Reason.CACHED).told()}
        spoken = next((piece.language for _, piece, _ in made if isinstance(piece, Text)), None)
        language = {} if spoken is None else {"language": spoken}
        self._note("prompt", {"text": words_of(utterance), **language, **by})
        for mark, piece, prompt in made:
            if not prompt.made.done():
                prompt.on_route(partial(self._made, mark, words_of(piece)))

    def _made(self, mark: str, text: str, route: Route) -> None:
        if mark in self._saying:
            self._note("speech_made", {"text": text, "by": route.told()})

    def close(self) -> None:
        """The call is over: nothing is made for it any more, nor noted of what it says."""
        self._let_go()
        self._ahead.close()

    def stop(self) -> None:
        """At the next packet; what is queued is dropped."""
        self._let_go()
        self._cut_ms, self._heard_ms = self._heard_ms, 0
        self._leg.stop()
        self._on_playing(None)

    def so_far(self) -> SpokenSoFar | None:
        """What is out of what is being said; None where nothing is."""
        position = self._leg.position()
        saying = None if position is None else self._saying.get(position.mark)
        if position is None or saying is None:
            return None
        clip, samples = saying.prompt.clip, self._leg.codec.frame_samples
        whole = len(clip.frames) * samples
        if not clip.finished:
            whole = max(whole, int(len(saying.words) / SPEAKING_RATE * self._leg.sample_rate))
        out = words_out(saying.words, position.sample / whole if whole else 0.0)
        return SpokenSoFar(saying.id, f"{saying.before} {out}".strip())

    def played(self, mark: str) -> PromptDone | Failure | None:
        """What it means to the flow that the piece with this mark was played."""
        saying = self._saying.pop(mark, None)
        if saying is None:
            return None
        self._prompts.release(saying.prompt)
        if (following := next(iter(self._saying.values()), None)) is not None:
            following.prompt.hurry()
        else:
            self._on_playing(None)
        self._heard_ms = 0 if saying.ends else self._heard_ms + saying.prompt.clip.duration_ms
        if saying.prompt.failed and not saying.prompt.clip.frames:
            return Failure("no voice could speak a prompt")
        return PromptDone(saying.id) if saying.last else None

    def began(self, event: Began) -> None:
        saying = self._saying.get(event.mark)
        if saying is not None:
            prompt = saying.prompt
            self._waterfall.began(saying.turn, prompt.audio_at, prompt.voice, event.at)
            self._hurry_what_follows(event.mark, prompt)

    def stopped(self, event: Stopped) -> None:
        before_ms = self._cut_ms
        if (saying := self._saying.pop(event.mark, None)) is not None:
            self._prompts.release(saying.prompt)
            before_ms, self._heard_ms = self._heard_ms, 0
        if event.sample and event.mark != WAITING:
            self._note("prompt_cut", {"after_ms": before_ms + event.sample * 1000 // self._leg.sample_rate})

    def prefetch(self, coming: Iterable[Utterance]) -> None:
        """Makes what may be spoken next while nothing waits for it: a menu's answer then starts in one
        frame."""
        self._ahead.want(map(self.located, coming), self._leg.codec, self._latest)

    def located(self, utterance: Utterance) -> Utterance:
        """Audio files lie in the folder of their flow."""
        if isinstance(utterance, AudioFile):
            return replace(utterance, path=f"{utterance.folder or self._folder}/{utterance.path}")
        return utterance

    def _hurry_what_follows(self, mark: str, prompt: Prompt) -> None:
        """So that a voice which is late with it is found out before there is a hole."""
        marks = list(self._saying)
        following = marks[marks.index(mark) + 1 :]
        if following and prompt.clip.finished:
            in_s = prompt.clip.duration_ms / 1000 - BEFORE_S
            hurry = self._saying[following[0]].prompt.hurry
            self._soon = asyncio.get_running_loop().call_later(max(0.0, in_s), hurry)

    @property
    def _latest(self) -> Prompt | None:
        """What is heard last of what is being said."""
        return next((saying.prompt for saying in reversed(self._saying.values())), None)

    def _let_go(self) -> None:
        for saying in self._saying.values():
            self._prompts.release(saying.prompt)
        self._saying.clear()
        if self._soon is not None:
            self._soon.cancel()
