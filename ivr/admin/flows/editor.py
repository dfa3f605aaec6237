"""A flow's text in an editor: checked when typing pauses, compared with what is live, put in its place."""

from __future__ import annotations

import asyncio
from typing import Final, Literal

from nicegui import ui

from ivr.admin.flows.bench import FlowBench
from ivr.admin.flows.comparison import show_comparison
from ivr.admin.flows.told import problem_line
from ivr.admin.gateway import GatewayError
from ivr.admin.roles import Role
from ivr.admin.widgets import Words, panel
from ivr.api.flow_models import FlowProblem, FlowPut

PAUSE_S: Final = 0.6
"""Without a key pressed, and the text is checked."""
CHECK_S: Final = 20.0
MOST_SHOWN: Final = 50

_NAMED: Final = """
(function name(tries) {
  const view = getElement(%d)?.editor;
  if (!view) return tries && setTimeout(name, 100, tries - 1);
  view.contentDOM.setAttribute("aria-label", "Text of the flow");
  view.scrollDOM.tabIndex = 0;
})(100)"""
"""Gives the editor a name for screen readers, once it is there."""

State = Literal["same", "checking", "right", "wrong", "unknown"]
_STATES: Final[dict[State, tuple[str, str]]] = {
    "same": ("This is what the server has.", "tone-neutral"),
    "checking": ("Checking …", "tone-info"),
    "right": ("No problems. It can be put in place.", "tone-good"),
    "wrong": ("It cannot be used yet:", "tone-bad"),
    "unknown": ("It could not be checked:", "tone-warn"),
}


async def show_editor(bench: FlowBench) -> None:
    await _Editor(bench).build()


