"""Live calls: a grid that is told only what changed, and beside it the call that was chosen."""

from __future__ import annotations

import json
from typing import Any, Final

from nicegui import ui

from ivr.admin.board import LiveCall
from ivr.admin.grid import column, grid_options
from ivr.admin.pages import Page
from ivr.admin.pages.live_call import LivePanel
from ivr.admin.roles import Role
from ivr.admin.visit import Visit
from ivr.admin.widgets import Words, fault, figure, figures, panel

PATH: Final = "/live"
EVERY_S: Final = 0.5
"""How often a page looks at the board: what happens is seen within a second."""
LETTERS: Final = 120
"""Of a caption in the grid."""


async def build(visit: Visit) -> None:
    ui.add_head_html('<script type="module" src="/static/supervise.js"></script>')
    with figures():
        counts = {name: figure(visit.t(title), "–") for name, title in _COUNTS}
    stale = fault(visit.t("The server cannot be reached: what is shown was so when it last could be."))
    stale.set_visibility(False)
    with ui.element("div").classes("live"):
        with panel(classes="live-grid"):
            grid = ui.aggrid(grid_options(_columns(visit)), auto_size_columns=False)
            grid.classes("calls-grid").props(f'aria-label="{visit.t("Live calls")}"')
            nothing = Words("p", visit.t("Nobody calls now."), "empty")
        chosen = LivePanel(visit)
    view = _View(visit, grid, nothing, stale, counts, chosen)
    grid.on("cellClicked", view.choose, ["data"])
    grid.on("cellKeyDown", view.choose_by_key, ["data", "event"])
    ui.timer(EVERY_S, view.look)
    if (wanted := visit.params.get("call")) is not None:
        await chosen.show(wanted)


_COUNTS: Final = (
    ("all", "Live calls"),
    ("answered", "Talking"),
    ("ringing", "Ringing"),
    ("queued", "Waiting"),
)


def row(call: LiveCall) -> dict[str, Any]:
    """What the grid shows of a call."""
    return {
        "id": call.id,
        "state": "queued" if call.queued else call.state,
        "flow": call.flow,
        "step": call.step,
        "caller": call.caller,
        "words": (call.said if call.words_of == "server" else call.heard)[:LETTERS],
        "of": call.words_of,
        "mos": call.mos,
        "with": call.agent or call.supervised_by,
        "since": call.answered_at or call.since,
    }


def _columns(visit: Visit) -> list[dict[str, Any]]:
    t = visit.t
    return [
        column(
            "state",
            t("State"),
            94,
            **{
                ":cellClass": "p => 'cell-state state-' + p.value",
                ":valueFormatter": _words_of_states(visit),
            },
        ),
        column("flow", t("Flow"), 136),
        column("step", t("Step"), 108),
        column("caller", t("Caller"), 132),
        column("since", t("For"), 76, type="rightAligned", **{":valueFormatter": "p => ivrSince(p.value)"}),
        column(
            "words", t("Last words"), 190, flex=1, minWidth=190, **{":cellClass": "p => ivrWords(p.data)"}
        ),
        column(
            "mos", "MOS", 72, headerClass="ag-right-aligned-header", **{":cellClass": "p => ivrMos(p.value)"}
        ),
        column("with", t("With"), 110),
    ]


def _words_of_states(visit: Visit) -> str:
    words = {state: visit.t(state) for state in ("created", "ringing", "answered", "queued")}
    return f"p => ({json.dumps(words)})[p.value] ?? p.value"


class _View:
    """What one page has seen of the board."""

    def __init__(
        self,
        visit: Visit,
        grid: ui.aggrid,
        nothing: Words,
        stale: Words,
        counts: dict[str, Words],
        chosen: LivePanel,
    ) -> None:
        self._gateway = visit.gateway
        self._stale = stale
        self._board = visit.house.board
        self._grid = grid
        self._nothing = nothing
        self._counts = counts
        self._chosen = chosen
        self._seen = -1
        self._shown: set[str] = set()
        self._selecting = visit.needs(Role.VIEWER)(self._chosen.show)

    async def look(self) -> None:
        """Sends what changed. A page that sees the board for the first time gets all of it."""
        self._stale.set_visibility(not self._gateway.standing.reachable)
        changes = self._board.since(self._seen)
        if changes.version != self._seen:
            self._seen = changes.version
            if changes.whole:
                self._shown = {call.id for call in changes.rows}
                self._grid.run_grid_method("setGridOption", "rowData", [row(call) for call in changes.rows])
                ui.run_javascript(f"ivrTick({self._grid.id})")
            else:
                self._send(changes.rows, changes.ended)
            self._count()
        self._chosen.look()

    def _send(self, rows: tuple[LiveCall, ...], ended: tuple[str, ...]) -> None:
        began = sorted((call for call in rows if call.id not in self._shown), key=lambda call: call.since)
        added = [row(call) for call in began]
        updated = [row(call) for call in rows if call.id in self._shown]
        removed = [{"id": call_id} for call_id in ended if call_id in self._shown]
        self._shown.update(call["id"] for call in added)
        self._shown.difference_update(call["id"] for call in removed)
        change = {"add": added, "update": updated, "remove": removed}
        if told := {what: calls for what, calls in change.items() if calls}:
            self._grid.run_grid_method("applyTransaction", told)

    def _count(self) -> None:
        calls = list(self._board.calls())
        counted = {
            "all": len(calls),
            "answered": sum(call.state == "answered" for call in calls),
            "ringing": sum(call.state == "ringing" for call in calls),
            "queued": sum(call.queued is not None for call in calls),
        }
        for name, count in counted.items():
            self._counts[name].text = str(count)
        self._nothing.set_visibility(not calls)

    async def choose(self, event: Any) -> None:
        await self._selecting(event.args["data"]["id"])

    async def choose_by_key(self, event: Any) -> None:
        pressed = event.args.get("event") or {}
        if pressed.get("key") in ("Enter", " "):
            await self._selecting(event.args["data"]["id"])


PAGE = Page(PATH, "Live calls", "phone_in_talk", Role.VIEWER, build)
