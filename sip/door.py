"""The door: which requests come in, and what those that belong to no call are told."""

from __future__ import annotations

import logging
from typing import Final, Protocol

from sip.challenge import Challenger, Doubt, Proved
from sip.dialogs import Dialogs
from sip.endpoint import Endpoint
from sip.extensions import ALLOW, supported, unknown
from sip.guard import Dropped, Guard
from sip.inbound import InboundLeg
from sip.message import ParseError, response_to
from sip.privacy import masked
from sip.server_transactions import ServerTransaction
from sip.trunks import TrunkTable

log = logging.getLogger(__name__)

_KNOWN: Final = frozenset(
    ["REGISTER", "SUBSCRIBE", "NOTIFY", "MESSAGE", "PUBLISH", "PRACK", "UPDATE", "INFO", "REFER"]
)
"""Methods that exist, but do nothing here outside a dialog."""


class House(Protocol):
    """What is behind the door."""

    def busy_s(self) -> int | None:
        """None when another call could be taken, else the seconds after which to ask again."""

    def invited(self, server: ServerTransaction, trunk: str) -> None:
        """A new call."""

    def ringing(self, invite: ServerTransaction) -> InboundLeg | None:
        """The leg of an INVITE that has no final answer yet."""


class Door:
    """Takes every request that the endpoint receives, and sees to it that it finds its call, or an answer."""

    def __init__(
        self,
        endpoint: Endpoint,
        trunks: TrunkTable,
        dialogs: Dialogs,
        house: House,
        guard: Guard,
        challenger: Challenger | None,
    ) -> None:
        """`challenger` asks the trunks' users who they are; None where no trunk has any."""
        self._endpoint: Final = endpoint
        self._trunks: Final = trunks
        self._dialogs: Final = dialogs
        self._house: Final = house
        self._guard: Final = guard
        self._challenger: Final = challenger

    def trusted(self, host: str) -> bool:
        """Whether requests from that address get an answer, whatever they are."""
        return self._dialogs.trusts(host) or self._trunks.match(host) is not None

    def known(self, host: str) -> bool:
        """Whether what comes from that address is read at all; asked for every datagram and connection."""
        if self.trusted(host):
            return True
        reason = self._guard.refuses(host, self._endpoint.now())
        if reason is not None:
            self._note(reason, host)
        return reason is None

    def requested(self, server: ServerTransaction) -> None:
        """A new request; raises ParseError where it cannot be read."""
        request, host = server.request, server.hop.remote.host
        trunk = self._trunks.match(host)
        if request.to.tag is None and self._guard.scans(request.headers.get("User-Agent")):
            self._drop(server, Dropped.SCANNER)
        elif request.method == "CANCEL" and (trunk is not None or self._own_cancel(server)):
            self._cancel(server)
        elif trunk is not None:
            self._take(server, trunk)
        elif request.to.tag is not None and self._dialogs.trusts(host):
            # The far end of a call past its trunk may do no more than go on with it.
            if self._extensions(server):
                self._in_dialog(server)
        elif (proved := self._proved(server)) is not None:
            self._take(server, proved)

    def _take(self, server: ServerTransaction, trunk: str) -> None:
        """A request of the trunk."""
        if not self._extensions(server):
            return
        if server.request.to.tag is not None:
            self._in_dialog(server)
        elif self._endpoint.layer.merged(server):
            self._endpoint.respond(server, 482)
        else:
            self._out_of_dialog(server, trunk)

    # Strangers

    def _proved(self, server: ServerTransaction) -> str | None:
        """The trunk of which the sender proves to be a user; None: the request has been dealt with."""
        challenger, host, now = self._challenger, server.hop.remote.host, self._endpoint.now()
        if server.hop.reliable and (reason := self._guard.refuses(host, now)) is not None:
            self._drop(server, reason)  # of a connection only the opening was asked about
            return None
        verdict: Proved | Doubt = Doubt.STRANGER
        if challenger is not None and not self._guard.barred(host, now):
            try:
                verdict = challenger.judge(server.request, host, now)
            except ParseError:
                verdict = Doubt.STRANGER
        if isinstance(verdict, Proved):
            return verdict.trunk
        if verdict is Doubt.WRONG:
            self._guard.wrong(host, now)
            self._note(Dropped.PASSWORD, host)
        if challenger is None or verdict is Doubt.STRANGER or self._guard.barred(host, now):
            self._drop(server, Dropped.STRANGER)
        else:
            self._challenge(server, challenger, stale=verdict is Doubt.STALE)
        return None

    def _challenge(self, server: ServerTransaction, challenger: Challenger, *, stale: bool) -> None:
        """401, without keeping a transaction (RFC 3261 8.2.7)."""
        request = server.request
        response = response_to(request, 401, to_tag=challenger.tag(request))
        for value in challenger.challenges(server.hop.remote.host, self._endpoint.now(), stale=stale):
            response.headers.add("WWW-Authenticate", value)
        self._endpoint.transmit(response.to_bytes(), server.hop)
        self._endpoint.abandon(server)

    def _own_cancel(self, server: ServerTransaction) -> bool:
        """Whether a CANCEL comes from where its INVITE came from; it cannot be challenged (RFC 3261 22.1)."""
        invite = self._endpoint.layer.cancelled_by(server.request)
        return invite is not None and invite.hop.remote.host == server.hop.remote.host

    def _drop(self, server: ServerTransaction, reason: Dropped) -> None:
        self._note(reason, server.hop.remote.host, server.request.headers.get("User-Agent") or "")
        self._endpoint.abandon(server)

    def _note(self, reason: Dropped, host: str, user_agent: str = "") -> None:
        if self._guard.dropped(reason, host, self._endpoint.now()):
            log.info("SIP from %s is dropped: %s %s", host, reason.value, masked(user_agent[:60]))

    # Requests

    def _extensions(self, server: ServerTransaction) -> bool:
        """RFC 3261 8.2.2.3: whether we know what the request requires."""
        strange = unknown(server.request)
        if strange:
            self._endpoint.respond(server, 420, extra=(("Unsupported", ", ".join(strange)),))
        return not strange

    def _cancel(self, server: ServerTransaction) -> None:
        invite = self._endpoint.layer.cancelled_by(server.request)
        leg = self._house.ringing(invite) if invite is not None else None
        if invite is None:
            self._endpoint.respond(server, 481)
            return
        self._endpoint.respond(server, 200, tag=None if leg is None else leg.dialog.id.local_tag)
        if leg is not None:
            leg.cancelled(server.request)

    def _in_dialog(self, server: ServerTransaction) -> None:
        dialog = self._dialogs.of(server.request)
        if dialog is None:
            self._endpoint.respond(server, 481)
        else:
            dialog.requested(server)

    def _out_of_dialog(self, server: ServerTransaction, trunk: str) -> None:
        request = server.request
        method = request.method
        hops = request.max_forwards
        if method == "INVITE" and hops == 0:
            self._endpoint.respond(server, 483)
        elif request.uri.scheme not in ("sip", "sips", "tel"):
            self._endpoint.respond(server, 416)
        elif method == "INVITE":
            self._house.invited(server, trunk)
        elif method == "OPTIONS":
            self._asked(server, trunk)
        elif method in ("BYE", "NOTIFY"):
            self._endpoint.respond(server, 481)
        elif method in _KNOWN:
            self._endpoint.respond(server, 405, extra=(("Allow", ALLOW),))
        else:
            self._endpoint.respond(server, 501, extra=(("Allow", ALLOW),))

    def _asked(self, server: ServerTransaction, trunk: str) -> None:
        """OPTIONS: whether we would take a call now (a dispatcher asks so)."""
        wait_s = self._house.busy_s()
        if wait_s is not None:
            self._endpoint.respond(server, 503, extra=(("Retry-After", str(wait_s)),))
            return
        extra = (
            ("Allow", ALLOW),
            ("Accept", "application/sdp"),
            ("Accept-Encoding", "identity"),
            ("Supported", supported(self._trunks[trunk])),
        )
        self._endpoint.respond(server, 200, extra=extra)
