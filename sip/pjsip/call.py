"""A call of PJSIP: its callbacks as events of a leg, what a leg asks for as its methods.

A `pj.Call` must not die but inside the callback that tells DISCONNECTED: PJSIP gives its number to the next
call, and the destructor would cut that one's ties. So it holds itself until then. No exception may leave a
callback, and no method may be called on a call that is gone: both end the process.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, ParamSpec, Protocol, TypeVar

from sip.pjsip.library import Library
from sip.sdp import Direction

log = logging.getLogger(__name__)

Headers = Sequence[tuple[str, str]]

ACCEPTED: Final = 200


class PjsipError(Exception):
    """PJSIP would not do it; the text is its own."""


class CallEvents(Protocol):
    """What a leg is told. Everything returns at once and asks nothing of the call before it has returned."""

    def describe(self) -> bytes:
        """Our next SDP: the answer to what was offered last, or an offer; empty where PJSIP's own will do."""

    def offered(self, sdp: bytes) -> int:
        """The far end changes the session; gives 200, or the status that refuses it."""

    def responded(self, response: bytes) -> None:
        """A response to an INVITE of ours, whole."""

    def acknowledged(self, ack: bytes) -> None:
        """The ACK of our answer, whole (empty when PJSIP does not show it)."""

    def informed(self, info: bytes) -> None:
        """An INFO, whole."""

    def left(self, request: bytes) -> None:
        """The far end's BYE or CANCEL, whole; `disconnected` follows."""

    def negotiated(self) -> None:
        """PJSIP takes the session description as settled."""

    def transferring(self, status: int, final: bool) -> None:
        """How the call goes that we asked the far end for."""

    def disconnected(self, status: int, heard: bool) -> None:
        """The call is gone; nothing more can be asked of it. `heard`: a message of the far end ended it."""


class Line(Protocol):
    """A call of PJSIP, as its leg uses it; every method raises `PjsipError`."""

    def place(self, to: str, caller: str, headers: Headers) -> None:
        """Sends the INVITE to a SIP URI; `caller` is the whole From."""

    def answer(self, status: int, headers: Headers = ()) -> None:
        """Answers an INVITE with a provisional or final status."""

    def hang_up(self, status: int, headers: Headers = ()) -> None:
        """Ends the call in whatever state it is; `status` refuses one that is not answered."""

    def reinvite(self) -> None:
        """Offers anew."""

    def refer(self, target: str) -> None:
        """Asks the far end to call a SIP URI."""

    def remote_media(self) -> RemoteMedia | None:
        """What PJSIP has agreed on with the far end, where no message of its shows it."""


@dataclass(frozen=True, slots=True)
class RemoteMedia:
    """A stream as PJSIP has settled it: where the far end receives, as what, and what we may do."""

    address: str
    payload_type: int
    codec: str
    direction: Direction


P = ParamSpec("P")
T = TypeVar("T")


def guarded(callback: Callable[P, T]) -> Callable[P, T | None]:
    """A callback whose exceptions end in the log."""

    def call(*args: P.args, **kwargs: P.kwargs) -> T | None:
        try:
            return callback(*args, **kwargs)
        except Exception:
            log.exception("a callback of PJSIP failed")
            return None

    return call


def text_bytes(text: str) -> bytes:
    """What pjsua2 gives as text is bytes of the network."""
    return text.encode("utf-8", "surrogateescape")


