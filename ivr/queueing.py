"""Queues: callers who wait for somebody, first come, first served, and the agents who are called for them.

Pure: what happens comes in with its time, what is to be done comes out of `take`:

    queues = Queues()
    queues.join("call-1", queue, wait_s=60.0, now=0.0)
    queues.take()                              # [Ring("call-1", agent)]
    queues.answered("call-1", "+91...")
    queues.connected("call-1", "+91...")
    queues.released("+91...", now=200.0)       # and tick(now) at queues.due

Times are seconds of any monotonic clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from math import inf
from typing import Final, Literal

REST_S: Final = 10.0
"""Who was busy, did not answer or would not take a call is left alone for so long."""

Refusal = Literal["busy", "no_answer", "failed"]


class Strategy(Enum):
    """Whom a caller gets: the first agent of the list who is free, all who are free at once, or the one who
    has been free for longest."""

    IN_TURN = "in_turn"
    ALL_AT_ONCE = "all_at_once"
    LONGEST_IDLE = "longest_idle"


@dataclass(frozen=True, slots=True)
class Agent:
    """Somebody who may be called: a number or SIP address, over `trunk` (None: that of the caller).

    `ring_s` is how long it rings there at a time; `calls` how many he may have at once, of all queues
    together (None: any number, and he is never left alone).
    """

    to: str
    trunk: str | None = None
    ring_s: float = 20.0
    calls: int | None = 1


@dataclass(frozen=True, slots=True)
class Queue:
    """Where callers wait. One that is not `patient` is a mere name for its agents: each is tried once, and
    who finds them busy does not wait. `most` is how many callers may be there at once."""

    name: str
    agents: tuple[Agent, ...]
    strategy: Strategy = Strategy.IN_TURN
    patient: bool = True
    most: int = 100


def direct(to: str) -> Queue:
    """A number or address in place of a queue."""
    return Queue(to, (Agent(to, ring_s=inf, calls=None),), patient=False)


@dataclass(frozen=True, slots=True)
class Ring:
    """Call the agent for this caller."""

    caller: str
    agent: Agent


@dataclass(frozen=True, slots=True)
class StopRinging:
    """Hang up on the agent: the caller has somebody else (`elsewhere`), is gone, or has waited enough."""

    caller: str
    agent: Agent
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Moved:
    """The caller, for whom nobody rings, is in this place of his queue now; 1 is the first."""

    caller: str
    place: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Nobody was found for the caller; he is not in the queue any more."""

    caller: str
    outcome: Refusal


Command = Ring | StopRinging | Moved | GiveUp


class _Try(Enum):
    RINGS = auto()
    TALKS = auto()
    """He has answered, and hears what the call is about."""


@dataclass(slots=True)
class _Caller:
    id: str
    queue: Queue
    deadline: float
    outcome: Refusal = "busy"
    place: int = 0
    late: bool = False
    """His time is over; an agent who has answered may still take him."""
    tries: dict[str, _Try] = field(default_factory=dict)
    """Agents under way, by address."""
    tried: set[str] = field(default_factory=set)
    """Those of this round that did not take him."""

    @property
    def ringing(self) -> list[str]:
        return [to for to, how in self.tries.items() if how is _Try.RINGS]


@dataclass(slots=True)
class _Desk:
    """What is known of an agent, whatever queues he is in."""

    taken: int = 0
    free_since: float = -inf
    rests_until: float = -inf


