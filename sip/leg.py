"""The SIP call leg: what inbound and outbound calls have in common once there is media.

Its far end may change (`sip.succession`): session and media are then another party's, all else stays.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from media.leg import (
    Answered,
    CallLeg,
    Cause,
    LegEvent,
    LegInfo,
    Party,
    Replaced,
    TransferOutcome,
)
from media.plane import RtpPlane
from media.presses import Way
from sip.authenticator import Authenticator
from sip.call_media import CallMedia, codecs_named
from sip.causes import Reason
from sip.dialogs import Dialogs
from sip.endpoint import Endpoint
from sip.glare import crossed, retry_s
from sip.media_leg import MediaLeg
from sip.message import Response
from sip.multipart import sdp_in
from sip.offer import IncompatibleMedia, NoOffer, OfferPending
from sip.referral import Referral
from sip.refusal import Refused
from sip.sdp import Direction, SdpError
from sip.session import Session
from sip.stack import BadNumber, OutboundCall
from sip.succession import Newcomer, Place, Succession, Tell
from sip.transfer import Transfer, refer_to
from sip.trunks import Side, Trunk, transfer_uri
from sip.uri import NameAddr, Uri

log = logging.getLogger(__name__)

_HOLD_TRIES: Final = 6


class _Offer(Enum):
    """What became of our re-INVITE."""

    DONE = auto()
    BUSY = auto()
    """Another INVITE is under way; ours was not sent."""
    GLARE = auto()
    """The far end sent one at the same time (491)."""
    FAILED = auto()


@dataclass(frozen=True, slots=True)
class Ties:
    """What a leg needs of its user agent."""

    endpoint: Endpoint
    sessions: Dialogs
    trunk: Trunk
    authenticator: Authenticator
    over: Callable[[SipLeg], None]
    """Called once, when the leg has sent its `HungUp`."""
    place: Place
    """Places a call to who is to take a far end's place."""
    succession: Succession | None = None
    """Where this leg only brings its far end to another one."""


