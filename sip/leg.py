"""The SIP call leg: what inbound and outbound calls have in common once there is media."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from media.clip import Clip
from media.codecs import Codec
from media.leg import (
    Answered,
    AudioTap,
    CallLeg,
    Cause,
    Digit,
    FrameSink,
    Held,
    HungUp,
    LegEvent,
    LegInfo,
    Party,
    Played,
    Quality,
    Stopped,
    TransferOutcome,
)
from media.plane import RtpPlane
from sip.authenticator import Authenticator
from sip.call_media import CallMedia, codecs_named
from sip.endpoint import Endpoint
from sip.message import Response
from sip.offer import IncompatibleMedia, NoOffer, OfferPending
from sip.referral import Referral
from sip.sdp import Direction, SdpError
from sip.session import Session, Sessions, Side
from sip.stack import BadNumber
from sip.trunks import Trunk, transfer_uri

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
    sessions: Sessions
    trunk: Trunk
    authenticator: Authenticator
    over: Callable[[SipLeg], None]
    """Called once, when the leg has sent its `HungUp`."""


class SipLeg:
    """A `CallLeg`; also the user of its session and of its RTP stream, whose events it translates.

    `next_event` raises RuntimeError once `HungUp` was given.
    """

    def __init__(self, info: LegInfo, ties: Ties) -> None:
        self._info: Final = info
        self._ties: Final = ties
        self._endpoint: Final = ties.endpoint
        self._media: CallMedia | None = None
        self._session: Session | None = None
        self._events: asyncio.Queue[LegEvent] = asyncio.Queue()
        self._over = False
        self._drained = False
        self._held = False
        self._waiting: set[asyncio.Event] = set()

    # What every leg tells

    @property
    def info(self) -> LegInfo:
        return self._info

    @property
    def codec(self) -> Codec:
        if self._media is None:
            return codecs_named(self._ties.trunk.codecs)[0]
        return self._media.codec

    @property
    def sample_rate(self) -> int:
        return self.codec.sample_rate

    async def next_event(self) -> LegEvent:
        if self._drained:
            raise RuntimeError("the leg is over: HungUp was its last event")
        event = await self._events.get()
        self._drained = isinstance(event, HungUp)
        return event

    def quality(self) -> Quality:
        return Quality() if self._media is None else self._media.stream.quality()

    # Media

    def play(self, clip: Clip, mark: str) -> None:
        if self._live is not None:
            self._live.stream.play(clip, mark)

    def stop(self) -> None:
        if self._live is not None:
            self._live.stream.stop()

    def listen(self, sink: FrameSink | None) -> None:
        if self._live is not None:
            self._live.stream.listen(sink)

    def record(self, tap: AudioTap | None) -> None:
        if self._live is not None:
            self._live.stream.record(tap)
        elif tap is not None:
            tap.close()

    def send_digits(self, keys: str) -> None:
        if self._live is not None:
            self._live.stream.send_digits(keys)

    # Control

    async def ring(self) -> None:
        """Nothing to tell: the far end rings, or talks already."""

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
        if self._session is not None:
            self._session.end(cause)
        self._finish(cause, "us")

    async def transfer(self, target: str, wait_s: float) -> TransferOutcome:
        session = self._session
        if session is None or self._over:
            return TransferOutcome.FAILED
        try:
            uri = transfer_uri(target, self._ties.trunk)
        except BadNumber:
            return TransferOutcome.FAILED
        news = asyncio.Event()
        transfer = session.referrals.refer(f"<{uri}>", session.contact(), news.set)
        try:
            async with asyncio.timeout(wait_s):
                while transfer.outcome is None:
                    await news.wait()
                    news.clear()
        except TimeoutError:
            transfer.expired()
        return transfer.outcome or TransferOutcome.FAILED

    async def transfer_to(self, other: CallLeg, wait_s: float) -> TransferOutcome:
        return TransferOutcome.FAILED

    async def hold(self, on: bool) -> bool:
        direction = Direction.SENDONLY if on else Direction.SENDRECV
        for _ in range(_HOLD_TRIES):
            match await self._reoffer(direction):
                case _Offer.BUSY:
                    await asyncio.sleep(self._endpoint.timing.t1)
                case _Offer.GLARE:
                    # RFC 3261 14.1: who made the Call-ID waits longer, so that one of both comes through.
                    ours = self._info.direction == "outbound"
                    await asyncio.sleep(random.uniform(2.1, 4.0) if ours else random.uniform(0.0, 2.0))
                case outcome:
                    return outcome is _Offer.DONE
        return False

    # The session's user

    def session_offer(self) -> bytes:
        return self._agreeing.offer()

    def session_answer(self, sdp: bytes) -> bytes:
        answer = self._agreeing.answer(sdp)
        self._media_changed()
        return answer

    def session_answered(self, sdp: bytes) -> None:
        self._agreeing.answered(sdp)
        self._media_changed()

    def session_digit(self, key: str) -> None:
        self._put(Digit(self._endpoint.now(), key))

    def session_referred(self, referral: Referral, tell: Callable[[int], None]) -> int:
        return 603

    def session_ended(self, cause: Cause, by: Side, code: int | None) -> None:
        self._finish(cause, "us" if by == "us" else self._far_end, code)

    # The stream's events

    def digit(self, key: str, at: float) -> None:
        self._put(Digit(at, key))

    def played(self, mark: str, at: float) -> None:
        self._put(Played(at, mark))

    def stopped(self, mark: str, sample: int, at: float) -> None:
        self._put(Stopped(at, mark, sample))

    def timed_out(self, at: float) -> None:
        self.end(Cause.MEDIA_TIMEOUT)

    # Within

    @property
    def _far_end(self) -> Party:
        return "caller" if self._info.direction == "inbound" else "callee"

    @property
    def _live(self) -> CallMedia | None:
        """The media while the leg is not over."""
        return None if self._over else self._media

    @property
    def _agreeing(self) -> CallMedia:
        if self._media is None or self._over:
            raise IncompatibleMedia("the call is over")
        return self._media

    def _put(self, event: LegEvent) -> None:
        if not self._over:
            self._events.put_nowait(event)

    def _open(self, plane: RtpPlane, address: str) -> CallMedia:
        """The media of our first party, `address` in its SDP; raises `NoPorts`."""
        trunk = self._ties.trunk
        return CallMedia(plane.open(self), address, codecs_named(trunk.codecs), srtp=trunk.srtp)

    def _begin(self) -> None:
        """The call is answered, and its media agreed on."""
        if self._live is not None:
            self._live.connect()
            self._put(Answered(self._endpoint.now()))
            self._media_changed()

    def _media_changed(self) -> None:
        """Media flows as agreed last; a hold, or its end, is told."""
        media = self._live
        if media is None:
            return
        media.connect()
        if media.held != self._held:
            self._held = media.held
            self._put(Held(self._endpoint.now(), self._held))

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
                outcome = _Offer.GLARE if status == 491 else _Offer.FAILED
                return
            try:
                media.answered(response.body)
            except (SdpError, IncompatibleMedia, NoOffer):
                self.end(Cause.INCOMPATIBLE_MEDIA)
            else:
                outcome = _Offer.DONE
                self._media_changed()

        try:
            session.reinvite(media.offer(direction), answered)
        except OfferPending:
            return _Offer.BUSY
        await done.wait()
        self._waiting.discard(done)
        return outcome

    def _waiter(self) -> asyncio.Event:
        """An event that is set at the end of the leg, if not before."""
        event = asyncio.Event()
        self._waiting.add(event)
        return event

    def _finish(self, cause: Cause, by: Party, code: int | None = None) -> None:
        """The leg is over; all that it holds is given back."""
        if self._over:
            return
        self._put(HungUp(self._endpoint.now(), cause, by, code))
        self._over = True
        if self._media is not None:
            self._media.close()
        for event in self._waiting:
            event.set()
        self._ties.over(self)
