"""A text to sound by the engine that is best for it, and by the next where that one is late, fails or hangs.

The decisions are those of `engines.routing.race`; here are the tasks that carry the sound.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from engines.breaker import BreakerState
from engines.contract import EngineDown, EngineError, Reason, Route, SpeechRequest, Synthesizer
from engines.routing.board import Board
from engines.routing.inbox import Inbox, time_of
from engines.routing.race import Ask, Command, Drop, Lost, Race, Timing, Won
from engines.routing.routes import Engines, Link, Purpose, Routes
from engines.routing.watch import Telling, Unwatched, Watch
from engines.settled import settled
from engines.tts.pace import Pace

_log = logging.getLogger(__name__)

_CHUNKS_AHEAD: Final = 8
"""So many an engine makes before the listener has taken the first of them."""


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine, and what it would be asked: with the voice that was wished for, if it has it. `engine` goes
    on to be the one that it is, `place` may have another model later."""

    key: str
    place: Synthesizer
    engine: Synthesizer
    request: SpeechRequest


@dataclass(frozen=True, slots=True)
class Sound:
    """A chunk of PCM. `begins`: an engine begins the text with it; what came before was another's."""

    pcm: bytes
    rate: int
    begins: bool


class SpeechRouter:
    """All voices behind one door. `named` are the engines that `routes` name, `last` those that end every
    chain (the embedded voice); `deadline_s` is to the first audio of a text that somebody waits for."""

    def __init__(
        self,
        routes: Routes,
        named: Mapping[str, Synthesizer],
        last: Sequence[Synthesizer],
        *,
        deadline_s: float,
        embedded: str = "espeak",
        watch: Watch | None = None,
    ) -> None:
        self._engines = Engines(routes, named, last, embedded)
        self._deadline_s = deadline_s
        self.board = Board()
        self.watch: Watch = watch or Unwatched()
        self._closing: set[asyncio.Task[None]] = set()

    def standing(self) -> Mapping[str, Callable[[], BreakerState]]:
        """How each engine stands, asked whenever that is to be known."""
        return {link.key: partial(self._state, link.key) for link in self._engines.links}

    def choices(self, request: SpeechRequest, purpose: Purpose) -> tuple[Choice, ...]:
        """Who is to be asked, in turn: those first that have the voice, if one is wished for."""
        language, voice = request.language, request.voice
        row = self._engines.row(language, purpose)
        if voice:
            named = [link for link in (*row, *self._engines.others(language, purpose)) if _has(link, request)]
            row = self._engines.ended((*named, *(link for link in row if link not in named)))
        return tuple(
            Choice(
                link.key,
                link.engine,
                settled(link.engine),
                request if _has(link, request) else replace(request, voice=""),
            )
            for link in row
            if link.engine.supports(language)
        )

    def asks(self, choice: Choice) -> bool:
        """Whether it would be asked now: it is not left alone for what failed of late."""
        return not self.board.left_alone(choice.key, _now())

    def speak(self, request: SpeechRequest, purpose: Purpose, *, urgent: bool = True) -> Speech:
        """Nothing is asked before its `sound` is taken. Raises `EngineError` where no engine speaks the
        language. `urgent` is false while nobody waits for it."""
        choices = self.choices(request, purpose)
        if not choices:
            raise EngineError(f"no engine speaks {request.language!r}")
        hedge_s = self._engines.routes.chain(request.language, purpose).hedge_s
        return Speech(self, choices, request, purpose, Timing(hedge_s, self._deadline_s), urgent)

    def _state(self, key: str) -> BreakerState:
        return self.board.state(key, _now())

    async def close(self) -> None:
        """Returns when no engine works for us any more."""
        await asyncio.gather(*self._closing, return_exceptions=True)

    def drop(self, task: asyncio.Task[None]) -> None:
        """For speeches: what an engine does is not wanted; nobody waits for its end."""
        if not task.done():
            task.cancel()
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


