"""REFER in one dialog (RFC 3515): the transfers that we ask for, and those asked of us."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from media.leg import Cause, TransferOutcome
from sip.client_transactions import ClientTransaction
from sip.endpoint import Endpoint, Extra, OnResponse
from sip.message import Response
from sip.params import param, parse_params
from sip.referral import Notice, ReferError, Referral, Subscription
from sip.server_transactions import ServerTransaction
from sip.transfer import Transfer

SUBSCRIPTION_S: Final = 300.0
"""How long the far end is kept informed at most; no call that we place rings so long."""


class Speaker(Protocol):
    """The dialog, as far as a transfer needs it."""

    @property
    def live(self) -> bool:
        """Whether the dialog is confirmed and not over."""

    @property
    def awaits_ack(self) -> bool:
        """Whether it will be, with the ACK of our 2xx."""

    def contact(self) -> str: ...

    def send(self, method: str, extra: Extra, body: bytes, then: OnResponse) -> None:
        """Sends a request in the dialog; `then` gets the final response."""


class Referee(Protocol):
    """Who is asked to call somebody else; part of `SessionUser`."""

    def session_referred(self, referral: Referral, tell: Callable[[int], None]) -> int: ...


class _Asked:
    """A REFER of ours: its automaton, who waits for it, what it says, and the CSeq that it has."""

    __slots__ = ("number", "says", "then", "transfer")

    def __init__(self, transfer: Transfer, then: Callable[[], None], says: Extra) -> None:
        self.transfer: Final = transfer
        self.then: Final = then
        self.says: Final = says
        self.number: int | None = None


class Referrals:
    """The transfers of one dialog, at most one at a time in each direction; belongs to its `Session`."""

    def __init__(self, endpoint: Endpoint, speaker: Speaker) -> None:
        self._endpoint: Final = endpoint
        self._speaker: Final = speaker
        self._asked: _Asked | None = None
        self._past: set[int] = set()
        self._subscription: Subscription | None = None
        self._settled: Callable[[], None] | None = None

    # What we ask for

    def refer(self, target: str, referred_by: str, then: Callable[[], None]) -> Transfer:
        """Asks the far end to call `target` (a Refer-To value), once it has acknowledged the call; `then` is
        called at each news, the transfer tells which."""
        transfer = Transfer()
        if not (self._speaker.live or self._speaker.awaits_ack) or self.busy:
            transfer.expired()
            return transfer
        if self._asked is not None and self._asked.number is not None:
            self._past.add(self._asked.number)
        says = (("Refer-To", target), ("Referred-By", referred_by), ("Contact", self._speaker.contact()))
        self._asked = _Asked(transfer, then, says)
        if self._speaker.live:
            self._ask(self._asked)
        return transfer

    def confirmed(self) -> None:
        """The ACK of our 2xx has come."""
        if self._asked is not None and self._asked.transfer.outcome is None:
            self._ask(self._asked)

    def left(self) -> Cause:
        """The far end sent BYE: why, as far as a transfer tells."""
        if self._asked is None:
            return Cause.NORMAL
        asked = self._asked
        asked.transfer.left()
        asked.then()
        return Cause.TRANSFERRED if asked.transfer.outcome is TransferOutcome.DONE else Cause.NORMAL

    @property
    def busy(self) -> bool:
        """Whether a transfer is under way, in either direction."""
        ours = self._asked is not None and self._asked.transfer.outcome is None
        return ours or (self._subscription is not None and not self._subscription.over)

    # What comes from the far end

    def requested(self, server: ServerTransaction, referee: Referee) -> None:
        """A REFER or NOTIFY in the dialog."""
        if server.request.method == "NOTIFY":
            self._notified(server)
        else:
            self._referred(server, referee)

    def settled(self, then: Callable[[], None]) -> None:
        """Calls `then` when the far end knows how its referral went: at once without one."""
        if self._subscription is None or self._subscription.over:
            then()
        else:
            self._settled = then

    def close(self) -> None:
        """The dialog is over: nothing more is told."""
        asked, self._asked = self._asked, None
        if asked is not None:
            asked.transfer.expired()
            asked.then()
        if self._subscription is not None:
            self._subscription.end()
        self._settled = None

    # Within

    def _ask(self, asked: _Asked) -> None:
        def answered(client: ClientTransaction, status: int, response: Response | None) -> None:
            asked.number = client.request.cseq.number
            silent = response is not None and _flag(response.headers.get("Refer-Sub")) == "false"
            asked.transfer.responded(status, notified=not silent)
            asked.then()

        self._speaker.send("REFER", asked.says, b"", answered)

    def _referred(self, server: ServerTransaction, referee: Referee) -> None:
        endpoint = self._endpoint
        try:
            referral = Referral.asked(server.request)
        except ReferError as error:
            endpoint.respond(server, error.status)
            return
        if not self._speaker.live or self.busy:
            endpoint.respond(server, 491)
            return
        subscription = Subscription(referral.number, SUBSCRIPTION_S, endpoint.now())

        def tell(status: int) -> None:
            if referral.notified:
                self._send(subscription, subscription.tell(status, endpoint.now()))

        status = referee.session_referred(referral, tell)
        contact = ("Contact", self._speaker.contact())
        if status >= 300:
            endpoint.respond(server, status)
        elif not referral.notified:
            endpoint.respond(server, status, extra=(contact, ("Refer-Sub", "false")))
        else:
            self._subscription = subscription
            endpoint.respond(server, status, extra=(contact,))
            tell(100)

    def _send(self, subscription: Subscription, notice: Notice | None) -> None:
        if notice is not None:

            def answered(_client: ClientTransaction, status: int, _response: Response | None) -> None:
                self._send(subscription, subscription.answered(status, self._endpoint.now()))

            extra = (("Contact", self._speaker.contact()), *notice.headers)
            self._speaker.send("NOTIFY", extra, notice.body, answered)
        elif subscription.over and self._settled is not None:
            then, self._settled = self._settled, None
            then()

    def _notified(self, server: ServerTransaction) -> None:
        event, _, params = (server.request.headers.get("Event") or "").partition(";")
        if event.strip().lower() != "refer":
            self._endpoint.respond(server, 489, extra=(("Allow-Events", "refer"),))
            return
        asked = self._asked
        if asked is None or not self._ours(asked, params):
            self._endpoint.respond(server, 481)
            return
        self._endpoint.respond(server, 200)
        asked.transfer.notified(server.request.body, server.request.headers.get("Subscription-State") or "")
        asked.then()

    def _ours(self, asked: _Asked, params: str) -> bool:
        """Whether a NOTIFY is about our last REFER (RFC 3515 2.4.6), whose answer it may overtake."""
        try:
            text = param(parse_params(params), "id")
        except ValueError:
            return False
        if text is None:
            return True
        if not text.isascii() or not text.isdigit():
            return False
        number = int(text[:10])
        return number not in self._past if asked.number is None else number == asked.number


def _flag(value: str | None) -> str:
    return (value or "").partition(";")[0].strip().lower()
