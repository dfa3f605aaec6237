"""Speech to text by the recogniser that is best for it, and by the next where that one is late, fails or
hangs.

The decisions are those of `engines.routing.race`. The first recogniser hears the caller speak; what was said
is kept meanwhile, so that another one can be asked after the end of speech.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from typing import Final

from engines.breaker import BreakerState
from engines.contract import (
    EngineError,
    EngineUnavailable,
    OnPartial,
    Reason,
    RecognitionRequest,
    Recognizer,
    RecognizerStream,
    Transcript,
)
from engines.routing.board import Board
from engines.routing.inbox import Inbox, time_of
from engines.routing.race import Ask, Command, Drop, Lost, Race, Timing, Won
from engines.routing.routes import Engines, Link, Purpose, Routes
from engines.routing.watch import Telling, Unwatched, Watch

_log = logging.getLogger(__name__)

_MOST_KEPT_S: Final = 120.0
"""Of speech: a longer utterance is not told again."""


class RoutedRecognizer:
    """See `Recognizer`: all recognisers behind one door. `named` are those that `routes` name, `last` those
    that end every chain (the embedded one)."""

    name: Final = "routed"
    version: Final = "1"

    def __init__(
        self,
        routes: Routes,
        named: Mapping[str, Recognizer],
        last: Sequence[Recognizer],
        *,
        embedded: str = "pocketsphinx",
        watch: Watch | None = None,
    ) -> None:
        self._engines = Engines(routes, named, last, embedded)
        self.board = Board()
        self.watch: Watch = watch or Unwatched()

    def standing(self) -> Mapping[str, Callable[[], BreakerState]]:
        """How each engine stands, asked whenever that is to be known."""
        return {link.key: partial(self._state, link.key) for link in self._engines.links}

    def supports(self, request: RecognitionRequest) -> bool:
        """See `Recognizer`."""
        return bool(self._able(request))

    def open(self, request: RecognitionRequest, on_partial: OnPartial | None = None) -> RoutedStream:
        """See `Recognizer`. Partials come from the first that takes the utterance."""
        able = self._able(request)
        if not able:
            raise EngineError(f"no recogniser can hear {request.language!r} so")
        hedge_s = self._engines.routes.chain(request.language, purpose_of(request)).hedge_s
        return RoutedStream(self, able, request, hedge_s, on_partial)

    def _state(self, key: str) -> BreakerState:
        return self.board.state(key, _now())

    def _able(self, request: RecognitionRequest) -> tuple[Link[Recognizer], ...]:
        row = self._engines.row(request.language, purpose_of(request))
        return tuple(link for link in row if link.engine.supports(request))


class RoutedStream:
    """One utterance; see `RecognizerStream`."""

    def __init__(
        self,
        router: RoutedRecognizer,
        links: Sequence[Link[Recognizer]],
        request: RecognitionRequest,
        hedge_s: float,
        on_partial: OnPartial | None,
    ) -> None:
        """Raises `EngineUnavailable` when no recogniser takes the utterance."""
        self._router = router
        self._links = links
        self._request = request
        self._on_partial = on_partial
        self._kept: bytearray | None = bytearray() if len(links) > 1 else None
        self._most_kept = int(_MOST_KEPT_S * request.rate) * 2
        self._hearings: dict[int, _Hearing] = {}
        self._inbox: Inbox[_Heard] = Inbox()
        self._finish_by: float | None = None
        # Nobody waits while the caller speaks: until `finish` one recogniser has all the time.
        self._race = Race([link.key for link in links], router.board, Timing(hedge_s, inf, inf))
        self._telling = Telling(self._race, router.watch, "an utterance was not heard")
        self._do(self._race.begin(_now(), urgent=False))
        if self._race.over:
            raise EngineUnavailable(self._telling.failure())

    def write(self, pcm: bytes) -> None:
        """See `RecognizerStream`."""
        if self._kept is not None:
            self._kept += pcm
            if len(self._kept) > self._most_kept:
                self._kept = None
        for hearing in self._hearings.values():
            hearing.stream.write(pcm)

    async def finish(self, *, deadline_s: float) -> Transcript:
        """See `RecognizerStream`. The transcript says who heard it, and why that one."""
        race = self._race
        began = _now()
        self._finish_by = began + deadline_s
        try:
            race.hurry(began, deadline_s)
            for hearing in self._hearings.values():
                hearing.finish(self._finish_by - began, self._inbox.put)
            while not race.over:
                heard = await self._inbox.next(lambda: race.due)
                if heard is None:
                    self._do(race.tick(time_of(race.due)))
                elif self._hearings.get(heard.hearing.link) is heard.hearing:  # else it was dropped
                    self._do(self._told(heard.hearing, heard.what))
                if (winner := race.winner) is not None:
                    race.finished()
                    return self._routed(winner, began)
            raise EngineError(self._telling.failure())
        finally:
            self.cancel()

    def cancel(self) -> None:
        """See `RecognizerStream`."""
        self._on_partial = None
        self._kept = None
        self._race.abandon()
        hearings, self._hearings = self._hearings, {}
        for hearing in hearings.values():
            hearing.cancel()

    def _told(self, hearing: _Hearing, what: Transcript | EngineError) -> list[Command]:
        if isinstance(what, Transcript):
            hearing.transcript = what
            return self._race.answered(hearing.link, _now(), weak=not what.text)
        self._hearings.pop(hearing.link).cancel()
        return self._race.failed(hearing.link, _now(), str(what) or type(what).__name__)

    def _routed(self, winner: int, began: float) -> Transcript:
        transcript = self._hearings[winner].transcript
        assert transcript is not None
        now = _now()
        route = self._telling.route(self._links[winner].engine.name, Reason.FIRST, now - began)
        took_s = now - max(began, self._race.asked_at(winner))
        self._router.watch.answered(route, purpose_of(self._request), took_s)
        return replace(transcript, route=route)

    def _do(self, commands: Sequence[Command]) -> None:
        waiting = list(commands)
        while waiting:
            match waiting.pop(0):
                case Ask(link=link):
                    waiting += self._ask(link)
                case Drop(link=link):
                    self._hearings.pop(link).cancel()
                case Won() | Lost():
                    pass
        self._telling.new()

    def _ask(self, link: int) -> list[Command]:
        """Gives the utterance to a recogniser; what comes of it if that one does not take it."""
        recognizer = self._links[link].engine
        try:
            if self._finish_by is not None and self._kept is None:
                raise EngineError("the utterance is too long to be told again")
            stream = recognizer.open(self._request, self._partials(link) if self._on_partial else None)
        except EngineError as error:
            return self._race.failed(link, _now(), str(error) or type(error).__name__, refused=True)
        except Exception as error:
            _log.exception("%s failed in a way that is none of its own", recognizer.name)
            return self._race.failed(link, _now(), f"internal error: {type(error).__name__}")
        hearing = self._hearings[link] = _Hearing(link, stream)
        if self._finish_by is not None:
            assert self._kept is not None
            stream.write(bytes(self._kept))
            hearing.finish(self._finish_by - _now(), self._inbox.put)
        return []

    def _partials(self, link: int) -> OnPartial:
        def partial(transcript: Transcript) -> None:
            # One that is asked after the end of speech has nothing to tell before its final.
            if self._on_partial is not None and self._finish_by is None and link in self._hearings:
                self._on_partial(transcript)

        return partial


@dataclass(frozen=True, slots=True)
class _Heard:
    hearing: _Hearing
    what: Transcript | EngineError


class _Hearing:
    """One recogniser at work on the utterance."""

    def __init__(self, link: int, stream: RecognizerStream) -> None:
        self.link = link
        self.stream = stream
        self.transcript: Transcript | None = None
        self._task: asyncio.Task[None] | None = None

    def finish(self, deadline_s: float, put: Callable[[_Heard], None]) -> None:
        """The utterance is over; what comes of it is put."""
        self._task = asyncio.create_task(self._finish(deadline_s, put), name="a recogniser's final")

    def cancel(self) -> None:
        self.stream.cancel()
        if self._task is not None:
            self._task.cancel()

    async def _finish(self, deadline_s: float, put: Callable[[_Heard], None]) -> None:
        what: Transcript | EngineError
        try:
            what = await self.stream.finish(deadline_s=deadline_s)
        except EngineError as error:
            what = error
        except Exception as error:
            _log.exception("a recogniser failed in a way that is none of its own")
            what = EngineError(f"internal error: {type(error).__name__}")
        put(_Heard(self, what))


def purpose_of(request: RecognitionRequest) -> Purpose:
    """By which a chain is chosen."""
    return "phrases" if request.phrases else "free"


def _now() -> float:
    return asyncio.get_running_loop().time()
