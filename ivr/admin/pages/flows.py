"""The page of all flows: which answer, which are broken, and how many calls each has."""

from __future__ import annotations

from contextlib import suppress

from nicegui import ui

from ivr.admin.flows.told import ago, problem_line
from ivr.admin.gateway import GatewayError
from ivr.admin.pages import Page
from ivr.admin.roles import Role
from ivr.admin.visit import Visit
from ivr.admin.widgets import Tone, Words, empty, panel, pill
from ivr.api.flow_models import FlowChanges, FlowList, FlowShort

REFRESH_S = 5.0

_TONES: dict[str, Tone] = {"current": "good", "behind": "warn", "broken": "bad"}
_STATES = {
    "current": "answers",
    "behind": "an older version answers",
    "broken": "does not answer",
}


async def build(visit: Visit) -> None:
    state = {"flows": (await visit.gateway.get(FlowList, "/api/flows")).flows, "wanted": ""}

    @ui.refreshable
    def table() -> None:
        flows: list[FlowShort] = state["flows"]  # type: ignore[assignment]
        wanted = str(state["wanted"]).casefold()
        shown = [flow for flow in flows if wanted in flow.name.casefold()]
        if not shown:
            empty("No flow has this name." if wanted else "There is no flow in the server's folder yet.")
            return
        with ui.element("div").classes("scrolls"), ui.element("table").classes("grid-table"):
            _head(visit)
            with ui.element("tbody"):
                for flow in shown:
                    _row(visit, flow)

    async def look() -> None:
        state["flows"] = (await visit.gateway.get(FlowList, "/api/flows")).flows
        table.refresh()

    async def reload() -> None:
        answer = await visit.gateway.send("POST", "/api/flows/reload", by=visit.user.name, deadline_s=30.0)
        changes = FlowChanges.model_validate(answer).changes
        told = ", ".join(f"{change.name}: {change.what}" for change in changes)
        ui.notify(told or "Nothing has changed in the folder.", type="info")
        await look()

    def search(event: object) -> None:
        state["wanted"] = getattr(event, "value", "") or ""
        table.refresh()

    with panel():
        with ui.element("div").classes("row-between"):
            field = ui.input(visit.t("Search"), on_change=search).props("dense outlined clearable")
            field.props('aria-label="Search flows by name"')
            if visit.may(Role.OPERATOR):
                again = ui.button(visit.t("Look at the folder now"), icon="refresh").props("flat")
                again.on_click(visit.needs(Role.OPERATOR, "flows.reload")(reload))
        table()

    async def keep_looking() -> None:
        with suppress(GatewayError):  # the header says that the server is away
            await look()

    ui.timer(REFRESH_S, visit.needs(Role.VIEWER)(keep_looking), immediate=False)


def _head(visit: Visit) -> None:
    with ui.element("thead"), ui.element("tr"):
        for title, right in (
            ("Flow", False), ("State", False), ("Live calls", True), ("Steps", True), ("Languages", False),
            ("In place since", False), ("Put by", False),
        ):  # fmt: skip
            Words("th", visit.t(title), "right" if right else "").props("scope=col")


def _row(visit: Visit, flow: FlowShort) -> None:
    with ui.element("tr"):
        with ui.element("td"):
            ui.link(flow.name, f"/flows/{flow.name}").classes("strong")
            Words("div", flow.file, "soft small")
            for problem in flow.problems[:2]:
                Words("div", problem_line(problem), "problem-line")
            if len(flow.problems) > 2:
                ui.link(f"and {len(flow.problems) - 2} more", f"/flows/{flow.name}?tab=edit").classes("small")
        with ui.element("td"):
            pill(visit.t(_STATES[flow.state]), _TONES[flow.state])
        with ui.element("td").classes("right"):
            Words("span", str(flow.calls))
            if flow.calls_behind:
                Words("div", f"{flow.calls_behind} with an older version", "soft small")
        Words("td", str(flow.steps), "right")
        Words("td", ", ".join(flow.languages))
        Words("td", "never" if flow.since is None else ago(flow.since))
        Words("td", flow.by or "")


PAGE = Page("/flows", "Flows", "account_tree", Role.VIEWER, build)
