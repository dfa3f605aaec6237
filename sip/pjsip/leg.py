"""A call leg whose signalling is PJSIP's, from its INVITE to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from media.leg import CallLeg, Cause, LegInfo, Party, Ringing, TransferOutcome
from media.plane import RtpPlane
from media.presses import Way
from sip.call_media import CallMedia, codecs_named
from sip.causes import (
    Reason,
    cause_of,
    cause_of_bye,
    cause_of_cancel,
    reason,
    reason_in,
    status_of,
)
from sip.info import key_of
from sip.media_leg import MediaLeg
from sip.message import Request, Response
from sip.offer import IncompatibleMedia, NoOffer, OfferPending
from sip.pjsip.call import ACCEPTED, CallEvents, Headers, Line, PjsipError
from sip.pjsip.handover import Handover
from sip.pjsip.reading import homes, read
from sip.pjsip.reoffer import Reoffers
from sip.pjsip.settled import settled_sdp
from sip.sdp import Direction, SdpError
from sip.stack import BadNumber
from sip.trunks import Target, Trunk, transfer_uri

RING_S: Final = 180.0
"""How long a call may ring here before it is refused with 480."""


class _Stage(Enum):
    IDLE = auto()
    OFFERED = auto()
    """Inbound, not answered."""
    UNACKED = auto()
    """Inbound, answered with our offer: the ACK brings the answer."""
    CALLING = auto()
    ANSWERED = auto()
    OVER = auto()


@dataclass(frozen=True, slots=True)
class Ties:
    """What a leg needs of its stack."""

    loop: asyncio.AbstractEventLoop
    trunk: Trunk
    plane: RtpPlane
    trust: Callable[[frozenset[str]], None]
    """Takes IP addresses that may send us requests, beside the trunk's; undone by `distrust`."""
    distrust: Callable[[frozenset[str]], None]
    over: Callable[[PjsipLeg], None]
    """Called once, when the leg has sent its `HungUp`."""
    gone: Callable[[PjsipLeg], None]
    """Called once, when PJSIP has forgotten the call; not before `over`."""
    asked: Callable[[], None]
    """PJSIP was asked for something: it has work to do."""


