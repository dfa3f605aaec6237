"""The narrow interface between a SIP stack and the server above it.

Two things happen: somebody calls us (the stack hands a leg that is not answered yet to `on_incoming`), or we
call somebody (`call` gives a leg at once; ringing, answer and refusal come as its events). A second stack
(PJSIP) fits behind the same interface.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from media.leg import CallLeg

OnIncoming = Callable[[CallLeg], None]
"""Takes a new inbound leg; must return at once (it starts a task). The caller has had 100 Trying."""

Admit = Callable[[], int | None]
"""Asked before a leg is built for an INVITE: None to go on, or the seconds for 503 + Retry-After."""


class TrunkBusy(Exception):
    """The trunk has all the calls that it may have, at once or in this minute; the call was not placed."""

    def __init__(self, text: str, retry_s: int = 5) -> None:
        """`retry_s` are the seconds after which it is worth another try."""
        super().__init__(text)
        self.retry_s = retry_s


class UnknownTrunk(Exception):
    """No trunk of that name."""


class BadNumber(ValueError):
    """The number cannot be called over this trunk; the text says why."""


class NotAllowed(BadNumber):
    """The number could be called, but the trunk's `destinations` do not allow it."""


@dataclass(frozen=True, slots=True)
class OutboundCall:
    """A call to place. `to` is a number in any form that the trunk's number format knows, or a SIP URI. One
    `within` a call that lives is placed while the server drains, too."""

    to: str
    trunk: str
    caller_id: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    ring_s: float = 45.0
    within: bool = False


@dataclass(frozen=True, slots=True)
class TargetState:
    """One address that a trunk's proxy resolves to, as `udp:192.0.2.1:5060`; `up` is None before it was
    asked."""

    address: str
    up: bool | None


@dataclass(frozen=True, slots=True)
class TrunkState:
    """How a trunk stands. `up` is None where nothing is known: no probes, no registration, no proxy.

    `reason` says in words why it is not up. `registered` is None where we do not register. `rtt_ms` is the
    round trip of the last OPTIONS. `seen_as` is our address (with its port, by UDP) as the trunk sees it,
    where that is not the one that we tell: then `sip.advertise` is wrong, or missing.
    """

    up: bool | None = None
    reason: str = ""
    registered: bool | None = None
    rtt_ms: float | None = None
    targets: tuple[TargetState, ...] = ()
    seen_as: str | None = None


class SipStack(Protocol):
    async def start(self) -> None:
        """Binds the listening sockets; raises OSError that names the address."""

    async def call(self, request: OutboundCall) -> CallLeg:
        """Places a call; raises `UnknownTrunk`, `TrunkBusy` or `BadNumber` before anything is sent."""

    def calls(self, trunk: str) -> int:
        """Calls that the trunk has now, both directions."""

    def wait_s(self, trunk: str) -> int | None:
        """None when a call could be placed over the trunk now, else the seconds after which to try again
        (`sip.lines.Lines`)."""

    def trunk_state(self, trunk: str) -> TrunkState:
        """How the trunk stands now; raises `UnknownTrunk`."""

    def addresses(self) -> list[str]:
        """Where we listen, as `udp:127.0.0.1:5060`; real ports also when 0 was asked for."""

    async def drain(self) -> None:
        """From here on OPTIONS and new INVITEs get 503, and calls are placed only within those that live."""

    async def close(self) -> None:
        """Ends every leg (BYE) and closes the sockets; returns within two seconds."""
