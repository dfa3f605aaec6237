"""The switchboard of a node: finds somebody for a caller who is to be handed over, by calling agents.

Who is called for whom `ivr.queueing` decides; here are the calls themselves. Each is a task, which ends with
its leg: taken over by who searched, or hung up.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, Final, Literal

from ivr.alarm import Alarm
from ivr.masking import mask_number
from ivr.queueing import Agent, GiveUp, Moved, Queue, Queues, Refusal, Ring, StopRinging, direct
from media.leg import Answered, CallLeg, Cause, HungUp
from sip.stack import BadNumber, OutboundCall, TrunkBusy, UnknownTrunk

log = logging.getLogger(__name__)

Place = Callable[[OutboundCall], Awaitable[CallLeg]]
"""Places a call; raises as `SipStack.call` does."""

Note = Callable[[str, Mapping[str, Any]], None]
"""Takes an event for the record of the caller's call."""

Interview = Callable[[CallLeg], Awaitable[bool]]
"""Talks to an agent who has answered; whether he takes the call."""

Outcome = Refusal | Literal["found", "gone"]
"""How a search ended; `gone` is a caller who hung up."""

_REFUSALS: Final[Mapping[Cause, Refusal]] = {
    Cause.BUSY: "busy",
    Cause.NO_CAPACITY: "busy",
    Cause.NO_ANSWER: "no_answer",
    Cause.CANCELLED: "no_answer",
}


class NoAgent(Exception):
    """Nobody was found: `outcome` says why."""

    def __init__(self, outcome: Refusal) -> None:
        super().__init__(outcome)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class Search:
    """Who is wanted: `to` is a queue, a number or an address; the agents are called over `trunk`, that of the
    caller, where they have none of their own. With `confirms` an agent must say that he takes the call."""

    to: str
    trunk: str
    wait_s: float
    confirms: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """An agent who takes the call: his leg is the finder's to hang up, and `release` to be called when that
    is done. `longest_s` is how long his trunk lets a call last."""

    leg: CallLeg
    to: str
    longest_s: float
    release: Callable[[], None]

    async def drop(self) -> None:
        """Nobody talks to him after all."""
        self.release()
        await self.leg.hang_up()


class _Seat:
    """A caller while somebody is searched for him."""

    def __init__(
        self, search: Search, interview: Interview, on_place: Callable[[int], None], note: Note
    ) -> None:
        self.search = search
        self.interview = interview
        self.on_place = on_place
        self.note = note
        self.found: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        self.rings: dict[str, asyncio.Task[None]] = {}
        self.left_for = Cause.NORMAL
        """What agents who are not wanted any more are told."""

    def stop(self, agent: Agent, cause: Cause) -> None:
        """The agent is not wanted any more."""
        self.left_for = cause
        if (ringing := self.rings.pop(agent.to, None)) is not None:
            ringing.cancel()

    def give_up(self, outcome: Refusal) -> None:
        if not self.found.done():
            self.found.set_exception(NoAgent(outcome))

    def close(self) -> None:
        """Hangs up on every agent who is not taken."""
        for ringing in self.rings.values():
            ringing.cancel()


