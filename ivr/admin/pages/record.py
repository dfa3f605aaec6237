"""One call: what happened, its recording with the transcript beside it, the waterfall of its turns."""

from __future__ import annotations

import base64
import json
from html import escape
from typing import Any, Final
from urllib.parse import quote

from nicegui import ui

from ivr.admin.answers import CallDetail
from ivr.admin.lines import Line, cut, line_of
from ivr.admin.markup import Cell, duration, facts, local_time, table, talk
from ivr.admin.pages import Page
from ivr.admin.pages.records import CAUSE_TONES, PATH
from ivr.admin.roles import Role
from ivr.admin.visit import Visit
from ivr.admin.widgets import Words, empty, panel, pill
from ivr.trace.model import trace_of
from ivr.trace.picture import picture

EVENT_LETTERS: Final = 400
"""The most that is shown of an event's data."""


async def build(visit: Visit) -> None:
    call_id = visit.params["call_id"]
    call = await visit.gateway.get(CallDetail, f"/api/voice/calls/{quote(call_id, safe='')}")
    _heading(visit, call)
    with ui.element("div").classes("split"):
        with ui.element("div").classes("stack"):
            _conversation(visit, call)
        with ui.element("div").classes("stack"):
            _facts(visit, call)
            _result(visit, call)
    _waterfall(visit, call)
    _events(visit, call)


def lines_of(call: CallDetail) -> list[Line]:
    """The conversation of a record."""
    lines: list[Line] = []
    for event in call.events:
        at = event.at.timestamp()
        if event.kind == "prompt_cut":
            last = next((i for i in reversed(range(len(lines))) if lines[i].side == "server"), None)
            if last is not None:
                lines[last] = cut(lines[last], int(event.data.get("after_ms", 0)))
        elif (line := line_of(event.kind, event.data, at)) is not None:
            lines.append(line)
    return lines


def sound_began(call: CallDetail) -> float | None:
    """When the recording's time is 0: it begins with the answer, or with the consent to it."""
    began = next((event.at for event in call.events if event.kind == "recording"), call.answered_at)
    return None if began is None else began.timestamp()


def _heading(visit: Visit, call: CallDetail) -> None:
    with ui.element("div").classes("row-between"):
        with ui.element("div").classes("row-start"):
            Words("span", call.flow, "strong")
            pill(call.state, "good" if call.state == "answered" else "neutral")
            if call.cause:
                pill(call.cause, CAUSE_TONES.get(call.cause, "neutral"))  # type: ignore[arg-type]
            ui.html(local_time(call.created_at), sanitize=False, tag="span").classes("soft")
            Words("span", call.id, "mono soft")
        with ui.element("div").classes("row-start"):
            ui.link(visit.t("All calls"), PATH)
            if call.erased_at is None and call.state == "ended" and visit.may(Role.ADMIN):
                _erasing(visit, call)


def _erasing(visit: Visit, call: CallDetail) -> None:
    with ui.dialog() as dialog, ui.card().props(f'role=dialog aria-label="{visit.t("Erase")}"'):
        Words("h2", visit.t("Erase this call?"), "panel-title")
        Words(
            "p",
            visit.t(
                "Numbers, words, result and recording are deleted for good. That there was a call stays."
            ),
        )
        with ui.element("div").classes("row-start"):

            @visit.needs(Role.ADMIN, "calls.erase")
            async def erase() -> None:
                await visit.gateway.send("DELETE", f"/api/voice/calls/{call.id}", by=visit.user.name)
                dialog.close()
                ui.navigate.reload()

            ui.button(visit.t("Erase for good"), on_click=erase, color="negative").props("unelevated")
            ui.button(visit.t("Keep"), on_click=dialog.close).props("flat")
    ui.button(visit.t("Erase"), icon="delete", on_click=dialog.open).props("flat dense color=negative")


