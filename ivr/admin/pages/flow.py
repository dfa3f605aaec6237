"""The page of one flow: its graph with the traffic in it, its text, its versions, and the flow played."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nicegui import ui

from ivr.admin.flows.bench import FlowBench
from ivr.admin.flows.editor import show_editor
from ivr.admin.flows.history import show_history
from ivr.admin.flows.playing import show_scenarios, show_simulator
from ivr.admin.flows.told import ago
from ivr.admin.flows.traffic_view import show_traffic
from ivr.admin.pages import Page
from ivr.admin.roles import Role
from ivr.admin.visit import Visit
from ivr.admin.widgets import Tone, Words, pill
from ivr.api.flow_models import FlowShort

_TABS: dict[str, tuple[str, str, Callable[[FlowBench], Awaitable[None]]]] = {
    "traffic": ("Traffic", "account_tree", show_traffic),
    "edit": ("Text", "edit_note", show_editor),
    "simulate": ("Simulate", "chat", show_simulator),
    "scenarios": ("Scenarios", "checklist", show_scenarios),
    "versions": ("Versions", "history", show_history),
}
_TONES: dict[str, Tone] = {"current": "good", "behind": "warn", "broken": "bad"}


async def build(visit: Visit) -> None:
    bench = await FlowBench.open(visit, visit.params["name"])
    with ui.element("div").classes("row-start"):
        ui.link(visit.t("Flows"), "/flows")
        Words("span", "/", "soft").props("aria-hidden=true")
        Words("span", bench.name, "flow-name")
        pill(bench.detail.state, _TONES[bench.detail.state])
        Words("span", _standing(bench.detail), "soft small")
    opened: set[str] = set()
    panes: dict[str, ui.tab_panel] = {}

    async def fill(tab: str) -> None:
        if tab not in opened:
            opened.add(tab)
            with panes[tab]:
                await _TABS[tab][2](bench)

    first = visit.params.get("tab", "traffic")
    first = first if first in _TABS else "traffic"
    with ui.tabs().props('inline-label align=left no-caps aria-label="Parts of the flow"') as tabs:
        for key, (title, icon, _) in _TABS.items():
            ui.tab(key, label=visit.t(title), icon=icon)
    tabs.set_value(first)
    with ui.tab_panels(tabs, value=first, animated=False, keep_alive=True).classes("flow-panes"):
        for key in _TABS:
            panes[key] = ui.tab_panel(key)
    tabs.on_value_change(visit.needs(Role.VIEWER)(lambda event: fill(event.value)))

    def go_to(tab: str) -> None:
        tabs.set_value(tab)

    bench.go_to = go_to
    await fill(first)


def _standing(flow: FlowShort) -> str:
    since = "" if flow.since is None else f" · since {ago(flow.since)}, put by {flow.by}"
    version = "no version answers" if flow.hash is None else f"version {flow.hash[:8]}"
    return f"{version}{since} · {flow.calls} live call{'' if flow.calls == 1 else 's'} · {flow.file}"


PAGE = Page("/flows/{name}", "Flow", "account_tree", Role.VIEWER, build, in_menu=False)
