"""The page of numbers that campaigns do not call."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from nicegui import events, ui

from ivr.admin.gateway import GatewayError
from ivr.admin.markup import local_time
from ivr.admin.pages import Page
from ivr.admin.pages.campaign import MOST_BYTES, UPLOAD_S
from ivr.admin.pages.campaigns import back
from ivr.admin.roles import Role
from ivr.admin.visit import Visit
from ivr.admin.widgets import Words, empty, fault, panel
from ivr.api.suppressions import Imported, SuppressedNumber, SuppressedNumbers

PATH: Final = "/suppressions"
API: Final = "/api/voice/suppressions"
_NAMED: Final = 5


async def build(visit: Visit) -> None:
    await _List(visit).build()


class _List:
    def __init__(self, visit: Visit) -> None:
        self._visit = visit

    async def build(self) -> None:
        visit = self._visit
        back(visit, visit.t("Numbers that are not called"))
        if visit.may(Role.OPERATOR):
            self._adding()
        self._rows = ui.refreshable(self._show)
        with panel():
            await self._rows()

    def _adding(self) -> None:
        visit = self._visit
        put, take = (
            visit.needs(Role.OPERATOR, "campaigns.suppress"),
            visit.needs(Role.OPERATOR, "campaigns.import"),
        )
        with panel(visit.t("Never call"), hint=visit.t("Campaigns leave the number alone from now on.")):
            with ui.element("div").classes("row-start"):
                self._number = ui.input(visit.t("Number"), placeholder="+919876543210")
                self._number.props("outlined dense maxlength=128 autocomplete=off stack-label")
                ui.button(visit.t("Add"), icon="block", on_click=put(self._add))
                upload = ui.upload(
                    max_file_size=MOST_BYTES, max_files=1, auto_upload=True, on_upload=take(self._import)
                )
                upload.props('accept=".csv,text/csv,text/plain"').classes("upload")
                table = ui.button(visit.t("Take a table"), icon="upload_file").props("flat")
                table.on_click(lambda: upload.run_method("pickFiles"))
            self._report = ui.element("div").classes("stack report").props("role=status")

    async def _add(self) -> None:
        number = self._number.value.strip()
        if not number:
            return
        await self._visit.gateway.send("PUT", _href(number), by=self._visit.user.name)
        self._number.set_value("")
        self._rows.refresh()

    async def _import(self, event: events.UploadEventArguments) -> None:
        event.sender.reset()  # type: ignore[attr-defined]
        content, by = await event.file.read(), self._visit.user.name
        self._report.clear()
        with self._report:
            try:
                told = await self._visit.gateway.send(
                    "POST", f"{API}/import", by=by, content=content, deadline_s=UPLOAD_S,
                    headers={"Content-Type": "text/csv"},
                )  # fmt: skip
            except GatewayError as error:
                if error.kind != "bad-table":
                    raise
                named = error.problem.get("errors", ())[:_NAMED]
                lines = "; ".join(f"line {each['line']} {each['message']}" for each in named)
                fault(f"{error.problem.get('count')} lines hold no number, and nothing was stored: {lines}")
                return
            done = Imported.model_validate(told)
            Words("p", f"{done.added} numbers were added, {done.known} were there already.", "strong")
        self._rows.refresh()

    async def _show(self) -> None:
        visit = self._visit
        try:
            asked = {"cursor": visit.params.get("cursor") or None}
            found = await visit.gateway.get(SuppressedNumbers, API, asked)
        except GatewayError as error:
            fault(str(error))
            return
        if not found.suppressions:
            empty(visit.t("Nobody has asked not to be called."))
            return
        with (
            ui.element("div").classes("scrolls").props("tabindex=0"),
            ui.element("table").classes("grid-table middle"),
        ):
            with ui.element("thead"), ui.element("tr"):
                for head in ("Number", "Since", "By", ""):
                    Words("th", visit.t(head)).props("scope=col")
            with ui.element("tbody"):
                for each in found.suppressions:
                    self._row(each)
        if found.next is not None:
            ui.link(visit.t("Further ones"), f"{PATH}?cursor={quote(found.next, safe='')}")

    def _row(self, each: SuppressedNumber) -> None:
        visit = self._visit

        @visit.needs(Role.OPERATOR, "campaigns.allow")
        async def remove() -> None:
            await visit.gateway.send("DELETE", _href(each.number), by=visit.user.name)
            self._rows.refresh()

        with ui.element("tr"):
            Words("td", each.number, "strong nowrap")
            with ui.element("td"):
                ui.html(local_time(each.at), sanitize=False, tag="span")
            with ui.element("td"):
                kind, _, name = each.source.partition(":")
                if kind == "call":
                    ui.link(visit.t("his call"), f"/calls/{name}")
                else:
                    Words("span", f"{name} ({visit.t(kind)})")
            with ui.element("td"):
                if visit.may(Role.OPERATOR):
                    button = ui.button(visit.t("Remove"), on_click=remove)
                    button.props(f'flat dense color=negative aria-label="{visit.t("Remove")} {each.number}"')


def _href(number: str) -> str:
    return f"{API}/{quote(number, safe='')}"


PAGE = Page(PATH, "Numbers that are not called", "phone_disabled", Role.VIEWER, build, in_menu=False)
