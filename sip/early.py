"""The early dialogs of a call that we place: one per fork that answers provisionally (RFC 3261 13.2.2.1)."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Final, Protocol

from sip.causes import warning
from sip.channel import Channel
from sip.client_transactions import ClientTransaction
from sip.dialog import Dialog, DialogError, DialogId, OutOfOrder
from sip.extensions import ALLOW
from sip.message import ParseError, Response
from sip.multipart import sdp_in
from sip.offer import IncompatibleMedia, OfferAnswer, OfferPending
from sip.refusal import Refused
from sip.reliable import Heard, RAck
from sip.sdp import SdpError
from sip.server_transactions import ServerTransaction
from sip.session import InDialog

MAX_FORKS: Final = 16
"""How many forks of one call are told apart; what more come may ring, and win."""


class Answer(Enum):
    """Whether a fork has answered our offer."""

    NONE = auto()
    TENTATIVE = auto()
    """In a response that may have been lost or changed: the 2xx says it again."""
    FIRM = auto()
    """In a reliable response: that is the answer (RFC 3262 5)."""


class EarlyUser(Protocol):
    """The leg above."""

    def early_offer(self, early: EarlyDialog, sdp: bytes) -> bytes:
        """Our answer to a fork's new offer; raises what `CallMedia` raises."""


class Home(Protocol):
    """Where dialogs are known."""

    def add(self, key: DialogId, dialog: InDialog) -> None: ...

    def drop(self, key: DialogId, dialog: InDialog) -> None: ...


class EarlyDialog:
    """One fork. Takes its requests until the fork wins, loses or ends."""

    def __init__(self, channel: Channel, home: Home, party: OfferAnswer, user: EarlyUser) -> None:
        self.channel: Final = channel
        self.party: Final = party
        self.answer = Answer.NONE
        self._heard: Final = Heard()
        self._home: Final = home
        self.user: Final = user
        home.add(channel.dialog.id, self)

    def accepts(self, rseq: int, cseq: int) -> bool:
        """Whether a reliable response is new and in order; it is acknowledged then."""
        if not self._heard.accepts(rseq):
            return False
        rack = RAck(rseq, cseq, "INVITE")
        self.channel.send("PRACK", (("RAck", str(rack)),), b"", lambda client, status, response: None)
        return True

    def requested(self, server: ServerTransaction) -> None:
        """A request of the callee before its answer."""
        endpoint = self.channel.endpoint
        try:
            self.channel.dialog.admit(server.request)
        except OutOfOrder:
            endpoint.respond(server, 500)
            return
        self.channel.heard(server.request, server.hop)
        match server.request.method:
            case "UPDATE":
                self._updated(server)
            case "OPTIONS" | "INFO":
                endpoint.respond(server, 200, extra=(("Allow", ALLOW),))
            case "INVITE":
                endpoint.respond(server, 491)
            case "PRACK" | "BYE":
                endpoint.respond(server, 481)
            case _:
                endpoint.respond(server, 405, extra=(("Allow", ALLOW),))

    def close(self) -> None:
        """The fork lost, or ended."""
        self.release()
        self.channel.close()

    def release(self) -> None:
        """The fork won: its session takes over."""
        self._home.drop(self.channel.dialog.id, self)

    def _updated(self, server: ServerTransaction) -> None:
        endpoint, request = self.channel.endpoint, server.request
        _ = request.contact  # malformed, it is refused before anything is changed
        try:
            offer = sdp_in(request)
            if offer and self.answer is not Answer.FIRM:
                raise OfferPending
            answer = self.user.early_offer(self, offer) if offer else None
        except OfferPending:
            endpoint.respond(server, 491)
        except Refused as error:
            endpoint.respond(server, error.status, extra=error.fields)
        except (SdpError, IncompatibleMedia) as error:
            endpoint.respond(server, 488, extra=(("Warning", warning(str(error))),))
        else:
            self.channel.dialog.refresh(request)
            endpoint.respond(server, 200, extra=self.channel.fields(), sdp=answer)


class Forks:
    """The early dialogs of one INVITE, by their To tag."""

    def __init__(self, make: Callable[[ClientTransaction, Dialog], EarlyDialog]) -> None:
        self._make: Final = make
        self._early: dict[str, EarlyDialog] = {}
        self._past: dict[str, Dialog] = {}

    def of(self, client: ClientTransaction, response: Response) -> EarlyDialog | None:
        """The early dialog of a provisional response; None where it makes none (no tag, no Contact)."""
        tag = response.to.tag
        if tag is None:
            return None
        if tag not in self._early:
            if len(self._early) >= MAX_FORKS:
                return None
            try:
                dialog = Dialog.from_response(client.request, response)
            except (DialogError, ParseError):
                return None
            self._early[tag] = self._make(client, dialog)
        self._early[tag].channel.heard(response)
        return self._early[tag]

    def take(self, tag: str | None) -> EarlyDialog | None:
        """The early dialog that is confirmed now; it is not ended with the others."""
        early = self._early.pop(tag or "", None)
        if early is not None:
            early.release()
        return early

    def past(self, tag: str | None) -> Dialog | None:
        """The dialog of a fork that is over here, should it answer after all: what we sent in it counts (our
        BYE must have a higher CSeq than our PRACK)."""
        return self._past.get(tag or "")

    def end(self, tag: str | None) -> None:
        """That fork is over (RFC 6228)."""
        early = self._early.pop(tag or "", None)
        if early is not None:
            self._past[tag or ""] = early.channel.dialog
            early.close()

    def close(self) -> None:
        """The call is answered by another, refused or taken back: all that still ring are over."""
        for tag in list(self._early):
            self.end(tag)
