"""The page of one campaign: how far it is, what came of its calls, its contacts, and a table with more."""

from __future__ import annotations

from typing import Final

from nicegui import events, ui

from ivr.admin.gateway import GatewayError
from ivr.admin.markup import Cell, local_time, table
from ivr.admin.pages import Page
from ivr.admin.pages.campaigns import API, PATH, REFRESH_S, back
from ivr.admin.progress import CONTACT_TONES, STATE_TONES, bar, error_rows, legend, share_done
from ivr.admin.roles import Role
from ivr.admin.visit import Visit
from ivr.admin.widgets import Words, empty, fault, figure, figures, panel, pill
from ivr.api.campaign_models import CampaignDetail, ContactList, ContactShown, TableError, Uploaded
from ivr.campaigns.model import ContactState, State

MOST_BYTES: Final = 16 * 1024 * 1024
UPLOAD_S: Final = 120.0
"""A hundred thousand rows are checked and stored in some seconds; calls go first."""

PAGE_CONTACTS: Final = 50
ERRORS_SHOWN: Final = 100
_STARTABLE: Final = (State.DRAFT, State.PAUSED)
_DELETABLE: Final = (State.DRAFT, State.DONE, State.CANCELLED)


async def build(visit: Visit) -> None:
    await _Campaign(visit, visit.params["campaign_id"]).build()


