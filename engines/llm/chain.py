"""Models in order, as one: a caller does not wait for the slowest of them.

The first is asked. When it has no word after `slow_s`, that is told (`Slow`), so that somebody may fill the
pause; after `second_s` more, the next is asked as well, and so on; whoever has a word first goes on, and the
others are cancelled. One that fails before its first word is replaced at once. Once there are words, there is
no other model: half an answer cannot be taken back from a caller's ear.

One that fails again and again, or is overtaken, is left alone for a while (`engines.breaker`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from engines.breaker import Breaker
from engines.contract import EngineError, EngineTimeout, EngineUnavailable
from engines.llm.contract import ChatRequest, Finished, LanguageModel, OnSpent, Piece, Slow, Usage, Words

log = logging.getLogger(__name__)

Outcome = Literal["answered", "late", "failed", "cancelled", "skipped"]
Observe = Callable[[str, Outcome, float | None], None]
"""Takes the model, how it went, and the seconds to its first piece (None: there was none)."""

Count = Callable[[str, Usage], None]
"""Takes the model, and what a request to it took."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a caller hears nothing before a filler, and each model has before the next is asked too."""

    slow_s: float = 0.7
    second_s: float = 1.5


class ManagedModel(LanguageModel, Protocol):
    """A model with connections of its own."""

    async def start(self) -> None: ...

    async def close(self) -> None: ...


class ModelChain:
    """See `LanguageModel`. Raises `EngineUnavailable` where all have failed, or did of late, `EngineTimeout`
    where none had a word before the deadline."""

    def __init__(
        self,
        models: Sequence[ManagedModel],
        patience: Patience = Patience(),
        observe: Observe = lambda name, outcome, first_s: None,
        count: Count = lambda name, usage: None,
        breaker: Callable[[], Breaker] = Breaker,
    ) -> None:
        self._models = tuple(models)
        self._patience = patience
        self._observe = observe
        self._count = count
        self._seats = tuple(_Seat(model, breaker()) for model in models)

    @property
    def name(self) -> str:
        return ", ".join(model.name for model in self._models)

    def warm(self) -> None:
        """See `LanguageModel`."""
        for model in self._models:
            model.warm()

    async def start(self) -> None:
        """Opens the connections; a model that is away keeps nobody from starting."""
        await asyncio.gather(*(model.start() for model in self._models))

    async def close(self) -> None:
        await asyncio.gather(*(model.close() for model in self._models))

    async def chat(
        self, request: ChatRequest, *, deadline_s: float, spent: OnSpent | None = None
    ) -> AsyncGenerator[Piece, None]:
        """See `LanguageModel`."""

        def begin(seat: _Seat) -> _Attempt | None:
            name = seat.model.name

            def count(usage: Usage) -> None:
                self._count(name, usage)
                if spent is not None:
                    spent(usage)

            if seat.breaker.admits(asyncio.get_running_loop().time()):
                pieces = seat.model.chat(request, deadline_s=deadline_s, spent=count)
                return _Attempt(seat, self._observe, pieces)
            self._observe(name, "skipped", None)
            return None

        race = _Race(self._seats, begin, self._patience, deadline_s)
        try:
            while not await race.won():
                yield Slow()
            winner = race.winner
            yield winner.first_piece
            async for piece in winner.pieces:
                if isinstance(piece, Finished):
                    winner.answered()
                yield piece
        except EngineError as error:
            race.failed(error)
            raise
        finally:
            await race.end()


@dataclass(frozen=True, slots=True)
class _Seat:
    model: LanguageModel
    breaker: Breaker