class Switchboard:
    """All searches of a node. To be made on the event loop."""

    def __init__(
        self,
        queues: Mapping[str, Queue],
        place: Place,
        longest_s: Callable[[str], float] = lambda trunk: inf,
        observe: Callable[[Outcome, float], None] = lambda outcome, seconds: None,
        trunks: Sequence[str] = (),
    ) -> None:
        """`queues` are those of the configuration by name; `longest_s` is how long a call over a trunk may
        last. `observe` is told how each search ended, and after how many seconds. For a caller who came by
        none of the `trunks` (a browser, a socket) agents are called over the first."""
        self._known = queues
        self._place = place
        self._longest_s = longest_s
        self._observe = observe
        self._trunks = trunks
        self._queues: Final = Queues()
        self._seats: dict[str, _Seat] = {}
        self._count = 0
        self._legs = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._alarm = Alarm(self._loop, self._tick)

    @property
    def legs(self) -> int:
        """Agents who are being called, or talk."""
        return self._legs

    def waiting(self, queue: str) -> int:
        """Callers in a queue of the configuration who have no agent yet."""
        return self._queues.waiting(queue)

    def queue(self, name: str) -> Queue:
        """The queue of that name; what is no name of one is a number or an address itself."""
        return self._known.get(name) or direct(name)

    async def find(
        self, search: Search, interview: Interview, on_place: Callable[[int], None], note: Note
    ) -> Found:
        """Waits for an agent who takes the call; raises `NoAgent`. Cancelling hangs up on all who are called.

        `on_place` is told the caller's place while he waits in a queue.
        """
        self._count += 1
        caller = str(self._count)
        seat = self._seats[caller] = _Seat(search, interview, on_place, note)
        began = self._loop.time()
        outcome: Outcome = "gone"
        self._queues.join(caller, self.queue(search.to), search.wait_s, began)
        try:
            self._go_on()
            found = await seat.found
            outcome = "found"
            return found
        except NoAgent as error:
            outcome = error.outcome
            raise
        except asyncio.CancelledError:
            if seat.found.done() and not seat.found.cancelled() and seat.found.exception() is None:
                await seat.found.result().drop()
            raise
        finally:
            self._observe(outcome, self._loop.time() - began)
            self._queues.leave(caller)
            self._go_on()
            del self._seats[caller]
            seat.close()  # nothing is awaited here: who is found must not be lost

    # Within

    def _tick(self) -> None:
        self._queues.tick(self._loop.time())
        self._go_on()

    def _go_on(self) -> None:
        """Does what the queues want."""
        for command in self._queues.take():
            seat = self._seats[command.caller]
            match command:
                case Ring(caller, agent):
                    task = asyncio.create_task(self._ring(caller, seat, agent))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
                    seat.rings[agent.to] = task
                case StopRinging(_, agent, elsewhere):
                    seat.stop(agent, Cause.ELSEWHERE if elsewhere else Cause.NORMAL)
                case Moved(_, place):
                    seat.on_place(place)
                case GiveUp(_, outcome):
                    seat.give_up(outcome)
        due = self._queues.due
        if due is None:
            self._alarm.cancel()
        else:
            self._alarm.set(due)

    async def _ring(self, caller: str, seat: _Seat, agent: Agent) -> None:
        """One call to one agent."""
        outcome: Refusal | None = "failed"
        self._legs += 1
        try:
            outcome = await self._called(caller, seat, agent)
        except Exception:
            log.exception("an agent could not be called")
        finally:
            if outcome is not None:
                self._legs -= 1
                self._queues.refused(caller, agent.to, outcome, self._loop.time())
                if seat.rings.get(agent.to) is asyncio.current_task():
                    del seat.rings[agent.to]
        if outcome is not None:
            seat.note("agent_refused", {"to": agent.to, "outcome": outcome})
            self._go_on()

    async def _called(self, caller: str, seat: _Seat, agent: Agent) -> Refusal | None:
        """Why the agent does not take the call; None when he does, and his leg is the seat's."""
        search = seat.search
        came_by = search.trunk if search.trunk in self._trunks else next(iter(self._trunks), search.trunk)
        trunk = agent.trunk or came_by
        seat.note("agent_called", {"to": agent.to, "trunk": trunk})
        try:
            leg = await self._place(
                OutboundCall(
                    agent.to,
                    trunk,
                    headers=search.headers,
                    ring_s=min(agent.ring_s, search.wait_s),
                    within=True,
                )
            )
        except TrunkBusy:
            return "busy"
        except (BadNumber, UnknownTrunk) as error:
            log.warning("the agent %s cannot be called over %s: %s", mask_number(agent.to), trunk, error)
            return "failed"
        taken = False
        try:
            ended = await _answered(leg)
            if ended is not None:
                return _REFUSALS.get(ended.cause, "failed")
            seat.note("agent_answered", {"to": agent.to})
            self._queues.answered(caller, agent.to, settles=not search.confirms)
            self._go_on()
            if not await seat.interview(leg) or seat.found.done():
                return "no_answer"
            taken = True
            self._queues.connected(caller, agent.to)
            seat.rings.pop(agent.to, None)
            seat.found.set_result(Found(leg, agent.to, self._longest_s(trunk), self._release(agent)))
            self._go_on()
            return None
        finally:
            if not taken:
                await leg.hang_up(seat.left_for)

    def _release(self, agent: Agent) -> Callable[[], None]:
        released = False

        def release() -> None:
            nonlocal released
            if not released:
                released = True
                self._legs -= 1
                self._queues.released(agent.to, self._loop.time())
                self._go_on()

        return release


async def _answered(leg: CallLeg) -> HungUp | None:
    """Waits for the answer: None when it has come, else how the call ended."""
    while True:
        event = await leg.next_event()
        if isinstance(event, Answered):
            return None
        if isinstance(event, HungUp):
            return event
