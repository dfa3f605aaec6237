"""One prompt on its way to the wire."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field

from engines.contract import Reason, Route, Synthesizer
from engines.tts.router import Speech
from ivr.prompt_cache.key import PromptKey
from media.clip import Clip

OnRoute = Callable[[Route], None]


@dataclass(eq=False, slots=True)
class Prompt:
    """`clip` can be played at once; `made` ends when it is whole or has failed. `personal`: it is kept in
    memory only, and not for long."""

    clip: Clip
    made: asyncio.Future[None]
    awaited: asyncio.Future[None]
    """Done once somebody waits for it; what is made ahead has time."""
    personal: bool = False
    task: asyncio.Task[None] | None = None
    claims: int = 0
    """How many want it."""
    speech: Speech | None = None
    route: Route | None = None
    """Who spoke it, and why that voice; None before its first sound, and of what nobody speaks."""
    spoken_by: tuple[Synthesizer, str] | None = None
    """The voice with the version that it had, once it is whole."""
    stale_at: float = math.inf
    """Loop time from which it is made anew: another voice than the first choice spoke it."""
    audio_at: float = math.inf
    """Loop time of its first audio."""
    filed: PromptKey | None = None
    """Under which it is on disk."""
    touched_at: float = 0.0
    """Loop time at which its file was last said to be in use."""
    counted: bool = False
    """Whether it is known if it was missed."""
    _told: list[OnRoute] = field(default_factory=list)

    @property
    def voice(self) -> str:
        """The engine that speaks it; empty where none had to."""
        return "" if self.route is None or self.route.reason is Reason.CACHED else self.route.engine

    @property
    def urgent(self) -> bool:
        return self.awaited.done()

    @property
    def failed(self) -> bool:
        """No voice could speak it to its end; what there is of it is playable."""
        return self.made.done() and not self.made.cancelled() and self.made.exception() is not None

    def is_current(self, now: float) -> bool:
        """Whether it would be made the same again."""
        if self.failed or self.made.cancelled() or now >= self.stale_at:
            return False
        return self.spoken_by is None or self.spoken_by[0].version == self.spoken_by[1]

    def on_route(self, told: OnRoute) -> None:
        """Tells who speaks it, from the first sound on; again when that voice broke off and another one
        began."""
        self._told.append(told)
        if self.route is not None:
            told(self.route)

    def heard(self, route: Route | None) -> None:
        """The first audio is there, by this route."""
        self.route, self.audio_at = route, asyncio.get_running_loop().time()
        if route is not None:
            for told in self._told:
                told(route)

    def take(self, frames: list[bytes], route: Route | None = None) -> None:
        """All of it is there, and no engine had to speak it."""
        self.heard(route)
        self.clip.frames.extend(frames)

    def settle(self) -> None:
        """It is whole, or will never be: it outlives the calls that it was made for."""
        self.speech = None
        self._told.clear()

    def hurry(self) -> None:
        """From now on somebody waits for it."""
        if not self.awaited.done():
            self.awaited.set_result(None)
            if self.speech is not None:
                self.speech.hurry()
