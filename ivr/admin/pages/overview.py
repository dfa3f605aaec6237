"""The first page: the key figures."""

from __future__ import annotations

from ivr.admin.pages import Page
from ivr.admin.roles import Role
from ivr.admin.visit import Visit
from ivr.admin.widgets import figure, figures


async def build(visit: Visit) -> None:
    with figures():
        figure(visit.t("Server"), "up" if visit.gateway.standing.reachable else "down")


PAGE = Page("/", "Overview", "dashboard", Role.VIEWER, build)
