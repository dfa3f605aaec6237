"""docs/interop.md: what was seen with which peer. Pure: rows in, text out, and back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

STACKS: Final = ("own", "pjsip")
NOT_TRIED: Final = "-"

_HEAD: Final = """\
# Interoperability

Written by the tests that it tells of (`make interop`): phones and proxies of other projects, called and
calling on loopback, with both SIP stacks (`sip.stack`). Every run of a test compares it with what was seen.
A minus sign: not tried. No carrier, session border controller or network address translation took part.

SIPp's scenarios are a run of their own: `sipp_scenarios/run`.
"""


@dataclass(frozen=True, slots=True)
class Row:
    """What a test has seen of one feature; `outcome` is `yes` or `no: the reason`."""

    peer: str
    feature: str
    stack: str
    outcome: str


def rendered(rows: Iterable[Row], versions: Mapping[str, str]) -> str:
    """The page; peers and features stand in the order of the alphabet. Raises ValueError where two tests have
    seen different things of one feature: they must tell it under two names."""
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for row in sorted(rows, key=lambda row: (row.peer, row.feature)):
        cell = cells.setdefault((row.peer, row.feature), dict.fromkeys(STACKS, NOT_TRIED))
        if cell[row.stack] not in (NOT_TRIED, row.outcome):
            raise ValueError(f"{row.peer}, {row.feature}: {cell[row.stack]!r} and {row.outcome!r}")
        cell[row.stack] = row.outcome
    text, last = [_HEAD], ""
    for (peer, feature), cell in cells.items():
        if peer != last:
            text.append(f"\n## {peer}\n\n{versions[peer]}\n\n| | {' | '.join(STACKS)} |\n|---|---|---|\n")
            last = peer
        text.append(f"| {feature} | {' | '.join(cell[stack] for stack in STACKS)} |\n")
    return "".join(text)


def parsed(text: str) -> set[Row]:
    """The rows of a page; those not tried are left out."""
    found, peer = set(), ""
    for line in text.splitlines():
        if heading := re.fullmatch(r"## (.+)", line):
            peer = heading[1]
        elif cells := re.fullmatch(r"\| ([^|]+) \| ([^|]+) \| ([^|]+) \|", line):
            for stack, outcome in zip(STACKS, cells.groups()[1:], strict=True):
                if outcome != NOT_TRIED:
                    found.add(Row(peer, cells[1], stack, outcome))
    return found
