"""The leg of the operator who looks at the page: on which call he is, how, and how he leaves it.

The sound goes from browser to server; here is only what is asked of the API. A page has one leg at most.
"""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import quote

from nicegui import ui

from ivr.admin.answers import Ticket
from ivr.admin.gateway import GatewayError
from ivr.admin.roles import Role
from ivr.admin.visit import Visit
from ivr.admin.widgets import Words

MODES: Final = (
    ("listen", "Listen", "hearing", "Hear both sides; nobody hears you."),
    ("whisper", "Whisper", "record_voice_over", "The agent hears you, the caller does not."),
    ("take_over", "Take over", "front_hand", "You talk with the caller in the place of the flow."),
)
_DOING: Final = {"listen": "Listening", "whisper": "Whispering", "take_over": "You talk with the caller"}
_GONE: Final = (404, 409)


class OwnLeg:
    """Shows where it stands in the element that is open when it is made."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._call_id = ""
        self._session = ""
        self._mode = ""
        with ui.element("div").classes("live-standing") as self._standing:
            self._words = Words("span", "", "live-leg")
            self._words.props("role=status")
            # What only the browser can tell (muted, reconnecting, sound held back) is shown here by it.
            self._browser = ui.element("span").props("id=supervision").classes("row-start")
            self._leaving = ui.element("span").classes("row-start")
        self._standing.set_visibility(False)
        ui.on("supervision_over", self._over)

    async def join(self, call_id: str, mode: str) -> None:
        """On this call in this mode from now on; from another one he goes away. Raises `GatewayError`."""
        if self._session and self._call_id == call_id:
            await self._change(mode)
        else:
            await self.leave()
            await self._begin(call_id, mode)
        self._show()

    async def leave(self, *, gives_back: bool = True) -> None:
        """Who had taken over gives the caller back to the flow, unless he ends the call with it. Raises
        `GatewayError`."""
        session, self._session = self._session, ""
        self._show()
        if not session:
            return
        params = {"return": True} if gives_back and self._mode == "take_over" else None
        try:
            await self._visit.gateway.send(
                "DELETE", f"{self._path}/{quote(session)}", by=self._visit.user.name, params=params
            )
        except GatewayError as error:
            if error.status not in _GONE:
                raise
        ui.run_javascript("ivrLeave()")

    async def _begin(self, call_id: str, mode: str) -> None:
        self._call_id = call_id
        told = await self._visit.gateway.send(
            "POST", self._path, by=self._visit.user.name, body={"mode": mode}
        )
        ticket = Ticket.model_validate(told)
        self._session, self._mode = ticket.session_id, mode
        # The token goes to this page alone, and is good for one leg.
        leg = {"token": ticket.token, "iceServers": ticket.ice_servers, "mode": mode}
        ui.run_javascript(f"ivrSupervise({json.dumps(leg)})")

    async def _change(self, mode: str) -> None:
        path = f"{self._path}/{quote(self._session)}"
        await self._visit.gateway.send("PATCH", path, by=self._visit.user.name, body={"mode": mode})
        self._mode = mode
        ui.run_javascript(f"ivrSpeakAs({json.dumps(mode)})")

    @property
    def _path(self) -> str:
        return f"/admin/calls/{quote(self._call_id, safe='')}/supervise"

    def _over(self, _: Any) -> None:
        """The browser's leg has ended, or never began."""
        self._session = ""
        self._show()

    def _show(self) -> None:
        t = self._visit.t
        self._standing.set_visibility(bool(self._session))
        self._leaving.clear()
        if not self._session:
            return
        self._words.text = t(_DOING[self._mode])
        operator = self._visit.needs(Role.OPERATOR, "calls.leave")
        with self._leaving:
            if self._mode != "take_over":
                ui.button(t("Leave"), on_click=operator(self._leave)).props("outline dense")
                return
            ui.button(t("Give back"), on_click=operator(self._leave)).props("outline dense")
            end = ui.button(t("End the call"), on_click=operator(self._end)).props("outline dense")
            end.props("color=negative")

    async def _leave(self) -> None:
        await self.leave()

    async def _end(self) -> None:
        await self.leave(gives_back=False)
