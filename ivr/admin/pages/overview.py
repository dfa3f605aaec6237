"""The first page: the key figures, and what needs looking at."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from nicegui import ui

from ivr.admin.answers import Figures, Times, Trunk, Trunks
from ivr.admin.gateway import GatewayError
from ivr.admin.markup import Cell, bars, duration, sparkline, table
from ivr.admin.pages import Page
from ivr.admin.roles import Role
from ivr.admin.visit import Visit
from ivr.admin.widgets import Tone, empty, fault, figure, figures, panel

EVERY_S: Final = 5.0
_LATE_MS: Final = 20.0
"""Past this much the media are audibly late."""
_UP: Final[dict[bool | None, tuple[str, Tone]]] = {
    True: ("up", "good"),
    False: ("down", "bad"),
    None: ("unknown", "neutral"),
}
_STATES: Final[dict[str, Tone]] = {"up": "good", "starting": "info", "down": "bad"}


async def build(visit: Visit) -> None:
    @ui.refreshable
    def shown(told: Figures | None, trunks: list[Trunk], why: str) -> None:
        if told is None:
            fault(why)
            return
        _figures(visit, told)
        with ui.element("div").classes("split"):
            _hour(visit, told)
            _endings(visit, told)
            _trunks(visit, trunks)
            _engines(visit, told)

    async def again() -> None:
        shown.refresh(*await _asked(visit))

    shown(*await _asked(visit))
    ui.timer(EVERY_S, again, immediate=False)


async def _asked(visit: Visit) -> tuple[Figures | None, list[Trunk], str]:
    """The figures and the trunks, or why there are none; asked before anything is drawn anew, so that nothing
    is gone meanwhile."""
    try:
        told = await visit.gateway.get(Figures, "/admin/metrics")
        return told, (await visit.gateway.get(Trunks, "/api/voice/trunks")).trunks, ""
    except GatewayError as error:
        return None, [], str(error)


def _figures(visit: Visit, told: Figures) -> None:
    now, hour = told.now, told.minutes[-60:]
    began, answered = sum(m.began for m in hour), sum(m.answered for m in hour)
    late: Tone = "bad" if now.lateness_ms > _LATE_MS else "neutral"
    with figures():
        states = ", ".join(f"{count} {visit.t(state)}" for state, count in sorted(now.by_state.items()))
        figure(visit.t("Live calls"), str(now.calls), states or visit.t("nobody calls"))
        share = f"{answered / began * 100:.0f} % {visit.t('answered')}" if began else ""
        figure(visit.t("Calls, last hour"), str(began), share)
        for name, title in (("turn", "Reply to speech"), ("key", "Reply to a key")):
            took = told.hour.get(name, Times())
            hint = (
                visit.t("no turn yet") if took.p95_ms is None else f"p95 {took.p95_ms:.0f} ms · {took.count}"
            )
            figure(visit.t(title), "–" if took.p50_ms is None else f"{took.p50_ms:.0f} ms", hint)
        figure(visit.t("Media late by"), f"{now.lateness_ms:.1f} ms", visit.t("at worst, of late"), late)
        figure(visit.t("Processor"), f"{now.cpu * 100:.0f} %", f"{now.memory_mb:.0f} MB")
        up = (told.at - told.started_at) // timedelta(seconds=1)
        figure(visit.t("Up for"), duration(up), f"{told.totals.began} {visit.t('calls since')}")


def _hour(visit: Visit, told: Figures) -> None:
    with panel(visit.t("Calls at once"), hint=visit.t("highest of each minute, last hour")):
        calls = [float(minute.calls) for minute in told.minutes]
        if not any(calls):
            empty(visit.t("No call in the last hour."))
            return
        label = f"{visit.t('Calls at once')}: {calls[-1]:.0f}, {visit.t('most')} {max(calls):.0f}"
        ui.html(sparkline(calls, label), sanitize=False)


def _endings(visit: Visit, told: Figures) -> None:
    ended: dict[str, int] = {}
    for minute in told.minutes:
        for cause, count in minute.ended.items():
            ended[cause] = ended.get(cause, 0) + count
    with panel(visit.t("How calls ended"), hint=visit.t("last hour")):
        if ended:
            ui.html(bars(ended, visit.t("How calls ended")), sanitize=False)
        else:
            empty(visit.t("No call has ended."))


def _trunks(visit: Visit, trunks: list[Trunk]) -> None:
    with panel(visit.t("Trunks")):
        if not trunks:
            empty(visit.t("There is no trunk."))
            return
        heads = (visit.t("Name"), visit.t("State"), f">{visit.t('Calls')}", visit.t("Why"))
        rows = [
            (
                Cell(trunk.name),
                Cell(visit.t(_UP[trunk.up][0]), tone=_UP[trunk.up][1]),
                Cell(f"{trunk.calls} / {trunk.max_calls}", classes="right"),
                Cell(trunk.reason, classes="soft"),
            )
            for trunk in trunks
        ]
        ui.html(table(heads, rows, visit.t("Trunks")), sanitize=False)


def _engines(visit: Visit, told: Figures) -> None:
    with panel(visit.t("Engines")):
        if not told.engines:
            empty(visit.t("There is no engine."))
            return
        heads = (visit.t("Name"), visit.t("Kind"), visit.t("State"), f">{visit.t('Latency')}")
        rows = [
            (
                Cell(engine.name),
                Cell(visit.t({"tts": "voice", "asr": "recogniser"}.get(engine.kind, engine.kind))),
                Cell(visit.t(engine.state), tone=_STATES.get(engine.state, "neutral")),
                Cell("–" if engine.latency_ms is None else f"{engine.latency_ms:.0f} ms", classes="right"),
            )
            for engine in told.engines
        ]
        ui.html(table(heads, rows, visit.t("Engines")), sanitize=False)


PAGE = Page("/", "Overview", "dashboard", Role.VIEWER, build)
