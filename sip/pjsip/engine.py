"""PJSIP itself: started without threads for SIP and without media, its transports, its accounts, its end."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from sip.hop import Address, Transport
from sip.pjsip.call import CallEvents, Line, PjsipError, call_class, guarded, text_bytes
from sip.pjsip.library import Library
from sip.pjsip.limits import Listen
from sip.pjsip.packet_filter import Network
from sip.pjsip.pump import Pump
from sip.pjsip.sockets import admit_only, find
from sip.privacy import masked
from sip.trunks import Trunk

log = logging.getLogger(__name__)

MAX_CALLS: Final = 10_000
"""What PJSIP is asked to hold; it takes as many of them as it was built for."""
_ERRORS: Final = 1
"""Log level: what PJSIP says beyond is of use to who builds it only."""
_MIN_SE_S: Final = 90
"""Shortest session interval (RFC 4028 section 5)."""

_REL100: Final = {
    "off": "PJSUA_100REL_NOT_USED",
    "supported": "PJSUA_100REL_OPTIONAL",
    "required": "PJSUA_100REL_MANDATORY",
}


class Listener(Protocol):
    """Who takes the calls."""

    def account_of(self, source: str) -> int | None:
        """The account for a request from an IP address; None where there is none of its own."""

    def invited(self, source: str, invite: bytes, join: Join) -> None:
        """An INVITE came; `join` must be called before this returns."""


Join = Callable[[CallEvents], Line]
"""Gives the call of an INVITE to a leg."""

_endpoint: Any = None
"""pjsua2 allows one endpoint in a process, and ends the process when that dies after its library: it is made
once, and kept."""


class Engine:
    """PJSIP between `start` and `close`; only one may run in a process."""

    def __init__(self, library: Library, user_agent: str) -> None:
        self._library: Final = library
        self._pj: Final = library.pj
        self._user_agent: Final = user_agent
        self._new_call: Final = call_class(library)
        self._new_account: Final = _account_class(library.pj)
        self._listener: Listener | None = None
        self._endpoint: Any = None
        self.calls = 0
        self._accounts: list[Any] = []
        self._configs: list[Any] = []
        self._sockets: list[socket.socket] = []
        self._pump: Pump | None = None

    def start(self, listener: Listener, listen: Listen, shown: str | None) -> None:
        """Listens; raises OSError that names the address. `shown` is the address that peers are told."""
        pj = self._pj
        self._listener = listener
        endpoint = self._endpoint = _the_endpoint(pj)
        endpoint.listener = listener
        config = pj.EpConfig()
        config.uaConfig.threadCnt = 0
        config.uaConfig.mainThreadOnly = True
        config.uaConfig.maxCalls = MAX_CALLS
        config.uaConfig.userAgent = self._user_agent
        config.medConfig.hasIoqueue = False
        config.medConfig.threadCnt = 0
        # Its conference bridge gives back what an ended call had of it only while its clock runs.
        config.medConfig.sndAutoCloseTime = -1
        config.logConfig.level = config.logConfig.consoleLevel = _ERRORS
        config.logConfig.writer = _log_writer(pj)
        try:
            endpoint.libCreate()
            endpoint.libInit(config)
            self.calls = self._library.calls()
            for transport, address in listen:
                self._sockets.append(self._bind(transport, address, shown))
            endpoint.libStart()
            endpoint.audDevManager().setNullDev()
        except pj.Error as error:
            self.close()
            raise OSError(f"PJSIP does not start: {error.reason}") from error
        except OSError:
            self.close()
            raise
        self._pump = Pump(lambda: int(endpoint.libHandleEvents(0)))
        self._pump.start(self._sockets)

    def add_account(self, trunk: Trunk) -> int:
        """An account for a trunk's calls; raises OSError when PJSIP takes no more."""
        pj = self._pj
        config = pj.AccountConfig()
        config.idUri = "sip:ivr@localhost"
        config.mediaConfig.useLoopMedTp = True
        config.mediaConfig.lockCodecEnabled = False
        config.callConfig.prackUse = getattr(pj, _REL100[trunk.rel100])
        timed = trunk.session_expires_s >= _MIN_SE_S
        config.callConfig.timerUse = pj.PJSUA_SIP_TIMER_OPTIONAL if timed else pj.PJSUA_SIP_TIMER_INACTIVE
        if timed:
            config.callConfig.timerSessExpiresSec = trunk.session_expires_s
            config.callConfig.timerMinSESec = _MIN_SE_S
        if trunk.credentials is not None:
            known = trunk.credentials
            config.sipConfig.authCreds.push_back(
                pj.AuthCredInfo("digest", known.realm or "*", known.username, 0, known.password)
            )
        account = self._new_account(self)
        try:
            account.create(config)
        except pj.Error as error:
            raise OSError(
                f"PJSIP takes {len(self._accounts)} accounts (one is its own), one for each trunk: "
                f"{error.reason}; build it with a larger PJSUA_MAX_ACC"
            ) from error
        self._accounts.append(account)
        self._configs.append(config)
        return int(account.getId())

    def route(self, account: int, route: str) -> None:
        """New calls of the account go to a SIP URI, which no message shows; raises `PjsipError`."""
        index = self._index(account)
        config = self._configs[index]
        config.sipConfig.proxies.clear()
        config.sipConfig.proxies.push_back(route)
        try:
            self._accounts[index].modify(config)
        except self._pj.Error as error:
            raise PjsipError(f"{error.title}: {error.reason}") from error

    def new_call(self, account: int, events: CallEvents) -> Line:
        """A call to be placed."""
        return self._new_call(self._accounts[self._index(account)], events)

    def admit_only(self, networks: Iterable[Network]) -> None:
        """What comes from elsewhere is not even seen by PJSIP; raises OSError, ValueError."""
        admit_only(self._sockets, networks)

    def hurry(self) -> None:
        if self._pump is not None:
            self._pump.hurry()

    def addresses(self) -> list[tuple[Transport, Address]]:
        """Where it listens; real ports also where 0 was asked for."""
        return [
            ("UDP" if one.type == socket.SOCK_DGRAM else "TCP", Address(*one.getsockname()[:2]))
            for one in self._sockets
        ]

    def close(self) -> None:
        """Ends PJSIP at once, whatever it has."""
        if self._pump is not None:
            self._pump.stop()
            self._pump = None
        for one in self._sockets:
            one.close()
        self._sockets.clear()
        if self._endpoint is None:
            return
        try:
            for account in self._accounts:
                account.shutdown()
            self._accounts.clear()
            self._endpoint.libDestroy(self._pj.PJSUA_DESTROY_NO_NETWORK)
        except self._pj.Error:
            log.exception("PJSIP does not stop")
        self._endpoint.listener = self._listener = self._endpoint = None

    def incoming(self, account: Any, number: int, source: str, invite: bytes) -> None:
        """From an account: an INVITE."""
        if self._listener is not None:
            self._listener.invited(source, invite, lambda events: self._new_call(account, events, number))

    def _bind(self, transport: Transport, address: Address, shown: str | None) -> socket.socket:
        pj = self._pj
        config = pj.TransportConfig()
        config.boundAddress = address.host
        config.port = address.port or _free_port(transport, address.host)
        if shown is not None:
            config.publicAddress = shown
        kind = {"UDP": pj.PJSIP_TRANSPORT_UDP, "TCP": pj.PJSIP_TRANSPORT_TCP}[transport]
        where = f"{transport.lower()}:{address.host}:{address.port}"
        try:
            self._endpoint.transportCreate(kind, config)
        except pj.Error as error:
            raise OSError(f"cannot listen on {where}: {error.reason}") from error
        return find(transport, Address(address.host, config.port))

    def _index(self, account: int) -> int:
        return next(at for at, one in enumerate(self._accounts) if one.getId() == account)


