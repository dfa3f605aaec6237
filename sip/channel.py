"""How requests are sent in one dialog, early or confirmed, and where its far end is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from media.leg import Cause
from sip.authenticator import Authenticator, carried
from sip.causes import reason
from sip.client_transactions import ClientTransaction
from sip.dialog import Dialog
from sip.endpoint import Endpoint, Extra
from sip.extensions import ALLOW, allows, supported
from sip.hop import Hop, Neighbour
from sip.message import Request, Response
from sip.timers import Timer
from sip.trunks import Trunk

OnFinal = Callable[[ClientTransaction, int, Response | None], None]
"""Takes the final response to a request (each repeated 2xx of an INVITE too), as `OnResponse` does."""


class Trust(Protocol):
    """Whose requests may come in."""

    def trust(self, host: str) -> None:
        """Requests from that address belong to a dialog of ours; undone by `distrust`."""

    def distrust(self, host: str) -> None: ...


class Channel:
    """The way between us and the far end of one dialog; a session takes over that of its early dialog."""

    def __init__(
        self,
        endpoint: Endpoint,
        trust: Trust,
        trunk: Trunk,
        authenticator: Authenticator,
        dialog: Dialog,
        near: Hop,
        user: str,
    ) -> None:
        """`near` is where the dialog's first message came from, or went; `user` the one in our Contact."""
        self.endpoint: Final = endpoint
        self.dialog: Final = dialog
        self._trust: Final = trust
        self._trunk: Final = trunk
        self._authenticator: Final = authenticator
        self._user: Final = user
        self._near = near
        self._trusted: list[str] = []
        self._closed = False
        self.updates = False
        """Whether the far end said that it takes UPDATE."""
        self._believe(near.remote.host)

    def contact(self) -> str:
        sips = self.dialog.remote_target.scheme == "sips"
        return self.endpoint.contact(self._near, self._user, sips=sips)

    def fields(self) -> tuple[tuple[str, str], ...]:
        """What each of our messages that set up or change a session says about us."""
        return (("Contact", self.contact()), ("Allow", ALLOW), ("Supported", supported(self._trunk)))

    def heard(self, message: Request | Response, hop: Hop | None = None) -> None:
        """A message of the far end: what it can do, and where a request came from."""
        if "Allow" in message.headers:
            self.updates = allows(message, "UPDATE")
        if hop is not None:
            self._near = hop

    def find(self) -> None:
        """Looks up where our requests will go to: the far end's may come from there, past the proxy that took
        the INVITE."""
        self._route(lambda hop: None)

    def send(self, method: str, extra: Extra, body: bytes, then: OnFinal) -> None:
        """Sends a request in the dialog, again with credentials when the trunk asks for them, and another way
        when the first cannot be gone (RFC 3263 4.3).

        A re-INVITE that only rings is cancelled after 64*T1.
        """
        deadline: Timer | None = None
        ringing = False
        failed: dict[Neighbour, ClientTransaction] = {}

        def on_response(client: ClientTransaction, status: int, response: Response | None) -> None:
            nonlocal ringing
            if status < 200:
                ringing = True
                return
            self.endpoint.timers.cancel(deadline)
            if status == 503 and response is None:
                failed[client.hop.neighbour] = client
                self._route(found)
                return
            proof = self._authenticator.answer(response, client.request, client.hop) if response else None
            if proof is None:
                then(client, status, response)
            else:
                self.send(method, carried(client.request, proof), body, then)

        def overdue(client: ClientTransaction) -> None:
            nonlocal deadline
            if not client.waiting:
                return
            if not ringing:
                given_up(client)
                return
            self.endpoint.cancel(client, reason(Cause.NO_ANSWER))
            deadline = self.endpoint.later(self.endpoint.timing.timeout, lambda now: given_up(client))

        def given_up(client: ClientTransaction) -> None:
            if client.waiting:
                self.endpoint.abandon(client)
                then(client, 408, None)

        def found(hop: Hop) -> None:
            nonlocal deadline
            if hop.neighbour in failed:
                then(failed[hop.neighbour], 503, None)
                return
            sent = Request(method, request.uri, request.headers.copy(), body)
            client = self.endpoint.request(sent, hop, on_response)
            if method == "INVITE" and client.waiting:
                deadline = self.endpoint.later(self.endpoint.timing.timeout, lambda now: overdue(client))

        request = self.dialog.request(method, headers=extra, body=body)
        self._route(found)

    def close(self) -> None:
        """The dialog is over; what is under way is still answered."""
        self._closed = True
        for host in self._trusted:
            self._trust.distrust(host)
        self._trusted.clear()

    def _route(self, then: Callable[[Hop], None]) -> None:
        def found(hop: Hop) -> None:
            self._believe(hop.remote.host)
            then(hop)

        self.endpoint.router.route(self.dialog.next_hop, self._near, found)

    def _believe(self, host: str) -> None:
        if not self._closed and host not in self._trusted:
            self._trusted.append(host)
            self._trust.trust(host)
