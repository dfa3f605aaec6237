"""The audit log: who did what, newest first."""

from __future__ import annotations

import json
from typing import Final
from urllib.parse import urlencode

from nicegui import ui

from ivr.admin.answers import AuditEntry, AuditList
from ivr.admin.markup import Cell, local_time, table
from ivr.admin.pages import Page
from ivr.admin.pages.records import moment
from ivr.admin.roles import Role
from ivr.admin.visit import Visit
from ivr.admin.widgets import Words, empty, panel

PATH: Final = "/audit"
FIELDS: Final = ("operator", "action", "target", "since", "until")
_TONES: Final = {"done": "good", "refused": "warn", "failed": "bad"}


async def build(visit: Visit) -> None:
    wanted = {name: visit.params[name] for name in FIELDS if visit.params.get(name)}
    titles = {"operator": "Who", "action": "Action", "target": "On what", "since": "From", "until": "Before"}
    with (
        ui.element("form")
        .props(f'method=get action={PATH} role=search aria-label="{visit.t("Search")}"')
        .classes("filters")
    ):
        for name in FIELDS:
            if name in ("since", "until"):
                moment(name, visit.t(titles[name]), wanted)
                continue
            with ui.element("label").classes("filter"):
                Words("span", visit.t(titles[name]))
                field = ui.element("input").props(f"name={name} maxlength=128 autocomplete=off")
                field.props["defaultValue"] = wanted.get(name, "")
        Words("button", visit.t("Search"), "button").props("type=submit")
        if wanted:
            ui.link(visit.t("Clear"), PATH).classes("filter-clear")
    found = await visit.gateway.get(
        AuditList, "/admin/audit", {**wanted, "cursor": visit.params.get("cursor") or None, "limit": 100}
    )
    with panel():
        if not found.entries:
            empty(visit.t("Nothing was done."))
            return
        heads = [visit.t(head) for head in ("When", "Who", "Key", "Action", "On what", "Outcome", "More")]
        ui.html(table(heads, map(_row, found.entries), visit.t("Audit log")), sanitize=False).classes("wide")
        if found.next is not None:
            with ui.element("nav").classes("paging").props(f'aria-label="{visit.t("Pages of the list")}"'):
                ui.link(visit.t("Older"), f"{PATH}?{urlencode({**wanted, 'cursor': found.next})}")


def _row(entry: AuditEntry) -> tuple[str | Cell, ...]:
    is_call = entry.action.startswith("calls.") and entry.target
    return (
        Cell(html=local_time(entry.at), classes="nowrap"),
        entry.operator or "",
        Cell(entry.client, classes="soft"),
        Cell(entry.action, classes="mono"),
        Cell(entry.target or "", href=f"/calls/{entry.target}" if is_call else "", classes="mono breaks"),
        Cell(entry.outcome, tone=_TONES.get(entry.outcome, "neutral")),
        Cell(
            json.dumps(entry.detail, ensure_ascii=False) if entry.detail else "", classes="mono breaks soft"
        ),
    )


PAGE = Page(PATH, "Audit log", "history", Role.ADMIN, build)
