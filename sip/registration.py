"""When to register and what became of it (RFC 3261 10.2): a machine without clock or sockets.

The shell sends a REGISTER for `asks_s` seconds, tells the machine how it went, and waits as long as it says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from sip.headers import delta_seconds
from sip.message import Response
from sip.uri import NameAddr, Uri, UriError

RETRY_S: Final = 2.0
"""Pause after the first failure; each further one doubles it."""
MAX_RETRY_S: Final = 300.0
REFUSED_S: Final = 60.0
"""Pause after a refusal of the password, at least: registrars lock out who tries too often."""
MARGIN_S: Final = 60.0
"""How long before its end a registration is refreshed, where it is long enough."""
MIN_GRANTED_S: Final = 10
MAX_ASKED_S: Final = 86_400


class Result(Enum):
    """What the registrar said, as far as it makes a difference."""

    ACCEPTED = auto()
    TOO_BRIEF = auto()
    """423: `seconds` is the least that it takes."""
    PASSWORD_REFUSED = auto()
    """Our answer to its challenge was not taken."""
    UNANSWERABLE = auto()
    """A challenge that we cannot answer: other algorithms or another realm, or we have no password."""
    REFUSED = auto()
    """Any other final response."""
    SILENT = auto()
    """No answer, no connection, no address."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a REGISTER went. `seconds`: what was granted, is the least, or is to be waited (Retry-After)."""

    result: Result
    status: int = 0
    seconds: float | None = None
    why: str = ""


class Registration:
    """One binding at one registrar. `draw` gives random numbers from 0 up to 1, so that many do not come at
    once."""

    def __init__(self, expires_s: int, draw: Callable[[], float]) -> None:
        self._draw: Final = draw
        self._failures = 0
        self._until: float | None = None
        self.asks_s = expires_s
        self.reason = "not registered yet"

    def registered(self, now: float) -> bool:
        """Whether the binding stands; it does until it runs out, also while it cannot be refreshed."""
        return self._until is not None and now < self._until

    def heard(self, outcome: Outcome, now: float) -> float:
        """Takes the outcome of a REGISTER; returns the seconds until the next is to be sent."""
        match outcome.result:
            case Result.ACCEPTED:
                return self._accepted(outcome.seconds, now)
            case Result.TOO_BRIEF if (
                outcome.seconds is not None and self.asks_s < outcome.seconds <= MAX_ASKED_S
            ):
                self.asks_s = int(outcome.seconds)
                return 0.0
            case Result.PASSWORD_REFUSED:
                return self._failed("the password is refused", REFUSED_S)
            case Result.UNANSWERABLE:
                return self._failed(outcome.why or "the challenge cannot be answered", REFUSED_S)
            case Result.SILENT:
                return self._failed(outcome.why or "the registrar does not answer", 0.0)
            case _:
                self._until = None  # whatever stood, the registrar knows better
                return self._failed(f"the registrar answers {outcome.status}", outcome.seconds or 0.0)

    def left(self) -> None:
        """The binding was taken back."""
        self._until = None
        self.reason = "no longer registered"

    def _accepted(self, granted_s: float | None, now: float) -> float:
        granted = max(float(self.asks_s if granted_s is None else granted_s), MIN_GRANTED_S)
        self._failures, self._until, self.reason = 0, now + granted, ""
        return max(granted / 2, granted - MARGIN_S) * (0.9 + 0.1 * self._draw())

    def _failed(self, reason: str, least_s: float) -> float:
        self.reason = reason
        pause = min(RETRY_S * 2.0 ** min(self._failures, 16), MAX_RETRY_S)
        if least_s >= REFUSED_S:
            pause = min(least_s * 2.0 ** min(self._failures, 5), max(least_s, 1800.0))
        self._failures += 1
        return max(pause * (0.75 + 0.5 * self._draw()), least_s)


def granted_s(response: Response, contact: Uri) -> float | None:
    """For how long a 2xx registers our contact (RFC 3261 10.2.4); None when it does not say."""
    ours: list[NameAddr] = []
    for text in response.headers.get_all("Contact"):
        try:
            found = NameAddr.parse(text)
        except UriError:
            continue
        same_place = (found.uri.host, found.uri.port) == (contact.host, contact.port)
        if found.uri.user == contact.user and same_place:
            ours.append(found)
    values = [found.param("expires") for found in ours] + [response.headers.get("Expires")]
    return next((value for value in map(delta_seconds, values) if value is not None), None)
