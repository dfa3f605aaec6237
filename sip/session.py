"""What both sides of an answered call do in its dialog: BYE, re-INVITE, INFO, REFER and NOTIFY."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from enum import Enum, auto
from typing import Final, Literal, Protocol

from media.leg import Cause
from sip.acks import Acks
from sip.authenticator import Authenticator, carried
from sip.causes import reason, warning
from sip.client_transactions import ClientTransaction
from sip.dialog import Dialog, OutOfOrder
from sip.endpoint import Endpoint, Extra
from sip.hop import Hop
from sip.info import PLAIN, RELAY, key_of
from sip.message import ParseError, Request, Response
from sip.offer import IncompatibleMedia, NoOffer, OfferPending
from sip.referral import Referral
from sip.referring import Referrals
from sip.sdp import SdpError
from sip.server_transactions import ServerTransaction

ALLOW: Final = "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, NOTIFY"

Side = Literal["us", "them"]

OnFinal = Callable[[ClientTransaction, int, Response | None], None]
"""Takes the final response to a request (each repeated 2xx of an INVITE too), as `OnResponse` does."""

OnReinvited = Callable[[int, Response | None], None]
"""Takes the final status of a re-INVITE, once."""


class SessionUser(Protocol):
    """The leg above. Its methods return at once; those with SDP raise what `CallMedia` raises."""

    def session_offer(self) -> bytes:
        """Our offer, in a 2xx to a re-INVITE without one."""

    def session_answer(self, sdp: bytes) -> bytes:
        """Our answer to the offer of a re-INVITE."""

    def session_answered(self, sdp: bytes) -> None:
        """The answer to our offer, in an ACK."""

    def session_digit(self, key: str) -> None:
        """A key came in an INFO."""

    def session_referred(self, referral: Referral, tell: Callable[[int], None]) -> int:
        """The far end asks us to call somebody in its place: the status to answer. After 202, `tell` takes
        how far that call is, as the status of a response."""

    def session_ended(self, cause: Cause, by: Side, code: int | None) -> None:
        """The dialog is over."""


class _Nobody:
    """The user of a session whose far end was replaced: nothing is agreed with it any more."""

    def session_offer(self) -> bytes:
        raise IncompatibleMedia("the call goes on with somebody else")

    def session_answer(self, sdp: bytes) -> bytes:
        raise IncompatibleMedia("the call goes on with somebody else")

    def session_answered(self, sdp: bytes) -> None: ...

    def session_digit(self, key: str) -> None: ...

    def session_referred(self, referral: Referral, tell: Callable[[int], None]) -> int:
        return 603

    def session_ended(self, cause: Cause, by: Side, code: int | None) -> None: ...


class Sessions(Protocol):
    """Where dialogs are known, so that requests find them."""

    def opened(self, session: Session) -> None: ...

    def closed(self, session: Session) -> None: ...

    def trust(self, host: str) -> None:
        """Requests from that address belong to a dialog of ours; undone by `distrust`."""

    def distrust(self, host: str) -> None: ...


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
        endpoint: Endpoint,
        sessions: Sessions,
        dialog: Dialog,
        near: Hop,
        user: SessionUser,
        authenticator: Authenticator,
        contact_user: str,
        accepted: ServerTransaction | None = None,
        *,
        late_offer: bool = False,
    ) -> None:
        """`accepted` is the INVITE that we answered with a 2xx (with our offer: `late_offer`)."""
        self._endpoint: Final = endpoint
        self._sessions: Final = sessions
        self.dialog: Final = dialog
        self._near = near
        self._user: SessionUser = user
        self._authenticator: Final = authenticator
        self._contact_user: Final = contact_user
        self.state = SessionState.LIVE if accepted is None else SessionState.UNACKED
        self.accepted = accepted
        self._late_offer = late_offer
        self._leave_for = Cause.NORMAL
        self._reinviting: OnReinvited | None = None
        self.referrals: Final = Referrals(endpoint, self)
        self._trusted: list[str] = []
        self._trust(near.remote.host)
        sessions.opened(self)
        if accepted is None:
            # The far end's requests may come from where ours go to, past the proxy that took the INVITE.
            self._route(lambda hop: None)

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
        self._user, self._leave_for = _Nobody(), cause
        self.referrals.settled(lambda: self.end(cause))

    def quit(self) -> None:
        """Hangs up without waiting for anything: the server stops."""
        if self.state is not SessionState.OVER:
            self._bye(self._leave_for)

    def reinvite(self, sdp: bytes, then: OnReinvited) -> None:
        """Sends a new offer, where `may_reinvite`; `then` gets the final status.

        A 2xx is acknowledged whatever has become of the dialog; once that is over, `then` is not called.
        """
        self._reinviting = then
        acks = Acks(self._endpoint)

        def finished(client: ClientTransaction, status: int, response: Response | None) -> None:
            if response is not None and status < 300:
                if acks.repeat(response):
                    return
                with contextlib.suppress(ParseError):  # a Contact that nobody can read moves nothing
                    self.dialog.refresh(response)
                acks.send(client, response, self.dialog)
            asker, self._reinviting = self._reinviting, None
            if asker is not None:
                asker(status, response)
            if self.state is SessionState.LIVE and status in (408, 481):
                # RFC 3261 12.2.1.2: the far end has no such dialog, or is gone.
                self._fail(Cause.FAILED, status)

        extra = (("Contact", self.contact()), ("Allow", ALLOW), ("Content-Type", "application/sdp"))
        self.send("INVITE", extra, sdp, finished)

    def contact(self) -> str:
        return self._endpoint.contact(self._near, self._contact_user)

    # What comes from the far end

    def requested(self, server: ServerTransaction) -> None:
        """A request in the dialog."""
        request = server.request
        try:
            self.dialog.admit(request)
        except OutOfOrder:
            self._endpoint.respond(server, 500)
            return
        self._near = server.hop
        match request.method:
            case "BYE":
                self._endpoint.respond(server, 200)
                self._left()
            case "INVITE":
                self._reinvited(server)
            case "INFO":
                self._informed(server)
            case "REFER" | "NOTIFY":
                self.referrals.requested(server, self._user)
            case "OPTIONS":
                self._endpoint.respond(server, 200, extra=(("Allow", ALLOW),))
            case "UPDATE" if not request.body:
                self.dialog.refresh(request)
                self._endpoint.respond(server, 200, extra=(("Contact", self.contact()),))
            case _:
                self._endpoint.respond(server, 405, extra=(("Allow", ALLOW),))

    def acked(self, ack: Request) -> None:
        """An ACK in the dialog; only the first for our 2xx says something new."""
        accepted = self.accepted
        if accepted is None or ack.cseq.number != accepted.request.cseq.number:
            return
        self._endpoint.acknowledged(accepted)
        self.accepted = None
        leaving = self.state is SessionState.LEAVING
        if self.state is SessionState.UNACKED or leaving:
            self.state = SessionState.LIVE
        if leaving:
            self._bye(self._leave_for)
            return
        if self._late_offer:
            self._late_offer = False
            try:
                self._user.session_answered(ack.body)
            except (SdpError, IncompatibleMedia, NoOffer):
                self._fail(Cause.INCOMPATIBLE_MEDIA, None)

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
            self._fail(Cause.FAILED, 408)

    # Sending

    def send(self, method: str, extra: Extra, body: bytes, then: OnFinal) -> None:
        """Sends a request in the dialog, again with credentials when the trunk asks for them."""
        within = self._endpoint.timing.timeout if method == "INVITE" else None

        def on_response(client: ClientTransaction, status: int, response: Response | None) -> None:
            if status < 200:
                return
            proof = self._authenticator.answer(response, client.request, client.hop) if response else None
            if proof is None:
                then(client, status, response)
            else:
                self.send(method, carried(client.request, proof), body, then)

        def found(hop: Hop) -> None:
            self._endpoint.request(request, hop, on_response, within=within)

        request = self.dialog.request(method, headers=extra, body=body)
        self._route(found)

    def _route(self, then: Callable[[Hop], None]) -> None:
        def found(hop: Hop) -> None:
            self._trust(hop.remote.host)
            then(hop)

        self._endpoint.route(self.dialog.next_hop, self._near, found)

    # Within

    def _bye(self, cause: Cause) -> None:
        self.send("BYE", (("Reason", reason(cause)),), b"", lambda client, status, response: None)
        self._close()

    def _fail(self, cause: Cause, code: int | None) -> None:
        """Ends the dialog for a reason of our own."""
        self._bye(cause)
        self._user.session_ended(cause, "us", code)

    def _left(self) -> None:
        """The far end sent BYE."""
        cause = self.referrals.left()
        told = self.state is not SessionState.LEAVING
        self._close()
        if told:
            self._user.session_ended(cause, "them", None)

    def _close(self) -> None:
        if self.state is SessionState.OVER:
            return
        self.state = SessionState.OVER
        if self.accepted is not None:
            self._endpoint.acknowledged(self.accepted)
        self.referrals.close()
        self._reinviting = None
        self._sessions.closed(self)
        for host in self._trusted:
            self._sessions.distrust(host)
        self._trusted.clear()

    def _trust(self, host: str) -> None:
        if self.state is not SessionState.OVER and host not in self._trusted:
            self._trusted.append(host)
            self._sessions.trust(host)

    def _reinvited(self, server: ServerTransaction) -> None:
        """A new offer from the far end, or a session refresh (RFC 3261 14.2)."""
        request = server.request
        _ = request.contact  # malformed, it is refused before anything is changed
        if self._reinviting is not None:
            self._endpoint.respond(server, 491)
            return
        try:
            late = not request.body
            sdp = self._user.session_offer() if late else self._user.session_answer(request.body)
        except OfferPending:
            self._endpoint.respond(server, 491)
            return
        except (SdpError, IncompatibleMedia) as error:
            self._endpoint.respond(server, 488, extra=(("Warning", warning(str(error))),))
            return
        self.dialog.refresh(request)
        if self.accepted is not None:
            self._endpoint.acknowledged(self.accepted)
        self.accepted, self._late_offer = server, late
        self._endpoint.respond(server, 200, extra=(("Contact", self.contact()), ("Allow", ALLOW)), sdp=sdp)

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
