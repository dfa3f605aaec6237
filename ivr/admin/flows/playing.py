"""A flow played without a telephone: a call as text, and the scenarios that lie beside the flow."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from nicegui import ui

from ivr.admin.flows import script
from ivr.admin.flows.bench import FlowBench
from ivr.admin.flows.copy import FlowCopy
from ivr.admin.flows.told import percent
from ivr.admin.roles import Role
from ivr.admin.widgets import Words, empty, fault, figure, figures, panel, pill
from ivr.flow.coverage import Coverage, coverage_of
from ivr.flow.model import Flow
from ivr.flow.problems import FlowError, ParamError
from ivr.flow.rehearsal import Played, play
from ivr.flow.scenarios import Scenario, ScenarioError
from ivr.flow.simulator import HELP, Simulation

KEYS: Final = ("1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#")
MOST_LINES: Final = 1_000
LONGEST: Final = 500
"""Characters of what a caller says at once."""

PLAY_S: Final = 60.0


async def show_simulator(bench: FlowBench) -> None:
    await _Simulator(bench).build()


class _Simulator:
    def __init__(self, bench: FlowBench) -> None:
        self._bench = bench
        self._simulation: Simulation | None = None
        self._fields: list[tuple[script.Field, ui.input]] = []

    async def build(self) -> None:
        guard = self._bench.visit.needs(Role.VIEWER)
        with ui.element("div").classes("editor-split"):
            with panel("Call", hint="Keys are digits, * and #; all else is what the caller says."):
                self._lines = (
                    ui.element("div").classes("call-lines").props('role=log aria-label="The call" tabindex=0')
                )
                with ui.element("div").classes("row-start call-input"):
                    self._input = ui.input(placeholder="Say something, or press keys").props("dense outlined")
                    self._input.props(
                        f'maxlength={LONGEST} aria-label="What the caller says or presses"'
                    ).classes("grow")
                    self._input.on("keydown.enter", guard(self._enter))
                    ui.button("Send", on_click=guard(self._enter)).props("flat")
                with ui.element("div").classes("keypad").props('role=group aria-label="Keys"'):
                    for key in KEYS:
                        press = ui.button(key, on_click=guard(lambda key=key: self._feed(key))).props(
                            "outline dense"
                        )
                        press.props(f'aria-label="Key {_NAMES.get(key, key)}"')
                with ui.element("div").classes("row-start"):
                    for title, line in (
                        ("Say nothing", "."),
                        ("Take back", "/back"),
                        ("Hang up", "/hangup"),
                        ("State", "/state"),
                    ):
                        ui.button(title, on_click=guard(lambda line=line: self._feed(line))).props(
                            "flat dense"
                        )
            with ui.element("div").classes("stack"):
                with panel("Begin"):
                    self._form = ui.element("div").classes("stack")
                    self._begin = ui.button("Begin the call", icon="call", on_click=guard(self._start))
                with panel("Besides keys and words"), ui.element("ul").classes("small soft helps"):
                    for line in HELP[1:]:
                        Words("li", line, "mono")
        await self._fill_form()
        with self._lines:
            empty("No call yet.")

    async def _fill_form(self) -> None:
        flow = await self._read()
        if flow is None:
            return
        try:
            samples = await asyncio.to_thread(self._bench.working().samples)
        except ScenarioError:
            samples = {}
        self._form.clear()
        self._fields = []
        with self._form:
            sample = samples.get(script.language_param(flow) or "")
            spoken = sample if sample in flow.languages else flow.languages[0]
            self._language = ui.select(list(flow.languages), value=spoken, label="Language")
            self._language.props("dense outlined options-dense")
            for field in script.fields(flow, samples):
                entry = ui.input(field.name, value=field.value).props("dense outlined bottom-slots")
                entry.props["hint"] = field.what
                self._fields.append((field, entry))

    async def _read(self) -> Flow | None:
        try:
            return await self._bench.read()
        except FlowError as error:
            self._form.clear()
            with self._form:
                fault("The text has problems; the tab Text lists them.")
                for problem in error.problems[:5]:
                    Words("p", str(problem.message), "small")
            return None

    async def _start(self) -> None:
        flow = await self._read()
        if flow is None:
            return
        if not self._fields and flow.params:
            await self._fill_form()
        try:
            given = script.values((field, entry.value or "") for field, entry in self._fields)
            if (name := script.language_param(flow)) is not None:
                given[name] = self._language.value
            bound = flow.bind({name: value for name, value in given.items() if name in flow.params})
        except ParamError as error:
            for field, entry in self._fields:
                entry.props["error"] = field.name in error.fields
                entry.props["error-message"] = error.fields.get(field.name, "")
                entry.update()
            ui.notify("; ".join(f"{name} {why}" for name, why in error.fields.items()), type="negative")
            return
        for _, entry in self._fields:
            entry.props["error"] = False
            entry.update()
        self._simulation = Simulation(flow, bound, self._language.value, date.today())
        self._lines.clear()
        self._show(script.told(self._simulation.begin()))
        self._begin.set_text("Begin anew")

    async def _enter(self) -> None:
        line = (self._input.value or "")[:LONGEST]
        self._input.set_value("")
        await self._feed(line)

    async def _feed(self, line: str) -> None:
        if self._simulation is None:
            await self._start()
            return
        if self._simulation.over and line.strip() != "/back":
            self._show([script.Said("hint", "the call is over: begin anew, or take the last line back")])
            return
        told = await asyncio.to_thread(self._simulation.feed, line)
        self._show([script.typed(line), *script.told(told)])

    def _show(self, said: Iterable[script.Said]) -> None:
        with self._lines:
            for each in said:
                Words("p", each.text, f"call-line call-{each.kind}")
        children = list(self._lines)
        for old in children[: max(0, len(children) - MOST_LINES)]:
            old.delete()
        ui.run_javascript(f"const l = getElement({self._lines.id}); if (l) l.scrollTop = l.scrollHeight;")


_NAMES: Final = {"*": "star", "#": "hash"}


# --- scenarios


@dataclass(frozen=True, slots=True)
class _Rehearsed:
    played: tuple[tuple[Scenario, Played], ...]
    coverage: Coverage


def _rehearse(copy: FlowCopy) -> _Rehearsed:
    """Plays all scenarios; computes. Raises `ScenarioError`."""
    file = copy.scenario_file()
    played = tuple((scenario, play(file.flow, scenario)) for scenario in file.scenarios)
    return _Rehearsed(played, coverage_of(file.flow, [each for _, each in played]))


async def show_scenarios(bench: FlowBench) -> None:
    shown = ui.element("div").classes("stack")

    async def run() -> None:
        shown.clear()
        with shown:
            Words("p", "Playing …", "soft").props("role=status")
        try:
            async with asyncio.timeout(PLAY_S):
                rehearsed: Any = await asyncio.to_thread(_rehearse, bench.working())
        except ScenarioError as error:
            rehearsed = error
        except TimeoutError:
            rehearsed = f"They were not through after {PLAY_S:g} s; `ivr test` plays them in a terminal."
        shown.clear()
        with shown:
            _show_rehearsed(rehearsed)

    if bench.copy.scenarios is None:
        with panel("Scenarios"):
            empty(
                f"No file of scenarios lies beside {bench.detail.file}. `ivr new` writes some to begin with."
            )
        return
    hint = "What callers do, and what must come of it: played here as `ivr test` does."
    with panel("Scenarios", hint=hint) as part:
        again = ui.button("Play them again", icon="play_arrow").props("flat")
        again.on_click(bench.visit.needs(Role.VIEWER)(run))
    shown.move(part)
    await run()


def _show_rehearsed(rehearsed: _Rehearsed | ScenarioError | str) -> None:
    if isinstance(rehearsed, str):
        fault(rehearsed)
        return
    if isinstance(rehearsed, ScenarioError):
        fault("The scenarios cannot be played:")
        with ui.element("ul"):
            for problem in rehearsed.problems[:20]:
                name = problem.file.rpartition("/")[2]
                Words("li", f"{name}:{problem.line}:{problem.column}: {problem.message}")
        return
    failed = sum(played.failure is not None for _, played in rehearsed.played)
    with figures():
        figure("Scenarios", str(len(rehearsed.played)))
        figure("Failed", str(failed), tone="bad" if failed else "good")
        figure("Tried of the flow", percent(rehearsed.coverage.percent / 100), "steps and outcomes")
    with ui.element("div").classes("scrolls"), ui.element("table").classes("grid-table"):
        with ui.element("thead"), ui.element("tr"):
            for title in ("Scenario", "Line", "Came true", "Way"):
                Words("th", title).props("scope=col")
        with ui.element("tbody"):
            for scenario, played in rehearsed.played:
                _row(scenario, played)
    if rehearsed.coverage.missed_steps:
        Words("p", f"Never entered: {', '.join(rehearsed.coverage.missed_steps)}.", "soft small")


def _row(scenario: Scenario, played: Played) -> None:
    failure = played.failure
    with ui.element("tr"):
        Words("td", scenario.name)
        Words("td", str(scenario.line if failure is None else failure.line), "num")
        with ui.element("td"):
            if played.skipped:
                pill("skipped", "neutral")
                Words("p", played.skipped, "small")
            elif failure is None:
                pill("yes", "good")
            else:
                pill("no", "bad")
                where = "" if failure.step is None else f"step {failure.step}: "
                Words("p", where + failure.message, "small")
                for detail in failure.details:
                    Words("p", detail, "small soft mono")
        Words("td", " → ".join(played.path), "small soft way-of")