def call_class(library: Library) -> Callable[..., Line]:
    """The class of calls: `(account, events)` places one, `(account, events, number)` takes one over."""
    pj = library.pj
    received = pj.PJSIP_EVENT_RX_MSG

    def header(name: str, value: str) -> Any:
        made = pj.SipHeader()
        made.hName, made.hValue = name, value
        return made

    def params(status: int, headers: Headers) -> Any:
        made = pj.CallOpParam(status == 0)
        made.statusCode = status
        if status == 0:
            made.opt.audioCount, made.opt.videoCount = 1, 0
        for name, value in headers:
            made.txOption.headers.push_back(header(name, value))
        return made

    class PjCall(pj.Call):  # type: ignore[misc, name-defined]
        def __init__(self, account: Any, events: CallEvents, number: int = pj.PJSUA_INVALID_ID) -> None:
            super().__init__(account, number)
            self._events: CallEvents | None = events
            self._self: PjCall | None = None if number == pj.PJSUA_INVALID_ID else self

        # What the leg asks for

        def place(self, to: str, caller: str, headers: Headers) -> None:
            prm = params(0, headers)
            prm.txOption.localUri = caller
            self._self = self
            try:
                self._ask(self.makeCall, to, prm)
            except PjsipError:
                self._forget()
                raise

        def answer(self, status: int, headers: Headers = ()) -> None:
            self._ask(super().answer, params(status, headers))

        def hang_up(self, status: int, headers: Headers = ()) -> None:
            self._ask(self.hangup, params(status, headers))

        def reinvite(self) -> None:
            self._ask(super().reinvite, params(0, ()))

        def refer(self, target: str) -> None:
            self._ask(self.xfer, target, params(0, ()))

        def remote_media(self) -> RemoteMedia | None:
            try:
                found = self._ask(self.getStreamInfo, 0)
            except PjsipError:
                return None
            direction = Direction.of(
                send=bool(found.dir & pj.PJMEDIA_DIR_ENCODING),
                receive=bool(found.dir & pj.PJMEDIA_DIR_DECODING),
            )
            return RemoteMedia(found.remoteRtpAddress, int(found.txPt), found.codecName, direction)

        def _ask(self, method: Callable[..., Any], *args: Any) -> Any:
            if self._events is None:
                raise PjsipError("the call is gone")
            try:
                return method(*args)
            except pj.Error as error:
                raise PjsipError(f"{error.title}: {error.reason}") from error

        def _forget(self) -> None:
            self._events = self._self = None

        # What PJSIP tells

        @guarded
        def onCallSdpCreated(self, prm: Any) -> None:
            sdp = b"" if self._events is None else self._events.describe()
            if sdp:
                prm.sdp.wholeSdp = sdp.decode("utf-8", "surrogateescape")

        @guarded
        def onCallRxOffer(self, prm: Any) -> None:
            if self._events is not None:
                prm.statusCode = self._events.offered(text_bytes(prm.offer.wholeSdp))

        @guarded
        def onCallMediaState(self, prm: Any) -> None:
            if self._events is not None:
                self._events.negotiated()

        @guarded
        def onCallTransferRequest(self, prm: Any) -> None:
            prm.statusCode = pj.PJSIP_SC_DECLINE

        @guarded
        def onCallReplaceRequest(self, prm: Any) -> None:
            prm.statusCode = pj.PJSIP_SC_DECLINE

        @guarded
        def onCallTransferStatus(self, prm: Any) -> None:
            if self._events is not None:
                self._events.transferring(int(prm.statusCode), bool(prm.finalNotify))

        @guarded
        def onCallTsxState(self, prm: Any) -> None:
            event = prm.e.body.tsxState
            if self._events is None or event.type != received:
                return
            ours = event.tsx.role == pj.PJSIP_ROLE_UAC
            message = text_bytes(event.src.rdata.wholeMsg)
            if ours and event.tsx.method == "INVITE":
                self._events.responded(message)
            elif not ours and event.tsx.method == "INFO":
                self._events.informed(message)
            elif not ours and event.tsx.method in ("BYE", "CANCEL"):
                self._events.left(message)

        @guarded
        def onCallState(self, prm: Any) -> None:
            info = self.getInfo()
            if self._events is None:
                return
            if info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
                events = self._events
                self._forget()
                heard = prm.e.type == pj.PJSIP_EVENT_TSX_STATE and prm.e.body.tsxState.type == received
                events.disconnected(int(info.lastStatusCode), heard)
            elif info.state == pj.PJSIP_INV_STATE_CONFIRMED and info.role == pj.PJSIP_ROLE_UAS:
                seen = prm.e.type == received
                self._events.acknowledged(text_bytes(prm.e.body.rxMsg.rdata.wholeMsg) if seen else b"")

    made: Callable[..., Line] = PjCall
    return made
