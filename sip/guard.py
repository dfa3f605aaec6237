"""Who is listened to: strangers, floods and scanners. Pure.

A request from an address that belongs to no trunk and to no call gets no answer at all: who scans for SIP
servers finds none here. Only where peers without a fixed address are configured (`users` of a trunk) are
strangers' requests read, and then slowly: a bucket for each source, and one for all of them together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
from typing import Final

from sip.pacing import Bucket, Buckets

SCANNERS: Final = (
    *("friendly-scanner", "friendly-request", "sipvicious", "sundayddr", "sip-scan", "sipcli", "sipscan"),
    *("vaxsipuseragent", "vaxipuseragent", "pplsip", "sivus", "iwar"),
)
"""Words in the User-Agent of programs that look for open servers, in lower case."""

_BURST: Final = 20
_RATE: Final = 2.0
"""A stranger's requests: a burst for a registration, a call and what follows, then so many a second."""
_ALL_BURST: Final = 200
_ALL_RATE: Final = 100.0
"""The same for all strangers together: their addresses may be forged."""
_WRONG: Final = 5
_WRONG_RATE: Final = 1 / 60
"""Wrong passwords from one source before it meets silence, and how soon it may try another."""
_TOLD_RATE: Final = 1 / 60
_TOLD_ALL: Final = 10
_TOLD_ALL_RATE: Final = 1.0
"""Log lines: one a minute for each source, and so many a second in all."""


class Dropped(Enum):
    """Why a request was dropped in silence."""

    STRANGER = "stranger"
    FLOOD = "flood"
    SCANNER = "scanner"
    PASSWORD = "password"


class Guard:
    """Decides about sources by their IP address; keeps no more than a bounded table of them."""

    def __init__(
        self, *, asks: bool, scanners: Iterable[str] = SCANNERS, on_dropped: Callable[[Dropped], None]
    ) -> None:
        """`asks`: strangers may prove themselves to be a trunk's user. `on_dropped` counts."""
        self._asks: Final = asks
        self._scanners: Final = tuple(word.lower() for word in scanners)
        self._on_dropped: Final = on_dropped
        self._sources: Final = Buckets[str](_BURST, _RATE)
        self._strangers: Final = Bucket(_ALL_BURST, _ALL_RATE)
        self._wrong: Final = Buckets[str](_WRONG, _WRONG_RATE)
        self._told: Final = Buckets[str](1, _TOLD_RATE, size=1024)
        self._told_all: Final = Bucket(_TOLD_ALL, _TOLD_ALL_RATE)

    def refuses(self, host: str, now: float) -> Dropped | None:
        """Why nothing of a stranger is even read; None to read it."""
        if not self._asks:
            return Dropped.STRANGER
        if not self._sources.take(host, now) or self._strangers.take(now) is None:
            return Dropped.FLOOD
        return None

    def scans(self, user_agent: str | None) -> bool:
        """Whether a User-Agent is a scanner's."""
        if not user_agent:
            return False
        lower = user_agent.lower()
        return any(word in lower for word in self._scanners)

    def wrong(self, host: str, now: float) -> None:
        """The source gave a wrong password."""
        self._wrong.take(host, now)

    def barred(self, host: str, now: float) -> bool:
        """Whether the source gave too many of them of late."""
        return self._wrong.empty(host, now)

    def dropped(self, reason: Dropped, host: str, now: float) -> bool:
        """Counts what was dropped, and tells whether it is worth a line in the log."""
        self._on_dropped(reason)
        return self._told.take(host, now) and self._told_all.take(now) is not None