class _Editor:
    def __init__(self, bench: FlowBench) -> None:
        self._bench = bench
        self._visit = bench.visit
        self._checks = 0
        self._may_write = bench.visit.may(Role.OPERATOR)

    async def build(self) -> None:
        guard = self._visit.needs(Role.OPERATOR, "flows.put")
        with ui.element("div").classes("editor-split"):
            with panel("Text", hint=self._bench.detail.file):
                self._editor = ui.codemirror(
                    self._bench.text, language="YAML", indent="  ", theme=self._theme()
                )
                self._editor.classes("flow-editor")
                ui.run_javascript(_NAMED % self._editor.id)
                if self._may_write:
                    self._editor.on_value_change(self._typed)
                else:
                    self._editor.disable()
            with ui.element("div").classes("stack"):
                with panel("Check"):
                    self._state = Words("p", "", "check-state").props("role=status aria-live=polite")
                    self._problems = ui.element("ol").classes("problems")
                if self._may_write:
                    with ui.element("div").classes("row-start"):
                        self._save = ui.button(
                            "Review and put in place", icon="publish", on_click=guard(self._review)
                        )
                        undo = ui.button("Take back", icon="undo", on_click=self._take_back).props("flat")
                        undo.tooltip("Back to the text that the server has")
                        simulate = ui.button("Simulate it", icon="chat").props("flat")
                        simulate.on_click(lambda: self._bench.go_to("simulate"))
                else:
                    Words("p", "Operators may change the text.", "soft small")
        self._tell("same", list(self._bench.detail.problems))
        if self._bench.detail.problems:
            self._tell("wrong", list(self._bench.detail.problems))

    def _theme(self) -> Literal["githubDark", "githubLight"]:
        return "githubDark" if self._visit.user.dark else "githubLight"

    # --- checking

    async def _typed(self) -> None:
        """A key was pressed; only the last of several waits to its end."""
        self._checks += 1
        mine = self._checks
        await asyncio.sleep(PAUSE_S)
        if mine == self._checks and not self._editor.is_deleted:
            await self._check(mine)

    async def _check(self, mine: int) -> None:
        text = self._editor.value
        self._bench.draft = None if text == self._bench.detail.text else text
        if self._bench.draft is None:
            self._tell("wrong" if self._bench.detail.problems else "same", list(self._bench.detail.problems))
            return
        self._tell("checking", [])
        problems: list[FlowProblem] = []
        state: State = "right"
        try:
            await self._put(text, dry_run=True)
        except GatewayError as error:
            problems = _problems_of(error)
            state = "wrong" if problems else "unknown"
            if not problems:
                ui.notify(str(error), type="negative", multi_line=True)
        if mine == self._checks:
            self._tell(state, problems)

    async def _put(self, text: str, *, dry_run: bool) -> FlowPut:
        headers = {"Content-Type": "application/yaml"}
        if not dry_run:
            headers["If-Match"] = f'"{self._bench.detail.etag}"'
        answer = await self._visit.gateway.send(
            "PUT",
            self._bench.path,
            by=self._visit.user.name,
            content=text.encode(),
            headers=headers,
            params={"dry_run": dry_run},
            deadline_s=CHECK_S,
        )
        return FlowPut.model_validate(answer)

    def _tell(self, state: State, problems: list[FlowProblem]) -> None:
        words, tone = _STATES[state]
        self._state.text = words
        self._state.classes(replace=f"check-state {tone}")
        if self._may_write:
            self._save.set_enabled(state == "right")
        self._problems.clear()
        with self._problems:
            for problem in problems[:MOST_SHOWN]:
                with ui.element("li"):
                    place = Words("button", problem_line(problem), "problem").props("type=button")
                    place.on(
                        "click", lambda line=problem.line, column=problem.column: self._jump(line, column)
                    )
            if len(problems) > MOST_SHOWN:
                Words("li", f"and {len(problems) - MOST_SHOWN} more", "soft")
        last = self._editor.value.count("\n") + 1
        here = {problem.line for problem in problems if 1 <= problem.line <= last}
        self._editor.decorations = [
            {"kind": "line", "line": line, "class": "line-wrong"} for line in sorted(here)
        ]
        self._editor.line_tooltips = {
            line: "\n".join(problem_line(each) for each in problems if each.line == line) for line in here
        }

    def _jump(self, line: int, column: int) -> None:
        self._editor.reveal_line(line)
        ui.run_javascript(
            f"const view = getElement({self._editor.id})?.editor; if (view) {{"
            f"const line = view.state.doc.line(Math.min({line}, view.state.doc.lines));"
            f"view.dispatch({{selection: {{anchor: Math.min(line.from + {column - 1}, line.to)}}}});"
            "view.focus(); }"
        )

    def _take_back(self) -> None:
        self._editor.set_value(self._bench.detail.text)

    # --- putting in place

    async def _review(self) -> None:
        with ui.dialog().props("maximized=false") as dialog, ui.card().classes("review"):
            Words("h2", f"Put {self._bench.name} in place", "panel-title")
            Words("p", "New calls get it at once; live ones keep the version they began with.", "soft")
            with ui.element("div").classes("review-body"):
                await show_comparison(self._bench.copy, self._bench.working())
            with ui.element("div").classes("row-start"):
                ui.button("Put in place", icon="publish", on_click=lambda: dialog.submit(True))
                ui.button("Not yet", on_click=lambda: dialog.submit(False)).props("flat")
        wanted = await dialog
        dialog.delete()
        if wanted:
            await self._visit.needs(Role.OPERATOR, "flows.put")(self._save_now)()

    async def _save_now(self) -> None:
        text = self._editor.value
        try:
            put = await self._put(text, dry_run=False)
        except GatewayError as error:
            if error.kind == "flow-changed":
                await self._changed_meanwhile(text)
                return
            problems = _problems_of(error)
            if not problems:
                raise
            self._tell("wrong", problems)
            return
        await self._bench.fetch()
        self._bench.draft = None
        self._tell("same", [])
        ui.notify(f"Version {put.hash[:8]} of {put.name} answers from here on.", type="positive")

    async def _changed_meanwhile(self, text: str) -> None:
        """Somebody else was faster: what is typed stays, and is compared with what there is now."""
        await self._bench.fetch()
        self._bench.draft = text
        ui.notify(
            "Somebody else has changed the flow meanwhile. Nothing was put in place: look at what differs, "
            "and put it in place again if that is what you want.",
            type="warning",
            multi_line=True,
            timeout=12_000,
            close_button=True,
        )
        self._checks += 1
        await self._check(self._checks)


def _problems_of(error: GatewayError) -> list[FlowProblem]:
    if error.kind != "flow-refused":
        return []
    return [FlowProblem.model_validate(each) for each in error.problem.get("problems", [])]
