"""Who a session belongs to: what it asks and tells of the leg above it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from media.leg import Cause
from sip.causes import Reason
from sip.offer import IncompatibleMedia, OfferPending
from sip.referral import Referral
from sip.trunks import Side


class SessionUser(Protocol):
    """The leg above. Its methods return at once; those with SDP raise what `CallMedia` raises."""

    def session_offer(self) -> bytes:
        """Our offer, in a 2xx to a re-INVITE without one."""

    def session_refresh(self) -> bytes:
        """What we described last, as an offer that changes nothing."""

    def session_answer(self, sdp: bytes) -> bytes:
        """Our answer to the offer of a re-INVITE or UPDATE."""

    def session_answered(self, sdp: bytes) -> None:
        """The answer to our offer, in an ACK or in the 2xx of a refresh."""

    def session_withdrawn(self) -> None:
        """Our offer of a refresh was refused: what was agreed before holds on."""

    def session_digit(self, key: str) -> None:
        """A key came in an INFO."""

    def session_referred(self, referral: Referral, tell: Callable[[int], None]) -> int:
        """The far end asks us to call somebody in its place: the status to answer. After 202, `tell` takes
        how far that call is, as the status of a response."""

    def session_ended(
        self, cause: Cause, by: Side, code: int | None = None, why: Reason | None = None
    ) -> None:
        """The dialog is over; `why` in the words of the BYE."""


class Nobody:
    """The user of a session whose far end was replaced: nothing is agreed with it any more."""

    def session_offer(self) -> bytes:
        raise IncompatibleMedia("the call goes on with somebody else")

    def session_refresh(self) -> bytes:
        raise OfferPending("the call goes on with somebody else")

    def session_answer(self, sdp: bytes) -> bytes:
        raise IncompatibleMedia("the call goes on with somebody else")

    def session_answered(self, sdp: bytes) -> None: ...

    def session_withdrawn(self) -> None: ...

    def session_digit(self, key: str) -> None: ...

    def session_referred(self, referral: Referral, tell: Callable[[int], None]) -> int:
        return 603

    def session_ended(
        self, cause: Cause, by: Side, code: int | None = None, why: Reason | None = None
    ) -> None: ...