class Speech:
    """One text on its way to sound. Whoever takes `sound` closes it, however far it was heard."""

    def __init__(
        self,
        router: SpeechRouter,
        choices: tuple[Choice, ...],
        request: SpeechRequest,
        purpose: Purpose,
        timing: Timing,
        urgent: bool,
    ) -> None:
        """`choices` are those who may speak, in turn."""
        self._router = router
        self.choices = choices
        self._request = request
        self._purpose: Purpose = purpose
        self._timing = timing
        self._urgent = urgent
        self._race = Race([choice.key for choice in choices], router.board, timing)
        self._attempts: dict[int, _Attempt] = {}
        self._inbox: Inbox[_Event] = Inbox()
        self._telling = Telling(self._race, router.watch, "a text was not spoken")
        self._began = 0.0
        self._pace: Pace | None = None
        self.route: Route | None = None
        """Who speaks, from the first sound on; another when that one broke off."""

    @property
    def winner(self) -> Choice | None:
        """Who speaks."""
        winner = self._race.winner
        return None if winner is None else self.choices[winner]

    def hurry(self) -> None:
        """From now on somebody waits for it."""
        if not self._urgent:
            self._urgent = True
            self._began = now = _now()
            self._race.hurry(now)
            if self._pace is not None:
                self._pace.hurry(now)
            self._inbox.wake()

    async def sound(self) -> AsyncGenerator[Sound, None]:
        """The sound as it is made, of one engine at a time; raises `EngineError` when none could speak the
        text to its end. May be taken once."""
        race = self._race
        try:
            self._began = _now()
            self._do(race.begin(self._began, urgent=self._urgent))
            while not race.over:
                event = await self._inbox.next(self._due)
                if event is None:
                    self._late()
                elif event.attempt is not self._attempts[event.attempt.link]:
                    pass  # of one that was dropped, and asked again
                elif not isinstance(event.what, bytes):
                    self._ended(event.attempt.link, event.what)
                elif (sound := self._heard(event.attempt.link, event.what)) is not None:
                    yield sound
                    event.attempt.room.release()
            if race.winner is None:
                raise EngineError(self._telling.failure())
        finally:
            self._do(race.abandon())

    def _due(self) -> float | None:
        if self._race.winner is not None and self._pace is not None:
            return self._pace.due
        return self._race.due

    def _heard(self, link: int, pcm: bytes) -> Sound | None:
        now = _now()
        begins = self._race.winner is None
        if begins:
            self._do(self._race.answered(link, now))
        if self._race.winner != link:
            return None
        choice = self.choices[link]
        rate = choice.engine.sample_rate
        if begins:
            self._begin(link, choice, now)
        assert self._pace is not None
        self._pace.came(now, len(pcm) / 2 / rate)
        return Sound(pcm, rate, begins)

    def _begin(self, link: int, choice: Choice, now: float) -> None:
        self._pace = Pace(now, self._timing.hedge_s, self._timing.ahead_s, heard=self._urgent)
        own = choice.request.voice == self._request.voice
        reason = Reason.FIRST if own else Reason.VOICE
        self.route = self._telling.route(choice.engine.name, reason, now - self._began)
        self._router.watch.answered(self.route, self._purpose, now - self._race.asked_at(link))

    def _ended(self, link: int, error: EngineError | None) -> None:
        if error is None and self._race.winner == link:
            self._race.finished()
            return
        detail = "it gave no sound" if error is None else str(error) or type(error).__name__
        self._do(self._race.failed(link, _now(), detail, refused=isinstance(error, EngineDown)))

    def _late(self) -> None:
        now = time_of(self._due())
        winner = self._race.winner
        self._do(self._race.tick(now) if winner is None else self._race.stalled(winner, now))

    def _do(self, commands: Sequence[Command]) -> None:
        for command in commands:
            match command:
                case Ask(link=link):
                    self._attempts[link] = self._attempt(link)
                case Drop(link=link):
                    self._router.drop(self._attempts[link].task)
                case Won() | Lost():
                    pass
        self._telling.new()

    def _attempt(self, link: int) -> _Attempt:
        choice = self.choices[link]
        if self._urgent:
            return _Attempt(link, choice, self._timing.deadline_s, self._inbox.put)
        ahead = replace(choice, request=replace(choice.request, waited_for=False))
        return _Attempt(link, ahead, self._timing.ahead_s, self._inbox.put)


@dataclass(frozen=True, slots=True)
class _Event:
    """A chunk of an attempt's sound; its end (None), or why there is no more."""

    attempt: _Attempt
    what: bytes | EngineError | None


class _Attempt:
    """One engine at work on the text, in a task of its own."""

    def __init__(self, link: int, choice: Choice, deadline_s: float, put: Callable[[_Event], None]) -> None:
        self.link = link
        self.room = asyncio.Semaphore(_CHUNKS_AHEAD)
        self._put = put
        self.task = asyncio.create_task(self._run(choice, deadline_s), name=f"{choice.key} speaks")

    async def _run(self, choice: Choice, deadline_s: float) -> None:
        try:
            async with aclosing(choice.engine.synthesize(choice.request, deadline_s=deadline_s)) as sound:
                async for chunk in sound:
                    if chunk:
                        await self.room.acquire()
                        self._put(_Event(self, chunk))
                        await asyncio.sleep(0)  # whoever waits for it comes before the next is made
            self._put(_Event(self, None))
        except EngineError as error:
            self._put(_Event(self, error))
        except Exception as error:
            _log.exception("%s failed in a way that is none of its own", choice.key)
            self._put(_Event(self, EngineError(f"internal error: {type(error).__name__}")))


def _has(link: Link[Synthesizer], request: SpeechRequest) -> bool:
    engine = link.engine
    return engine.supports(request.language) and (
        not request.voice or request.voice in engine.voices(request.language)
    )


def _now() -> float:
    return asyncio.get_running_loop().time()
