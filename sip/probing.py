"""Whether the targets of a trunk answer OPTIONS: up and down, with patience. Pure.

Any answer shows that somebody is there, but for 408 and 503, which say the contrary. One lost probe does not
take a target down that was up, nor one answer bring it back: what has changed is asked again soon.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sip.hop import Address
from sip.message import Response
from sip.stack import TargetState
from sip.uri import host_text

FALL: Final = 2
"""Probes in a row that must fail before a target that was up counts as down."""
RISE: Final = 2
"""Probes in a row that must be answered before one that was down counts as up."""
DOUBT_S: Final = 5.0
"""Pause between probes, at most, while a target is not up or failed last."""

_DEAD: Final = frozenset({408, 503})


class TargetProbe:
    """One address. What it does first counts at once."""

    def __init__(self) -> None:
        self.up: bool | None = None
        self.reason = "not asked yet"
        self._against = 0

    @property
    def doubtful(self) -> bool:
        return self.up is not True or self._against > 0

    def answered(self, status: int) -> None:
        """A final response to a probe."""
        if status in _DEAD:
            self._failed(f"it answers OPTIONS with {status}")
        else:
            self._note(True, RISE)

    def silent(self, why: str | None = None) -> None:
        """No answer in time, or (`why`) no connection."""
        self._failed(why or "no answer to OPTIONS")

    def _failed(self, reason: str) -> None:
        self.reason = reason
        self._note(False, FALL)

    def _note(self, good: bool, needed: int) -> None:
        if self.up is good:
            self._against = 0
            return
        self._against += 1
        if self.up is None or self._against >= needed:
            self.up, self._against = good, 0


class TrunkProbe:
    """The targets of one trunk, by their address in words (`udp:192.0.2.1:5060`)."""

    def __init__(self, options_s: float) -> None:
        self._options_s: Final = options_s
        self._targets: dict[str, TargetProbe] = {}
        self._lost = ""
        self.rtt_ms: float | None = None
        self.seen_as: str | None = None

    def resolved(self, addresses: Iterable[str]) -> None:
        """Where the proxy is now; what was known of the others is forgotten."""
        self._lost = ""
        self._targets = {address: self._targets.get(address) or TargetProbe() for address in addresses}

    def unresolved(self, why: str) -> None:
        """The proxy has no address now; one that it had is no longer asked."""
        self._lost = why
        self._targets = {}

    def target(self, address: str) -> TargetProbe:
        """Raises KeyError for one that is not resolved."""
        return self._targets[address]

    def answered(self, address: str, status: int, rtt_s: float, seen_as: str | None) -> None:
        """A target answered. `seen_as` is how it sees us, where that is not what we tell it."""
        probe = self._targets.get(address)
        if probe is not None:
            probe.answered(status)
            self.rtt_ms = round(rtt_s * 1000, 1)
            self.seen_as = seen_as

    def silent(self, address: str, why: str | None) -> None:
        """A target did not."""
        probe = self._targets.get(address)
        if probe is not None:
            probe.silent(why)

    @property
    def up(self) -> bool | None:
        """Whether any target is up; None while nothing is known."""
        if self._lost:
            return False
        states = [probe.up for probe in self._targets.values()]
        return True if True in states else None if None in states or not states else False

    @property
    def reason(self) -> str:
        """Why it is not up; empty when it is."""
        if self.up is not False:
            return ""
        return self._lost or "; ".join(f"{name}: {probe.reason}" for name, probe in self._targets.items())

    @property
    def targets(self) -> tuple[TargetState, ...]:
        return tuple(TargetState(address, probe.up) for address, probe in self._targets.items())

    @property
    def pause_s(self) -> float:
        """Until the next round of probes."""
        steady = self._targets and not any(probe.doubtful for probe in self._targets.values())
        return self._options_s if steady else min(self._options_s, DOUBT_S)


def seen_as(response: Response, told: Address, *, reliable: bool) -> str | None:
    """Our address as the peer saw it (RFC 3581), where it is another than the one we tell.

    Over a connection the port is always another, and says nothing.
    """
    via = response.via
    host = via.received or told.host
    port = told.port if reliable or via.rport is None else via.rport
    if (host.lower(), port) == (told.host.lower(), told.port):
        return None
    return host_text(host) if reliable else f"{host_text(host)}:{port}"
