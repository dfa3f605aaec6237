"""The frame around every page: navigation, who is logged in, how the server stands, language and darkness."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from nicegui import ui

from ivr.admin.commands import Commands
from ivr.admin.gateway import Standing
from ivr.admin.pages import Page
from ivr.admin.roles import Role
from ivr.admin.visit import Visit
from ivr.admin.widgets import Words
from ivr.admin.words import LANGUAGES

STANDING_S: Final = 2.0
"""How often a page looks how the server stands."""

_DARKNESS: Final[dict[str, bool | None]] = {"As the browser": None, "Light": False, "Dark": True}


@contextmanager
def frame(visit: Visit, page: Page, pages: Sequence[Page]) -> Iterator[None]:
    """What is made within it stands in the page."""
    ui.colors(
        primary="#2f6f8f",
        positive="#2e7d4f",
        negative="#b3261e",
        warning="#9a6400",
        info="#235d7a",
        dark="#12181f",
    )
    ui.dark_mode(visit.user.dark)
    commands = Commands(visit, pages)
    look = _drawer(visit, page, pages, commands)
    with ui.element("div").classes("page") as place:
        commands.place = place
        Words("h1", visit.t(page.title), "page-title")
        yield
    # A timer waits for the browser, and has what is there sent to it: not before the page is whole.
    ui.timer(STANDING_S, look)


def _drawer(visit: Visit, page: Page, pages: Sequence[Page], commands: Commands) -> Callable[[], None]:
    """Gives what looks how the server stands."""
    drawer = ui.left_drawer(value=False, bordered=True).classes("side")
    drawer.props("width=216 breakpoint=900 show-if-above")
    with drawer, ui.element("nav").classes("side-nav").props('aria-label="Pages"'):
        for each in pages:
            if each.in_menu and visit.may(each.role):
                _entry(visit, each, here=each is page or page.path.startswith(f"{each.path}/"))
    with ui.header(elevated=False).classes("top"):
        menu = ui.button(icon="menu", on_click=drawer.toggle, color=None).props(
            'flat dense aria-label="Menu"'
        )
        menu.classes("top-menu")
        with ui.link(target="/").classes("top-mark").props('aria-label="ivr admin"'):
            Words("span", "ivr")
            Words("span", "admin", "top-mark-light")
        ui.space()
        commands.build()
        look = _standing(visit)
        _account(visit)
    return look


def _entry(visit: Visit, page: Page, *, here: bool) -> None:
    link = ui.link(target=page.path).classes("side-link" + (" side-here" if here else ""))
    if here:
        link.props("aria-current=page")
    with link:
        ui.icon(page.icon).props("aria-hidden=true")
        Words("span", visit.t(page.title))


def _standing(visit: Visit) -> Callable[[], None]:
    dot = Words("span", "", "standing")

    seen: Standing | None = None

    def look() -> None:
        nonlocal seen
        standing = visit.gateway.standing
        if standing == seen:
            return
        seen = standing
        dot.text = visit.t("Server reachable" if standing.reachable else "Server unreachable")
        dot.classes(replace="standing " + ("tone-good" if standing.reachable else "tone-bad"))
        dot.props["title"] = standing.reason or visit.gateway.url

    look()
    return look


def _account(visit: Visit) -> None:
    user = visit.user
    with ui.button(color=None).props("flat dense no-caps").classes("top-account"):
        ui.icon("account_circle").props("aria-hidden=true")
        Words("span", user.name)
        Words("span", visit.t(user.role.title), "top-role")
        with ui.menu().props("anchor='bottom right' self='top right'"), ui.element("div").classes("account"):
            language = ui.select(LANGUAGES, value=user.language, label=visit.t("Language"))
            darkness = ui.select(
                {name: visit.t(name) for name in _DARKNESS},
                value=next(name for name, dark in _DARKNESS.items() if dark is user.dark),
                label=visit.t("Appearance"),
            )

            @visit.needs(Role.VIEWER)
            async def prefer() -> None:
                await visit.house.accounts.prefer(user.name, language.value, _DARKNESS[darkness.value])
                ui.navigate.reload()

            for select in (language, darkness):
                select.props("dense outlined options-dense").on_value_change(prefer)
            ui.link(visit.t("Password and codes"), "/account").classes("account-out")
            _form(visit, "Log out", everywhere=False)
            _form(visit, "Log out everywhere", everywhere=True)


def _form(visit: Visit, title: str, *, everywhere: bool) -> None:
    """A form, not an event of the socket: the cookie is taken back by an answer."""
    token = visit.house.csrf.token(visit.session.digest)
    with ui.element("form").props("method=post action=/logout"):
        ui.element("input").props(f"type=hidden name=csrf value={token}")
        if everywhere:
            ui.element("input").props("type=hidden name=everywhere value=true")
        Words("button", visit.t(title), "account-out").props("type=submit")
