"""Session timers (RFC 4028): what both sides agree on, when to refresh, and when a call is given up. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Literal

from sip.extensions import TIMER, supports
from sip.message import Request, Response
from sip.params import param, parse_params
from sip.refusal import Refused
from sip.trunks import Side

MIN_SE_S: Final = 90
"""The shortest session interval that there is (RFC 4028 4); ours too."""
_MAX_S: Final = 2**31 - 1
_LEAST_S: Final = 10
"""A peer that breaks the rule above is taken at its word down to this, and no further."""
_GRACE_S: Final = 32.0
_RETRY_S: Final = 5.0
_RAISES: Final = 4
"""How often a peer may ask for a longer interval."""
_SECONDS: Final = re.compile("[0-9]{1,10}")

Fields = tuple[tuple[str, str], ...]
_Role = Literal["uac", "uas"]


class IntervalTooSmall(Refused):
    """The interval asked for is shorter than ours may be (RFC 4028 9)."""

    def __init__(self) -> None:
        super().__init__("the session interval is too small", 422, (("Min-SE", str(MIN_SE_S)),))


@dataclass(frozen=True, slots=True)
class SessionExpires:
    """A Session-Expires header; `refresher` is None where it is left open."""

    seconds: int
    refresher: _Role | None = None

    @classmethod
    def parse(cls, text: str) -> SessionExpires:
        """Raises ValueError."""
        digits, _, rest = text.partition(";")
        seconds = _seconds(digits)
        role = (param(parse_params(rest), "refresher") or "").lower()
        return cls(seconds, "uac" if role == "uac" else "uas" if role == "uas" else None)

    def __str__(self) -> str:
        return f"{self.seconds}" + (f";refresher={self.refresher}" if self.refresher else "")


@dataclass(frozen=True, slots=True)
class Terms:
    """What was agreed: without a refresh within so many seconds, the session is over."""

    expires_s: int
    refresher: Side


class Due(Enum):
    """What the timer asks for."""

    REFRESH = auto()
    """Send an UPDATE, or a re-INVITE with the same session description."""
    EXPIRE = auto()
    """Nobody refreshed the session: send BYE."""


class SessionTimer:
    """The session timer of one dialog, early or confirmed, both roles.

    `request` and `agreed` are for requests of ours (INVITE, re-INVITE, UPDATE), `respond` for those of the
    far end. `due` is when `poll` must be called next.
    """

    def __init__(self, wanted_s: int, refresher: Side | None) -> None:
        """`wanted_s`: the interval that we ask for, 0: none; `refresher`: whom we choose, where we may."""
        self._wanted_s: Final = max(wanted_s, MIN_SE_S) if wanted_s else 0
        self._wanted_refresher: Final = refresher
        self._min_s = MIN_SE_S
        self._raises = 0
        self.terms: Terms | None = None
        self._refresh_at: float | None = None
        self._expire_at = 0.0

    # Our requests

    def request(self) -> Fields:
        """The header fields of our INVITE, re-INVITE or UPDATE. Who refreshed goes on to do so."""
        if not self._wanted_s:
            return ()
        terms = self.terms
        side = self._wanted_refresher if terms is None else terms.refresher
        role: _Role | None = None if side is None else "uac" if side == "us" else "uas"
        seconds = max(self._wanted_s if terms is None else terms.expires_s, self._min_s)
        floor = (("Min-SE", str(self._min_s)),) if self._min_s > MIN_SE_S else ()
        return (("Session-Expires", str(SessionExpires(seconds, role))), *floor)

    def too_small(self, response: Response) -> bool:
        """A 422 came to our request: whether it can be sent again, with the interval that is asked for."""
        try:
            floor = _seconds(response.headers.get("Min-SE") or "")
        except ValueError:
            return False
        asked = max(self._wanted_s if self.terms is None else self.terms.expires_s, self._min_s)
        if not self._wanted_s or floor <= asked or self._raises >= _RAISES:
            return False
        self._raises += 1
        self._min_s = floor
        return True

    def agreed(self, response: Response, now: float) -> None:
        """A 2xx came to our request; without Session-Expires there is no timer (any more)."""
        value = _value(response)
        if value is None or not self._wanted_s:
            self._set(None, now)
            return
        self._set(Terms(max(value.seconds, _LEAST_S), "them" if value.refresher == "uas" else "us"), now)

    # The far end's requests

    def respond(self, request: Request, now: float) -> Fields:
        """The header fields of our 2xx to an INVITE, re-INVITE or UPDATE; the timer runs from here on.

        Raises `IntervalTooSmall`.
        """
        terms = self._answer(request)
        self._set(terms, now)
        if terms is None:
            return ()
        role: _Role = "uas" if terms.refresher == "us" else "uac"
        # 9: a caller that must refresh has to know the extension.
        require = (("Require", TIMER),) if role == "uac" else ()
        return (("Session-Expires", str(SessionExpires(terms.expires_s, role))), *require)

    def check(self, request: Request) -> None:
        """Raises `IntervalTooSmall` where `respond` would; for an INVITE that is answered later."""
        self._answer(request)

    def _answer(self, request: Request) -> Terms | None:
        """RFC 4028 9, table 2."""
        if not self._wanted_s:
            return None
        able = supports(request, TIMER)
        value = _value(request)
        if value is not None and value.seconds < MIN_SE_S:
            if able:
                raise IntervalTooSmall
            value = SessionExpires(MIN_SE_S)
        if value is None and not able:
            return None
        floor = max(_min_se(request), MIN_SE_S)
        if value is None:
            seconds = max(self._wanted_s if self.terms is None else self.terms.expires_s, floor)
        else:
            seconds = max(min(value.seconds, max(self._wanted_s, self._min_s)), floor)
        if not able:
            return Terms(seconds, "us")
        if value is not None and value.refresher is not None:
            return Terms(seconds, "them" if value.refresher == "uac" else "us")
        present = None if self.terms is None else self.terms.refresher
        return Terms(seconds, present or self._wanted_refresher or "us")

    # Time

    @property
    def due(self) -> float | None:
        if self.terms is None:
            return None
        return self._expire_at if self._refresh_at is None else min(self._refresh_at, self._expire_at)

    def poll(self, now: float) -> Due | None:
        """What is to be done now; after EXPIRE nothing more."""
        if self.terms is None:
            return None
        if now >= self._expire_at:
            self.stop()
            return Due.EXPIRE
        if self._refresh_at is not None and now >= self._refresh_at:
            # Until the 2xx sets the timer anew: a refresh that failed is tried again before all is lost.
            self._refresh_at = now + max(_RETRY_S, self.terms.expires_s / 8)
            return Due.REFRESH
        return None

    def retry(self, at: float) -> None:
        """Our refresh met another change of the session, or a peer without UPDATE: again at that time."""
        if self._refresh_at is not None:
            self._refresh_at = at

    def stop(self) -> None:
        """The call is over."""
        self.terms = None

    def _set(self, terms: Terms | None, now: float) -> None:
        self.terms = terms
        if terms is None:
            return
        seconds = terms.expires_s
        # 10: the refresh comes at half time; a BYE a bit before the end, so that it still finds the dialog.
        self._refresh_at = now + seconds / 2 if terms.refresher == "us" else None
        self._expire_at = now + seconds - min(_GRACE_S, seconds / 3)


def _value(message: Request | Response) -> SessionExpires | None:
    """The Session-Expires of a message; one that cannot be read counts as none."""
    text = message.headers.get("Session-Expires")
    if text is None:
        return None
    try:
        return SessionExpires.parse(text)
    except ValueError:
        return None


def _min_se(request: Request) -> int:
    try:
        return _seconds(request.headers.get("Min-SE") or "0")
    except ValueError:
        return 0


def _seconds(text: str) -> int:
    digits = text.partition(";")[0].strip()
    if not _SECONDS.fullmatch(digits) or int(digits) > _MAX_S:
        raise ValueError(f"not a number of seconds: {text[:40]!r}")
    return int(digits)
