"""The page of all campaigns, with how far each is; and a new one, by a form."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from nicegui import ui
from pydantic import BaseModel

from ivr.admin.answers import Trunks
from ivr.admin.gateway import GatewayError
from ivr.admin.markup import Cell, local_time, table
from ivr.admin.pages import Page
from ivr.admin.progress import STATE_TONES, bar, legend, share_done
from ivr.admin.roles import Role
from ivr.admin.visit import Visit
from ivr.admin.widgets import Words, empty, fault, panel
from ivr.api.campaign_models import CampaignList, CampaignShort
from ivr.campaigns.hours import DAYS, zone_of

PATH: Final = "/campaigns"
API: Final = "/api/voice/campaigns"
REFRESH_S: Final = 3.0
_MACHINES: Final = {
    "": "is taken for a person",
    "hang_up": "is hung up on",
    "wait_for_beep": "gets the flow after its beep",
}


class _Flow(BaseModel):
    """Without a `hash` it answers no calls."""

    name: str
    hash: str | None


class _Flows(BaseModel):
    flows: list[_Flow]


async def build(visit: Visit) -> None:
    cursor = visit.params.get("cursor") or None

    @ui.refreshable
    async def shown() -> None:
        try:
            found = await visit.gateway.get(CampaignList, API, {"cursor": cursor})
        except GatewayError as error:
            fault(str(error))
            return
        if not found.campaigns:
            empty(visit.t("There is no campaign yet."))
            return
        heads = ("Campaign", "State", "Progress", ">Done", ">Answered", ">Contacts", "Flow", "Started")
        names = [f">{visit.t(head[1:])}" if head.startswith(">") else visit.t(head) for head in heads]
        told = table(names, map(_row, found.campaigns), visit.t("Campaigns"))
        ui.html(told + legend(), sanitize=False).classes("wide")
        if found.next is not None:
            ui.link(visit.t("Older"), f"{PATH}?cursor={found.next}")

    with ui.element("div").classes("row-between"):
        ui.link(visit.t("Numbers that are not called"), "/suppressions")
        if visit.may(Role.OPERATOR):
            ui.button(visit.t("New campaign"), icon="add", on_click=lambda: ui.navigate.to(f"{PATH}/new"))
    with panel():
        await shown()
    ui.timer(REFRESH_S, visit.needs(Role.VIEWER)(shown.refresh), immediate=False)


def _row(campaign: CampaignShort) -> tuple[str | Cell, ...]:
    figures = campaign.figures
    return (
        Cell(campaign.name, href=f"{PATH}/{campaign.id}", classes="strong"),
        Cell(campaign.state.value, tone=STATE_TONES[campaign.state]),
        Cell(html=bar(figures), classes="progress"),
        Cell(f"{share_done(figures):.0%}", classes="right"),
        Cell(str(figures.answered), classes="right"),
        Cell(str(figures.contacts), classes="right"),
        Cell(campaign.flow),
        Cell(html=local_time(campaign.started_at)),
    )


async def build_new(visit: Visit) -> None:
    if not visit.may(Role.OPERATOR):
        fault(f"{visit.t('This needs the role')} {visit.t(Role.OPERATOR.title)}.")
        return
    flows = [flow.name for flow in (await visit.gateway.get(_Flows, "/api/flows")).flows if flow.hash]
    trunks = [trunk.name for trunk in (await visit.gateway.get(Trunks, "/api/voice/trunks")).trunks]
    if not flows or not trunks:
        fault("A campaign needs a flow that answers, and a trunk to call over.")
        return
    _Form(visit, flows, trunks).build()


class _Form:
    """A campaign as a person writes it; the server says what is wrong with it."""

    def __init__(self, visit: Visit, flows: list[str], trunks: list[str]) -> None:
        self._visit = visit
        self._flows = flows
        self._trunks = trunks

    def build(self) -> None:
        t = self._visit.t
        with panel(t("What"), hint=t("Contacts come next, as a table.")), ui.element("div").classes("fields"):
            self._name = _text(t("Name"))
            self._flow = _choice(t("Flow"), self._flows)
            self._trunk = _choice(t("Trunk"), self._trunks)
            self._caller_id = _text(t("Number shown"), hint=t("the trunk's"))
            self._language = _text(t("Language"), hint="hi, mr, en")
            self._machine = _choice(t("An answering machine"), _MACHINES)
        with panel(t("When"), hint=t("By the clock of the callee.")), ui.element("div").classes("fields"):
            self._opens = _text(t("From"), "09:00").props("type=time")
            self._closes = _text(t("To"), "21:00").props("type=time")
            self._days = ui.select(list(DAYS), value=list(DAYS), multiple=True, label=t("Days"))
            self._days.props("outlined dense options-dense")
            self._holidays = _text(t("Not on"), hint="2026-12-25, 2027-01-26")
            self._timezone = _text(t("Time zone"), "Asia/Kolkata")
            self._starts = _text(t("Not before")).props("type=datetime-local stack-label")
            self._ends = _text(t("Not after")).props("type=datetime-local stack-label")
        with panel(t("How fast")), ui.element("div").classes("fields"):
            self._at_once = _number(t("Calls at once"), 10, 1, 1000)
            self._per_minute = _number(t("Calls a minute"), 60, 1, 6000)
            self._times = _number(t("Further tries"), 2, 0, 10)
            self._after = _number(t("Minutes between tries"), 30, 1, 10_080)
        guard = self._visit.needs(Role.OPERATOR, "campaigns.create")
        with ui.element("div").classes("row-start"):
            ui.button(t("Make it"), icon="check", on_click=guard(self._make))
            ui.link(t("Campaigns"), PATH)

    async def _make(self) -> None:
        try:
            body = self._body()
        except ValueError as error:
            ui.notify(f"{self._visit.t('Time zone')}: {error}", type="negative")
            return
        made = await self._visit.gateway.send("POST", API, by=self._visit.user.name, body=body)
        ui.navigate.to(f"{PATH}/{CampaignShort.model_validate(made).id}")

    def _body(self) -> dict[str, Any]:
        """Raises ValueError where the time zone is none."""
        zone = self._timezone.value.strip()
        body: dict[str, Any] = {
            "name": self._name.value.strip(),
            "flow": self._flow.value,
            "trunk": self._trunk.value,
            "timezone": zone,
            "window": {
                "from": self._opens.value,
                "to": self._closes.value,
                "days": self._days.value,
                "holidays": [day.strip() for day in self._holidays.value.split(",") if day.strip()],
            },
            "pace": {"at_once": self._at_once.value, "per_minute": self._per_minute.value},
            "retries": {"times": self._times.value, "after_s": 60 * (self._after.value or 0)},
        }
        for name, field in (("caller_id", self._caller_id), ("language", self._language)):
            if field.value.strip():
                body[name] = field.value.strip()
        if self._machine.value:
            body["answering_machine"] = {"action": self._machine.value}
        for name, field in (("starts_at", self._starts), ("ends_at", self._ends)):
            if field.value:
                local = datetime.fromisoformat(field.value).replace(tzinfo=zone_of(zone))
                body[name] = local.isoformat()
        return body


def _text(label: str, value: str = "", hint: str = "") -> ui.input:
    field = ui.input(label, value=value, placeholder=hint)
    field.props("outlined dense maxlength=128 autocomplete=off" + (" stack-label" if hint else ""))
    return field


def _number(label: str, value: int, low: int, high: int) -> ui.number:
    field = ui.number(label, value=value, min=low, max=high, precision=0)
    field.props("outlined dense")
    return field


def _choice(label: str, options: list[str] | dict[str, str]) -> ui.select:
    field = ui.select(options, value=next(iter(options)), label=label)
    field.props("outlined dense options-dense")
    return field


def back(visit: Visit, name: str) -> None:
    """Where a page stands below the list."""
    with ui.element("div").classes("row-start"):
        ui.link(visit.t("Campaigns"), PATH)
        Words("span", "/", "soft").props("aria-hidden=true")
        Words("span", name, "strong")


PAGE = Page(PATH, "Campaigns", "campaign", Role.VIEWER, build)
NEW = Page(f"{PATH}/new", "New campaign", "add", Role.OPERATOR, build_new, in_menu=False)