def _conversation(visit: Visit, call: CallDetail) -> None:
    began = sound_began(call)
    has_sound = call.recording is not None and call.state == "ended"
    plays = has_sound and visit.may(Role.OPERATOR)
    with panel(visit.t("Conversation")):
        if plays:
            label = escape(visit.t("Recording"))
            ui.html(
                f'<audio id="recording" controls preload="metadata" src="/sound/{escape(call.id)}" '
                f'aria-label="{label}"></audio>',
                sanitize=False,
            ).classes("player")
        elif has_sound:
            Words("p", visit.t("The recording can be heard by operators."), "soft small")
        elif call.state == "ended":
            Words("p", visit.t("There is no recording."), "soft small")
        told = talk(lines_of(call), began, seek=plays, empty=visit.t("Nothing was said."))
        ui.html(told, sanitize=False).classes("talk-box").props(
            'tabindex=0 role=region aria-label="Transcript"'
        )
        for message in call.messages:
            with ui.element("div").classes("row-start"):
                Words("span", f"{message.name} · {duration((message.duration_ms or 0) / 1000)}")
                if visit.may(Role.OPERATOR):
                    source = f"/sound/{escape(call.id)}/messages/{escape(message.name)}"
                    ui.html(f'<audio controls preload="none" src="{source}"></audio>', sanitize=False)


def _facts(visit: Visit, call: CallDetail) -> None:
    quality = call.quality
    pairs: list[tuple[str, str | Cell]] = [
        (visit.t("Caller"), call.caller),
        (visit.t("Called"), call.called),
        (visit.t("Trunk"), f"{call.trunk} · {call.direction}"),
        (visit.t("Answered"), Cell(html=local_time(call.answered_at))),
        (visit.t("Ended"), Cell(html=local_time(call.ended_at))),
        (visit.t("Talked"), duration(call.talked_s)),
        (visit.t("Hung up by"), call.hung_up_by or ""),
        (visit.t("Language"), call.language or ""),
        (visit.t("Version of the flow"), call.flow_hash),
    ]
    if quality is not None:
        lost = quality.packets_lost / max(1, quality.packets_received + quality.packets_lost) * 100
        pairs += [
            (visit.t("Quality (MOS)"), _of(quality.mos, ".2f")),
            (visit.t("Lost, jitter"), f"{lost:.2f} %, {quality.jitter_ms:.1f} ms"),
            (visit.t("Round trip"), _of(quality.rtt_ms, ".0f", " ms")),
        ]
    if call.erased_at is not None:
        pairs.append((visit.t("Erased"), Cell(html=local_time(call.erased_at))))
    with panel(visit.t("Call")):
        ui.html(facts(pairs), sanitize=False)


def _result(visit: Visit, call: CallDetail) -> None:
    with panel(visit.t("Result")):
        if call.result:
            ui.html(facts((name, _json(value)) for name, value in call.result.items()), sanitize=False)
        else:
            empty(visit.t("There is no result."))
        if call.params:
            Words("h3", visit.t("Parameters"), "panel-sub")
            ui.html(facts((name, _json(value)) for name, value in call.params.items()), sanitize=False)


def _waterfall(visit: Visit, call: CallDetail) -> None:
    report = call.model_dump(mode="json")
    try:
        trace = trace_of(report)
    except ValueError:
        return
    if not trace.turns:
        return
    drawn = base64.b64encode(picture(trace).encode()).decode()
    with panel(visit.t("Turns"), hint=trace.summary):
        image = f'<img class="picture" alt="{escape(trace.summary)}" src="data:image/svg+xml;base64,{drawn}">'
        ui.html(image, sanitize=False).classes("scrolls").props(
            'tabindex=0 role=region aria-label="Waterfall"'
        )


def _events(visit: Visit, call: CallDetail) -> None:
    began = call.created_at.timestamp()
    rows = [
        (
            Cell(f"{event.at.timestamp() - began:.3f}", classes="right mono"),
            Cell(event.kind, classes="nowrap"),
            Cell(_json(event.data)[:EVENT_LETTERS], classes="mono breaks"),
        )
        for event in call.events
    ]
    with panel(), ui.element("details"):
        Words("summary", f"{visit.t('All events')} ({len(rows)})", "panel-title")
        ui.html(table((">s", visit.t("Event"), visit.t("Data")), rows, visit.t("All events")), sanitize=False)


def _json(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _of(value: float | None, form: str, unit: str = "") -> str:
    return "" if value is None else f"{value:{form}}{unit}"


PAGE = Page(f"{PATH}/{{call_id}}", "Call", "call", Role.VIEWER, build, in_menu=False)
