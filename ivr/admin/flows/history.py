"""The versions of a flow that answered calls: looked at, compared with what answers now, and gone back to."""

from __future__ import annotations

from nicegui import ui

from ivr.admin.flows.bench import FlowBench
from ivr.admin.flows.comparison import show_comparison
from ivr.admin.flows.copy import FlowCopy
from ivr.admin.flows.editor import CHECK_S
from ivr.admin.flows.told import ago
from ivr.admin.roles import Role
from ivr.admin.widgets import Words, empty, panel, pill
from ivr.api.flow_models import FlowVersionDetail, FlowVersionList, FlowVersionShort


async def show_history(bench: FlowBench) -> None:
    await _History(bench).build()


class _History:
    def __init__(self, bench: FlowBench) -> None:
        self._bench = bench
        self._visit = bench.visit

    async def build(self) -> None:
        with ui.element("div").classes("editor-split"):
            with panel("Versions", hint="The last 200 that answered calls."):
                self._list = ui.element("div").classes("scrolls")
            with panel("Compared with what answers now"):
                self._shown = ui.element("div")
                with self._shown:
                    empty("Choose a version.")
        await self._show()

    async def _show(self) -> None:
        listed = await self._visit.gateway.get(FlowVersionList, f"{self._bench.path}/versions")
        self._list.clear()
        with self._list:
            if not listed.versions:
                empty("No version has answered calls yet.")
                return
            with ui.element("table").classes("grid-table"):
                with ui.element("thead"), ui.element("tr"):
                    for title in ("Version", "In place since", "Put by", ""):
                        Words("th", title).props("scope=col")
                with ui.element("tbody"):
                    for number, version in enumerate(listed.versions):
                        self._row(version, newest=number == 0)

    def _row(self, version: FlowVersionShort, *, newest: bool) -> None:
        now = newest and version.hash == self._bench.detail.hash
        guard = self._visit.needs(Role.VIEWER)
        with ui.element("tr"):
            with ui.element("td"):
                Words("code", version.hash[:12])
                if now:
                    pill("answers now", "good")
            Words("td", ago(version.since))
            Words("td", version.by)
            with ui.element("td").classes("right"):
                if not now:
                    show = ui.button("Compare", on_click=guard(lambda: self._compare(version))).props(
                        "flat dense"
                    )
                    show.props(f'aria-label="Compare with {version.hash[:12]}"')

    async def _compare(self, version: FlowVersionShort) -> None:
        old = await self._visit.gateway.get(FlowVersionDetail, f"{self._bench.path}/versions/{version.hash}")
        self._shown.clear()
        with self._shown:
            Words("p", f"Version {old.hash[:12]}, in place since {ago(old.since)}, put by {old.by}.", "soft")
            then = FlowCopy(self._bench.name, old.text, None, self._bench.copy.within)
            await show_comparison(self._bench.copy, then)
            if self._visit.may(Role.OPERATOR):
                guard = self._visit.needs(Role.OPERATOR, "flows.put")
                back = ui.button(
                    "Go back to this version", icon="history", on_click=guard(lambda: self._go_back(old))
                )
                back.classes("go-back")

    async def _go_back(self, old: FlowVersionDetail) -> None:
        await self._visit.gateway.send(
            "PUT",
            self._bench.path,
            by=self._visit.user.name,
            content=old.text.encode(),
            headers={"If-Match": f'"{self._bench.detail.etag}"', "Content-Type": "application/yaml"},
            deadline_s=CHECK_S,
        )
        ui.notify(f"Version {old.hash[:12]} answers new calls again.", type="positive")
        await self._bench.fetch()
        await self._show()
        self._shown.clear()
        with self._shown:
            empty("Choose a version.")
