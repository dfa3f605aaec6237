"""One's own password and one-time codes; either change asks for the password that is."""

from __future__ import annotations

import asyncio
import time

from nicegui import ui

from ivr.admin import passwords
from ivr.admin.accounts import AccountsError
from ivr.admin.markup import Cell, facts
from ivr.admin.pages import Page
from ivr.admin.pages.users import set_password
from ivr.admin.roles import Role
from ivr.admin.visit import Visit
from ivr.admin.widgets import Words, panel


async def build(visit: Visit) -> None:
    with ui.element("div").classes("split"):
        _password(visit)
        _code(visit)


def _password(visit: Visit) -> None:
    with panel(visit.t("Password")), ui.element("div").classes("stack narrow"):
        now = _field(visit.t("Present password"))
        new = _field(visit.t("New password"))
        again = _field(visit.t("Once more"))

        @visit.needs(Role.VIEWER, "user.password")
        async def change() -> None:
            if new.value != again.value:
                raise AccountsError(visit.t("The two differ."))
            await _known(visit, now.value)
            await set_password(visit, visit.user.name, new.value)
            ui.navigate.to("/login")

        ui.button(visit.t("Set"), on_click=change).props("unelevated")


def _code(visit: Visit) -> None:
    with panel(visit.t("One-time code")), ui.element("div").classes("stack narrow"):
        on = visit.user.totp
        Words(
            "p",
            visit.t("Log-ins ask for a code of your authenticator." if on else "Log-ins ask for no code."),
        )
        now = _field(visit.t("Present password"))
        shown = ui.element("div")
        secret = passwords.new_totp_secret()

        @visit.needs(Role.VIEWER, "user.totp")
        async def begin() -> None:
            await _known(visit, now.value)
            shown.clear()
            with shown:
                link = passwords.totp_link(visit.user.name, secret)
                ui.html(
                    facts(
                        [
                            (visit.t("Secret"), Cell(html=f"<code>{secret}</code>")),
                            (visit.t("Link"), Cell(html=f"<code>{link}</code>")),
                        ]
                    ),
                    sanitize=False,
                )
                Words(
                    "p", visit.t("Give one of them to your authenticator, and write the code that it shows:")
                )
                code = ui.input(visit.t("Code")).props("outlined dense inputmode=numeric autocomplete=off")

                @visit.needs(Role.VIEWER, "user.totp")
                async def confirm() -> None:
                    if passwords.totp_step(secret, code.value, time.time(), 0) is None:
                        raise AccountsError(visit.t("This is not the code: is the telephone's clock right?"))
                    await _change(visit, secret)

                ui.button(visit.t("Ask for codes from now on"), on_click=confirm).props("unelevated")

        @visit.needs(Role.VIEWER, "user.totp")
        async def end() -> None:
            await _known(visit, now.value)
            await _change(visit, None)

        if on:
            ui.button(visit.t("No codes any more"), on_click=end).props("outline")
        else:
            ui.button(visit.t("Use one-time codes"), on_click=begin).props("unelevated")


def _field(label: str) -> ui.input:
    return ui.input(label, password=True).props("outlined dense autocomplete=off")


async def _known(visit: Visit, password: str) -> None:
    """Raises `AccountsError` when it is not the user's. As slow as a log-in, and counted as one."""
    now = time.time()
    lockout, name, place = visit.house.lockout, visit.user.name, f"account:{visit.user.name}"
    if lockout.wait_s(name, place, now):
        raise AccountsError(visit.t("Too many tries: please wait."))
    lockout.failed(name, place, now)
    known = await visit.house.accounts.credentials(name)
    if known is None or not await asyncio.to_thread(passwords.fits, password, known.password):
        raise AccountsError(visit.t("This is not your password."))
    lockout.succeeded(name, place)


async def _change(visit: Visit, secret: str | None) -> None:
    await visit.house.accounts.set_totp(visit.user.name, secret)
    visit.house.audit.note("user.totp", visit.user.name, target=visit.user.name, on=secret is not None)
    await visit.house.sweep()
    ui.navigate.to("/login")


PAGE = Page("/account", "Your account", "manage_accounts", Role.VIEWER, build, in_menu=False)
