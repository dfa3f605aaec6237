"""The user agent: answers calls and places them. This is `sip.stack.SipStack` by our own stack."""

from __future__ import annotations

import logging
import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from media.leg import CallLeg, Cause, LegInfo
from media.plane import RtpPlane
from media.ports import NoPorts
from sip.authenticator import Authenticator
from sip.call_media import codecs_named
from sip.causes import warning
from sip.dialog import DialogError, DialogId
from sip.endpoint import Endpoint
from sip.inbound import InboundLeg
from sip.leg import SipLeg, Ties
from sip.message import Request
from sip.offer import IncompatibleMedia
from sip.outbound import OutboundLeg
from sip.privacy import masked
from sip.sdp import SdpError
from sip.server_transactions import ServerTransaction
from sip.session import ALLOW, Session
from sip.stack import Admit, OnIncoming, OutboundCall, TrunkBusy, TrunkState
from sip.timers import Timing
from sip.trunks import Trunk, TrunkTable, canonical, target_of

log = logging.getLogger(__name__)

BUSY_RETRY_S: Final = 5
"""Retry-After where a trunk has all the calls it may have, or no media port is free."""
DRAIN_RETRY_S: Final = 30
CLOSE_S: Final = 1.2
"""How long `close` waits for the answers to its BYEs."""

_KNOWN: Final = frozenset(
    ["REGISTER", "SUBSCRIBE", "NOTIFY", "MESSAGE", "PUBLISH", "PRACK", "UPDATE", "INFO", "REFER"]
)
"""Methods that exist, but do nothing here outside a dialog."""


class _InDialog(Protocol):
    """Takes the requests of one dialog."""

    def requested(self, server: ServerTransaction) -> None: ...


@dataclass(frozen=True, slots=True)
class Load:
    """What lives now; all of it is zero when no call is up and the transactions have run out."""

    legs: int
    dialogs: int
    transactions: int
    timers: int
    connections: int


