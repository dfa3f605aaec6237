"""Who answered a live leg: its frames go to a `Screener`, before the flow begins, and the verdict into the
record of the call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from ivr.screening import OnMachine, Screener, Screening
from media.amd import Answer, GreetingEnd, Who
from media.leg import CallLeg, Cause, Digit, HungUp

Note = Callable[[str, Mapping[str, Any]], None]


class Answering:
    """Finds out who is on one leg. `inbox` gets what the screener finds, among all else that happens."""

    def __init__(self, leg: CallLeg, inbox: asyncio.Queue[Any], note: Note) -> None:
        self._leg = leg
        self._inbox = inbox
        self._note = note
        self.answer: Answer | None = None
        """Who answered, once it is known."""

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
        self._put_back(early)
        answer = self.answer
        if screening.action is OnMachine.HANG_UP and answer is not None and answer.who is Who.MACHINE:
            await self._leg.hang_up(Cause.ANSWERING_MACHINE)
            return False
        return True

    def _hearing(self, screener: Screener) -> Callable[[bytes], None]:
        def hear(frame: bytes) -> None:
            if (found := screener.take(frame)) is not None:
                self._inbox.put_nowait(found)

        return hear

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

    def _found(self, answer: Answer) -> None:
        self.answer = answer
        self._note(
            "answered_by",
            {"who": answer.who.value, "reason": answer.reason.value, "after_ms": answer.after_ms},
        )

    def _put_back(self, items: list[Any]) -> None:
        """What happened before the flow began is the first that it sees."""
        while not self._inbox.empty():
            items.append(self._inbox.get_nowait())
        for item in items:
            self._inbox.put_nowait(item)
