"""Who may use the dashboard: made, given a role, given another password, removed."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from nicegui import ui

from ivr.admin import passwords
from ivr.admin.accounts import AccountsError, User
from ivr.admin.markup import local_time
from ivr.admin.pages import Page
from ivr.admin.roles import NAMES, Role
from ivr.admin.visit import Visit
from ivr.admin.widgets import Words, panel, pill

PATH: Final = "/users"


async def build(visit: Visit) -> None:
    _adding(visit)
    users = await visit.house.accounts.users()
    sessions = await visit.house.accounts.sessions_by_user(time.time())
    with (
        panel(visit.t("Users")),
        ui.element("div").classes("scrolls").props("tabindex=0"),
        ui.element("table").classes("grid-table middle"),
    ):
        with ui.element("thead"), ui.element("tr"):
            for head in ("Name", "Role", "One-time code", "Logged in", "Last log-in", ""):
                Words("th", visit.t(head)).props("scope=col")
        with ui.element("tbody"):
            for user in users:
                _row(visit, user, sessions.get(user.name, 0))


def _row(visit: Visit, user: User, sessions: int) -> None:
    with ui.element("tr"):
        Words("td", user.name, "strong")
        with ui.element("td"):
            _role(visit, user)
        with ui.element("td"):
            pill(visit.t("yes" if user.totp else "no"), "good" if user.totp else "neutral")
        Words("td", str(sessions))
        with ui.element("td"):
            ui.html(local_time(user.seen_at), sanitize=False, tag="span")
        with ui.element("td"), ui.element("div").classes("row-start"):
            _password(visit, user)
            if user.totp:
                _forget_code(visit, user)
            if sessions:
                _ending(visit, user)
            _removing(visit, user)


def _role(visit: Visit, user: User) -> None:
    @visit.needs(Role.ADMIN, "user.role")
    async def change() -> None:
        role = Role.named(select.value)
        try:
            await visit.house.accounts.set_role(user.name, role)
        except AccountsError:
            select.set_value(user.role.title)
            raise
        visit.house.audit.note("user.role", visit.user.name, target=user.name, role=role.title)
        ui.notify(f"{user.name}: {visit.t(role.title)}", type="positive")

    select = ui.select({name: visit.t(name) for name in NAMES}, value=user.role.title)
    select.props(f'dense outlined options-dense aria-label="{visit.t("Role of")} {user.name}"')
    select.on("update:model-value", change)


def _password(visit: Visit, user: User) -> None:
    with ui.dialog() as dialog, ui.card().props('role=dialog aria-label="Password"'):
        Words("h2", f"{visit.t('Another password for')} {user.name}", "panel-title")
        field = ui.input(visit.t("Password"), password=True, password_toggle_button=True).props(
            "outlined dense"
        )

        @visit.needs(Role.ADMIN, "user.password")
        async def change() -> None:
            await set_password(visit, user.name, field.value)
            dialog.close()

        ui.button(visit.t("Set"), on_click=change).props("unelevated")
    ui.button(visit.t("Password"), on_click=dialog.open).props("flat dense")


def _forget_code(visit: Visit, user: User) -> None:
    @visit.needs(Role.ADMIN, "user.totp")
    async def forget() -> None:
        await visit.house.accounts.set_totp(user.name, None)
        visit.house.audit.note("user.totp", visit.user.name, target=user.name, on=False)
        await visit.house.sweep()
        ui.navigate.reload()

    ui.button(visit.t("Forget code"), on_click=forget).props("flat dense")


def _ending(visit: Visit, user: User) -> None:
    @visit.needs(Role.ADMIN, "user.logged_out")
    async def end() -> None:
        await visit.house.accounts.log_out_everywhere(user.name)
        visit.house.audit.note("user.logged_out", visit.user.name, target=user.name)
        await visit.house.sweep()
        ui.navigate.reload()

    ui.button(visit.t("Log out"), on_click=end).props("flat dense")


def _removing(visit: Visit, user: User) -> None:
    with ui.dialog() as dialog, ui.card().props('role=dialog aria-label="Remove"'):
        Words("h2", f"{visit.t('Remove')} {user.name}?", "panel-title")

        @visit.needs(Role.ADMIN, "user.removed")
        async def remove() -> None:
            await visit.house.accounts.remove(user.name)
            visit.house.audit.note("user.removed", visit.user.name, target=user.name)
            await visit.house.sweep()
            ui.navigate.reload()

        with ui.element("div").classes("row-start"):
            ui.button(visit.t("Remove"), on_click=remove, color="negative").props("unelevated")
            ui.button(visit.t("Keep"), on_click=dialog.close).props("flat")
    ui.button(visit.t("Remove"), on_click=dialog.open).props("flat dense color=negative")


def _adding(visit: Visit) -> None:
    with panel(visit.t("New user")), ui.element("div").classes("row-start"):
        name = ui.input(visit.t("Name")).props("outlined dense autocomplete=off maxlength=32")
        password = ui.input(visit.t("Password"), password=True).props(
            "outlined dense autocomplete=new-password"
        )
        role = ui.select({each: visit.t(each) for each in NAMES}, value="viewer", label=visit.t("Role"))
        role.props("outlined dense options-dense").classes("filter-select")

        @visit.needs(Role.ADMIN, "user.added")
        async def add() -> None:
            wanted = name.value.strip().lower()
            if (why := passwords.fault_of(password.value, wanted)) is not None:
                raise AccountsError(why)
            hash = await asyncio.to_thread(passwords.hashed, password.value)
            await visit.house.accounts.add(wanted, Role.named(role.value), hash, time.time())
            visit.house.audit.note("user.added", visit.user.name, target=wanted, role=role.value)
            ui.navigate.reload()

        ui.button(visit.t("Add"), on_click=add).props("unelevated")


async def set_password(visit: Visit, name: str, password: str) -> None:
    """Raises `AccountsError`; ends the user's sessions."""
    if (why := passwords.fault_of(password, name)) is not None:
        raise AccountsError(why)
    hash = await asyncio.to_thread(passwords.hashed, password)
    await visit.house.accounts.set_password(name, hash)
    visit.house.audit.note("user.password", visit.user.name, target=name)
    ui.notify(visit.t("The password is set; sessions that lasted are over."), type="positive")
    await visit.house.sweep()


PAGE = Page(PATH, "Users", "group", Role.ADMIN, build)
