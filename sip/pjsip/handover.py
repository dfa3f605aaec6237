"""A transfer that a leg asked its far end for, from the REFER until it is known how it went."""

from __future__ import annotations

import asyncio

from media.leg import TransferOutcome
from sip.pjsip.call import ACCEPTED
from sip.transfer import Transfer


class Handover:
    """Told what PJSIP tells of one REFER; `outcome` waits for the end of it."""

    def __init__(self) -> None:
        self._transfer = Transfer()
        self._news = asyncio.Event()

    def refused(self) -> None:
        """PJSIP would not send the REFER."""
        self._transfer.responded(500)
        self._news.set()

    def told(self, status: int, final: bool) -> None:
        """How the far end's call goes; the answer to the REFER itself is told so too."""
        if final:
            self._transfer.notified(b"SIP/2.0 %d" % status, "terminated")
        else:
            self._transfer.responded(max(status, ACCEPTED))
        self._news.set()

    def left(self) -> bool:
        """The far end hung up; whether it went over to where it was sent."""
        self._transfer.left()
        self._news.set()
        return self._transfer.outcome is TransferOutcome.DONE

    def lost(self) -> None:
        """The leg is over."""
        self._transfer.expired()
        self._news.set()

    async def outcome(self, wait_s: float) -> TransferOutcome:
        """How it went; after `wait_s` what is known by then."""
        try:
            async with asyncio.timeout(wait_s):
                while self._transfer.outcome is None:
                    await self._news.wait()
                    self._news.clear()
        except TimeoutError:
            self._transfer.expired()
        return self._transfer.outcome or TransferOutcome.FAILED
