"""Commands by voice: the page calls the owner's flow, and what the flow decides turns the page.

The call goes on while the page is turned: what stood in it is taken out, and the other is built in its place.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from nicegui import events, ui
from nicegui.element import Element

from ivr.admin.answers import Figures
from ivr.admin.pages import Page
from ivr.admin.roles import Role
from ivr.admin.views import FLOW, find, page_of
from ivr.admin.visit import Visit
from ivr.admin.widgets import Words

SHOP: Final = "ivr"


class Commands:
    """The button in the header, and the page that it turns; `place` is where pages are built."""

    def __init__(self, visit: Visit, pages: Sequence[Page]) -> None:
        self._visit = visit
        self._pages = {page.path: page for page in pages}
        self.place: Element | None = None

    def build(self) -> None:
        """In the element that is open; nothing for who may not make calls."""
        visit = self._visit
        if not visit.may(Role.OPERATOR):
            return
        ui.add_head_html('<script type="module" src="/static/commands.js"></script>')
        guard = visit.needs(Role.OPERATOR, "voice.command")
        Words("span", "", "command-words").props("role=status aria-live=polite")
        button = ui.button(icon="mic", on_click=guard(self._begin), color=None).props("flat dense round")
        button.classes("command-button").props("aria-pressed=false")
        button.props["aria-label"] = visit.t("Command by voice")
        button.tooltip(visit.t("Say “show today's orders”"))
        ui.on("ivr-command", self._happened)

    async def _begin(self) -> None:
        """Begins a call, or ends the one that is under way; the browser knows which."""
        if await ui.run_javascript("return window.ivrCommands?.end() ?? false", timeout=5.0):
            return
        visit = self._visit
        live = (await visit.gateway.get(Figures, "/admin/metrics")).now.calls
        language = visit.user.language
        params = {"shop": SHOP, "language": language, "signed_in": True, "live": live}
        body = {"flow": FLOW, "params": params, "language": language, "caller": visit.user.name}
        session = await visit.gateway.send("POST", "/api/voice/sessions", by=visit.user.name, body=body)
        told = json.dumps({"token": session["token"], "iceServers": session["ice_servers"]})
        ui.run_javascript(f"window.ivrCommands.begin({told})")

    async def _happened(self, event: events.GenericEventArguments) -> None:
        """A step of the flow, told by the browser: it may name a page, and nothing else."""
        told: Any = event.args
        step = told.get("step") if isinstance(told, dict) else None
        url = page_of(step, datetime.now().astimezone()) if isinstance(step, str) else None
        if url is not None:
            await self.turn_to(url)

    async def turn_to(self, url: str) -> None:
        """Builds the page of this address in the place of the one that is shown."""
        turned = find(url, self._pages)
        if turned is None or self.place is None:
            return
        page = self._pages[turned.path]
        visit = Visit(self._visit.house, self._visit.session, turned.params)
        self.place.clear()
        with self.place:
            Words("h1", visit.t(page.title), "page-title")
            await page.built(visit)
        ui.navigate.history.push(url)
        ui.run_javascript(f"window.ivrCommands?.turned({json.dumps(page.path)})")
