"""What another text of a flow would change: for callers, and line by line. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from ivr.admin.flows.copy import FlowCopy
from ivr.flow.diff import diff
from ivr.flow.problems import FlowError

AROUND: Final = 3
MOST_LINES: Final = 400

Kind = Literal["same", "new", "gone", "place"]


@dataclass(frozen=True, slots=True)
class Line:
    """`kind` "place" says where in the text the lines that follow stand."""

    kind: Kind
    text: str


def lines(before: str, after: str) -> Iterator[Line]:
    """The lines that differ, with some around them; at most `MOST_LINES`."""
    number = 0
    told = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=AROUND)
    for raw in told:
        if raw.startswith(("---", "+++")) and number == 0:
            continue
        number += 1
        if number > MOST_LINES:
            yield Line("place", "… and more")
            return
        if raw.startswith("@@"):
            yield Line(
                "place", raw.strip("@ ").replace("-", "line ").replace("+", "now ").replace(" now", ", now")
            )
        else:
            kinds: dict[str, Kind] = {"+": "new", "-": "gone"}
            yield Line(kinds.get(raw[:1], "same"), raw[1:])


def for_callers(before: FlowCopy, after: FlowCopy) -> list[str] | None:
    """As `ivr diff` tells it; None where one of them cannot be read."""
    try:
        return [str(change) for change in diff(before.flow(), after.flow())]
    except FlowError:
        return None