class _Campaign:
    def __init__(self, visit: Visit, id: str) -> None:
        self._visit = visit
        self._api = f"{API}/{id}"
        self._id = id
        self._table = b""

    async def build(self) -> None:
        self._detail = await self._visit.gateway.get(CampaignDetail, self._api)
        back(self._visit, self._detail.name)
        self._head, self._body = ui.element("div"), ui.element("div").classes("stack")
        self._upload_place = ui.element("div")
        self._show_head()
        self._show_body()
        self._contacts = ui.refreshable(self._show_contacts)
        with panel(self._visit.t("Contacts")):
            await self._contacts()
        if self._visit.may(Role.OPERATOR) and not self._detail.state.over:
            with self._upload_place:
                self._upload()
        ui.timer(REFRESH_S, self._visit.needs(Role.VIEWER)(self._look), immediate=False)

    async def _look(self) -> None:
        self._take(await self._visit.gateway.get(CampaignDetail, self._api))

    def _take(self, detail: CampaignDetail) -> None:
        """Shows what has changed, and leaves the rest: a question that is being asked must not vanish."""
        before, self._detail = self._detail, detail
        if (before.state, before.reason) != (detail.state, detail.reason):
            self._show_head()
            if detail.state.over:
                self._upload_place.clear()
        if detail != before:
            self._show_body()

    # --- how it stands

    def _show_head(self) -> None:
        visit, detail = self._visit, self._detail
        self._head.clear()
        with self._head, panel():
            with ui.element("div").classes("row-between"):
                with ui.element("div").classes("row-start"):
                    pill(visit.t(detail.state.value), STATE_TONES[detail.state])
                    Words("span", f"{detail.flow} · {detail.trunk} · {_hours(detail)}", "soft")
                self._actions()
            if detail.reason:
                fault(detail.reason)

    def _show_body(self) -> None:
        visit, detail = self._visit, self._detail
        self._body.clear()
        with self._body:
            with panel():
                ui.html(bar(detail.figures) + legend(), sanitize=False).classes("wide")
            with figures():
                figure(visit.t("Done"), f"{share_done(detail.figures):.0%}")
                for name, count in detail.figures.model_dump().items():
                    if name != "erased" or count:
                        figure(visit.t(name.capitalize()), f"{count:,}")
                figure(visit.t("Called again"), f"{detail.retried:,}")
            if detail.causes or detail.results:
                self._outcomes()

    def _outcomes(self) -> None:
        with panel(self._visit.t("What came of it")), ui.element("div").classes("charts"):
            counted = sorted(self._detail.causes.items(), key=lambda item: -item[1])
            self._counts(self._visit.t("Cause of the last call"), counted)
            for name, values in self._detail.results.items():
                self._counts(name, sorted(values.items(), key=lambda item: -item[1]))

    def _counts(self, title: str, counted: list[tuple[str, int]]) -> None:
        rows = [(Cell(value), Cell(f"{count:,}", classes="right")) for value, count in counted]
        ui.html(table((title, f">{self._visit.t('Contacts')}"), rows, title), sanitize=False)

    def _actions(self) -> None:
        visit, state = self._visit, self._detail.state
        with ui.element("div").classes("row-start"):
            ui.button(visit.t("Results"), icon="download", on_click=self._download).props("flat dense")
            if not visit.may(Role.OPERATOR):
                return
            if state in _STARTABLE:
                title = visit.t("Start" if state is State.DRAFT else "Go on")
                self._button("start", title, "play_arrow")
            if state.active:
                self._button("pause", visit.t("Pause"), "pause")
            if not state.over:
                self._asked("cancel", visit.t("Cancel"), "Nobody is called any more, for good.")
            if state in _DELETABLE:
                self._asked(
                    "delete", visit.t("Delete"), "The contacts are deleted; the records of calls stay."
                )

    def _button(self, action: str, title: str, icon: str) -> None:
        guard = self._visit.needs(Role.OPERATOR, f"campaigns.{action}")
        ui.button(title, icon=icon, on_click=guard(lambda: self._do(action))).props("unelevated dense")

    def _asked(self, action: str, title: str, what: str) -> None:
        """What cannot be undone is asked for twice."""
        guard = self._visit.needs(Role.OPERATOR, f"campaigns.{action}")
        with ui.dialog() as dialog, ui.card().props(f'role=dialog aria-label="{title}"'):
            Words("h2", f"{title}: {self._detail.name}?", "panel-title")
            Words("p", self._visit.t(what))
            with ui.element("div").classes("row-start"):
                sure = ui.button(title, on_click=guard(lambda: self._do(action)), color="negative")
                sure.props("unelevated")
                ui.button(self._visit.t("Back"), on_click=dialog.close).props("flat")
        ui.button(title, on_click=dialog.open).props("flat dense color=negative")

    async def _do(self, action: str) -> None:
        by = self._visit.user.name
        if action == "delete":
            await self._visit.gateway.send("DELETE", self._api, by=by)
            ui.navigate.to(PATH)
            return
        told = await self._visit.gateway.send("POST", f"{self._api}/{action}", by=by)
        self._take(CampaignDetail.model_validate(told))

    async def _download(self) -> None:
        text = await self._visit.gateway.text(f"{self._api}/results")
        ui.download.content(text, f"campaign-{self._id}.csv", "text/csv")

    # --- contacts

    async def _show_contacts(self) -> None:
        visit, params = self._visit, self._visit.params
        state, cursor = params.get("state") or None, params.get("cursor") or None
        asked = {"state": state, "cursor": cursor, "limit": PAGE_CONTACTS}
        with ui.element("nav").classes("row-start").props(f'aria-label="{visit.t("Contacts by state")}"'):
            for each in ("", *(each.value for each in ContactState)):
                link = ui.link(
                    visit.t(each or "all"), f"{PATH}/{self._id}" + (f"?state={each}" if each else "")
                )
                if each == (state or ""):
                    link.classes("strong").props("aria-current=true")
        try:
            found = await visit.gateway.get(ContactList, f"{self._api}/contacts", asked)
        except GatewayError as error:
            fault(str(error))
            return
        if not found.contacts:
            empty(visit.t("Nobody is here."))
            return
        heads = (">#", "Number", "State", ">Tries", "Cause", "Last call", "Due again", "Values")
        told = table([visit.t(head) for head in heads], map(_row, found.contacts), visit.t("Contacts"))
        ui.html(told, sanitize=False).classes("wide")
        if found.next is not None:
            more = f"{PATH}/{self._id}?cursor={found.next}" + (f"&state={state}" if state else "")
            ui.link(visit.t("Further ones"), more)

    def _upload(self) -> None:
        guard = self._visit.needs(Role.OPERATOR, "campaigns.upload")
        with panel(self._visit.t("Add contacts"), hint="CSV, UTF-8: to, the flow's parameters, timezone"):
            upload = ui.upload(
                max_file_size=MOST_BYTES,
                max_files=1,
                auto_upload=True,
                on_upload=guard(self._uploaded),
                on_rejected=lambda: ui.notify("16 MiB at most are taken.", type="negative"),
            )
            upload.props('accept=".csv,text/csv"').classes("upload")
            take = ui.button(self._visit.t("Take a table"), icon="upload_file")
            take.on_click(lambda: upload.run_method("pickFiles"))
            self._report = ui.element("div").classes("stack report").props("role=status")

    async def _uploaded(self, event: events.UploadEventArguments) -> None:
        event.sender.reset()  # type: ignore[attr-defined]
        self._table = await event.file.read()
        await self._send(skip_bad=False)

    async def _skipping(self) -> None:
        await self._send(skip_bad=True)

    async def _send(self, *, skip_bad: bool) -> None:
        try:
            told = await self._visit.gateway.send(
                "POST",
                f"{self._api}/contacts",
                by=self._visit.user.name,
                content=self._table,
                headers={"Content-Type": "text/csv"},
                params={"skip_bad": skip_bad},
                deadline_s=UPLOAD_S,
            )
        except GatewayError as error:
            if error.kind != "bad-table":
                raise
            errors = [TableError.model_validate(each) for each in error.problem.get("errors", ())]
            self._tell_errors(int(error.problem.get("count", 0)), errors, stored=False)
            return
        done = Uploaded.model_validate(told)
        self._tell_errors(done.count, done.errors, stored=True, done=done)
        self._table = b""
        await self._look()
        self._contacts.refresh()

    def _tell_errors(
        self, count: int, errors: list[TableError], *, stored: bool, done: Uploaded | None = None
    ) -> None:
        visit = self._visit
        self._report.clear()
        with self._report:
            if done is not None:
                off = f", {done.suppressed} of them suppressed" if done.suppressed else ""
                Words("p", f"{done.added + done.suppressed} contacts were added{off}.", "strong")
            if not count:
                return
            left = "were left out" if stored else "cannot be used; nothing was stored"
            fault(f"{count} row{'' if count == 1 else 's'} {left}.")
            rows = error_rows(errors[:ERRORS_SHOWN])
            heads = (f">{visit.t('Line')}", visit.t("Column"), visit.t("What is wrong"))
            cells = [(Cell(line, classes="right"), column, what) for line, column, what in rows]
            ui.html(table(heads, cells, visit.t("What is wrong")), sanitize=False).classes("wide")
            if len(errors) > ERRORS_SHOWN or count > len(errors):
                Words("p", f"The first {len(rows)} are shown.", "soft")
            # A header that is wrong spoils every row: there is nothing to store.
            if not stored and all(each.line > 1 for each in errors):
                guard = visit.needs(Role.OPERATOR, "campaigns.upload")
                ui.button(visit.t("Store the other rows"), on_click=guard(self._skipping)).props("flat")


def _row(contact: ContactShown) -> tuple[str | Cell, ...]:
    values = ", ".join(f"{name}: {value}" for name, value in contact.params.items())
    call = "" if contact.call is None else f"/calls/{contact.call.rpartition('/')[2]}"
    return (
        Cell(str(contact.contact), classes="right"),
        Cell(contact.to, classes="nowrap"),
        Cell(contact.state.value, tone=CONTACT_TONES[contact.state.value]),
        Cell(str(contact.attempts), classes="right"),
        Cell(contact.cause or "–"),
        Cell(html=local_time(contact.attempted_at), href=call),
        Cell(html=local_time(contact.due_at)),
        Cell(values),
    )


def _hours(detail: CampaignDetail) -> str:
    window = detail.window
    days = "" if len(window.days) == 7 else f" {', '.join(window.days)}"
    return f"{window.opens:%H:%M}–{window.closes:%H:%M}{days} ({detail.timezone})"


PAGE = Page(f"{PATH}/{{campaign_id}}", "Campaign", "campaign", Role.VIEWER, build, in_menu=False)
