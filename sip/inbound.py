"""A call that somebody places to us, from its INVITE on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from media.leg import Cause, LegInfo, Party
from media.plane import RtpPlane
from sip.causes import Reason, cause_of_cancel, reason_in, status_of, warning
from sip.channel import Channel
from sip.dialog import Dialog, OutOfOrder
from sip.endpoint import new_tag
from sip.extensions import ALLOW, demand
from sip.glare import retry_after
from sip.leg import SipLeg, Ties
from sip.message import Request
from sip.multipart import sdp_in
from sip.offer import IncompatibleMedia, NoOffer, OfferPending
from sip.provisional import ProvisionalResponses
from sip.refusal import Refused
from sip.reliable import RAck
from sip.sdp import SdpError
from sip.server_transactions import ServerTransaction
from sip.session import Session
from sip.session_timer import SessionTimer

RING_S: Final = 180.0
"""How long a call may ring here before it is refused with 480."""


_UNACKNOWLEDGED: Final = 504
"""What a caller gets that never acknowledged our provisional response (RFC 3262 3)."""


class _Stage(Enum):
    OFFERED = auto()
    ANSWERING = auto()
    """Answered from above, but the 2xx waits for a PRACK."""
    ANSWERED = auto()
    OVER = auto()


class _Described(Enum):
    """How far our description is told to the caller."""

    NO = auto()
    PROVISIONALLY = auto()
    """In a response that may be lost: the 2xx repeats it."""
    RELIABLY = auto()


class InboundLeg(SipLeg):
    """A leg that is not answered yet when it is made."""

    def __init__(self, info: LegInfo, ties: Ties, server: ServerTransaction, plane: RtpPlane) -> None:
        """Raises `Refused`, `DialogError`, `ParseError`, `NoPorts`, `SdpError` or `IncompatibleMedia`, and
        holds nothing then.

        Without a session description in the INVITE the offer is ours, in the 200 (late offer).
        """
        super().__init__(info, ties)
        request = server.request
        trunk = ties.trunk
        demand(request, trunk)
        self._timer: Final = SessionTimer(trunk.session_expires_s, trunk.refresher)
        self._timer.check(request)
        offer = sdp_in(request)
        self.server: Final = server
        self._tag: Final = new_tag()
        self.dialog: Final = Dialog.from_request(request, self._tag)
        self._stage = _Stage.OFFERED
        self._acknowledged: asyncio.Event | None = None
        address = self._endpoint.shown(server.hop).host
        media = self._open(plane, address)
        try:
            self._sdp = media.answer(offer) if offer else None
        except Exception:
            media.close()
            raise
        self._media = media
        self._late: Final = not offer
        self._described = _Described.NO
        user = request.uri.user or ""
        self._channel: Final = Channel(
            self._endpoint, ties.sessions, trunk, ties.authenticator, self.dialog, server.hop, user
        )
        self._channel.heard(request)
        self._responses: Final = ProvisionalResponses(
            self._endpoint, server, self._tag, trunk, self._channel.fields, self._unacknowledged
        )
        self._deadline: Final = self._endpoint.later(RING_S, lambda now: self.end(Cause.NO_ANSWER))

    async def ring(self) -> None:
        if self._stage is not _Stage.OFFERED:
            return
        if self._late and self._responses.required:
            await self.progress()  # RFC 3261 13.2.1: the first reliable response has the offer
        else:
            self._responses.send(180)

    async def progress(self) -> None:
        media = self._live
        if self._stage is not _Stage.OFFERED or media is None or self._described is not _Described.NO:
            return
        if self._late and not self._responses.reliable:
            self._responses.send(180)  # nobody could answer an offer of ours yet
            return
        if self._sdp is None:
            self._sdp = media.offer()
        reliably = self._responses.reliable
        self._described = _Described.RELIABLY if reliably else _Described.PROVISIONALLY
        asked = "P-Early-Media" in self.server.request.headers
        self._responses.send(183, self._sdp, (("P-Early-Media", "sendonly"),) if asked else ())
        if not self._late:
            media.connect()

    async def answer(self) -> None:
        if self._stage is not _Stage.OFFERED or self._live is None:
            return
        self._stage = _Stage.ANSWERING
        self._acknowledged = agreed = self._waiter()
        self._responses.answer(self._accept)
        await agreed.wait()

    def _accept(self) -> None:
        """Sends the 2xx."""
        media, agreed = self._live, self._acknowledged
        if self._stage is not _Stage.ANSWERING or media is None or agreed is None:
            return
        self._stage = _Stage.ANSWERED
        self._endpoint.timers.cancel(self._deadline)
        sdp = self._sdp
        if sdp is None:
            sdp = media.offer()
        awaiting = self._late and media.offering
        if self._described is _Described.RELIABLY and not awaiting:
            sdp = None  # said, and perhaps changed by an UPDATE since
        timer = self._timer.respond(self.server.request, self._endpoint.now())
        self._session = Session(
            self._channel,
            self._ties.sessions,
            self,
            self._timer,
            self.server,
            late_offer=awaiting,
            pracked=self._pracked,
        )
        extra = (*self._channel.fields(), *timer)
        self._endpoint.respond(self.server, 200, tag=self._tag, extra=extra, sdp=sdp)
        if not awaiting:
            self._begin()
            agreed.set()

    async def reject(self, cause: Cause, retry_after_s: int | None = None) -> None:
        self._refuse(cause, retry_after_s)

    def end(self, cause: Cause) -> None:
        if self._unanswered:
            self._refuse(Cause.REJECTED if cause is Cause.NORMAL else cause)
        else:
            super().end(cause)

    def cancelled(self, request: Request) -> None:
        """The caller's CANCEL; it comes too late once we have answered."""
        if self._unanswered:
            why = reason_in(request)
            self._stage = _Stage.OVER
            self._endpoint.respond(self.server, 487, tag=self._tag)
            self._finish(cause_of_cancel(why), "caller", 487, why)

    def requested(self, server: ServerTransaction) -> None:
        """A request in the early dialog."""
        try:
            self.dialog.admit(server.request)
        except OutOfOrder:
            self._endpoint.respond(server, 500)
            return
        self._channel.heard(server.request, server.hop)
        match server.request.method:
            case "BYE":
                self._endpoint.respond(server, 200)
                self.cancelled(server.request)
            case "INVITE":  # RFC 3261 14.2
                self._endpoint.respond(server, 500, extra=retry_after())
            case "PRACK":
                self._pracked(server)
            case "UPDATE":
                self._updated(server)
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

    # Before the answer

    @property
    def _unanswered(self) -> bool:
        return self._stage in (_Stage.OFFERED, _Stage.ANSWERING)

    def _pracked(self, server: ServerTransaction) -> None:
        """PRACK: may answer the offer of our response, or bring a new one (RFC 3262 5)."""
        try:
            rack = RAck.parse(server.request.headers.get("RAck") or "")
        except ValueError:
            self._endpoint.respond(server, 400)
            return
        provisional, proceed = self._responses.acknowledged(rack)
        if provisional is None:
            self._endpoint.respond(server, 481)
            return
        self._answer_to(server, self._said_in_prack)
        proceed()

    def _said_in_prack(self, sdp: bytes) -> bytes | None:
        media = self._agreeing
        if not media.offering:
            return self.session_answer(sdp)
        media.answered(sdp)
        media.connect()
        return None

    def _updated(self, server: ServerTransaction) -> None:
        """RFC 3311 5.2."""
        _ = server.request.contact  # malformed, it is refused before anything is changed
        if self._described is not _Described.RELIABLY and not self._late and server.request.body:
            # The INVITE's offer has no answer yet that the caller can know of.
            self._endpoint.respond(server, 500, extra=retry_after())
            return
        if self._answer_to(server, self.session_answer):
            self.dialog.refresh(server.request)

    def _answer_to(self, server: ServerTransaction, take: Callable[[bytes], bytes | None]) -> bool:
        """Answers a request that may bring a description, which `take` takes; whether it is granted."""
        try:
            said = sdp_in(server.request)
            sdp = take(said) if said else None
        except OfferPending:
            self._endpoint.respond(server, 491)
        except Refused as error:
            self._endpoint.respond(server, error.status, extra=error.fields)
        except (SdpError, IncompatibleMedia, NoOffer) as error:
            self._endpoint.respond(server, 488, extra=(("Warning", warning(str(error))),))
        else:
            self._endpoint.respond(server, 200, extra=self._channel.fields(), sdp=sdp)
            return True
        return False

    def _unacknowledged(self) -> None:
        """No PRACK ever came."""
        if self._unanswered:
            self._stage = _Stage.OVER
            self._endpoint.respond(self.server, _UNACKNOWLEDGED, tag=self._tag)
            self._finish(Cause.FAILED, "us", _UNACKNOWLEDGED, Reason("SIP", _UNACKNOWLEDGED, "No PRACK came"))

    def _refuse(self, cause: Cause, retry_after_s: int | None = None) -> None:
        if not self._unanswered:
            return
        self._stage = _Stage.OVER
        status = status_of(cause)
        extra = () if retry_after_s is None else (("Retry-After", str(retry_after_s)),)
        self._endpoint.respond(self.server, status, tag=self._tag, extra=extra)
        self._finish(cause, "us", status)

    def _finish(self, cause: Cause, by: Party, code: int | None = None, why: Reason | None = None) -> None:
        self._stage = _Stage.OVER
        self._endpoint.timers.cancel(self._deadline)
        self._responses.close()
        if self._session is None:
            self._channel.close()
        super()._finish(cause, by, code, why)
