"""A flow's graph with how many calls took each way, and the steps in which callers hung up."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from html import escape
from typing import Final

from nicegui import ui

from ivr.admin.flows import picture
from ivr.admin.flows.bench import FlowBench
from ivr.admin.flows.told import ago, percent
from ivr.admin.gateway import GatewayError
from ivr.admin.markup import Cell, table
from ivr.admin.roles import Role
from ivr.admin.widgets import Words, empty, fault, figure, figures, panel
from ivr.api.traffic import FlowTraffic
from ivr.flow.model import Flow

RANGES: Final = {
    3600: "Last hour",
    86_400: "Last 24 hours",
    7 * 86_400: "Last 7 days",
    31 * 86_400: "Last 31 days",
}
ALL: Final = "all versions"
_HEADS: Final = ("Step", ">Calls", ">Visits a call", ">Hung up here")
MANY_LOST: Final = 0.05
_CLICK: Final = (
    "(event) => { const box = event.target.closest('[data-step]'); if (box) emit(box.dataset.step); }"
)


async def show_traffic(bench: FlowBench) -> None:
    flow = await bench.answering()
    if flow is None:
        fault("The text has problems, so there is no graph of it; the tab Text lists them.")
        return
    await _View(bench, flow).build()


class _View:
    def __init__(self, bench: FlowBench, flow: Flow) -> None:
        self._bench = bench
        self._flow = flow
        self._seconds = 86_400
        self._version = ALL
        self._language = flow.languages[0]
        self._traffic: FlowTraffic | None = None
        self._step = flow.start.step
        self._large = len(flow.steps) > picture.MOST_AT_ONCE
        self._graph: ui.html | None = None

    async def build(self) -> None:
        guard = self._bench.visit.needs(Role.VIEWER)
        with ui.element("div").classes("row-start choices"):
            span = ui.select(RANGES, value=self._seconds, label="Calls of")
            hash_ = self._bench.detail.hash
            versions = {ALL: ALL, **({hash_: f"this one ({hash_[:8]})"} if hash_ else {})}
            version = ui.select(versions, value=ALL, label="Version")
            language = ui.select(list(self._flow.languages), value=self._language, label="Prompts in")
            for each in (span, version, language):
                each.props("dense outlined options-dense").classes("choice")

            async def changed() -> None:
                self._seconds, self._version, self._language = span.value, version.value, language.value
                await self._count()
                await self._redraw()

            for each in (span, version, language):
                each.on_value_change(guard(changed))
        self._summary = ui.element("div")
        with ui.element("div").classes("flow-split"):
            with panel(
                "Graph", hint="Lines are as thick as calls took them. Choose a step to see what it says."
            ):
                self._picture = ui.element("div").classes("flow-graph")
                self._picture.props('tabindex=0 role=region aria-label="Graph of the flow"')
            with ui.element("div").classes("stack"):
                with panel("Step") as self._detail:
                    pass
                with panel("Steps", hint="Those first in which most callers hung up."):
                    self._table = ui.element("div")
        await self._count()
        await self._redraw()

    async def _count(self) -> None:
        since = datetime.fromtimestamp(time.time() - self._seconds + 1, UTC).isoformat()
        params = {"since": since, "hash": None if self._version == ALL else self._version}
        try:
            path = f"{self._bench.path}/traffic"
            self._traffic = await self._bench.visit.gateway.get(FlowTraffic, path, params)
        except GatewayError as error:
            self._traffic = None
            ui.notify(str(error), type="negative")

    async def _redraw(self) -> None:
        self._show_summary()
        self._show_table()
        self._show_step()
        await self._draw(asked=False)

    # --- the sums

    def _show_summary(self) -> None:
        self._summary.clear()
        traffic = self._traffic
        if traffic is None:
            return
        with self._summary:
            with figures():
                figure("Calls", f"{traffic.calls:,}", f"{traffic.live} of them live")
                lost = sum(row.hung_up for row in picture.rows(self._flow, traffic))
                share = lost / traffic.calls if traffic.calls else 0.0
                figure(
                    "Hung up before the end", f"{lost:,}", percent(share), "bad" if share > 0.2 else "neutral"
                )
                worst = next((row for row in picture.rows(self._flow, traffic) if row.hung_up), None)
                figure(
                    "Most hung up in",
                    worst.step if worst else "nowhere",
                    percent(worst.share) if worst else "",
                )
                busiest = max(traffic.steps, key=lambda step: step.mean_visits, default=None)
                if busiest is not None and busiest.mean_visits > 1:
                    figure("Most often repeated", busiest.step, f"{busiest.mean_visits} times a call")
                else:
                    figure("Most often repeated", "no step")
            if not traffic.complete:
                Words(
                    "p", f"So far counted back to {ago(traffic.since)}; choose again to go on.", "soft small"
                )
            if gone := picture.gone_steps(self._flow, traffic):
                Words(
                    "p", f"Calls of older versions also went through: {', '.join(gone[:12])}.", "soft small"
                )

    # --- the graph

    async def _draw(self, *, asked: bool) -> None:
        if self._large and not asked:
            self._picture.clear()
            with self._picture:
                empty(f"{len(self._flow.steps)} steps make a very large graph, which takes seconds to draw.")
                ui.button("Draw it", on_click=lambda: self._draw(asked=True)).props("flat")
            return
        drawn = await asyncio.to_thread(picture.picture, self._flow, self._traffic, self._language)
        self._picture.clear()
        with self._picture:
            self._graph = ui.html(drawn, sanitize=False)
            self._graph.on("click", lambda event: self._choose(event.args), js_handler=_CLICK)

    # --- the table, which tells the same without a picture

    def _show_table(self) -> None:
        self._table.clear()
        with self._table:
            rows = picture.rows(self._flow, self._traffic)
            shown = ui.html(table(_HEADS, map(_cells, rows), "Steps of the flow"), sanitize=False)
            shown.on("click", lambda event: self._choose(event.args), js_handler=_CLICK)

    # --- one step

    def _choose(self, name: str) -> None:
        if name in self._flow.steps:
            self._step = name
            self._show_step()

    def _show_step(self) -> None:
        step = self._flow.steps[self._step]
        self._detail.clear()
        with self._detail:
            with ui.element("div").classes("panel-head"):
                Words("h2", step.name, "panel-title")
                Words("span", step.verb, "panel-hint")
            said = list(picture.prompts_of(step))
            if not said:
                Words("p", "Says nothing.", "soft small")
            with ui.element("dl").classes("prompts"):
                for name, language, words in said:
                    Words("dt", f"{name} · {language}")
                    Words("dd", words).props(f'lang="{language}"')
            ways = picture.ways_of(step, self._traffic)
            if ways:
                ui.html(
                    table(("Outcome", "Leads to", ">Calls"), map(_way, ways), "Ways out"), sanitize=False
                ).on("click", lambda event: self._choose(event.args), js_handler=_CLICK)


def _cells(row: picture.Row) -> tuple[Cell, ...]:
    lost = f"{row.hung_up:,} ({percent(row.share)})" if row.hung_up else "0"
    return (
        Cell(html=f'{_chooser(row.step)} <span class="soft small">{escape(row.verb)}</span>'),
        Cell(f"{row.calls:,}", classes="right"),
        Cell(f"{row.mean_visits:.2f}" if row.calls else "", classes="right"),
        Cell(lost, classes="right tone-bad" if row.share >= MANY_LOST else "right"),
    )


def _way(way: picture.Ways) -> tuple[Cell, ...]:
    return Cell(way.outcome), Cell(html=_chooser(way.next)), Cell(f"{way.count:,}", classes="right")


def _chooser(step: str) -> str:
    return f'<button type="button" class="as-link" data-step="{escape(step)}">{escape(step)}</button>'
