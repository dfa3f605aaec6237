"""ICE candidates as they come and go in signalling (RFC 8839 section 5.1), and what of them is of use.
Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Final

MAX_CANDIDATES: Final = 64
"""Of one ICE session of the far end; a machine with many networks and two TURN servers has 20."""

MAX_LENGTH: Final = 512

_LINE: Final = re.compile(
    r"(?:a=)?candidate:([A-Za-z0-9+/_-]{1,32}) ([0-9]{1,5}) (udp|tcp) ([0-9]{1,10}) (\S{1,255}) ([0-9]{1,5})"
    r" typ (host|srflx|prflx|relay)((?: \S+ \S+)*)\s*",
    re.IGNORECASE,
)
_MDNS: Final = re.compile(r"[A-Za-z0-9-]{1,63}\.local")


class CandidateRefused(ValueError):
    """Not a candidate, or too many of them."""


@dataclass(frozen=True, slots=True)
class RemoteCandidate:
    """One of the far end's that we can send to: `host` is an IP address, or a name of its own network (mDNS),
    by which browsers hide their addresses."""

    foundation: str
    priority: int
    host: str
    port: int
    kind: str


def parse_candidate(line: str) -> RemoteCandidate | None:
    """Reads one; None when it is none of use: another component than RTP, TCP, an address that means nothing
    here. Raises `CandidateRefused`."""
    match = _LINE.fullmatch(line) if len(line) <= MAX_LENGTH else None
    if match is None:
        raise CandidateRefused("this is no ICE candidate (candidate:… typ host)")
    foundation, component, protocol, priority, host, port, kind, _ = match.groups()
    if int(port) > 65_535 or int(priority) >= 1 << 32:
        raise CandidateRefused("the candidate's port or priority is none")
    if component != "1" or protocol.lower() != "udp" or not int(port) or not _can_be_sent_to(host):
        return None
    return RemoteCandidate(foundation, int(priority), host, int(port), kind.lower())


def _can_be_sent_to(host: str) -> bool:
    if _MDNS.fullmatch(host):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    local = isinstance(address, IPv6Address) and address.is_link_local
    return not (local or address.is_multicast or address.is_unspecified)


@dataclass(slots=True)
class Trickle:
    """The candidates of one ICE session of the far end, as they come. `ended` says that no more will."""

    count: int = 0
    ended: bool = False

    def take(self, lines: Sequence[str | None]) -> list[RemoteCandidate]:
        """Those of use among what came, in order; None or an empty text says that it was the last. What comes
        after the end is passed over. Raises `CandidateRefused`, and has then taken nothing."""
        given = [line for line in lines if line]
        if self.count + len(given) > MAX_CANDIDATES:
            raise CandidateRefused(f"more than {MAX_CANDIDATES} candidates")
        if self.ended:
            return []
        found = [candidate for candidate in map(parse_candidate, given) if candidate is not None]
        self.count += len(given)
        self.ended = len(given) < len(lines)
        return found
