"""Another party comes to the far end of a leg: by a REFER that we follow, or by an INVITE with Replaces.

To the party belong its dialog (`Session`) and what was agreed in it (`CallMedia`); to the leg belong its
events and the RTP stream, with all that plays, listens and records on it. The newcomer is a leg like any
other (so it is counted, authenticated and routed as one), except that its media is the successor of the
standing leg's: the same stream and port, negotiated anew in the codec that is in use. Once it is answered,
the standing leg takes its session and media over, and the newcomer is no more; the old party is told how
its referral went, and gets BYE. One stream for both was chosen over a second port because then nothing has
to be carried from one to the other: a clip goes on with its next packet, a recording with its next sample,
and the far end sees one SSRC. Until the newcomer is answered the source lock keeps its packets out.

A try that fails leaves the old call as it was. If the old party has hung up meanwhile (many phones do after
202), the leg waits in silence for the newcomer, and ends with it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Final, Protocol

from media.leg import Cause, HungUp, LegEvent, LegInfo, Ringing
from sip.call_media import CallMedia
from sip.causes import status_of
from sip.session import Session
from sip.stack import BadNumber, OutboundCall, TrunkBusy

log = logging.getLogger(__name__)

Tell = Callable[[int], None]
"""Takes how far the newcomer's call is, as the status of a response."""


class Newcomer(Protocol):
    """The leg of the party that comes."""

    @property
    def info(self) -> LegInfo: ...

    def end(self, cause: Cause) -> None: ...

    def give(self) -> tuple[Session, CallMedia]:
        """Its far end, with which it is agreed; the leg is over."""


class Standing(Protocol):
    """The leg that goes on."""

    def media_for(self, address: str) -> CallMedia:
        """The successor of its media, `address` in the SDP; raises `IncompatibleMedia` when it is over."""

    def succeeded(self, newcomer: Newcomer) -> None:
        """The newcomer has agreed: its far end is ours."""

    def stays(self) -> None:
        """Nobody comes."""


Place = Callable[[OutboundCall, "Succession"], Awaitable[Newcomer]]
"""Places a call whose leg is a newcomer; raises as `SipStack.call` does."""


class Succession:
    """One try to bring another party to the leg that stands."""

    def __init__(self, standing: Standing, tell: Tell = lambda status: None) -> None:
        self._standing: Final = standing
        self._tell: Final = tell
        self._newcomer: Newcomer | None = None
        self._task: asyncio.Task[None] | None = None
        self._over = False

    # How it begins

    def call(self, place: Place, call: OutboundCall) -> None:
        """Calls the newcomer."""
        self._start(self._called(place, call))

    def answer(self, newcomer: Newcomer, answering: Coroutine[None, None, None]) -> None:
        """Answers the newcomer, who called."""
        self._newcomer = newcomer
        self._start(self._answered(newcomer, answering))

    def end(self) -> None:
        """The standing leg is over, or somebody else comes: this one is sent away."""
        if self._over:
            return
        self._over = True
        if self._task is not None:
            self._task.cancel()
        if self._newcomer is not None:
            self._newcomer.end(Cause.NORMAL)
        self._tell(status_of(Cause.CANCELLED))

    # What the newcomer's leg needs

    def media(self, address: str) -> CallMedia:
        """Raises `IncompatibleMedia`."""
        return self._standing.media_for(address)

    def told(self, event: LegEvent) -> None:
        """An event of the newcomer's leg, before it is agreed with."""
        if isinstance(event, Ringing):
            self._tell(180)
        elif isinstance(event, HungUp):
            self._fail(event.code or status_of(event.cause))

    def arrived(self, newcomer: Newcomer) -> None:
        """The newcomer's media is agreed on."""
        if self._over:
            newcomer.end(Cause.NORMAL)
            return
        self._over = True
        self._tell(200)
        self._standing.succeeded(newcomer)

    # Within

    def _start(self, coroutine: Coroutine[None, None, None]) -> None:
        self._task = asyncio.get_running_loop().create_task(coroutine)

    async def _called(self, place: Place, call: OutboundCall) -> None:
        try:
            newcomer = await place(call, self)
        except TrunkBusy:
            self._fail(503)
        except BadNumber:
            self._fail(403)
        except Exception:
            log.exception("the call that a REFER asked for could not be placed")
            self._fail(500)
        else:
            self._newcomer = newcomer
            if self._over:
                newcomer.end(Cause.NORMAL)

    async def _answered(self, newcomer: Newcomer, answering: Coroutine[None, None, None]) -> None:
        try:
            await answering
        except Exception:
            log.exception("who was to take over a call could not be answered")
            newcomer.end(Cause.FAILED)

    def _fail(self, status: int) -> None:
        if not self._over:
            self._over = True
            self._tell(status)
            self._standing.stays()
