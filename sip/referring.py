"""REFER in one dialog (RFC 3515): the transfers that we ask for, and those asked of us."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from media.leg import Cause, TransferOutcome
from sip.client_transactions import ClientTransaction
from sip.endpoint import Endpoint, Extra, OnResponse
from sip.message import Response
from sip.server_transactions import ServerTransaction
from sip.transfer import Transfer


class Speaker(Protocol):
    """The dialog, as far as a transfer needs it."""

    @property
    def live(self) -> bool:
        """Whether the dialog is confirmed and not over."""

    def contact(self) -> str: ...

    def send(self, method: str, extra: Extra, body: bytes, then: OnResponse) -> None:
        """Sends a request in the dialog; `then` gets the final response."""


class Referrals:
    """The transfers of one dialog; belongs to its `Session`."""

    def __init__(self, endpoint: Endpoint, speaker: Speaker) -> None:
        self._endpoint: Final = endpoint
        self._speaker: Final = speaker
        self._transfer: tuple[Transfer, Callable[[], None]] | None = None

    def refer(self, target: str, referred_by: str, then: Callable[[], None]) -> Transfer:
        """Asks the far end to call `target`; `then` is called at each news, the transfer tells which."""
        transfer = Transfer()
        if not self._speaker.live or (self._transfer and self._transfer[0].outcome is None):
            transfer.expired()
            return transfer
        self._transfer = (transfer, then)

        def answered(_client: ClientTransaction, status: int, _response: Response | None) -> None:
            transfer.responded(status)
            then()

        extra = (("Refer-To", target), ("Referred-By", referred_by), ("Contact", self._speaker.contact()))
        self._speaker.send("REFER", extra, b"", answered)
        return transfer

    def requested(self, server: ServerTransaction) -> None:
        """A REFER or NOTIFY in the dialog."""
        if server.request.method == "NOTIFY":
            self._notified(server)
        else:
            self._endpoint.respond(server, 603)

    def left(self) -> Cause:
        """The far end sent BYE: why, as far as a transfer tells."""
        if self._transfer is None:
            return Cause.NORMAL
        transfer, then = self._transfer
        transfer.left()
        then()
        return Cause.TRANSFERRED if transfer.outcome is TransferOutcome.DONE else Cause.NORMAL

    def close(self) -> None:
        """The dialog is over: nothing more is told."""
        if self._transfer is not None:
            transfer, then = self._transfer
            self._transfer = None
            transfer.expired()
            then()

    def _notified(self, server: ServerTransaction) -> None:
        event = (server.request.headers.get("Event") or "").partition(";")[0].strip().lower()
        if event != "refer" or self._transfer is None:
            self._endpoint.respond(server, 481 if event == "refer" else 489)
            return
        self._endpoint.respond(server, 200)
        transfer, then = self._transfer
        transfer.notified(server.request.body, server.request.headers.get("Subscription-State") or "")
        then()
