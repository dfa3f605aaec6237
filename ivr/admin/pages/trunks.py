"""The page of trunks: how each stands, and what to do about those that do not stand well."""

from __future__ import annotations

from nicegui import ui

from ivr.admin.advice import for_trunk
from ivr.admin.gateway import GatewayError
from ivr.admin.pages import Page
from ivr.admin.roles import Role
from ivr.admin.visit import Visit
from ivr.admin.widgets import Tone, Words, empty, fault, panel, pill
from ivr.api.trunks import Trunk, TrunkList

REFRESH_S = 5.0


async def build(visit: Visit) -> None:
    @ui.refreshable
    async def shown() -> None:
        try:
            trunks = (await visit.gateway.get(TrunkList, "/api/voice/trunks")).trunks
        except GatewayError as error:
            fault(str(error))
            return
        if not trunks:
            empty("The configuration has no trunk: calls come by browsers and sockets alone.")
        for trunk in trunks:
            _show(visit, trunk)

    await shown()
    ui.timer(REFRESH_S, visit.needs(Role.VIEWER)(shown.refresh), immediate=False)


def _show(visit: Visit, trunk: Trunk) -> None:
    with panel():
        with ui.element("div").classes("row-between"):
            with ui.element("div").classes("row-start"):
                Words("h2", trunk.name, "panel-title")
                pill(*_state(trunk))
                if trunk.registered is not None:
                    pill("registered" if trunk.registered else "not registered", _tone(trunk.registered))
                if trunk.profile:
                    Words("span", f"profile {trunk.profile}", "soft small")
            Words("span", f"ivr doctor {trunk.name}", "mono soft small")
        with ui.element("div").classes("trunk-body"):
            with ui.element("dl").classes("standing-facts"):
                _fact("Calls", f"{trunk.calls} of {trunk.max_calls}")
                _fact("Round trip", "not measured" if trunk.rtt_ms is None else f"{trunk.rtt_ms:.1f} ms")
                if trunk.seen_as is not None:
                    _fact("Sees us as", trunk.seen_as)
                if trunk.reason:
                    _fact("Reason", trunk.reason)
                for target in trunk.targets:
                    _fact(
                        target.address,
                        {True: "answers", False: "does not answer", None: "not asked yet"}[target.up],
                    )
            if trunk.max_calls:
                share = min(1.0, trunk.calls / trunk.max_calls)
                meter = ui.element("div").classes("meter").props("role=meter aria-valuemin=0")
                meter.props(
                    f'aria-valuenow={trunk.calls} aria-valuemax={trunk.max_calls} aria-label="Lines in use"'
                )
                with meter:
                    ui.element("div").classes("meter-fill" + (" meter-full" if share >= 0.8 else "")).style(
                        f"width: {share:.1%}"
                    )
        _advise(list(for_trunk(trunk)), visit)


def _advise(sentences: list[str], visit: Visit) -> None:
    if not sentences:
        return
    with ui.element("ul").classes("advice").props(f'aria-label="{visit.t("What to do")}"'):
        for sentence in sentences:
            Words("li", sentence)


def _fact(name: str, value: str) -> None:
    Words("dt", name)
    Words("dd", value)


def _state(trunk: Trunk) -> tuple[str, Tone]:
    if trunk.up is None:
        return "not known yet", "neutral"
    return ("up", "good") if trunk.up else ("down", "bad")


def _tone(good: bool) -> Tone:
    return "good" if good else "bad"


PAGE = Page("/trunks", "Trunks", "cell_tower", Role.VIEWER, build)
