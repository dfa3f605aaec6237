"""The user agent by PJSIP. This is `sip.stack.SipStack` by another stack than our own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import socket
from collections import Counter
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Final

from media.leg import CallLeg, Cause, LegInfo
from media.plane import RtpPlane
from media.ports import NoPorts
from sip.causes import status_of, warning
from sip.identity import inbound_info
from sip.lines import BUSY_RETRY_S, Lines
from sip.locate import Place
from sip.message import ParseError, Request, parse
from sip.offer import IncompatibleMedia
from sip.pjsip.call import CallEvents, Headers, PjsipError
from sip.pjsip.engine import Engine, Join
from sip.pjsip.leg import PjsipLeg, Ties
from sip.pjsip.library import load
from sip.pjsip.limits import check_listen, check_trunks
from sip.privacy import masked
from sip.resolver import Resolver
from sip.sdp import SdpError
from sip.stack import Admit, BadNumber, OnIncoming, OutboundCall, TrunkBusy, TrunkState
from sip.trunks import Target, Trunk, TrunkTable, canonical, target_of
from sip.uri import Uri

log = logging.getLogger(__name__)

DRAIN_RETRY_S: Final = 30
CLOSE_S: Final = 1.2
"""How long `close` waits for the answers to its BYEs."""


class PjsipStack:
    """One process's SIP side, as `sip.user_agent.UserAgent` is."""

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
    ) -> None:
        """`listen` as `udp:127.0.0.1:5060`; `advertise` is the IP address that peers are told (NAT).

        Raises `NoPjsip`, and ValueError for what makes no sense, or what PJSIP cannot do here.
        """
        library = load()
        self._trunks: Final = TrunkTable(trunks)
        check_trunks(trunks)
        self._listen: Final = check_listen(listen)
        self._allowed: Final = [
            ip_network(text, strict=False) for one in trunks.values() for text in one.allow
        ]
        self._advertise: Final = advertise
        self._all_trunks: Final = dict(trunks)
        self._plane: Final = plane
        self._admit: Final = admit
        self._on_incoming: Final = on_incoming
        self._engine: Final = Engine(library, user_agent)
        self._capacity = 0
        self._version: Final = library.version
        self._resolver: Final = Resolver()
        self._lines: Final = Lines(trunks)
        self._accounts: dict[str, int] = {}
        self._other_account = -1
        self._legs: set[PjsipLeg] = set()
        self._empty: Final = asyncio.Event()
        self._empty.set()
        self._guests: Counter[str] = Counter()
        self._draining = self._closing = False

    # SipStack

    async def start(self) -> None:
        self._engine.start(self, self._listen, self._advertise)
        self._capacity = self._engine.calls - 1
        try:
            self._other_account = self._engine.add_account(Trunk())
            for name, trunk in self._all_trunks.items():
                self._accounts[name] = self._engine.add_account(trunk)
            self._keep_out()
        except (OSError, ValueError):
            self._engine.close()
            raise
        log.info(
            "SIP by PJSIP %s: %d calls at once at most, and one more to refuse with (PJSUA_MAX_CALLS)",
            self._version,
            self._capacity,
        )

    async def call(self, request: OutboundCall) -> CallLeg:
        trunk = self._trunks[request.trunk]
        target = target_of(request, trunk)
        if target.uri.scheme != "sip":
            raise BadNumber("sip.stack: pjsip calls sip: addresses only")
        if self._closing or (self._draining and not request.within):
            raise TrunkBusy("the server stops", DRAIN_RETRY_S)
        if len(self._legs) >= self._capacity:
            raise TrunkBusy(f"PJSIP has its {self._capacity} calls", BUSY_RETRY_S)
        loop = asyncio.get_running_loop()
        early_s = self._lines.place(request.trunk, loop.time())
        info = LegInfo(
            id=secrets.token_hex(16),
            direction="outbound",
            caller=canonical(target.caller, trunk),
            called=target.number,
            trunk=request.trunk,
            headers=dict(target.headers),
        )
        leg = self._leg(info, trunk)
        self._keep(leg)
        try:
            if early_s:
                await asyncio.sleep(early_s)
            place = await self._find(target.next_hop)
            self._place(leg, request, target, place)
        except (OSError, PjsipError, ValueError) as error:
            log.warning("a call over trunk %s cannot be placed: %s", request.trunk, masked(error))
            leg.fail(Cause.UNAVAILABLE)
        except NoPorts as error:
            log.warning("a call over trunk %s cannot be placed: %s", request.trunk, error)
            leg.fail(Cause.NO_CAPACITY)
        except BaseException:
            leg.fail(Cause.FAILED)
            raise
        return leg

    def calls(self, trunk: str) -> int:
        return self._lines[trunk]

    def wait_s(self, trunk: str) -> int | None:
        if self._draining:
            return DRAIN_RETRY_S
        if len(self._legs) >= self._capacity:
            return BUSY_RETRY_S
        return self._lines.wait_s(trunk, asyncio.get_running_loop().time())

    def trunk_state(self, trunk: str) -> TrunkState:
        """Nothing is known: this stack neither probes nor registers. Raises `UnknownTrunk`."""
        _ = self._trunks[trunk]
        return TrunkState()

    def addresses(self) -> list[str]:
        return [f"{kind.lower()}:{_bracketed(at.host)}:{at.port}" for kind, at in self._engine.addresses()]

    async def drain(self) -> None:
        self._draining = True

    async def close(self) -> None:
        self._draining = self._closing = True
        for leg in list(self._legs):
            leg.end(Cause.UNAVAILABLE)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self._empty.wait()
        self._engine.close()
        await self._resolver.close()

    # From the engine

    def account_of(self, source: str) -> int | None:
        trunk = self._trunks.match(source)
        return self._other_account if trunk is None else self._accounts.get(trunk)

    def invited(self, source: str, invite: bytes, join: Join) -> None:
        name = self._trunks.match(source)
        try:
            request = parse(invite)
        except ParseError:
            _refuse(join, 400)
            return
        if name is None or not isinstance(request, Request):
            # The far end of a call, past its trunk: it may do no more than go on with that.
            _refuse(join, 403)
            return
        wait_s = self._busy_s(name)
        if wait_s is not None:
            _refuse(join, 503, (("Retry-After", str(wait_s)),))
            return
        if request.body and request.content_type != "application/sdp":
            _refuse(join, 415, (("Accept", "application/sdp"),))
            return
        trunk = self._trunks[name]
        try:
            leg = self._leg(inbound_info(request, secrets.token_hex(16), name, trunk), trunk)
            leg.take(request, self._shown(source))
        except (ParseError, SdpError, IncompatibleMedia) as error:
            _refuse(join, 488, (("Warning", warning(str(error))),))
            return
        except NoPorts as error:
            log.warning("a call of trunk %s is refused: %s", name, error)
            _refuse(join, 503, (("Retry-After", str(BUSY_RETRY_S)),))
            return
        self._lines.take(name)
        self._keep(leg)
        try:
            leg.joined(join(leg))
        except Exception:
            leg.fail(Cause.FAILED)
            raise
        try:
            self._on_incoming(leg)
        except Exception:
            log.exception("a new call could not be taken over")
            leg.end(Cause.FAILED)

    # Within

    def _busy_s(self, trunk: str) -> int | None:
        """None when an INVITE of the trunk may become a call, else the seconds for Retry-After."""
        if self._draining:
            return DRAIN_RETRY_S
        wait_s = self._admit()
        if wait_s is not None:
            return wait_s
        if len(self._legs) >= self._capacity:
            return BUSY_RETRY_S
        return self._lines.invited(trunk, asyncio.get_running_loop().time())

    def _leg(self, info: LegInfo, trunk: Trunk) -> PjsipLeg:
        return PjsipLeg(
            info,
            Ties(
                loop=asyncio.get_running_loop(),
                trunk=trunk,
                plane=self._plane,
                trust=self._trust,
                distrust=self._distrust,
                over=self._over,
                gone=self._gone,
                asked=self._engine.hurry,
            ),
        )

    async def _find(self, uri: Uri) -> Place:
        """Where a call goes; raises OSError. PJSIP's own search for it would hold up the event loop."""
        reach = {(kind, ":" in at.host) for kind, at in self._engine.addresses()}
        places = await self._resolver.find(uri, reach)
        return places[0]

    def _place(self, leg: PjsipLeg, request: OutboundCall, target: Target, place: Place) -> None:
        host, port = place.address
        proxied = target.next_hop is not target.uri
        ours = proxied or self._trunks.match(host) == request.trunk
        account = self._accounts[request.trunk] if ours else self._other_account
        transport = place.transport.lower()
        self._engine.route(account, f"sip:{_bracketed(host)}:{port};transport={transport};lr;hide")
        leg.place(
            self._engine.new_call(account, leg), target, self._shown(host), frozenset([host]), request.ring_s
        )

    def _over(self, leg: PjsipLeg) -> None:
        self._lines.give_back(leg.info.trunk)

    def _gone(self, leg: PjsipLeg) -> None:
        self._legs.discard(leg)
        if not self._legs:
            self._empty.set()

    def _keep(self, leg: PjsipLeg) -> None:
        self._legs.add(leg)
        self._empty.clear()

    def _trust(self, hosts: frozenset[str]) -> None:
        new = [host for host in hosts if not self._guests[host] and self._trunks.match(host) is None]
        self._guests.update(hosts)
        if new:
            self._let_in()

    def _distrust(self, hosts: frozenset[str]) -> None:
        self._guests.subtract(hosts)
        left = [host for host in hosts if not self._guests[host]]
        for host in left:
            del self._guests[host]
        if any(self._trunks.match(host) is None for host in left):
            self._let_in()

    def _let_in(self) -> None:
        """A call does not fail because one more address finds no room: its far end answers by its trunk."""
        try:
            self._keep_out()
        except (OSError, ValueError) as error:
            log.warning("what the far ends of calls send past their trunks is not let in: %s", error)

    def _keep_out(self) -> None:
        """Only the trunks, and whoever has a part in a live call, reach PJSIP."""
        guests = [ip_network(host) for host in self._guests]
        self._engine.admit_only([*self._allowed, *guests])

    def _shown(self, remote: str) -> str:
        """The address of ours that a peer is told for media."""
        if self._advertise is not None:
            return self._advertise
        bound = self._listen[0][1].host
        return _local_address(remote) if ip_address(bound).is_unspecified else bound


class _Refused(CallEvents):
    """Whom nobody waits for."""

    def describe(self) -> bytes:
        return b""

    def offered(self, sdp: bytes) -> int:
        return status_of(Cause.INCOMPATIBLE_MEDIA)

    def responded(self, response: bytes) -> None: ...

    def acknowledged(self, ack: bytes) -> None: ...

    def informed(self, info: bytes) -> None: ...

    def left(self, request: bytes) -> None: ...

    def negotiated(self) -> None: ...

    def transferring(self, status: int, final: bool) -> None: ...

    def disconnected(self, status: int, heard: bool) -> None: ...


def _refuse(join: Join, status: int, headers: Headers = ()) -> None:
    try:
        join(_Refused()).hang_up(status, headers)
    except PjsipError as error:
        log.warning("a call could not be refused: %s", error)


def _local_address(remote: str) -> str:
    """The address of ours from which packets go there; sends nothing."""
    family = socket.AF_INET6 if ":" in remote else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((remote, 9))
        address: str = probe.getsockname()[0]
        return address


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
