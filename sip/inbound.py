"""A call that somebody places to us, from its INVITE on."""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from typing import Final

from media.leg import Cause, LegInfo, Party
from media.plane import RtpPlane
from sip.causes import status_of
from sip.dialog import Dialog
from sip.endpoint import new_tag
from sip.leg import SipLeg, Ties
from sip.server_transactions import ServerTransaction
from sip.session import ALLOW, Session

RING_S: Final = 180.0
"""How long a call may ring here before it is refused with 480."""


class _Stage(Enum):
    OFFERED = auto()
    ANSWERED = auto()
    OVER = auto()


class InboundLeg(SipLeg):
    """A leg that is not answered yet when it is made."""

    def __init__(self, info: LegInfo, ties: Ties, server: ServerTransaction, plane: RtpPlane) -> None:
        """Raises `DialogError`, `ParseError`, `NoPorts`, `SdpError` or `IncompatibleMedia`, holding nothing.

        Without a body in the INVITE the offer is ours, in the 200 (late offer).
        """
        super().__init__(info, ties)
        request = server.request
        self.server: Final = server
        self._tag: Final = new_tag()
        self.dialog: Final = Dialog.from_request(request, self._tag)
        self._stage = _Stage.OFFERED
        self._acknowledged: asyncio.Event | None = None
        address = self._endpoint.shown(server.hop).host
        media = self._open(plane, address)
        try:
            self._sdp = media.answer(request.body) if request.body else None
        except Exception:
            media.close()
            raise
        self._media = media
        self._deadline: Final = self._endpoint.later(RING_S, lambda now: self.end(Cause.NO_ANSWER))

    async def ring(self) -> None:
        if self._stage is _Stage.OFFERED:
            self._endpoint.respond(self.server, 180, tag=self._tag, extra=self._extra())

    async def answer(self) -> None:
        media = self._live
        if self._stage is not _Stage.OFFERED or media is None:
            return
        self._stage = _Stage.ANSWERED
        self._endpoint.timers.cancel(self._deadline)
        late = self._sdp is None
        sdp = media.offer() if self._sdp is None else self._sdp
        self._session = Session(
            self._endpoint,
            self._ties.sessions,
            self.dialog,
            self.server.hop,
            self,
            self._ties.authenticator,
            self.server.request.uri.user or "",
            self.server,
            late_offer=late,
        )
        extra = (*self._extra(), ("Allow", ALLOW))
        self._endpoint.respond(self.server, 200, tag=self._tag, extra=extra, sdp=sdp)
        if not late:
            self._begin()
            return
        self._acknowledged = self._waiter()
        await self._acknowledged.wait()

    async def reject(self, cause: Cause, retry_after_s: int | None = None) -> None:
        self._refuse(cause, retry_after_s)

    def end(self, cause: Cause) -> None:
        if self._stage is _Stage.OFFERED:
            self._refuse(Cause.REJECTED if cause is Cause.NORMAL else cause)
        else:
            super().end(cause)

    def cancelled(self) -> None:
        """The caller's CANCEL; it comes too late once we have answered."""
        if self._stage is _Stage.OFFERED:
            self._stage = _Stage.OVER
            self._endpoint.respond(self.server, 487, tag=self._tag)
            self._finish(Cause.CANCELLED, "caller", 487)

    def requested(self, server: ServerTransaction) -> None:
        """A request in the early dialog."""
        match server.request.method:
            case "BYE":
                self._endpoint.respond(server, 200)
                self.cancelled()
            case "INVITE":  # RFC 3261 14.2
                self._endpoint.respond(server, 500, extra=(("Retry-After", "3"),))
            case "OPTIONS" | "INFO":
                self._endpoint.respond(server, 200, extra=(("Allow", ALLOW),))
            case _:
                self._endpoint.respond(server, 405, extra=(("Allow", ALLOW),))

    def session_answered(self, sdp: bytes) -> None:
        waiting = self._acknowledged
        if waiting is None or waiting.is_set():
            super().session_answered(sdp)
            return
        self._agreeing.answered(sdp)
        self._begin()
        waiting.set()

    def _refuse(self, cause: Cause, retry_after_s: int | None = None) -> None:
        if self._stage is not _Stage.OFFERED:
            return
        self._stage = _Stage.OVER
        status = status_of(cause)
        extra = () if retry_after_s is None else (("Retry-After", str(retry_after_s)),)
        self._endpoint.respond(self.server, status, tag=self._tag, extra=extra)
        self._finish(cause, "us", status)

    def _finish(self, cause: Cause, by: Party, code: int | None = None) -> None:
        self._stage = _Stage.OVER
        self._endpoint.timers.cancel(self._deadline)
        super()._finish(cause, by, code)

    def _extra(self) -> tuple[tuple[str, str], ...]:
        user = self.server.request.uri.user or ""
        return (("Contact", self._endpoint.contact(self.server.hop, user)),)
