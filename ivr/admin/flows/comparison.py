"""Two texts of a flow beside each other: what changes for callers, and which lines differ."""

from __future__ import annotations

import asyncio

from nicegui import ui

from ivr.admin.flows import comparing
from ivr.admin.flows.copy import FlowCopy
from ivr.admin.widgets import Words, empty

_SIGNS = {"new": "+", "gone": "−", "same": " ", "place": " "}
_SPOKEN = {"new": "added", "gone": "removed"}


async def show_comparison(before: FlowCopy, after: FlowCopy) -> None:
    """In the element that is open."""
    told = await asyncio.to_thread(comparing.for_callers, before, after)
    Words("h3", "What changes for callers", "part-title")
    if told is None:
        Words("p", "One of the two has problems, so this cannot be told.", "soft")
    elif not told:
        Words("p", "Nothing: comments, layout and order alone.", "soft")
    else:
        with ui.element("ul").classes("changes"):
            for change in told:
                Words("li", change)
    Words("h3", "Lines", "part-title")
    differing = list(comparing.lines(before.text, after.text))
    if not differing:
        empty("The texts are the same.")
        return
    with ui.element("div").classes("diff").props('tabindex=0 role=region aria-label="Lines that differ"'):
        for line in differing:
            with ui.element("div").classes(f"diff-line diff-{line.kind}"):
                Words("span", _SIGNS[line.kind], "diff-sign").props("aria-hidden=true")
                if line.kind in _SPOKEN:
                    Words("span", f"{_SPOKEN[line.kind]}: ", "for-reader")
                Words("span", line.text)
