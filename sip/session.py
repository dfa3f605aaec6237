"""What both sides of an answered call do in its dialog: BYE, re-INVITE, UPDATE, INFO, REFER and NOTIFY."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from enum import Enum, auto
from typing import Final, Protocol

from media.leg import Cause
from sip.acks import Acks
from sip.causes import Reason, cause_of_bye, reason, reason_in, warning
from sip.channel import Channel, OnFinal, Trust
from sip.client_transactions import ClientTransaction
from sip.dialog import Dialog, DialogId, OutOfOrder
from sip.endpoint import Extra
from sip.extensions import ALLOW
from sip.info import PLAIN, RELAY, key_of
from sip.message import ParseError, Request, Response
from sip.multipart import sdp_in
from sip.offer import IncompatibleMedia, NoOffer, OfferPending
from sip.referring import Referrals
from sip.refreshing import OnChanged, Refresher
from sip.refusal import Refused
from sip.sdp import SdpError
from sip.server_transactions import ServerTransaction
from sip.session_timer import SessionTimer
from sip.session_user import Nobody, SessionUser


class InDialog(Protocol):
    """Takes the requests of one dialog: while it is early, then its session."""

    def requested(self, server: ServerTransaction) -> None: ...


class Sessions(Trust, Protocol):
    """Where dialogs are known, so that requests find them."""

    def add(self, key: DialogId, dialog: InDialog) -> None:
        """From here on `dialog` takes the requests of that id."""

    def drop(self, key: DialogId, dialog: InDialog) -> None:
        """Forgets the dialog, unless another has taken its place."""

    def opened(self, session: Session) -> None: ...

    def closed(self, session: Session) -> None: ...


class SessionState(Enum):
    UNACKED = auto()
    """Our 2xx has no ACK yet."""
    LIVE = auto()
    LEAVING = auto()
    """Hung up while UNACKED: the BYE must wait for the ACK (RFC 3261 15)."""
    OVER = auto()


class Session:
    """A confirmed dialog, from its 2xx to its BYE."""

    def __init__(
        self,
        channel: Channel,
        sessions: Sessions,
        user: SessionUser,
        timer: SessionTimer,
        accepted: ServerTransaction | None = None,
        *,
        late_offer: bool = False,
        pracked: Callable[[ServerTransaction], None] | None = None,
    ) -> None:
        """`accepted` is the INVITE that we answered with a 2xx (with our offer: `late_offer`).

        `pracked` takes what still comes for the provisional responses before it.
        """
        self._channel: Final = channel
        self._endpoint: Final = channel.endpoint
        self._sessions: Final = sessions
        self._user: SessionUser = user
        self._refresher: Final = Refresher(channel.endpoint, timer, self)
        self.state = SessionState.LIVE if accepted is None else SessionState.UNACKED
        self.accepted = accepted
        self._ours: Final = accepted is None
        self._late_offer = late_offer
        self._pracked: Final = pracked
        self._leave_for = Cause.NORMAL
        self._reinviting: OnChanged | None = None
        self.referrals: Final = Referrals(self._endpoint, self)
        sessions.opened(self)
        if accepted is None:
            channel.find()
        self._refresher.wind()

    # What the leg asks for

    def end(self, cause: Cause) -> None:
        """Hangs up, as soon as the protocol allows it."""
        if self.state is SessionState.UNACKED:
            self.state, self._leave_for = SessionState.LEAVING, cause
        elif self.state is SessionState.LIVE:
            self._bye(cause)

    @property
    def live(self) -> bool:
        """Whether requests can be sent in the dialog."""
        return self.state is SessionState.LIVE

    @property
    def awaits_ack(self) -> bool:
        """Whether requests can be sent once the ACK of our 2xx has come."""
        return self.state is SessionState.UNACKED

    @property
    def may_reinvite(self) -> bool:
        """Whether no other INVITE is under way in the dialog (RFC 3261 14.1)."""
        return self.state is SessionState.LIVE and self._reinviting is None and self.accepted is None

    @property
    def user(self) -> SessionUser:
        """Whose far end this is."""
        return self._user

    def hand_over(self, user: SessionUser) -> None:
        """The far end is another leg's from here on."""
        self._user = user

    def dismiss(self, cause: Cause) -> None:
        """Somebody else takes the far end's place: hangs up, once it was told how its referral went, and
        tells nothing more."""
        self._user, self._leave_for = Nobody(), cause
        self.referrals.settled(lambda: self.end(cause))

    def quit(self) -> None:
        """Hangs up without waiting for anything: the server stops."""
        if self.state is not SessionState.OVER:
            self._bye(self._leave_for)

    @property
    def dialog(self) -> Dialog:
        return self._channel.dialog

    def reinvite(self, sdp: bytes, then: OnChanged) -> None:
        """Sends a new offer, where `may_reinvite`; `then` gets the final status.

        A 2xx is acknowledged whatever has become of the dialog; once that is over, `then` is not called.
        """
        self._reinviting = then
        acks = Acks(self._endpoint)

        def finished(client: ClientTransaction, status: int, response: Response | None) -> None:
            if response is not None and status < 300:
                if acks.repeat(response):
                    return
                self._agreed(response)
                acks.send(client, response, self.dialog)
            elif self.live and self._refresher.too_small(response):
                self._ask("INVITE", sdp, finished)
                return
            asker, self._reinviting = self._reinviting, None
            if asker is not None:
                asker(status, response)
            self._answered(status)

        self._ask("INVITE", sdp, finished)

    def update(self, then: OnChanged) -> None:
        """Sends an UPDATE without a description: the session is refreshed (RFC 4028 7.4)."""

        def finished(_client: ClientTransaction, status: int, response: Response | None) -> None:
            if response is not None and status < 300:
                self._agreed(response)
            elif self.live and self._refresher.too_small(response):
                self._ask("UPDATE", b"", finished)
                return
            if self.live:
                then(status, response)
            self._answered(status)

        self._ask("UPDATE", b"", finished)

    @property
    def updates(self) -> bool:
        """Whether the far end takes UPDATE."""
        return self._channel.updates

    @property
    def ours(self) -> bool:
        """Whether we placed the call."""
        return self._ours

    def fail(self, cause: Cause, why: Reason | None = None, code: int | None = None) -> None:
        """Ends the dialog for a reason of our own, which the far end and the leg are told."""
        if self.state is SessionState.UNACKED:
            self.state, self._leave_for = SessionState.LEAVING, cause
        elif self.state is SessionState.LIVE:
            self._bye(cause, why)
        self._user.session_ended(cause, "us", code if why is None else why.cause, why)

    def contact(self) -> str:
        return self._channel.contact()

    # What comes from the far end

    def requested(self, server: ServerTransaction) -> None:
        """A request in the dialog."""
        request = server.request
        try:
            self.dialog.admit(request)
        except OutOfOrder:
            self._endpoint.respond(server, 500)
            return
        self._channel.heard(request, server.hop)
        try:
            self._take(server)
        except Refused as error:
            self._endpoint.respond(server, error.status, extra=error.fields)
        except OfferPending:
            self._endpoint.respond(server, 491)
        except (SdpError, IncompatibleMedia) as error:
            self._endpoint.respond(server, 488, extra=(("Warning", warning(str(error))),))

    def _take(self, server: ServerTransaction) -> None:
        """Raises what refuses the request."""
        match server.request.method:
            case "BYE":
                self._endpoint.respond(server, 200)
                self._left(reason_in(server.request))
            case "INVITE":
                self._reinvited(server)
            case "UPDATE":
                self._updated(server)
            case "PRACK" if self._pracked is not None:
                self._pracked(server)
            case "PRACK":
                self._endpoint.respond(server, 481)
            case "INFO":
                self._informed(server)
            case "REFER" | "NOTIFY":
                self.referrals.requested(server, self._user)
            case "OPTIONS":
                self._endpoint.respond(server, 200, extra=(("Allow", ALLOW),))
            case _:
                self._endpoint.respond(server, 405, extra=(("Allow", ALLOW),))

    def acked(self, ack: Request) -> None:
        """An ACK in the dialog; only the first for our 2xx says something new."""
        accepted = self.accepted
        if accepted is None or ack.cseq.number != accepted.request.cseq.number:
            return
        self._endpoint.acknowledged(accepted)
        self.accepted = None
        before = self.state
        if before in (SessionState.UNACKED, SessionState.LEAVING):
            self.state = SessionState.LIVE
        if before is SessionState.LEAVING:
            self._bye(self._leave_for)
            return
        if before is SessionState.UNACKED:
            self.referrals.confirmed()
        if self._late_offer:
            self._late_offer = False
            try:
                self._user.session_answered(sdp_in(ack))
            except (SdpError, IncompatibleMedia, NoOffer, Refused):
                self.fail(Cause.INCOMPATIBLE_MEDIA)

    def unacked(self) -> None:
        """No ACK came for our 2xx."""
        self.accepted = None
        leaving = self.state is SessionState.LEAVING
        if self.state is SessionState.OVER:
            return
        self.state = SessionState.LIVE
        if leaving:
            self._bye(self._leave_for)
        else:
            self.fail(Cause.FAILED, code=408)

    # Sending

    def send(self, method: str, extra: Extra, body: bytes, then: OnFinal) -> None:
        """Sends a request in the dialog; `then` gets the final response."""
        self._channel.send(method, extra, body, then)

    def _ask(self, method: str, sdp: bytes, then: OnFinal) -> None:
        """Sends a request that refreshes the session, perhaps with an offer."""
        kind = (("Content-Type", "application/sdp"),) if sdp else ()
        self.send(method, (*self._channel.fields(), *self._refresher.request(), *kind), sdp, then)

    def _agreed(self, response: Response) -> None:
        """A 2xx to a re-INVITE or UPDATE of ours."""
        self._channel.heard(response)
        with contextlib.suppress(ParseError):  # a Contact that nobody can read moves nothing
            self.dialog.refresh(response)
        if self.state is not SessionState.OVER:
            self._refresher.agreed(response)

    def _answered(self, status: int) -> None:
        if self.state is SessionState.LIVE and status in (408, 481):
            # RFC 3261 12.2.1.2: the far end has no such dialog, or is gone.
            self.fail(Cause.FAILED, code=status)

    # Within

    def _bye(self, cause: Cause, why: Reason | None = None) -> None:
        said = reason(cause) if why is None else why.written
        self.send("BYE", (("Reason", said),), b"", lambda client, status, response: None)
        self._close()

    def _left(self, why: Reason | None) -> None:
        """The far end sent BYE."""
        cause = self.referrals.left()
        if cause is Cause.NORMAL:
            cause = cause_of_bye(why)
        told = self.state is not SessionState.LEAVING
        self._close()
        if told:
            self._user.session_ended(cause, "them", None, why)

    def _close(self) -> None:
        if self.state is SessionState.OVER:
            return
        self.state = SessionState.OVER
        if self.accepted is not None:
            self._endpoint.acknowledged(self.accepted)
        self._refresher.stop()
        self.referrals.close()
        self._reinviting = None
        self._sessions.closed(self)
        self._channel.close()

    def _reinvited(self, server: ServerTransaction) -> None:
        """A new offer from the far end, or a session refresh (RFC 3261 14.2)."""
        request = server.request
        _ = request.contact  # malformed, it is refused before anything is changed
        if self._reinviting is not None:
            self._endpoint.respond(server, 491)
            return
        self._refresher.check(request)
        offer = sdp_in(request)
        sdp = self._user.session_answer(offer) if offer else self._user.session_offer()
        if self.accepted is not None:
            self._endpoint.acknowledged(self.accepted)
        self.accepted, self._late_offer = server, not offer
        self._grant(server, sdp)

    def _updated(self, server: ServerTransaction) -> None:
        """RFC 3311: a new offer, or a session refresh, without an ACK."""
        request = server.request
        _ = request.contact
        self._refresher.check(request)
        offer = sdp_in(request)
        self._grant(server, self._user.session_answer(offer) if offer else None)

    def _grant(self, server: ServerTransaction, sdp: bytes | None) -> None:
        """The 2xx to a request that refreshes the session."""
        self.dialog.refresh(server.request)
        extra = (*self._channel.fields(), *self._refresher.respond(server.request))
        self._endpoint.respond(server, 200, extra=extra, sdp=sdp)

    def _informed(self, server: ServerTransaction) -> None:
        kind, body = server.request.content_type, server.request.body
        if not body:
            self._endpoint.respond(server, 200)
            return
        if kind not in (RELAY, PLAIN):
            self._endpoint.respond(server, 415, extra=(("Accept", f"{RELAY}, {PLAIN}"),))
            return
        self._endpoint.respond(server, 200)
        key = key_of(kind, body)
        if key is not None:
            self._user.session_digit(key)
