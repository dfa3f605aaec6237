"""The book of one-time tokens: who may begin a call by the web, and which. Pure.

A token is shown once, to who asked for it; only its digest is kept. It is good for one beginning within its
time. Used ones are remembered until their time is over, so that a second use is told from an unknown token.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Literal

from media.leg import LegInfo

MOST: Final = 10_000
"""Tokens that wait at once."""

Mode = Literal["listen", "whisper", "take_over"]


@dataclass(frozen=True, slots=True)
class FlowCall:
    """A call of a flow; `caller` is how who calls is named in its record."""

    flow: str
    params: Mapping[str, Any] = field(default_factory=dict)
    language: str | None = None
    caller: str = ""


@dataclass(frozen=True, slots=True)
class Supervision:
    """An operator joins a live call."""

    call_id: str
    mode: Mode
    operator: str


Purpose = FlowCall | Supervision


@dataclass(frozen=True, slots=True)
class Ticket:
    """What is given to who asked; the token is in no other place."""

    session_id: str
    token: str
    ends_at: float


class TokenRefused(Exception):
    """The token is good for nothing; `reason` says why to programs."""

    reason: ClassVar[Literal["unknown", "used", "expired"]]


class UnknownToken(TokenRefused):
    reason = "unknown"

    def __init__(self) -> None:
        super().__init__("there is no such token")


class TokenUsed(TokenRefused):
    reason = "used"

    def __init__(self) -> None:
        super().__init__("the token was used already: it is good for one call")


class TokenExpired(TokenRefused):
    reason = "expired"

    def __init__(self) -> None:
        super().__init__("the token has expired")


class TooManyTokens(Exception):
    """So many are waiting that no more are given out."""


@dataclass(slots=True)
class _Entry:
    session_id: str
    purpose: Purpose | None
    """None once it was used."""
    ends_at: float


class SessionBook:
    """Times are seconds of any one clock."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._entries: dict[bytes, _Entry] = {}

    def issue(self, purpose: Purpose, now: float, ttl_s: float) -> Ticket:
        """Raises `TooManyTokens`."""
        if len(self._entries) >= self._most:
            self._tidy(now)
            if len(self._entries) >= self._most:
                raise TooManyTokens(f"{self._most} tokens are waiting to be used")
        session_id, token = secrets.token_hex(12), secrets.token_urlsafe(32)
        self._entries[digest_of(token)] = _Entry(session_id, purpose, now + ttl_s)
        return Ticket(session_id, token, now + ttl_s)

    def redeem(self, token: str, now: float) -> tuple[str, Purpose]:
        """The session and what it is for; raises `TokenRefused`."""
        entry = self._entries.get(digest_of(token))
        if entry is None:
            raise UnknownToken
        if entry.purpose is None:
            raise TokenUsed
        purpose, entry.purpose = entry.purpose, None
        if now >= entry.ends_at:
            raise TokenExpired
        return entry.session_id, purpose

    def _tidy(self, now: float) -> None:
        self._entries = {key: entry for key, entry in self._entries.items() if now < entry.ends_at}


def leg_info(session_id: str, purpose: Purpose, trunk: str) -> LegInfo:
    """Who is on the leg of a session; `trunk` says by which way it came."""
    match purpose:
        case FlowCall(flow=flow, caller=caller):
            return LegInfo(session_id, "inbound", caller, flow, trunk, {})
        case Supervision(operator=operator):
            return LegInfo(session_id, "inbound", operator, "", trunk, {})


def digest_of(token: str) -> bytes:
    """What is kept in the place of a token."""
    # What comes in JSON may have halves of surrogate pairs, which are no text: that token is an unknown one.
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