class Queues:
    """All queues of a node."""

    def __init__(self) -> None:
        self._callers: dict[str, _Caller] = {}
        """Those without an agent, in the order in which they came."""
        self._desks: dict[str, _Desk] = {}
        self._commands: list[Command] = []

    # What can be seen

    @property
    def due(self) -> float | None:
        """When it wants a `tick`, or None."""
        waiting = [caller for caller in self._callers.values() if not caller.late]
        times = [caller.deadline for caller in waiting]
        if waiting:
            times += [desk.rests_until for desk in self._desks.values() if desk.rests_until > -inf]
        return min(times, default=None)

    def waiting(self, queue: str) -> int:
        """Callers in a queue who have no agent yet."""
        return sum(caller.queue.name == queue for caller in self._callers.values())

    def take(self) -> list[Command]:
        """What is to be done, in order; told once."""
        commands, self._commands = self._commands, []
        return commands

    # What happens

    def join(self, caller: str, queue: Queue, wait_s: float, now: float) -> None:
        """Somebody comes, and waits for so long; no agent begins to ring for him later than that."""
        if queue.patient and self.waiting(queue.name) >= queue.most:
            self._commands.append(GiveUp(caller, "busy"))
            return
        self._callers[caller] = _Caller(caller, queue, now + wait_s)
        self._go_on()

    def leave(self, caller: str) -> None:
        """The caller is gone, or wants nobody any more."""
        found = self._callers.pop(caller, None)
        if found is not None:
            self._stop(found, list(found.tries))
            self._go_on()

    def answered(self, caller: str, agent: str, *, settles: bool = True) -> None:
        """The agent has answered. Where that `settles` it, the others need not ring any more; else he must
        say that he takes the call."""
        found = self._callers.get(caller)
        if found is not None and agent in found.tries:
            found.tries[agent] = _Try.TALKS
            if settles:
                self._stop(found, found.ringing, elsewhere=True)
                self._go_on()

    def connected(self, caller: str, agent: str) -> None:
        """The agent has taken the call; he is not free until `released`."""
        found = self._callers.get(caller)
        if found is not None and agent in found.tries:
            del self._callers[caller], found.tries[agent]
            self._stop(found, list(found.tries), elsewhere=True)
            self._go_on()

    def refused(self, caller: str, agent: str, outcome: Refusal, now: float) -> None:
        """It did not come to a talk: the agent was busy, did not answer or would not, or could not be
        called."""
        found = self._callers.get(caller)
        if found is None or agent not in found.tries:
            return
        del found.tries[agent]
        found.tried.add(agent)
        if found.outcome != "no_answer":
            found.outcome = outcome
        if (desk := self._desks.get(agent)) is not None:
            desk.taken -= 1
            desk.rests_until = now + REST_S
        self._go_on()

    def released(self, agent: str, now: float) -> None:
        """A talk is over."""
        if (desk := self._desks.get(agent)) is not None:
            desk.taken -= 1
            desk.free_since = now
            self._go_on()

    def tick(self, now: float) -> None:
        """Time has passed: at the latest at `due`."""
        for caller in self._callers.values():
            if now >= caller.deadline and not caller.late:
                caller.late = True
                if ringing := caller.ringing:
                    caller.outcome = "no_answer"
                    self._stop(caller, ringing)
        for desk in self._desks.values():
            if now >= desk.rests_until:
                desk.rests_until = -inf
        self._go_on()

    # Within

    def _go_on(self) -> None:
        """Gives agents to callers, in order, and tells those for whom there is nobody left."""
        for caller in list(self._callers.values()):
            if not caller.late:
                self._ring(caller)
            if not caller.tries and (caller.late or not caller.queue.patient):
                del self._callers[caller.id]
                self._commands.append(GiveUp(caller.id, caller.outcome))
        self._tell_places()

    def _ring(self, caller: _Caller) -> None:
        if _Try.TALKS in caller.tries.values():
            return
        at_once = caller.queue.strategy is Strategy.ALL_AT_ONCE
        if caller.tries and not at_once:
            return
        free = [
            agent for agent in caller.queue.agents if self._is_free(agent) and agent.to not in caller.tries
        ]
        chosen = [agent for agent in free if agent.to not in caller.tried]
        if not chosen and not caller.tries and caller.queue.patient:
            caller.tried.clear()
            chosen = free
        if caller.queue.strategy is Strategy.LONGEST_IDLE:
            chosen.sort(key=lambda agent: self._desk(agent).free_since)
        for agent in chosen if at_once else chosen[:1]:
            if agent.calls is not None:
                self._desk(agent).taken += 1
            caller.tries[agent.to] = _Try.RINGS
            self._commands.append(Ring(caller.id, agent))

    def _stop(self, caller: _Caller, agents: list[str], *, elsewhere: bool = False) -> None:
        """Nobody of these is wanted for the caller any more."""
        for to in agents:
            del caller.tries[to]
            if (desk := self._desks.get(to)) is not None:
                desk.taken -= 1
            agent = next(agent for agent in caller.queue.agents if agent.to == to)
            self._commands.append(StopRinging(caller.id, agent, elsewhere))

    def _tell_places(self) -> None:
        places: dict[str, int] = {}
        for caller in self._callers.values():
            name = caller.queue.name
            place = places[name] = places.get(name, 0) + 1
            if caller.queue.patient and not caller.tries and not caller.late and place != caller.place:
                caller.place = place
                self._commands.append(Moved(caller.id, place))

    def _desk(self, agent: Agent) -> _Desk:
        return self._desks.setdefault(agent.to, _Desk())

    def _is_free(self, agent: Agent) -> bool:
        if agent.calls is None:
            return True
        desk = self._desk(agent)
        return desk.rests_until == -inf and desk.taken < agent.calls