class SipLeg(MediaLeg):
    """A `CallLeg` of our own stack; also the user of its session."""

    def __init__(self, info: LegInfo, ties: Ties) -> None:
        super().__init__(info, codecs_named(ties.trunk.codecs)[0], ties.endpoint.now)
        self._ties: Final = ties
        self._endpoint: Final = ties.endpoint
        self._session: Session | None = None
        self._waiting: set[asyncio.Event] = set()
        self._succession: Succession | None = None
        self._target_of: Transfer | None = None
        self._ours = info.direction == "outbound"
        self._left: tuple[Cause, int | None, Reason | None] | None = None

    # Control

    async def ring(self) -> None:
        """Nothing to tell: the far end rings, or talks already."""

    async def progress(self) -> None:
        """Nothing to let in: the far end's media is its own affair."""

    async def answer(self) -> None:
        """Nothing to answer."""

    async def reject(self, cause: Cause, retry_after_s: int | None = None) -> None:
        """Nothing to refuse."""

    async def hang_up(self, cause: Cause = Cause.NORMAL) -> None:
        self.end(cause)

    def end(self, cause: Cause) -> None:
        """Hangs up at once."""
        if self._over:
            return
        if self._succession is not None and self._session is not None:
            self._succession.end()
            self._session.dismiss(cause)  # after the NOTIFY that says so
        elif self._session is not None:
            self._session.end(cause)
        self._finish(cause, "us")

    def give(self) -> tuple[Session, CallMedia]:
        """Our far end goes to another leg; this one is over, without a word to anybody."""
        session, media = self._session, self._media
        assert session is not None
        assert media is not None
        self._session = self._media = None
        self._over = True
        self._ties.over(self)
        return session, media

    # Transfers that we ask for

    async def transfer(self, target: str, wait_s: float) -> TransferOutcome:
        session = self._session
        if session is None or self._over:
            return TransferOutcome.FAILED
        try:
            uri = transfer_uri(target, self._ties.trunk)
        except BadNumber as error:
            log.warning("a transfer over trunk %s is refused: %s", self._info.trunk, error)
            return TransferOutcome.FAILED
        return await self._refer(session, f"<{uri}>", wait_s)

    async def transfer_to(self, other: CallLeg, wait_s: float) -> TransferOutcome:
        session = self._session
        if session is None or self._over or other is self or not isinstance(other, SipLeg):
            return TransferOutcome.FAILED
        target = None if other._session is None or other._over else refer_to(other._session.dialog)
        if target is None:
            return TransferOutcome.FAILED
        outcome = await self._refer(session, target, wait_s, other)
        if outcome is TransferOutcome.DONE:
            self.end(Cause.TRANSFERRED)
            other.end(Cause.TRANSFERRED)
        return outcome

    async def _refer(
        self, session: Session, target: str, wait_s: float, other: SipLeg | None = None
    ) -> TransferOutcome:
        """Sends a REFER and waits for how it went. `other` is the leg whose far end it names."""
        news = asyncio.Event()
        transfer = session.referrals.refer(target, session.contact(), news.set)
        if other is not None:
            other._target_of = transfer
        try:
            async with asyncio.timeout(wait_s):
                while transfer.outcome is None:
                    await news.wait()
                    news.clear()
        except TimeoutError:
            transfer.expired()
        return transfer.outcome or TransferOutcome.FAILED

    # Somebody else comes to our far end

    def admit(self, newcomer: SipLeg) -> None:
        """Somebody called to take our far end's place; who was to come before is sent away."""
        succession = newcomer._ties.succession
        assert succession is not None
        if self._succession is not None:
            self._succession.end()
        self._succession = succession
        succession.answer(newcomer, newcomer.answer())

    def media_for(self, address: str) -> CallMedia:
        return self._agreeing.successor(address)

    def succeeded(self, newcomer: Newcomer) -> None:
        old, before = self._session, self._agreeing
        rang = old is None and self._left is None
        session, media = newcomer.give()
        self._succession = self._left = None
        for event in self._waiting:  # whoever waits for the old party
            event.set()
        session.hand_over(self)
        self._session, self._media = session, media
        media.take_over(before)
        if old is not None:
            old.dismiss(Cause.TRANSFERRED)
        if rang:
            self._put(Answered(self._endpoint.now()))
        came = newcomer.info
        self._ours = came.direction == "outbound"
        self._put(Replaced(self._endpoint.now(), came.caller if came.direction == "inbound" else came.called))
        self._media_changed()

    def stays(self) -> None:
        self._succession = None
        if self._left is not None:
            cause, code, why = self._left
            self._finish(cause, self._far_end, code, why)

    async def hold(self, on: bool) -> bool:
        direction = Direction.SENDONLY if on else Direction.SENDRECV
        for _ in range(_HOLD_TRIES):
            match await self._reoffer(direction):
                case _Offer.BUSY:
                    await asyncio.sleep(self._endpoint.timing.t1)
                case _Offer.GLARE:
                    await asyncio.sleep(retry_s(self._ours))
                case outcome:
                    return outcome is _Offer.DONE
        return False

    # The session's user

    def session_offer(self) -> bytes:
        return self._agreeing.offer()

    def session_refresh(self) -> bytes:
        return self._agreeing.refresh()

    def session_withdrawn(self) -> None:
        if self._live is not None:
            self._live.withdraw()

    def session_answer(self, sdp: bytes) -> bytes:
        answer = self._agreeing.answer(sdp)
        self._media_changed()
        return answer

    def session_answered(self, sdp: bytes) -> None:
        self._agreeing.answered(sdp)
        self._media_changed()

    def session_digit(self, key: str) -> None:
        self._press(key, Way.SIGNALLING, self._endpoint.now())

    def session_referred(self, referral: Referral, tell: Tell) -> int:
        ties, session = self._ties, self._session
        to = referral.destination(ties.trunk)
        if to is None or session is None or self._over:
            log.info("a REFER over trunk %s is refused: `refer_to` does not allow it", self._info.trunk)
            return 603
        if self._succession is not None:
            return 491
        if referral.replaces is not None and any(map(ties.sessions.find, referral.replaces.dialogs)):
            return 603  # two calls of ours are not joined: both ends would be ourselves
        if _same_place(referral.target, NameAddr.parse(session.contact()).uri) and to == str(referral.target):
            return 482
        ours = self._info.called if self._info.direction == "inbound" else self._info.caller
        call = OutboundCall(to, self._info.trunk, caller_id=ours or None, headers=referral.headers())
        self._succession = Succession(self, tell)
        self._succession.call(ties.place, call)
        return 202

    def session_ended(
        self, cause: Cause, by: Side, code: int | None = None, why: Reason | None = None
    ) -> None:
        if by == "us":
            self._finish(cause, "us", code, why)
        elif self._succession is not None and self._live is not None:
            # They asked for somebody else and hung up at once: the leg waits in silence for who comes.
            self._session, self._left = None, (cause, code, why)
            self._live.stream.set_direction(False, False)
        else:
            went_over = self._target_of is not None and self._target_of.accepted
            self._finish(Cause.TRANSFERRED if went_over else cause, self._far_end, code, why)

    # Within

    @property
    def _agreeing(self) -> CallMedia:
        if self._media is None or self._over:
            raise IncompatibleMedia("the call is over")
        return self._media

    def _put(self, event: LegEvent) -> None:
        if self._ties.succession is None:
            super()._put(event)
        elif not self._over:
            self._ties.succession.told(event)

    def _open(self, plane: RtpPlane, address: str) -> CallMedia:
        """The media of our first party, `address` in its SDP; raises `NoPorts`."""
        trunk = self._ties.trunk
        if self._ties.succession is not None:
            return self._ties.succession.media(address)
        return CallMedia(
            plane.open(self, ":" in address), address, codecs_named(trunk.codecs), srtp=trunk.srtp
        )

    def _begin(self) -> None:
        if self._ties.succession is None:
            super()._begin()
        else:
            self._ties.succession.arrived(self)

    async def _reoffer(self, direction: Direction) -> _Offer:
        """Sends a re-INVITE and waits for its end, or the call's."""
        session, media = self._session, self._live
        if session is None or media is None:
            return _Offer.FAILED
        if not session.may_reinvite:
            return _Offer.BUSY
        outcome = _Offer.FAILED
        done = self._waiter()

        def answered(status: int, response: Response | None) -> None:
            nonlocal outcome
            done.set()
            if response is None or status >= 300:
                media.withdraw()
                outcome = _Offer.GLARE if crossed(status, response) else _Offer.FAILED
                return
            try:
                media.answered(sdp_in(response))
            except (SdpError, IncompatibleMedia, NoOffer, Refused):
                self.end(Cause.INCOMPATIBLE_MEDIA)
            else:
                outcome = _Offer.DONE
                self._media_changed()

        try:
            session.reinvite(media.offer(direction), answered)
            await done.wait()
        except OfferPending:
            return _Offer.BUSY
        finally:
            self._waiting.discard(done)
        return outcome

    def _waiter(self) -> asyncio.Event:
        """An event that is set at the end of the leg, if not before."""
        event = asyncio.Event()
        self._waiting.add(event)
        return event

    def _finish(self, cause: Cause, by: Party, code: int | None = None, why: Reason | None = None) -> None:
        """The leg is over; all that it holds is given back."""
        if self._over:
            return
        self._close(cause, by, code, None if why is None else str(why))
        if self._succession is not None:
            self._succession.end()
        for event in self._waiting:
            event.set()
        self._ties.over(self)


def _same_place(one: Uri, other: Uri) -> bool:
    return (one.host.lower(), one.port or 5060) == (other.host.lower(), other.port or 5060)
