"""Operators on live calls: who listens in, whispers to the agent, or has taken the caller over.

An operator's leg comes as any other (a browser, an app), with a token that says which call it is for. It is
never part of the flow: the call knows of it only while it has the caller (`ivr.taking_over`). Every change
stands in the call's record as `supervised`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from ivr.taking_over import Hands
from ivr.web.book import Mode, Supervision
from media.leg import CallLeg, Cause, HungUp

log = logging.getLogger(__name__)

MOST: Final = 8
"""Operators on one call."""

CONNECTED_S: Final = 20.0
"""How long an operator's leg may take to have media."""

Why = Literal["not_live", "not_answered", "no_agent", "taken", "too_many", "not_supervised", "flow_over"]


class SupervisionRefused(Exception):
    """It cannot be done now; `why` is for programs."""

    def __init__(self, why: Why, reason: str) -> None:
        super().__init__(reason)
        self.why: Final = why


class SupervisedCall(Protocol):
    """A live call, as supervision sees it."""

    @property
    def leg(self) -> CallLeg: ...

    @property
    def hands(self) -> Hands: ...

    @property
    def over(self) -> asyncio.Event: ...

    @property
    def answered(self) -> bool: ...

    async def hang_up(self) -> None: ...

    def note(self, kind: str, data: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True, slots=True)
class Supervising:
    """One operator on a call. `since` is Unix seconds: when he came, or changed to this mode. `connecting`:
    he has no media yet."""

    session_id: str
    operator: str
    mode: Mode
    since: float
    connecting: bool


class _Operator:
    def __init__(self, leg: CallLeg, wish: Supervision, call: SupervisedCall) -> None:
        self.leg: Final = leg
        self.name: Final = wish.operator
        self.mode: Mode = wish.mode
        self.since = time.time()
        self.connecting = True
        self.gives_back = False
        """Where he has the caller when he leaves, the flow gets him back."""
        self._call = call
        self._gone = asyncio.Event()

    @property
    def shown(self) -> Supervising:
        return Supervising(self.leg.info.id, self.name, self.mode, self.since, self.connecting)

    async def run(self) -> None:
        """Until he or the call is gone."""
        events = asyncio.create_task(self._watch())
        try:
            await self._connected()
            await self._enter(self.mode)
            over = asyncio.create_task(self._call.over.wait())
            gone = asyncio.create_task(self._gone.wait())
            try:
                await asyncio.wait([over, gone], return_when=asyncio.FIRST_COMPLETED)
            finally:
                over.cancel()
                gone.cancel()
        except (SupervisionRefused, TimeoutError) as error:
            log.warning("%s cannot join a call: %s", self.name, error or "no media in time")
        finally:
            await self._leave()
            events.cancel()

    async def change(self, mode: Mode) -> None:
        """Raises `SupervisionRefused`; all is then as it was."""
        if self.connecting:
            self.mode = mode
        elif mode != self.mode:
            check(self._call, mode, self.leg)
            if self.mode == "take_over":
                self._call.hands.give_back(self.leg)
            await self._enter(mode)

    async def _connected(self) -> None:
        async with asyncio.timeout(CONNECTED_S):
            await self.leg.answer()
        self.connecting = False

    async def _enter(self, mode: Mode) -> None:
        check(self._call, mode, self.leg)
        hands, leg = self._call.hands, self.leg
        if mode == "take_over":
            done = hands.taker is leg or await hands.take(leg)
        else:
            leg.part()
            agent = hands.agent if mode == "whisper" else None
            done = leg.overhear(self._call.leg) and leg.whisper(agent)
        if not done:
            raise SupervisionRefused("not_live", "the two cannot be connected")
        self.mode, self.since = mode, time.time()
        self._note(mode)

    async def _leave(self) -> None:
        leg, hands = self.leg, self._call.hands
        leg.whisper(None)
        leg.overhear(None)
        if not self.connecting:
            self._note("over")
        if hands.taker is leg and not self._call.over.is_set():
            if self.gives_back and hands.can_give_back:
                hands.give_back(leg)
            else:
                await self._call.hang_up()
        await leg.hang_up(Cause.NORMAL)

    async def _watch(self) -> None:
        while not isinstance(event := await self.leg.next_event(), HungUp):
            pass
        # Whose connection is lost did not mean to end the call.
        self.gives_back = self.gives_back or event.cause is Cause.MEDIA_TIMEOUT
        self._gone.set()

    def _note(self, mode: str) -> None:
        self._call.note("supervised", {"mode": mode, "operator": self.name, "session": self.leg.info.id})


