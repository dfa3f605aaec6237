"""The live call that was chosen: its conversation as it goes, its last turn, and what can be done to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from nicegui import ui

from ivr.admin.answers import CallDetail
from ivr.admin.board import LiveCall
from ivr.admin.lines import Line
from ivr.admin.markup import facts, talk, turn
from ivr.admin.pages.own_leg import MODES, OwnLeg
from ivr.admin.pages.record import lines_of
from ivr.admin.roles import Role
from ivr.admin.visit import Visit
from ivr.admin.widgets import Words, panel
from ivr.trace.model import TURN
from ivr.waterfall import TurnTimes


class LivePanel:
    """Shows nothing until a call is chosen, and says so when that has ended."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._call_id = ""
        self._drawn: tuple[Any, ...] = ()
        self._before: list[Line] = []
        self._turn_before: Mapping[str, Any] | None = None
        t = visit.t
        with panel(classes="live-call") as self._panel:
            self._panel.props(f'aria-label="{t("The call that is chosen")}"')
            self._title = Words("h2", "", "panel-title")
            self._facts = ui.html("", sanitize=False)
            self._actions = ui.element("div").classes("row-start live-actions")
            self._leg = OwnLeg(visit)
            Words("h3", t("Conversation"), "panel-sub")
            self._talk = ui.html("", sanitize=False).classes("talk-box live-talk")
            self._talk.props(f'tabindex=0 role=region aria-label="{t("Conversation")}"')
            Words("h3", t("Last turn"), "panel-sub")
            self._turn = ui.html("", sanitize=False)
        self._panel.set_visibility(False)

    async def show(self, call_id: str) -> None:
        """Raises `GatewayError` when its record cannot be read."""
        self._call_id = call_id
        self._before, self._turn_before, self._drawn = [], None, ()
        self._panel.set_visibility(True)
        self._offer()
        detail = await self._visit.gateway.get(CallDetail, f"/api/voice/calls/{quote(call_id, safe='')}")
        if call_id == self._call_id:
            self._before = lines_of(detail)
            turns = [event.data for event in detail.events if event.kind == TURN]
            self._turn_before = turns[-1] if turns else None
            self.look()

    def look(self) -> None:
        """Draws anew what changed of it."""
        if not self._call_id:
            return
        call = self._visit.house.board.call(self._call_id)
        if call is None:
            self._over()
            return
        lines = self._lines(call)
        drawn = (call.step, call.state, call.agent, call.supervised_by, len(lines), lines[-1:], call.turn)
        if drawn == self._drawn:
            return
        self._drawn = drawn
        self._draw(call, lines)

    def _draw(self, call: LiveCall, lines: list[Line]) -> None:
        t = self._visit.t
        self._title.text = f"{call.flow} · {call.caller}"
        pairs = [
            (t("Step"), call.step),
            (t("State"), t(call.state)),
            (t("Called"), f"{call.called} · {call.trunk}"),
            (t("Language"), call.language),
        ]
        for title, value in ((t("Agent"), call.agent), (t("Supervised by"), call.supervised_by)):
            if value:
                pairs.append((title, value))
        self._facts.content = facts(pairs)
        self._talk.content = talk(lines, call.answered_at or call.since, empty=t("Nothing was said yet."))
        ui.run_javascript(f"ivrScrollDown({self._talk.id})")
        self._turn.content = self._last_turn(call)

    def _last_turn(self, call: LiveCall) -> str:
        told = call.turn or self._turn_before
        if told is not None:
            try:
                return turn(TurnTimes.read(told))
            except ValueError:
                pass
        return f'<p class="empty">{self._visit.t("No turn yet.")}</p>'

    def _lines(self, call: LiveCall) -> list[Line]:
        """What the record told when it was chosen, and what came since."""
        last = self._before[-1].at if self._before else 0.0
        return [*self._before, *(line for line in call.lines if line.at > last)]

    def _over(self) -> None:
        if self._drawn == ("over",):
            return
        self._drawn = ("over",)
        self._actions.clear()
        with self._actions:
            Words("span", self._visit.t("The call has ended."), "soft")
            ui.link(self._visit.t("Its record"), f"/calls/{self._call_id}")

    # --- actions

    def _offer(self) -> None:
        """The buttons that the user may press; each asks again who he is when it is pressed."""
        self._actions.clear()
        if not self._visit.may(Role.OPERATOR):
            return
        t = self._visit.t
        with self._actions:
            for mode, title, icon, hint in MODES:
                button = ui.button(t(title), icon=icon, on_click=self._joining(mode)).props("outline dense")
                button.props["title"] = t(hint)
            ui.button(t("Hang up"), icon="call_end", on_click=self._hanging_up()).props(
                "outline dense color=negative"
            )

    def _hanging_up(self) -> Callable[..., Any]:
        @self._visit.needs(Role.OPERATOR, "calls.hang_up")
        async def hang_up() -> None:
            path = f"/api/voice/calls/{quote(self._call_id, safe='')}/hangup"
            await self._visit.gateway.send("POST", path, by=self._visit.user.name)
            ui.notify(self._visit.t("The call is being hung up."), type="positive")

        return hang_up

    def _joining(self, mode: str) -> Callable[..., Any]:
        @self._visit.needs(Role.OPERATOR, f"calls.{mode}")
        async def join() -> None:
            await self._leg.join(self._call_id, mode)

        return join
