"""One piece of work and the chain that may do it: who is asked, when, who wins, who is dropped.

Pure: what happens comes in with its time, what is to be done comes back as commands:

    race = Race(("kokoro", "espeak"), board, Timing(hedge_s=0.3, deadline_s=0.8))
    race.begin(0.0)             # [Ask(0)]
    race.tick(race.due)         # [Ask(1)]: nothing came from kokoro
    race.answered(1, 0.31)      # [Drop(0), Won(1)]
    race.finished()             # or failed(1, now): then the next is asked

At most one has won at any time. Whoever was asked and has not won is dropped in the end. What the chain ends
with is asked whatever its breaker says, and so are those that were left alone, when nobody else is left.
Times are seconds of any monotonic clock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from math import inf
from typing import Final

from engines.contract import Passed, Reason
from engines.routing.board import Board

LAST_SHARE: Final = 0.25
"""Of the deadline: that much is left to the last link, however long the chain."""


@dataclass(frozen=True, slots=True)
class Timing:
    """`hedge_s` after a link was asked the next is asked beside it; `deadline_s` is for all of them.
    `ahead_s` is the deadline, and the hedge, while nobody waits."""

    hedge_s: float
    deadline_s: float
    ahead_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Ask:
    link: int


@dataclass(frozen=True, slots=True)
class Drop:
    """What it does for this race is not wanted any more."""

    link: int


@dataclass(frozen=True, slots=True)
class Won:
    """What comes from it now, and only from it, is the answer."""

    link: int


@dataclass(frozen=True, slots=True)
class Lost:
    """Nobody could do it, or nobody in time."""


Command = Ask | Drop | Won | Lost


class _State(Enum):
    UNASKED = auto()
    LEFT_ALONE = auto()
    ASKED = auto()
    HELD = auto()
    WON = auto()
    OUT = auto()


class Race:
    """`keys` are the links, first choice first, as the `board` knows them."""

    def __init__(self, keys: Sequence[str], board: Board, timing: Timing) -> None:
        """Raises ValueError for a chain without links."""
        if not keys:
            raise ValueError("a chain needs a link")
        self._keys = tuple(keys)
        self._board = board
        self._timing = timing
        self._state = [_State.UNASKED] * len(keys)
        self._asked_at = [0.0] * len(keys)
        self._order: list[int] = []
        self._admitted: set[int] = set()
        self._passed: list[Passed] = []
        self._urgent = True
        self._until = inf
        self._hedge_at = inf
        self.over = False
        """Somebody has done the work, nobody could, or it is not wanted any more."""

    @property
    def winner(self) -> int | None:
        return self._state.index(_State.WON) if _State.WON in self._state else None

    @property
    def passed(self) -> tuple[Passed, ...]:
        """Links that did not do it, and why, in the order in which that was known."""
        return tuple(self._passed)

    @property
    def due(self) -> float | None:
        """When `tick` is to be called; None: never, as things stand."""
        if self.over or self.winner is not None:
            return None
        return min(self._until, self._hedge_at)

    def asked_at(self, link: int) -> float:
        return self._asked_at[link]

    def begin(self, now: float, *, urgent: bool = True) -> list[Command]:
        """`urgent` is false while nobody waits: then the first choice has its time (see `hurry`)."""
        self._urgent = urgent
        self._until = now + self._deadline_s
        return self._ask_next(now)

    def hurry(self, now: float, deadline_s: float | None = None) -> None:
        """From now on somebody waits, where need be for another time than was planned."""
        if self._urgent or self.over:
            return
        if deadline_s is not None:
            self._timing = replace(self._timing, deadline_s=deadline_s)
        self._urgent = True
        self._until = now + self._deadline_s
        if self.winner is None:
            self._hedge_at = now + self._gap_s if self._some_left else inf

    def tick(self, now: float) -> list[Command]:
        if self.over or self.winner is not None:
            return []
        if now >= self._until:
            return self._held(now) or self._lose(now)
        return self._ask_next(now) if now >= self._hedge_at else []

    def answered(self, link: int, now: float, *, weak: bool = False) -> list[Command]:
        """The first of a link's answer, or all of it. A `weak` one (nothing was understood) does not win
        while a link before it in the chain may still have a better one."""
        if self.over or self._state[link] is not _State.ASKED:
            return []
        if weak and _State.ASKED in self._state[:link]:
            self._state[link] = _State.HELD
            return []
        return self._win(link, now)

    def failed(self, link: int, now: float, detail: str = "", *, refused: bool = False) -> list[Command]:
        """A link could not begin its answer, or broke off in the middle of it. One that `refused` at once (a
        worker that is not up yet) has cost nobody anything: no breaker counts it, so that the engine is
        asked as soon as it is there."""
        state = self._state[link]
        if self.over or state not in (_State.ASKED, _State.WON):
            return []
        if not refused:
            self._board.failed(self._keys[link], now)
        self._leave(link, gave_up=refused)
        self._passed.append(Passed(self._keys[link], Reason.DOWN if refused else Reason.ERROR, detail))
        if state is _State.WON:
            self._until = now + self._deadline_s
            return self._ask_next(now) or self._lose(now)
        if held := self._held_first(now):
            return held
        if link == self._order[-1] or _State.ASKED not in self._state:
            commands = self._ask_next(now)
            if not commands and _State.ASKED not in self._state:
                return self._held(now) or self._lose(now)
            return commands
        return []

    def stalled(self, link: int, now: float) -> list[Command]:
        """The winner gives nothing more, and does not end either."""
        if self.over or self._state[link] is not _State.WON:
            return []
        return [Drop(link), *self.failed(link, now, "broke off")]

    def finished(self) -> None:
        """The winner has given all."""
        if (winner := self.winner) is not None and not self.over:
            self.over = True
            self._board.succeeded(self._keys[winner])

    def abandon(self) -> list[Command]:
        """The answer is not wanted any more. One that had begun its answer did well."""
        commands: list[Command] = []
        if not self.over:
            winner = self.winner
            self.finished()
            self.over = True
            if winner is not None:
                commands.append(Drop(winner))
            commands += self._drop_asked(lambda link: False, 0.0)
        return commands

    # --- inside

    @property
    def _deadline_s(self) -> float:
        return self._timing.deadline_s if self._urgent else self._timing.ahead_s

    @property
    def _gap_s(self) -> float:
        """The hedge, or less, so that the last link is asked in time."""
        hedge_s = self._timing.hedge_s if self._urgent else self._timing.ahead_s
        further = len(self._keys) - 1
        return min(hedge_s, self._deadline_s * (1 - LAST_SHARE) / further) if further else hedge_s

    @property
    def _some_left(self) -> bool:
        return any(state in (_State.UNASKED, _State.LEFT_ALONE) for state in self._state)

    def _ask_next(self, now: float) -> list[Command]:
        """The next link that may be asked; when there is none, one that was left alone."""
        self._hedge_at = inf
        link = self._next_admitted(now)
        if link is None:
            return []
        self._state[link] = _State.ASKED
        self._asked_at[link] = now
        self._order.append(link)
        if self._some_left:
            self._hedge_at = now + self._gap_s
        return [Ask(link)]

    def _next_admitted(self, now: float) -> int | None:
        last = len(self._keys) - 1
        for link, state in enumerate(self._state):
            if state is not _State.UNASKED:
                continue
            if self._board.admits(self._keys[link], now):
                self._admitted.add(link)
                return link
            if link == last:
                return link
            self._state[link] = _State.LEFT_ALONE
            self._passed.append(Passed(self._keys[link], Reason.OPEN))
        return self._state.index(_State.LEFT_ALONE) if _State.LEFT_ALONE in self._state else None

    def _win(self, link: int, now: float) -> list[Command]:
        self._state[link] = _State.WON
        self._hedge_at = inf
        for other, state in enumerate(self._state):
            if state is _State.HELD:
                self._state[other] = _State.OUT
                self._board.succeeded(self._keys[other])
        before = self._order[: _last_index(self._order, link)]
        return [*self._drop_asked(lambda other: other in before, now), Won(link)]

    def _lose(self, now: float) -> list[Command]:
        self.over = True
        return [*self._drop_asked(lambda link: True, now), Lost()]

    def _held_first(self, now: float) -> list[Command]:
        """A held answer wins once nobody before it can have a better one."""
        held = self._state.index(_State.HELD) if _State.HELD in self._state else None
        return [] if held is None or _State.ASKED in self._state[:held] else self._held(now)

    def _held(self, now: float) -> list[Command]:
        if _State.HELD not in self._state:
            return []
        return self._win(self._state.index(_State.HELD), now)

    def _drop_asked(self, late: Callable[[int], bool], now: float) -> list[Command]:
        """Drops who was asked and has not answered. Who was `late` is to blame for it; the others may be
        asked again."""
        commands: list[Command] = []
        for link, state in enumerate(self._state):
            if state is not _State.ASKED:
                continue
            commands.append(Drop(link))
            if late(link):
                self._board.failed(self._keys[link], now)
                self._passed.append(Passed(self._keys[link], Reason.LATE))
                self._state[link] = _State.LEFT_ALONE
                self._admitted.discard(link)
            else:
                self._leave(link, gave_up=True)
                self._state[link] = _State.UNASKED
        return commands

    def _leave(self, link: int, *, gave_up: bool) -> None:
        self._state[link] = _State.OUT
        if gave_up and link in self._admitted:
            self._board.gave_up(self._keys[link])
        self._admitted.discard(link)


def _last_index(order: Sequence[int], link: int) -> int:
    return len(order) - 1 - order[::-1].index(link)
