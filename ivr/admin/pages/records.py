"""Call records: searched by number, flow, state, cause and time; the search stands in the address, so that it
can be kept and sent on."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from nicegui import ui

from ivr.admin.answers import CallList, CallShort
from ivr.admin.markup import Cell, duration, local_time, table
from ivr.admin.pages import Page
from ivr.admin.roles import Role
from ivr.admin.visit import Visit
from ivr.admin.widgets import Words, empty, panel

PATH: Final = "/calls"
PAGE_CALLS: Final = 50
STATES: Final = {
    "": "any",
    "created": "created",
    "ringing": "ringing",
    "answered": "answered",
    "ended": "ended",
}
FIELDS: Final = ("number", "flow", "state", "cause", "since", "until")
CAUSE_TONES: Final = {
    "normal": "good",
    "busy": "warn",
    "no_answer": "warn",
    "failed": "bad",
    "media_timeout": "bad",
}
_STATE_TONES: Final = {"answered": "good", "ringing": "info", "created": "neutral", "ended": "neutral"}


async def build(visit: Visit) -> None:
    wanted = {name: visit.params[name] for name in FIELDS if visit.params.get(name)}
    _search(visit, wanted)
    asked = {**wanted, "cursor": visit.params.get("cursor") or None, "limit": PAGE_CALLS}
    found = await visit.gateway.get(CallList, "/api/voice/calls", asked)
    with panel():
        if not found.calls:
            empty(visit.t("No call is like this."))
        else:
            heads = ("Began", "Flow", "", "Caller", "Called", "State", "Cause", ">Talked", "Trunk")
            names = [f">{visit.t(head[1:])}" if head.startswith(">") else visit.t(head) for head in heads]
            ui.html(table(names, map(row, found.calls), visit.t("Call records")), sanitize=False).classes(
                "wide"
            )
        _paging(visit, wanted, found.next)


def row(call: CallShort) -> tuple[str | Cell, ...]:
    """A call in a list."""
    arrow = "→" if call.direction == "inbound" else "←"
    return (
        Cell(html=local_time(call.created_at), href=f"{PATH}/{call.id}", classes="nowrap"),
        Cell(call.flow),
        Cell(html=f'<span title="{call.direction}" aria-label="{call.direction}" role="img">{arrow}</span>'),
        Cell("erased" if call.erased_at else call.caller, classes="nowrap"),
        Cell("erased" if call.erased_at else call.called, classes="nowrap"),
        Cell(call.state, tone=_STATE_TONES.get(call.state, "neutral")),
        Cell(call.cause or "–", tone=CAUSE_TONES.get(call.cause, "neutral") if call.cause else ""),
        Cell(duration(call.talked_s), classes="right"),
        Cell(call.trunk),
    )


def _search(visit: Visit, wanted: dict[str, str]) -> None:
    """A form that asks by its address: no action, and nothing is changed by it."""
    with (
        ui.element("form")
        .props(f'method=get action={PATH} role=search aria-label="{visit.t("Search")}"')
        .classes("filters")
    ):
        _field(visit, "number", visit.t("Number"), wanted, 'placeholder="+9198… or +9198*"')
        _field(visit, "flow", visit.t("Flow"), wanted)
        with ui.element("label").classes("filter"):
            Words("span", visit.t("State"))
            with ui.element("select").props("name=state"):
                for state, shown in STATES.items():
                    option = Words("option", visit.t(shown))
                    option.props["value"] = state
                    if wanted.get("state", "") == state:
                        option.props["selected"] = True
        _field(visit, "cause", visit.t("Cause"), wanted, 'placeholder="busy, no_answer, …"')
        moment("since", visit.t("From"), wanted)
        moment("until", visit.t("Before"), wanted)
        Words("button", visit.t("Search"), "button").props("type=submit")
        if wanted:
            ui.link(visit.t("Clear"), PATH).classes("filter-clear")


def _field(visit: Visit, name: str, title: str, wanted: dict[str, str], props: str = "") -> None:
    with ui.element("label").classes("filter"):
        Words("span", title)
        field = ui.element("input").props(f"name={name} maxlength=128 autocomplete=off {props}")
        # `value` would be set anew whenever the page is drawn anew, over what is being typed.
        field.props["defaultValue"] = wanted.get(name, "")


def moment(name: str, title: str, wanted: dict[str, str]) -> None:
    """A field for a moment: written by the reader's clock, sent as UTC (`admin.js`)."""
    with ui.element("label").classes("filter"):
        Words("span", title)
        field = ui.element("utc-time")
        field.props["name"], field.props["value"] = name, wanted.get(name, "")


def _paging(visit: Visit, wanted: dict[str, str], next: str | None) -> None:
    with ui.element("nav").classes("paging").props(f'aria-label="{visit.t("Pages of the list")}"'):
        if visit.params.get("cursor"):
            ui.link(visit.t("Newest"), f"{PATH}?{urlencode(wanted)}")
        if next is not None:
            ui.link(visit.t("Older"), f"{PATH}?{urlencode({**wanted, 'cursor': next})}")


PAGE = Page(PATH, "Call records", "list_alt", Role.VIEWER, build)
