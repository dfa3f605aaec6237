"""Which address a stream's packets may come from, and go to (symmetric RTP, RFC 4961). Pure.

Until the far end is heard, packets go to the address that signalling gave. The first source that shows itself
wins: at once when it is the signalled address, else after a short probation, so that a stray or injected
packet cannot take the stream over. From then on everything else is refused, with one exception: when the
winner has been silent for a while, another port of its host may follow after a probation. That is what a NAT
does that has forgotten the call.
"""

from __future__ import annotations

from typing import Final

from media.rtp import SEQUENCE_MASK

Address = tuple[str, int]

PROBATION: Final = 3
"""Packets in sequence that an unexpected source must send before it is believed."""

REBIND_AFTER_S: Final = 2.0
"""Silence after which the source may have got another port."""

_CANDIDATES: Final = 16


class SourceLock:
    """`source` is the address that won, None until then; `destination` is where to send now."""

    __slots__ = ("_candidates", "destination", "signalled", "source")

    def __init__(self, signalled: Address) -> None:
        self.signalled = signalled
        self.source: Address | None = None
        nowhere = signalled[1] == 0 or signalled[0] in ("0.0.0.0", "::")
        self.destination: Address | None = None if nowhere else signalled
        self._candidates: dict[Address, tuple[int, int]] = {}

    def admit(self, address: Address, sequence: int, silent_s: float = 0.0) -> bool:
        """Whether a packet from there is to be taken; the deciding one of a probation already is.

        `silent_s` is how long nothing came from the source.
        """
        if self.source is not None:
            if address == self.source:
                return True
            if address[0] != self.source[0] or silent_s < REBIND_AFTER_S:
                return False
            if not self._passed(address, sequence):
                return False
        elif address != self.signalled and not self._passed(address, sequence):
            return False
        self.source = self.destination = address
        self._candidates.clear()
        return True

    def _passed(self, address: Address, sequence: int) -> bool:
        expected, seen = self._candidates.pop(address, (sequence, 0))
        seen = seen + 1 if sequence == expected else 1
        self._candidates[address] = ((sequence + 1) & SEQUENCE_MASK, seen)
        if len(self._candidates) > _CANDIDATES:
            del self._candidates[next(iter(self._candidates))]
        return seen >= PROBATION