class UserAgent:
    """One process's SIP side."""

    def __init__(
        self,
        *,
        listen: list[str],
        advertise: str | None,
        trunks: Mapping[str, Trunk],
        plane: RtpPlane,
        admit: Admit,
        on_incoming: OnIncoming,
        user_agent: str,
        timing: Timing | None = None,
    ) -> None:
        """`listen` as `udp:127.0.0.1:5060`; `advertise` is the IP address that peers are told (NAT).

        Raises ValueError for an address, a trunk's network, its proxy or its codecs that make no sense.
        """
        self._trunks: Final = TrunkTable(trunks)
        for trunk in trunks.values():
            codecs_named(trunk.codecs)
        self._plane: Final = plane
        self._admit: Final = admit
        self._on_incoming: Final = on_incoming
        self._endpoint: Final = Endpoint(self, listen, advertise, user_agent, timing or Timing())
        self._legs: dict[SipLeg, str] = {}
        self._calls: Counter[str] = Counter()
        self._dialogs: dict[DialogId, _InDialog] = {}
        self._ringing: dict[ServerTransaction, InboundLeg] = {}
        self._trusted: Counter[str] = Counter()
        self._draining = False

    # SipStack

    async def start(self) -> None:
        await self._endpoint.start()

    async def call(self, request: OutboundCall) -> CallLeg:
        trunk = self._trunks[request.trunk]
        target = target_of(request, trunk)
        if self._draining or self._calls[request.trunk] >= trunk.max_calls:
            raise TrunkBusy(f"the trunk {request.trunk} has its {trunk.max_calls} calls, or the server stops")
        proxied = target.next_hop is not target.uri
        hosts: set[str] = set()
        authenticator = Authenticator(
            trunk.credentials, lambda host: host in hosts or self._trunks.match(host) == request.trunk
        )
        info = LegInfo(
            id=secrets.token_hex(16),
            direction="outbound",
            caller=canonical(target.caller, trunk),
            called=target.number,
            trunk=request.trunk,
            headers=dict(target.headers),
        )
        leg = OutboundLeg(info, Ties(self._endpoint, self, trunk, authenticator, self._over))
        self._keep(leg, request.trunk)
        try:
            hop = await self._endpoint.resolve(target.next_hop)
            if proxied:
                hosts.add(hop.remote.host)
            leg.place(target, hop, self._plane, request.ring_s)
        except OSError as error:
            log.warning("a call over trunk %s cannot be placed: %s", request.trunk, masked(error))
            leg.fail(Cause.UNAVAILABLE)
        except NoPorts as error:
            log.warning("a call over trunk %s cannot be placed: %s", request.trunk, error)
            leg.fail(Cause.NO_CAPACITY)
        except BaseException:
            leg.fail(Cause.FAILED)
            raise
        return leg

    def addresses(self) -> list[str]:
        return self._endpoint.transports.addresses()

    async def drain(self) -> None:
        self._draining = True

    async def close(self) -> None:
        self._draining = True
        for leg in list(self._legs):
            leg.end(Cause.UNAVAILABLE)
        await self._endpoint.settled(CLOSE_S)
        for dialog in list(self._dialogs.values()):
            if isinstance(dialog, Session):
                dialog.quit()
        await self._endpoint.close()

    # Watching

    def load(self) -> Load:
        """How much of everything lives."""
        return Load(
            legs=len(self._legs),
            dialogs=len(self._dialogs),
            transactions=len(self._endpoint.layer),
            timers=len(self._endpoint.timers),
            connections=self._endpoint.transports.connections,
        )

    def calls(self, trunk: str) -> int:
        """Calls that the trunk has now, both directions."""
        return self._calls[trunk]

    def trunk_state(self, trunk: str) -> TrunkState:
        """How the trunk stands now; raises `UnknownTrunk`."""
        _ = self._trunks[trunk]
        return TrunkState()

    # From the endpoint

    def known(self, host: str) -> bool:
        return host in self._trusted or self._trunks.match(host) is not None

    def requested(self, server: ServerTransaction) -> None:
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

    def acked(self, ack: Request) -> None:
        session = self._dialogs.get(_dialog_id(ack)) or self._awaiting(ack)
        if isinstance(session, Session):
            session.acked(ack)

    def _awaiting(self, ack: Request) -> Session | None:
        """The session that waits for an ACK of this call: some phones (pyVoIP) put a To tag of their own into
        it, and the call would be cut for want of an ACK."""
        for dialog in self._dialogs.values():
            if isinstance(dialog, Session) and dialog.accepted is not None:
                invite = dialog.accepted.request
                if (invite.call_id, invite.from_.tag) == (ack.call_id, ack.from_.tag):
                    return dialog
        return None

    def unacked(self, server: ServerTransaction) -> None:
        for dialog in list(self._dialogs.values()):
            if isinstance(dialog, Session) and dialog.accepted is server:
                dialog.unacked()

    # Sessions

    def opened(self, session: Session) -> None:
        self._dialogs[session.dialog.id] = session

    def closed(self, session: Session) -> None:
        if self._dialogs.get(session.dialog.id) is session:
            del self._dialogs[session.dialog.id]

    def trust(self, host: str) -> None:
        self._trusted[host] += 1

    def distrust(self, host: str) -> None:
        self._trusted[host] -= 1
        if self._trusted[host] <= 0:
            del self._trusted[host]

    # Requests

    def _extensions(self, server: ServerTransaction) -> bool:
        """RFC 3261 8.2.2.3: what the request requires; we know no extension."""
        required = server.request.headers.get_all("Require")
        if required:
            self._endpoint.respond(server, 420, extra=(("Unsupported", ", ".join(required)),))
        return not required

    def _cancel(self, server: ServerTransaction) -> None:
        invite = self._endpoint.layer.cancelled_by(server.request)
        leg = self._ringing.get(invite) if invite is not None else None
        if invite is None:
            self._endpoint.respond(server, 481)
            return
        self._endpoint.respond(server, 200, tag=None if leg is None else leg.dialog.id.local_tag)
        if leg is not None:
            leg.cancelled()

    def _in_dialog(self, server: ServerTransaction) -> None:
        dialog = self._dialogs.get(_dialog_id(server.request))
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
            self._invited(server, trunk)
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
        wait_s = DRAIN_RETRY_S if self._draining else self._admit()
        if wait_s is not None:
            self._endpoint.respond(server, 503, extra=(("Retry-After", str(wait_s)),))
            return
        extra = (("Allow", ALLOW), ("Accept", "application/sdp"), ("Accept-Encoding", "identity"))
        self._endpoint.respond(server, 200, extra=extra)

    def _invited(self, server: ServerTransaction, name: str) -> None:
        endpoint = self._endpoint
        request = server.request
        endpoint.respond(server, 100)
        trunk = self._trunks[name]
        wait_s = DRAIN_RETRY_S if self._draining else self._admit()
        if wait_s is None and self._calls[name] >= trunk.max_calls:
            wait_s = BUSY_RETRY_S
        if wait_s is not None:
            endpoint.respond(server, 503, extra=(("Retry-After", str(wait_s)),))
            return
        if request.body and request.content_type != "application/sdp":
            endpoint.respond(server, 415, extra=(("Accept", "application/sdp"),))
            return
        authenticator = Authenticator(trunk.credentials, lambda host: self._trunks.match(host) == name)
        ties = Ties(endpoint, self, trunk, authenticator, self._over)
        try:
            leg = InboundLeg(_info(request, name, trunk), ties, server, self._plane)
        except DialogError as error:
            endpoint.respond(server, 400, reason=f"Bad Request: {error}")
        except (SdpError, IncompatibleMedia) as error:
            endpoint.respond(server, 488, extra=(("Warning", warning(str(error))),))
        except NoPorts as error:
            log.warning("a call of trunk %s is refused: %s", name, error)
            endpoint.respond(server, 503, extra=(("Retry-After", str(BUSY_RETRY_S)),))
        else:
            self._keep(leg, name)
            self._ringing[server] = leg
            self._dialogs[leg.dialog.id] = leg
            try:
                self._on_incoming(leg)
            except Exception:
                log.exception("a new call could not be taken over")
                leg.end(Cause.FAILED)

    # Legs

    def _keep(self, leg: SipLeg, trunk: str) -> None:
        self._legs[leg] = trunk
        self._calls[trunk] += 1

    def _over(self, leg: SipLeg) -> None:
        trunk = self._legs.pop(leg, None)
        if trunk is not None:
            self._calls[trunk] -= 1
        if isinstance(leg, InboundLeg):
            self._ringing.pop(leg.server, None)
            if self._dialogs.get(leg.dialog.id) is leg:
                del self._dialogs[leg.dialog.id]


def _dialog_id(request: Request) -> DialogId:
    """The dialog of a request received: its To tag is ours."""
    return DialogId(request.call_id, request.to.tag or "", request.from_.tag or "")


def _info(request: Request, name: str, trunk: Trunk) -> LegInfo:
    headers = {"Call-ID": request.call_id}
    for field, value in request.headers:
        lower = field.lower()
        if lower.startswith("x-") or lower in _SHOWN:
            headers.setdefault(field, value)
    return LegInfo(
        id=secrets.token_hex(16),
        direction="inbound",
        caller=canonical(request.from_.uri.user or "anonymous", trunk),
        called=canonical(request.uri.user or "", trunk),
        trunk=name,
        headers=headers,
    )


_SHOWN: Final = frozenset(
    ["p-asserted-identity", "diversion", "history-info", "privacy", "user-agent", "p-charging-vector"]
)
"""Headers of an INVITE, besides X-..., that the layers above see."""
