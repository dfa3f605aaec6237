"""The door: which requests come in, and what those that belong to no call are told."""

from __future__ import annotations

from typing import Final, Protocol

from sip.dialogs import Dialogs
from sip.endpoint import Endpoint
from sip.inbound import InboundLeg
from sip.server_transactions import ServerTransaction
from sip.session import ALLOW
from sip.trunks import TrunkTable

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

    def __init__(self, endpoint: Endpoint, trunks: TrunkTable, dialogs: Dialogs, house: House) -> None:
        self._endpoint: Final = endpoint
        self._trunks: Final = trunks
        self._dialogs: Final = dialogs
        self._house: Final = house

    def known(self, host: str) -> bool:
        """Whether requests from that address are wanted at all."""
        return self._dialogs.trusts(host) or self._trunks.match(host) is not None

    def requested(self, server: ServerTransaction) -> None:
        """A new request; raises ParseError where it cannot be read."""
        request = server.request
        trunk = self._trunks.match(server.hop.remote.host)
        if trunk is None and (request.to.tag is None or not self.known(server.hop.remote.host)):
            # A stranger, or the far end of a call past its trunk, which may do no more than go on with it.
            self._endpoint.abandon(server)
        elif request.method == "CANCEL":
            self._cancel(server)
        elif not self._extensions(server):
            pass
        elif trunk is None or request.to.tag is not None:
            self._in_dialog(server)
        elif self._endpoint.layer.merged(server):
            self._endpoint.respond(server, 482)
        else:
            self._out_of_dialog(server, trunk)

    def _extensions(self, server: ServerTransaction) -> bool:
        """RFC 3261 8.2.2.3: what the request requires; we know no extension."""
        required = server.request.headers.get_all("Require")
        if required:
            self._endpoint.respond(server, 420, extra=(("Unsupported", ", ".join(required)),))
        return not required

    def _cancel(self, server: ServerTransaction) -> None:
        invite = self._endpoint.layer.cancelled_by(server.request)
        leg = self._house.ringing(invite) if invite is not None else None
        if invite is None:
            self._endpoint.respond(server, 481)
            return
        self._endpoint.respond(server, 200, tag=None if leg is None else leg.dialog.id.local_tag)
        if leg is not None:
            leg.cancelled()

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
        elif request.uri.scheme != "sip":
            self._endpoint.respond(server, 416)
        elif method == "INVITE":
            self._house.invited(server, trunk)
        elif method == "OPTIONS":
            self._asked(server)
        elif method in ("BYE", "NOTIFY"):
            self._endpoint.respond(server, 481)
        elif method in _KNOWN:
            self._endpoint.respond(server, 405, extra=(("Allow", ALLOW),))
        else:
            self._endpoint.respond(server, 501, extra=(("Allow", ALLOW),))

    def _asked(self, server: ServerTransaction) -> None:
        """OPTIONS: whether we would take a call now (a dispatcher asks so)."""
        wait_s = self._house.busy_s()
        if wait_s is not None:
            self._endpoint.respond(server, 503, extra=(("Retry-After", str(wait_s)),))
            return
        extra = (("Allow", ALLOW), ("Accept", "application/sdp"), ("Accept-Encoding", "identity"))
        self._endpoint.respond(server, 200, extra=extra)