class PjsipLeg(MediaLeg, CallEvents):
    """A `CallLeg`; what PJSIP tells of its call comes in by the methods of `CallEvents`."""

    def __init__(self, info: LegInfo, ties: Ties) -> None:
        super().__init__(info, codecs_named(ties.trunk.codecs)[0], ties.loop.time)
        self._ties: Final = ties
        self._stage = _Stage.IDLE
        self._line: Line | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._next_sdp: bytes | None = None
        self._late_offer = False
        self._why: Reason | None = None
        self._early: bool | None = None
        self._trusted: frozenset[str] = frozenset()
        self._reoffers: Final = Reoffers(
            lambda: self._answered_media, self._ask, ours=info.direction == "outbound"
        )
        self._confirmed: asyncio.Event = asyncio.Event()
        self._handover: Handover | None = None

    # Its beginning

    def take(self, invite: Request, address: str) -> None:
        """An INVITE came in: binds the media and prepares the answer, `address` in its SDP.

        Raises `NoPorts`, `SdpError` or `IncompatibleMedia`, holding nothing.
        """
        media = self._open(address)
        try:
            if invite.body:
                self._next_sdp = media.answer(invite.body)
        except Exception:
            media.close()
            raise
        self._media = media
        self._late_offer = not invite.body
        self._stage = _Stage.OFFERED
        self._timer = self._ties.loop.call_later(RING_S, self.end, Cause.NO_ANSWER)
        self._trust(homes(invite))

    def joined(self, line: Line) -> None:
        """The call of PJSIP that belongs to the leg."""
        self._line = line

    def place(self, line: Line, target: Target, address: str, hosts: frozenset[str], ring_s: float) -> None:
        """Sends the INVITE to `hosts`; raises `NoPorts` or `PjsipError`. A leg that was ended meanwhile sends
        none, and is gone."""
        if self._over:
            self._go()
            return
        self._media = self._open(address)
        self._trust(hosts)
        self._stage = _Stage.CALLING
        self._line = line
        self._timer = self._ties.loop.call_later(ring_s, self.end, Cause.NO_ANSWER)
        try:
            line.place(str(target.uri), str(target.shown(address)), target.headers)
        except PjsipError:
            self._line = None
            raise
        self._ties.asked()

    def fail(self, cause: Cause) -> None:
        """The call could not be placed at all."""
        self._line = None
        self._finish(cause, "us")
        self._go()

    # Control

    async def ring(self) -> None:
        """Tells an inbound caller that we are alerting."""
        if self._stage is _Stage.OFFERED:
            self._ask(lambda line: line.answer(180))

    async def progress(self) -> None:
        """Lets an inbound caller hear us before the answer; without an offer of its it is told to ring."""
        if self._stage is not _Stage.OFFERED:
            return
        if self._late_offer:
            await self.ring()
        elif self._ask(lambda line: line.answer(183)) and self._live is not None:
            self._live.connect()

    async def answer(self) -> None:
        """Accepts an inbound call; without an offer in the INVITE, when the ACK has brought the answer."""
        if self._stage is not _Stage.OFFERED:
            return
        self._cancel_timer()
        self._stage = _Stage.UNACKED if self._late_offer else _Stage.ANSWERED
        if not self._ask(lambda line: line.answer(ACCEPTED)):
            self.end(Cause.FAILED)
        elif self._late_offer:
            await self._confirmed.wait()
        else:
            self._begin()

    async def reject(self, cause: Cause, retry_after_s: int | None = None) -> None:
        self._refuse(cause, retry_after_s)

    async def hang_up(self, cause: Cause = Cause.NORMAL) -> None:
        self.end(cause)

    def end(self, cause: Cause) -> None:
        match self._stage:
            case _Stage.OFFERED:
                self._refuse(Cause.REJECTED if cause is Cause.NORMAL else cause)
            case _Stage.CALLING:
                self._finish(Cause.CANCELLED if cause is Cause.NORMAL else cause, "us")
                self._leave(cause)
            case _Stage.UNACKED | _Stage.ANSWERED:
                self._finish(cause, "us")
                self._leave(cause)
            case _:
                self._finish(cause, "us")

    async def hold(self, on: bool) -> bool:
        return await self._reoffers.offer(Direction.SENDONLY if on else Direction.SENDRECV)

    async def transfer(self, target: str, wait_s: float) -> TransferOutcome:
        if self._stage is not _Stage.ANSWERED or self._handover is not None:
            return TransferOutcome.FAILED
        try:
            uri = str(transfer_uri(target, self._ties.trunk))
        except BadNumber:
            return TransferOutcome.FAILED
        handover = self._handover = Handover()
        if not self._ask(lambda line: line.refer(f"<{uri}>")):
            handover.refused()
        try:
            return await handover.outcome(wait_s)
        finally:
            self._handover = None

    async def transfer_to(self, other: CallLeg, wait_s: float) -> TransferOutcome:
        """Not with this stack: PJSIP tells of a REFER with Replaces no more than of another."""
        return TransferOutcome.FAILED

    # What PJSIP tells

    def describe(self) -> bytes:
        prepared, self._next_sdp = self._next_sdp, None
        if prepared is not None:
            return prepared
        media = self._live
        if media is None:
            raise IncompatibleMedia("the call is over")
        return media.offer(self._reoffers.direction)

    def offered(self, sdp: bytes) -> int:
        media = self._live
        if media is None:
            return status_of(Cause.INCOMPATIBLE_MEDIA)
        try:
            self._next_sdp = media.answer(sdp)
        except OfferPending:
            return 491
        except (SdpError, IncompatibleMedia):
            return status_of(Cause.INCOMPATIBLE_MEDIA)
        self._media_changed()
        return ACCEPTED

    def responded(self, response: bytes) -> None:
        message = read(response, Response)
        if message is None:
            return
        if self._stage is _Stage.ANSWERED:
            self._reanswered(message)
        elif self._stage is _Stage.CALLING:
            if 100 < message.status < 200:
                self._rings(message)
            elif 200 <= message.status < 300:
                self._accepted(message)
            else:
                self._why = reason_in(message)

    def acknowledged(self, ack: bytes) -> None:
        if self._stage is not _Stage.UNACKED:
            return
        message = read(ack, Request)
        if message is not None and message.body:
            self._agree(message.body)
        elif self._media is not None and self._media.offering:
            self._agree_as_settled()
        if not self._over:
            self._stage = _Stage.ANSWERED
            self._begin()
        self._confirmed.set()

    def informed(self, info: bytes) -> None:
        message = read(info, Request)
        if message is not None:
            key = key_of(message.content_type or "", message.body)
            if key is not None:
                self._press(key, Way.SIGNALLING, self._now())

    def left(self, request: bytes) -> None:
        self._why = reason_in(read(request, Request))

    def negotiated(self) -> None:
        # A re-INVITE without an offer: ours was in the 200, the answer came with an ACK that is not shown.
        media = self._live
        if (
            media is not None
            and media.offering
            and self._stage is _Stage.ANSWERED
            and not self._reoffers.busy
        ):
            self._agree_as_settled()
            self._media_changed()

    def transferring(self, status: int, final: bool) -> None:
        if self._handover is not None:
            self._handover.told(status, final)

    def disconnected(self, status: int, heard: bool) -> None:
        self._line = None
        why = self._why
        match self._stage:
            case _Stage.OFFERED:
                self._finish(cause_of_cancel(why), self._far_end, 487, why)
            case _Stage.CALLING:
                cause = cause_of(status, why) if heard else Cause.UNAVAILABLE
                self._finish(cause, "callee" if heard else "us", status, why)
            case _Stage.UNACKED | _Stage.ANSWERED if status == ACCEPTED:
                self._finish(self._left_as(why), self._far_end, None, why)
            case _:
                self._finish(Cause.FAILED, "us", status)
        self._go()

    # Within

    def _open(self, address: str) -> CallMedia:
        trunk = self._ties.trunk
        return CallMedia(self._ties.plane.open(self, ":" in address), address, codecs_named(trunk.codecs))

    def _ask(self, what: Callable[[Line], None]) -> bool:
        """Asks PJSIP for something; False when it would not."""
        if self._line is None:
            return False
        try:
            what(self._line)
        except PjsipError:
            return False
        self._ties.asked()
        return True

    def _leave(self, cause: Cause) -> None:
        """Ends the call of a leg that is over; PJSIP may tell of it before this returns."""
        why: Headers = (("Reason", reason(cause)),)
        self._ask(lambda line: line.hang_up(status_of(cause), why))

    def _refuse(self, cause: Cause, retry_after_s: int | None = None) -> None:
        if self._stage is not _Stage.OFFERED:
            return
        status = status_of(cause)
        after: Headers = () if retry_after_s is None else (("Retry-After", str(retry_after_s)),)
        self._finish(cause, "us", status)
        self._ask(lambda line: line.hang_up(status, after))

    def _rings(self, response: Response) -> None:
        early = bool(self._early)
        if response.body and self._live is not None:
            try:
                self._live.answered(response.body)
            except (SdpError, IncompatibleMedia, NoOffer):
                pass
            else:
                self._live.connect()
                early = True
        if early is not self._early and (response.status in (180, 183) or early):
            self._early = early
            self._put(Ringing(self._now(), early))

    def _accepted(self, response: Response) -> None:
        self._cancel_timer()
        self._stage = _Stage.ANSWERED
        self._trust(homes(response))
        if response.body or not self._early:
            self._agree(response.body)
        if not self._over:
            self._begin()

    def _reanswered(self, response: Response) -> None:
        """A response to our re-INVITE, whether anybody still waits for it or not."""
        media = self._live
        if media is None or not media.offering or response.status < 200:
            return
        if response.status in (401, 407) and self._ties.trunk.credentials is not None:
            return  # PJSIP asks again with credentials
        if response.status < 300:
            self._agree(response.body)
            self._media_changed()
        else:
            media.withdraw()
        self._reoffers.answered(response.status)

    def _agree(self, sdp: bytes) -> None:
        """Takes the answer to our offer; a call without one ends, but not within PJSIP's callback."""
        if self._live is None:
            return
        try:
            self._live.answered(sdp)
        except (SdpError, IncompatibleMedia, NoOffer):
            self._ties.loop.call_soon(self.end, Cause.INCOMPATIBLE_MEDIA)

    def _agree_as_settled(self) -> None:
        """The answer that PJSIP has seen, and shows only what came of."""
        found = None if self._line is None else self._line.remote_media()
        if found is None:  # no stream at all: nobody sends
            codec = self.codec
            self._agree(settled_sdp("0.0.0.0:9", codec.payload_type, codec.name, Direction.INACTIVE))
        else:
            self._agree(settled_sdp(found.address, found.payload_type, found.codec, found.direction))

    @property
    def _answered_media(self) -> CallMedia | None:
        return self._live if self._stage is _Stage.ANSWERED else None

    def _left_as(self, why: Reason | None) -> Cause:
        """What the far end's BYE means: it leaves, or a transfer was done."""
        if self._handover is not None and self._handover.left():
            return Cause.TRANSFERRED
        return cause_of_bye(why)

    def _trust(self, hosts: frozenset[str]) -> None:
        new = hosts - self._trusted
        self._trusted |= new
        self._ties.trust(new)

    def _go(self) -> None:
        """PJSIP has nothing of the call any more."""
        hosts, self._trusted = self._trusted, frozenset()
        self._ties.distrust(hosts)
        self._ties.gone(self)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _finish(self, cause: Cause, by: Party, code: int | None = None, why: Reason | None = None) -> None:
        """The leg is over; all that it holds is given back."""
        if self._over:
            return
        self._stage = _Stage.OVER
        self._cancel_timer()
        self._close(cause, by, code, None if why is None else str(why))
        self._confirmed.set()
        self._reoffers.answered(481)
        if self._handover is not None:
            self._handover.lost()
        self._ties.over(self)
