"""Who answered a live leg: its frames go to a `Screener`, before the flow begins or in a step that asks, and
the verdict goes into the record of the call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Final, Literal

from ivr.flow.protocol import AnsweredBy, AskWhoAnswered, GreetingOver
from ivr.screening import OnMachine, Screener, Screening
from media.amd import Answer, GreetingEnd, Timings, Who
from media.leg import CallLeg, Cause, Digit, HungUp

Note = Callable[[str, Mapping[str, Any]], None]
_TOLD: Final[Mapping[Who, Literal["human", "machine", "unknown"]]] = {
    Who.HUMAN: "human",
    Who.MACHINE: "machine",
    Who.NOT_SURE: "unknown",
}


class Answering:
    """Finds out who is on one leg. `inbox` gets what the screener finds, among all else that happens."""

    def __init__(self, leg: CallLeg, inbox: asyncio.Queue[Any], note: Note) -> None:
        self._leg = leg
        self._inbox = inbox
        self._note = note
        self._screener: Screener | None = None
        """While frames are listened to for a step."""
        self._timer: asyncio.TimerHandle | None = None
        self._greeting_over = False
        self.answer: Answer | None = None
        """Who answered, once it is known."""

    # --- before the flow

    async def screen(self, screening: Screening, longest_s: float) -> bool:
        """Finds out who answered before anything is said, within `longest_s`; False when it was a machine,
        and is hung up on. What else happens meanwhile is in the inbox afterwards, in its order."""
        screener = Screener(screening, self._leg.sample_rate)
        self._leg.listen(self._hearing(screener))
        early: list[Any] = []
        try:
            async with asyncio.timeout(min(screening.longest_s, longest_s)):
                await self._verdict(screener, early)
        except TimeoutError:
            if self.answer is None:
                self._found(screener.expired())
        finally:
            self._leg.listen(None)
        self._greeting_over = screening.action is OnMachine.WAIT_FOR_BEEP
        self._put_back(early)
        answer = self.answer
        if screening.action is OnMachine.HANG_UP and answer is not None and answer.who is Who.MACHINE:
            await self._leg.hang_up(Cause.ANSWERING_MACHINE)
            return False
        return True

    async def _verdict(self, screener: Screener, early: list[Any]) -> None:
        """Returns when the flow may begin, or need not any more. What belongs to the flow goes into
        `early`."""
        while True:
            item = await self._inbox.get()
            if isinstance(item, Answer):
                self._found(item)
                if not screener.awaits_beep(item):
                    return
            elif isinstance(item, GreetingEnd):
                self._note("greeting_over", {"by": item.value})
                return
            else:
                early.append(item)
                if isinstance(item, Digit):
                    self._found(screener.key())
                if isinstance(item, Digit | HungUp):
                    return

    def _put_back(self, items: list[Any]) -> None:
        """What happened before the flow began is the first that it sees."""
        while not self._inbox.empty():
            items.append(self._inbox.get_nowait())
        for item in items:
            self._inbox.put_nowait(item)

    # --- in a step

    def ask(self, asked: AskWhoAnswered) -> None:
        """A step of the flow asks. What is known is told at once: who calls in is a human."""
        if self._leg.info.direction == "inbound":
            self._inbox.put_nowait(AnsweredBy("human"))
            return
        answer = self.answer
        if answer is not None:
            self._inbox.put_nowait(AnsweredBy(_TOLD[answer.who]))
            if answer.who is not Who.MACHINE or not asked.to_greeting_end:
                return
            if self._greeting_over:
                self._inbox.put_nowait(GreetingOver())
                return
        screening = _screening_of(asked)
        self._screener = Screener(screening, self._leg.sample_rate, answer)
        self._leg.listen(self._hearing(self._screener))
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(screening.longest_s, self._expire, self._screener)

    def told(self, found: Answer | GreetingEnd) -> AnsweredBy | GreetingOver | None:
        """What the flow is told of something the screener found; None when nobody asks any more."""
        screener = self._screener
        if screener is None:
            return None
        if isinstance(found, GreetingEnd):
            self.stop()
            self._greeting_over = True
            self._note("greeting_over", {"by": found.value})
            return GreetingOver()
        self._found(found)
        if not screener.awaits_beep(found):
            self.stop()
        return AnsweredBy(_TOLD[found.who])

    def key(self) -> None:
        """A key was pressed: there is a person."""
        screener = self._screener
        if screener is not None:
            self.stop()
            self._found(screener.key())
            self._inbox.put_nowait(AnsweredBy("human"))

    def stop(self) -> None:
        """Nobody asks any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._screener is not None:
            self._screener = None
            self._leg.listen(None)

    def _expire(self, screener: Screener) -> None:
        """No frames came any more."""
        found = screener.expired()
        self._inbox.put_nowait(GreetingEnd.WAITED if self.answer is not None else found)

    def _hearing(self, screener: Screener) -> Callable[[bytes], None]:
        def hear(frame: bytes) -> None:
            if (found := screener.take(frame)) is not None:
                self._inbox.put_nowait(found)

        return hear

    def _found(self, answer: Answer) -> None:
        self.answer = answer
        self._note(
            "answered_by",
            {"who": answer.who.value, "reason": answer.reason.value, "after_ms": answer.after_ms},
        )


def _screening_of(asked: AskWhoAnswered) -> Screening:
    """The usual timings, and over them those of the step."""
    names = {field.name for field in fields(Timings)}
    timings = Timings(**{name: value for name, value in asked.timings.items() if name in names})
    greeting = {name: value for name, value in asked.timings.items() if name not in names}
    action = OnMachine.WAIT_FOR_BEEP if asked.to_greeting_end else OnMachine.CONTINUE
    return Screening(action, timings, **greeting)
