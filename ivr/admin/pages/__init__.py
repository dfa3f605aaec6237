"""The pages of the dashboard.

A page is a module with `PAGE = Page(path, title, icon, role, build)`, and a line in `ivr/admin/pages/all.py`:

    async def build(visit: Visit) -> None:
        calls = await visit.gateway.get(CallList, "/api/voice/calls")
        with panel("Calls"):
            ...
            ui.button("Hang up", on_click=visit.needs(Role.OPERATOR)(hang_up))

    PAGE = Page("/calls", "Call records", "list_alt", Role.VIEWER, build)

`role` is needed to open the page at all; each action on it is guarded by `visit.needs`. Paths may have
parameters (`/calls/{call_id}`, read from `visit.params`); `in_menu=False` keeps a page out of the navigation.
A `GatewayError` that is raised while a page is built is shown in its place.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ivr.admin.gateway import GatewayError
from ivr.admin.roles import Role
from ivr.admin.visit import Visit
from ivr.admin.widgets import fault


@dataclass(frozen=True, slots=True)
class Page:
    path: str
    title: str
    icon: str
    role: Role
    build: Callable[[Visit], Awaitable[None] | None]
    in_menu: bool = True

    async def built(self, visit: Visit) -> None:
        """Builds it where the caller is; a fault of the server stands in its place."""
        try:
            building = self.build(visit)
            if inspect.isawaitable(building):
                await building
        except GatewayError as error:
            fault(str(error))
