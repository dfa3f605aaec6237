"""A live call in other hands: who has taken it over, from the call's side. The flow is silent meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

from ivr.flow.machine import FlowMachine
from ivr.flow.protocol import GivenBack, TakenOver
from ivr.handover import Handover
from ivr.waiting import Waiting
from media.leg import CallLeg

TAKING_S: Final = 5.0
"""How long a call may take to fall silent: it waits for the store, at most."""


@dataclass(frozen=True, slots=True)
class TakeOver:
    """Somebody wants to speak with the caller; `done` says whether he does."""

    leg: CallLeg
    done: asyncio.Future[bool] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def settle(self, done: bool) -> None:
        if not self.done.done():
            self.done.set_result(done)


@dataclass(frozen=True, slots=True)
class GiveBack:
    """Who had taken the caller over does not want him any more."""

    leg: CallLeg


class Hands:
    """In whose hands the caller of one leg is: the flow's, or those of who took him over."""

    def __init__(
        self,
        leg: CallLeg,
        machine: FlowMachine,
        handover: Handover,
        waiting: Waiting,
        put: Callable[[TakeOver | GiveBack], None],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        """`put` gives the call what it is to do next; `spawn` starts a task that dies with it."""
        self._leg = leg
        self._machine = machine
        self._handover = handover
        self._waiting = waiting
        self._put = put
        self._spawn = spawn
        self._asked: TakeOver | None = None
        self.taker: CallLeg | None = None
        """Who has the caller."""

    @property
    def agent(self) -> CallLeg | None:
        """The agent whom the caller talks to."""
        return self._handover.agent

    @property
    def can_take(self) -> bool:
        """Whether the caller could be taken over now."""
        return self.taker is None and (self.agent is not None or self.can_give_back)

    @property
    def can_give_back(self) -> bool:
        """Whether there is a flow that could have him."""
        return self._machine.started and not self._machine.finished and self.agent is None

    async def take(self, leg: CallLeg) -> bool:
        """Lets who is on the other leg speak with the caller; False when that cannot be, or not in time."""
        wish = TakeOver(leg)
        self._put(wish)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TAKING_S):
                return await wish.done
        return False

    def give_back(self, leg: CallLeg) -> None:
        """The flow has the caller again, if it was this one who had him."""
        self._put(GiveBack(leg))

    # Within the call

    def translate(self, wish: TakeOver | GiveBack) -> TakenOver | GivenBack | None:
        """What the flow is to be told."""
        if isinstance(wish, GiveBack):
            if self.taker is not wish.leg or not self.can_give_back:
                return None
            self.taker = None
            self._leg.part()
            return GivenBack()
        if wish.done.done() or not self.can_take:
            wish.settle(False)
        elif self.agent is not None:
            self._spawn(self._take_from_agent(wish))
        else:
            self._asked = wish
            return TakenOver()
        return None

    def connect(self) -> None:
        """The flow is silent: the two hear each other from here on."""
        wish, self._asked = self._asked, None
        if wish is not None:
            self._join(wish)

    def refuse(self) -> None:
        """The flow does not let go of the caller."""
        wish, self._asked = self._asked, None
        if wish is not None:
            wish.settle(False)

    def _join(self, wish: TakeOver) -> None:
        self._waiting.end()
        self._leg.stop()
        done = not wish.done.done() and self._leg.bridge(wish.leg)
        self.taker = wish.leg if done else None
        wish.settle(done)
        if not done:
            self._put(GiveBack(wish.leg))

    async def _take_from_agent(self, wish: TakeOver) -> None:
        """The agent is hung up on; the flow was over before, but for its silent steps."""
        await self._handover.close()
        self._join(wish)
