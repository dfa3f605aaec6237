"""The user agent: answers calls and places them. This is `sip.stack.SipStack` by our own stack."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from media.leg import CallLeg, Cause, LegInfo
from media.plane import RtpPlane
from media.ports import NoPorts
from sip.authenticator import Authenticator
from sip.call_media import codecs_named
from sip.causes import warning
from sip.challenge import Challenger
from sip.dialog import DialogError
from sip.dialogs import Dialogs
from sip.door import Door
from sip.endpoint import Endpoint
from sip.guard import SCANNERS, Dropped, Guard
from sip.identity import inbound_info
from sip.inbound import InboundLeg
from sip.leg import SipLeg, Ties
from sip.lines import BUSY_RETRY_S, Lines
from sip.message import Request
from sip.offer import IncompatibleMedia
from sip.outbound import OutboundLeg
from sip.privacy import masked
from sip.refusal import Refused
from sip.replacing import replaced_by
from sip.resolver import Resolver
from sip.sdp import SdpError
from sip.server_transactions import ServerTransaction
from sip.stack import Admit, OnIncoming, OutboundCall, TrunkBusy, TrunkState
from sip.succession import Succession
from sip.timers import Timing
from sip.tls import ClientTls, ServerTls
from sip.trunks import Trunk, TrunkTable, canonical, target_of
from sip.watch import TrunkWatch

log = logging.getLogger(__name__)

DRAIN_RETRY_S: Final = 30
REALM: Final = "ivr"
"""Of the challenges to our peers without a fixed address."""
CLOSE_S: Final = 1.2
"""How long `close` waits for the answers to its BYEs."""


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
        tls: ServerTls | None = None,
        resolver: Resolver | None = None,
        scanners: Iterable[str] = SCANNERS,
        on_dropped: Callable[[Dropped], None] = lambda reason: None,
    ) -> None:
        """`listen` as `udp:127.0.0.1:5060`; `advertise` is the IP address that peers are told (NAT); `tls` is
        our certificate for `tls:` addresses. `scanners` are words of a User-Agent that gets no answer;
        `on_dropped` counts the requests that got none.

        Raises ValueError for an address, a trunk's network, its proxy or its codecs that make no sense.
        """
        self._trunks: Final = TrunkTable(trunks)
        for trunk in trunks.values():
            codecs_named(trunk.codecs)
        self._plane: Final = plane
        self._admit: Final = admit
        self._on_incoming: Final = on_incoming
        self._endpoint: Final = Endpoint(
            self, listen, advertise, user_agent, timing or Timing(), tls=tls, resolver=resolver
        )
        self._watch: Final = TrunkWatch(trunks, self._endpoint, self._trunks.learn)
        self._dialogs: Final = Dialogs()
        users = self._trunks.users
        guard = Guard(asks=bool(users), scanners=scanners, on_dropped=on_dropped)
        challenger = Challenger(users, REALM, secrets.token_bytes(32)) if users else None
        self._door: Final = Door(self._endpoint, self._trunks, self._dialogs, self, guard, challenger)
        self._legs: dict[SipLeg, str] = {}
        self._lines: Final = Lines(trunks)
        self._ringing: dict[ServerTransaction, InboundLeg] = {}
        self._draining = self._closing = False

    # SipStack

    async def start(self) -> None:
        await self._endpoint.start()
        try:
            self._watch.start()
        except OSError:
            await self._endpoint.close()
            raise

    async def call(self, request: OutboundCall) -> CallLeg:
        return await self._call(request)

    async def _call(self, request: OutboundCall, succession: Succession | None = None) -> OutboundLeg:
        """Places a call; with `succession`, to who is to take the far end of another leg's place."""
        trunk = self._trunks[request.trunk]
        target = target_of(request, trunk)
        if self._closing or (self._draining and not request.within):
            raise TrunkBusy("the server stops", DRAIN_RETRY_S)
        early_s = self._lines.place(request.trunk, asyncio.get_running_loop().time())
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
        leg = OutboundLeg(info, self._ties(trunk, authenticator, succession))
        self._legs[leg] = request.trunk
        try:
            if early_s:
                await asyncio.sleep(early_s)
            hops = await self._endpoint.router.targets(target.next_hop, trunk.tls)
            if proxied:
                hosts.update(hop.remote.host for hop in hops)
            leg.place(target, hops, self._plane, request.ring_s)
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
        self._draining = self._closing = True
        for leg in list(self._legs):
            leg.end(Cause.UNAVAILABLE)
        await self._watch.leave()
        await self._endpoint.settled(CLOSE_S)
        for session in self._dialogs.sessions():
            session.quit()
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
        return self._lines[trunk]

    def wait_s(self, trunk: str) -> int | None:
        if self._draining:
            return DRAIN_RETRY_S
        return self._lines.wait_s(trunk, asyncio.get_running_loop().time())

    def trunk_state(self, trunk: str) -> TrunkState:
        """How the trunk stands now; raises `UnknownTrunk`."""
        _ = self._trunks[trunk]
        return self._watch.state(trunk)

    # From the endpoint

    def known(self, host: str) -> bool:
        return self._door.known(host)

    def trusted(self, host: str) -> bool:
        return self._door.trusted(host)

    def tls_towards(self, host: str) -> ClientTls:
        trunk = self._trunks.match(host)
        return ClientTls() if trunk is None else self._trunks[trunk].tls

    def requested(self, server: ServerTransaction) -> None:
        self._door.requested(server)

    def acked(self, ack: Request) -> None:
        self._dialogs.acked(ack)

    def unacked(self, server: ServerTransaction) -> None:
        self._dialogs.unacked(server)

    # From the door

    def busy_s(self) -> int | None:
        return DRAIN_RETRY_S if self._draining else self._admit()

    def ringing(self, invite: ServerTransaction) -> InboundLeg | None:
        return self._ringing.get(invite)

    def invited(self, server: ServerTransaction, trunk: str) -> None:
        endpoint = self._endpoint
        request = server.request
        endpoint.respond(server, 100)
        peer = self._trunks[trunk]
        try:
            standing = replaced_by(request, trunk, self._dialogs)
        except Refused as error:
            endpoint.respond(server, error.status)
            return
        succession = None if standing is None else Succession(standing)
        wait_s = self.busy_s()
        if wait_s is None:
            wait_s = self._lines.invited(trunk, endpoint.now())
        if wait_s is not None and standing is None:  # a call that is up already may change its far end
            endpoint.respond(server, 503, extra=(("Retry-After", str(wait_s)),))
            return
        authenticator = Authenticator(peer.credentials, lambda host: self._trunks.match(host) == trunk)
        by_address = self._trunks.match(server.hop.remote.host) == trunk
        ties = self._ties(peer, authenticator, succession)
        try:
            info = inbound_info(request, secrets.token_hex(16), trunk, peer, trusted=by_address)
            leg = InboundLeg(info, ties, server, self._plane)
        except Refused as error:
            endpoint.respond(server, error.status, extra=error.fields)
        except DialogError as error:
            endpoint.respond(server, 400, reason=f"Bad Request: {error}")
        except (SdpError, IncompatibleMedia) as error:
            endpoint.respond(server, 488, extra=(("Warning", warning(str(error))),))
        except NoPorts as error:
            log.warning("a call of trunk %s is refused: %s", trunk, error)
            endpoint.respond(server, 503, extra=(("Retry-After", str(BUSY_RETRY_S)),))
        else:
            self._lines.take(trunk)
            self._legs[leg] = trunk
            self._ringing[server] = leg
            self._dialogs.add(leg.dialog.id, leg)
            if standing is not None:
                standing.admit(leg)
                return
            try:
                self._on_incoming(leg)
            except Exception:
                log.exception("a new call could not be taken over")
                leg.end(Cause.FAILED)

    # Legs

    def _ties(self, trunk: Trunk, authenticator: Authenticator, succession: Succession | None) -> Ties:
        return Ties(self._endpoint, self._dialogs, trunk, authenticator, self._over, self._call, succession)

    def _over(self, leg: SipLeg) -> None:
        trunk = self._legs.pop(leg, None)
        if trunk is not None:
            self._lines.give_back(trunk)
        if isinstance(leg, InboundLeg):
            self._ringing.pop(leg.server, None)
            self._dialogs.drop(leg.dialog.id, leg)