class Supervisors:
    """All operators on calls of the node."""

    def __init__(self, call_of: Callable[[str], SupervisedCall | None]) -> None:
        self._call_of = call_of
        self._operators: dict[str, dict[str, _Operator]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def count(self) -> int:
        """Operators' legs, those that connect included."""
        return len(self._tasks)

    def of(self, call_id: str) -> list[Supervising]:
        """Who is on the call, in the order they came."""
        return [operator.shown for operator in self._operators.get(call_id, {}).values()]

    def check(self, call_id: str, mode: Mode) -> None:
        """Whether an operator could come now; raises `SupervisionRefused`."""
        if len(self._operators.get(call_id, {})) >= MOST:
            raise SupervisionRefused("too_many", f"{MOST} operators are on the call already")
        check(self._find(call_id), mode)

    async def begin(self, leg: CallLeg, wish: Supervision) -> str:
        """The operator's leg joins the call, as soon as it has media; gives the call's id. Raises
        `SupervisionRefused`: the leg is then the caller's still."""
        self.check(wish.call_id, wish.mode)
        operator = _Operator(leg, wish, self._find(wish.call_id))
        self._operators.setdefault(wish.call_id, {})[leg.info.id] = operator
        task = asyncio.create_task(self._run(wish.call_id, operator))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return wish.call_id

    async def change(self, call_id: str, session_id: str, mode: Mode) -> Supervising:
        """Raises `SupervisionRefused`; all is then as it was."""
        operator = self._operator(call_id, session_id)
        await operator.change(mode)
        return operator.shown

    async def end(self, call_id: str, session_id: str, *, gives_back: bool) -> None:
        """Hangs up on the operator. Who had taken the caller over ends the call with it, or `gives_back` the
        caller to the flow. Raises `SupervisionRefused`."""
        operator = self._operator(call_id, session_id)
        if gives_back and operator.mode == "take_over" and not self._find(call_id).hands.can_give_back:
            raise SupervisionRefused(
                "flow_over", "the flow is over: nothing is there to have the caller back"
            )
        operator.gives_back = gives_back
        await operator.leg.hang_up()

    async def close(self) -> None:
        """Ends what is still there."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, call_id: str, operator: _Operator) -> None:
        try:
            await operator.run()
        finally:
            operators = self._operators[call_id]
            del operators[operator.leg.info.id]
            if not operators:
                del self._operators[call_id]

    def _find(self, call_id: str) -> SupervisedCall:
        call = self._call_of(call_id)
        if call is None or call.over.is_set():
            raise SupervisionRefused("not_live", "the call is not live on this server")
        return call

    def _operator(self, call_id: str, session_id: str) -> _Operator:
        operator = self._operators.get(call_id, {}).get(session_id)
        if operator is None:
            raise SupervisionRefused("not_supervised", "no operator of this session is on the call")
        return operator


def check(call: SupervisedCall, mode: Mode, leg: CallLeg | None = None) -> None:
    """Whether the mode is possible now, for who is on `leg`; raises `SupervisionRefused`."""
    hands = call.hands
    if call.over.is_set():
        raise SupervisionRefused("not_live", "the call is over")
    if not call.answered:
        raise SupervisionRefused("not_answered", "the call is not answered yet: nothing is to be heard")
    if leg is not None and hands.taker is leg and mode != "take_over" and not hands.can_give_back:
        raise SupervisionRefused("flow_over", "the flow is over: nothing is there to have the caller back")
    if mode == "whisper" and hands.agent is None:
        raise SupervisionRefused("no_agent", "no agent talks to the caller: nobody is there to whisper to")
    if mode == "take_over" and hands.taker is not leg and not hands.can_take:
        if hands.taker is not None:
            raise SupervisionRefused("taken", "somebody else has taken the call over")
        raise SupervisionRefused("not_answered", "the flow has not begun, or is over: nothing is to be taken")
