"""Keeps a session alive, and notices when nobody does (RFC 4028): its timer on the endpoint's clock."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Final, Protocol

from media.leg import Cause
from sip.causes import Reason
from sip.endpoint import Endpoint
from sip.glare import crossed, retry_s
from sip.message import Request, Response
from sip.multipart import sdp_in
from sip.offer import IncompatibleMedia, NoOffer, OfferPending
from sip.refusal import Refused
from sip.sdp import SdpError
from sip.session_timer import Due, Fields, SessionTimer
from sip.session_user import SessionUser
from sip.timers import Timer

EXPIRED: Final = Reason("SIP", 408, "Session timer expired")
"""Why we hang up when nobody refreshed the session."""

OnChanged = Callable[[int, Response | None], None]
"""Takes the final status of a re-INVITE or UPDATE, once."""


class Refreshed(Protocol):
    """The session, as far as its timer needs it."""

    @property
    def user(self) -> SessionUser: ...

    @property
    def may_reinvite(self) -> bool:
        """Whether nothing else is under way in the dialog."""

    @property
    def updates(self) -> bool:
        """Whether the far end takes UPDATE."""

    @property
    def ours(self) -> bool:
        """Whether we placed the call."""

    def reinvite(self, sdp: bytes, then: OnChanged) -> None: ...

    def update(self, then: OnChanged) -> None: ...

    def fail(self, cause: Cause, why: Reason | None = None) -> None: ...


class Refresher:
    """The session timer of one session."""

    def __init__(self, endpoint: Endpoint, timer: SessionTimer, session: Refreshed) -> None:
        self._endpoint: Final = endpoint
        self._timer: Final = timer
        self._session: Final = session
        self._updates = True
        self._busy = False
        self._alarm: Timer | None = None

    # The header fields of what changes the session

    def request(self) -> Fields:
        """Those of a re-INVITE or UPDATE of ours."""
        return self._timer.request()

    def agreed(self, response: Response) -> None:
        """The 2xx to it."""
        self._timer.agreed(response, self._endpoint.now())
        self.wind()

    def too_small(self, response: Response | None) -> bool:
        """Whether the far end wants a longer session interval, so that the same is to be asked again."""
        return response is not None and response.status == 422 and self._timer.too_small(response)

    def check(self, request: Request) -> None:
        """A re-INVITE or UPDATE of the far end; raises `Refused` when it asks for too short an interval."""
        self._timer.check(request)

    def respond(self, request: Request) -> Fields:
        """Those of our 2xx to it."""
        fields = self._timer.respond(request, self._endpoint.now())
        self.wind()
        return fields

    # Time

    def wind(self) -> None:
        """Sets the alarm to when the timer is due next."""
        self._endpoint.timers.cancel(self._alarm)
        due = self._timer.due
        self._alarm = None if due is None else self._endpoint.later(due - self._endpoint.now(), self._rung)

    def stop(self) -> None:
        """The session is over."""
        self._timer.stop()
        self.wind()

    def _rung(self, now: float) -> None:
        match self._timer.poll(now):
            case Due.EXPIRE:
                self._session.fail(Cause.FAILED, EXPIRED)
            case Due.REFRESH:
                self._refresh()
        self.wind()

    def _refresh(self) -> None:
        """By UPDATE, which disturbs nothing, else by a re-INVITE with the description that stands."""
        session = self._session
        if self._busy or not session.may_reinvite:
            return  # the timer asks again
        if session.updates and self._updates:
            self._busy = True
            session.update(self._refreshed)
            return
        with contextlib.suppress(OfferPending):
            sdp = session.user.session_refresh()
            self._busy = True
            session.reinvite(sdp, self._described)

    def _described(self, status: int, response: Response | None) -> None:
        """The end of our re-INVITE with the same description."""
        user = self._session.user
        try:
            sdp = sdp_in(response) if response is not None and status < 300 else b""
            if sdp:
                user.session_answered(sdp)
            else:
                user.session_withdrawn()
        except (SdpError, IncompatibleMedia, NoOffer, Refused):
            self._session.fail(Cause.INCOMPATIBLE_MEDIA)
            return
        self._refreshed(status, response)

    def _refreshed(self, status: int, response: Response | None) -> None:
        self._busy = False
        if crossed(status, response):
            self._timer.retry(self._endpoint.now() + retry_s(self._session.ours))
        elif status in (405, 501) and self._updates and self._session.updates:
            self._updates = False
            self._timer.retry(self._endpoint.now())
        self.wind()