class _Attempt:
    """One model, asked once; its breaker is told once how it went."""

    def __init__(self, seat: _Seat, observe: Observe, pieces: AsyncGenerator[Piece, None]) -> None:
        self._seat = seat
        self._observe = observe
        self._clock = asyncio.get_running_loop().time
        self._began = self._clock()
        self._first_s: float | None = None
        self._over = False
        self.pieces = pieces
        self.first = asyncio.create_task(self._anext(), name=f"first word of {seat.model.name}")

    @property
    def first_piece(self) -> Piece:
        """Once it is there."""
        piece = self.first.result()
        return replace(piece, by=self._seat.model.name) if isinstance(piece, Words) else piece

    @property
    def waited_s(self) -> float:
        return self._clock() - self._began

    async def _anext(self) -> Piece:
        try:
            piece = await anext(self.pieces)
        except StopAsyncIteration:
            raise EngineError(f"{self._seat.model.name} answered nothing") from None
        self._first_s = self.waited_s
        return piece

    def answered(self) -> None:
        if self._end("answered"):
            self._seat.breaker.succeeded()

    def failed(self, error: EngineError) -> None:
        if self._end("late" if isinstance(error, EngineTimeout) else "failed"):
            self._seat.breaker.failed(self._clock())
            log.warning("%s", error)

    def left(self, patience_s: float) -> None:
        """Nobody waits for it any more: one that had no word after `patience_s` was late."""
        self.first.cancel()
        if self._first_s is not None:
            if self._end("cancelled"):
                self._seat.breaker.succeeded()
        elif self.waited_s >= patience_s:
            if self._end("late"):
                self._seat.breaker.failed(self._clock())
        elif self._end("cancelled"):
            self._seat.breaker.gave_up()

    def _end(self, outcome: Outcome) -> bool:
        over, self._over = self._over, True
        if not over:
            self._observe(self._seat.model.name, outcome, self._first_s)
        return not over

    async def close(self) -> None:
        self.first.cancel()
        await asyncio.wait([self.first])
        if not self.first.cancelled():
            self.first.exception()  # seen
        await self.pieces.aclose()


class _Race:
    """Which model has a word first. `begin` asks one, or gives None for one that is left alone now.

    It knows less than `engines.routing.race`: whoever has words is never replaced, no answer is a weak one;
    and a pause is told before the next is asked.
    """

    def __init__(
        self,
        seats: Sequence[_Seat],
        begin: Callable[[_Seat], _Attempt | None],
        patience: Patience,
        deadline_s: float,
    ) -> None:
        self._seats = iter(seats)
        self._begin = begin
        self._second_s = patience.second_s
        self._deadline_s = deadline_s
        self._clock = asyncio.get_running_loop().time
        self._until = self._clock() + deadline_s
        self._slow_at: float | None = self._clock() + patience.slow_s
        self._next_at: float | None = self._clock()
        """When another one is asked; None: there is none left."""
        self._attempts: list[_Attempt] = []
        self._running: list[_Attempt] = []
        self._errors: list[EngineError] = []
        self._winner: _Attempt | None = None

    @property
    def winner(self) -> _Attempt:
        assert self._winner is not None
        return self._winner

    async def won(self) -> bool:
        """Waits for a winner; False, once, when it takes long."""
        while True:
            self._look()
            now = self._clock()
            if self._winner is not None:
                break
            if now >= self._until:
                raise EngineTimeout(f"no word from a model within {self._deadline_s:g} s")
            if self._slow_at is not None and now >= self._slow_at:
                self._slow_at = None
                return False
            if self._next_at is not None and (not self._running or now >= self._next_at):
                self._ask_next(now)
            if not self._running:
                raise self._failure()
            times = (self._until, self._slow_at, self._next_at)
            await asyncio.wait(
                [attempt.first for attempt in self._running],
                timeout=min(at for at in times if at is not None) - now,
                return_when=asyncio.FIRST_COMPLETED,
            )
        for attempt in self._running:
            if attempt is not self._winner:
                attempt.left(self._second_s)
        return True

    def failed(self, error: EngineError) -> None:
        if self._winner is not None:
            self._winner.failed(error)

    async def end(self) -> None:
        for attempt in self._attempts:
            attempt.left(self._second_s)
        for attempt in self._attempts:
            await attempt.close()

    def _look(self) -> None:
        """What came of those that run, in their order."""
        for attempt in [one for one in self._running if one.first.done()]:
            error = attempt.first.exception()
            if error is None:
                self._winner = self._winner or attempt
            elif isinstance(error, EngineError):
                attempt.failed(error)
                self._errors.append(error)
                self._running.remove(attempt)
            else:
                raise error

    def _ask_next(self, now: float) -> None:
        for seat in self._seats:
            if (attempt := self._begin(seat)) is not None:
                self._attempts.append(attempt)
                self._running.append(attempt)
                self._next_at = now + self._second_s
                return
        self._next_at = None

    def _failure(self) -> EngineError:
        match self._errors:
            case []:
                return EngineUnavailable("every model has failed of late")
            case [error]:
                return error
            case _:
                return EngineUnavailable("; ".join(map(str, self._errors)))
