"""Who is behind every queue while scenarios are played: a phone that takes or refuses the calls."""

from __future__ import annotations

from typing import Final

from ivr.flow.model import Step
from ivr.flow.scenario_acts import TransferOutcome
from ivr.flow.verbs.transfer import Mode, Transfer
from ivr.phone.calling import PhoneCall
from ivr.phone.phone import Phone
from media.leg import Cause

SETTLE_S: Final = 10.0
"""How long a call to the desk is waited for."""

_REFUSALS: Final = {"busy": Cause.BUSY, "no_answer": Cause.NO_ANSWER, "failed": Cause.REJECTED}


class Desk:
    """The agent of one scenario. What waits raises `NothingHeard`, `CallOver`."""

    def __init__(self, phone: Phone) -> None:
        self._phone = phone
        self._call: PhoneCall | None = None

    async def settle(self, outcome: TransferOutcome, step: Step) -> None:
        """The transfer of the step goes so."""
        if outcome != "done":
            await self._phone.refuse(_REFUSALS[outcome], SETTLE_S)
            return
        call = await self._phone.answer(SETTLE_S)
        if isinstance(step, Transfer) and step.mode is Mode.ATTENDED:
            self._call = call
            await call.until_answered(SETTLE_S)
            if step.accept is not None:
                await call.press(step.accept)

    async def connected(self) -> None:
        """The agent has the caller: that is all that was to be seen, and he hangs up."""
        call, self._call = self._call, None
        if call is not None:
            await call.hang_up()