def _free_port(transport: Transport, host: str) -> int:
    """PJSIP does not say in every build which port it was given, so it is told one that is free now."""
    kind = socket.SOCK_DGRAM if transport == "UDP" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def _the_endpoint(pj: Any) -> Any:
    global _endpoint
    if _endpoint is None:

        class Endpoint(pj.Endpoint):  # type: ignore[misc]
            listener: Listener | None = None

            @guarded
            def onSelectAccount(self, prm: Any) -> None:
                if self.listener is not None:
                    account = self.listener.account_of(source_of(prm.rdata.srcAddress))
                    if account is not None:
                        prm.accountIndex = account

        _endpoint = Endpoint()
        _endpoint.this.disown()
    return _endpoint


def _account_class(pj: Any) -> Callable[[Engine], Any]:
    class Account(pj.Account):  # type: ignore[misc]
        def __init__(self, engine: Engine) -> None:
            super().__init__()
            self._engine = engine

        @guarded
        def onIncomingCall(self, prm: Any) -> None:
            source = source_of(prm.rdata.srcAddress)
            self._engine.incoming(self, prm.callId, source, text_bytes(prm.rdata.wholeMsg))

    return Account


def _log_writer(pj: Any) -> Any:
    class Writer(pj.LogWriter):  # type: ignore[misc]
        @guarded
        def write(self, entry: Any) -> None:
            log.warning("%s", masked(str(entry.msg).strip()))

    writer = Writer()
    writer.__disown__()  # PJSIP frees it at its end
    return writer


def source_of(address: str) -> str:
    """The host of `192.0.2.1:5060` or `[2001:db8::1]:5060`."""
    return address.rpartition(":")[0].strip("[]")
