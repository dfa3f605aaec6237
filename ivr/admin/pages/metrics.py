"""The page of figures: the last hour by the minute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from nicegui import ui

from ivr.admin import charts
from ivr.admin.gateway import GatewayError
from ivr.admin.pages import Page
from ivr.admin.roles import Role
from ivr.admin.visit import Visit
from ivr.admin.widgets import Tone, figure, figures, panel
from ivr.api.hourly import Figures, MinuteFigures, TimesTaken

REFRESH_S: Final = 10.0
LATE_MS: Final = 20.0
"""Beyond a frame, a listener may hear it."""

_Chart = Callable[..., charts.Option]
_CHARTS: Final[tuple[tuple[str, str, _Chart], ...]] = (
    ("Calls", "at once, and what began in each minute", charts.calls),
    (
        "Answer to the caller",
        "from the end of speech, or a key, to the first packet of the reply",
        charts.turns,
    ),
    ("Engines", "to the first of an answer", charts.engines),
    ("Load", "how late media were at worst, and what of a core was taken", charts.lateness),
    ("Failures by cause", "calls that ended otherwise than they should", charts.failures),
)


async def build(visit: Visit) -> None:
    told = await visit.gateway.get(Figures, "/admin/metrics")
    dark = bool(visit.user.dark)
    summary = ui.element("div")
    drawn: list[tuple[ui.echart, _Chart, ui.element]] = []
    with summary:
        _summary(told)
    with ui.element("div").classes("charts"):
        for title, hint, chart in _CHARTS:
            with panel(visit.t(title), hint=hint) as part:
                plot = ui.echart(chart(told.minutes, dark=dark), renderer="svg").classes("chart")
                plot.props["role"] = "img"
                plot.props["aria-label"] = _spoken(title, told.minutes)
            drawn.append((plot, chart, part))

    async def look() -> None:
        try:
            told = await visit.gateway.get(Figures, "/admin/metrics")
        except GatewayError:
            return  # the header says that the server is away
        summary.clear()
        with summary:
            _summary(told)
        for plot, chart, _ in drawn:
            plot.options.clear()
            plot.options.update(chart(told.minutes, dark=dark))
            plot.update()

    ui.timer(REFRESH_S, visit.needs(Role.VIEWER)(look), immediate=False)


def _summary(told: Figures) -> None:
    hour = told.minutes
    failed = sum(sum(charts.failed(minute).values()) for minute in hour)
    with figures():
        figure("Calls now", f"{told.now.calls:,}", _states(told.now.by_state))
        figure("Began in the last hour", f"{sum(minute.began for minute in hour):,}")
        figure("Speech to reply", _ms(told.hour.turn), _p95(told.hour.turn))
        figure("Key to reply", _ms(told.hour.key), _p95(told.hour.key))
        late: Tone = "bad" if told.now.lateness_ms > LATE_MS else "neutral"
        figure("Media late by", f"{told.now.lateness_ms:.1f} ms", "at worst in the last seconds", late)
        figure("Failed in the last hour", f"{failed:,}", charts.told(hour)[:60], "bad" if failed else "good")


def _states(states: dict[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in states.items()) or "nobody calls"


def _ms(taken: TimesTaken) -> str:
    return "–" if taken.p50_ms is None else f"{taken.p50_ms:.0f} ms"


def _p95(taken: TimesTaken) -> str:
    return "none yet" if taken.p95_ms is None else f"p95 {taken.p95_ms:.0f} ms, {taken.count:,} times"


def _spoken(title: str, minutes: Sequence[MinuteFigures]) -> str:
    if title == "Failures by cause":
        return f"Failures of the last hour: {charts.told(minutes)}"
    return f"{title}, the last hour by the minute"


PAGE = Page("/metrics", "Metrics", "show_chart", Role.VIEWER, build)
