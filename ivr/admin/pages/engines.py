"""The page of speech engines: how each stands, the models that can be switched while calls run, the cards."""

from __future__ import annotations

from typing import Final

from nicegui import ui
from nicegui.element import Element

from engines.gpu.status import Budget, Gpu, GpuStatus
from engines.switching.models import Models, PlaceStanding, SwitchBody, SwitchStanding
from ivr.admin.advice import for_engine
from ivr.admin.gateway import GatewayError
from ivr.admin.pages import Page
from ivr.admin.roles import Role
from ivr.admin.visit import Visit
from ivr.admin.widgets import Tone, Words, empty, fault, panel, pill
from ivr.api.engines import Engine, EngineList

REFRESH_S: Final = 2.0
_STATES: Final[dict[str, Tone]] = {"up": "good", "starting": "info", "down": "bad"}
_BREAKERS: Final[dict[str, Tone]] = {"closed": "good", "half open": "warn", "open": "bad"}
_KINDS: Final = {"tts": "voice", "asr": "recogniser"}
_STAGES: Final = ("loading", "warming", "draining", "unloading", "done")
"""Of a switch that goes well."""


async def build(visit: Visit) -> None:
    @ui.refreshable
    async def engines() -> None:
        try:
            _engines((await visit.gateway.get(EngineList, "/api/voice/engines")).engines)
        except GatewayError as error:
            fault(str(error))

    asking = ui.element("div").classes("dialogs")  # what is shown anew takes its dialogs with it

    @ui.refreshable
    async def models() -> None:
        try:
            _models(visit, asking, await visit.gateway.get(Models, "/admin/models"))
        except GatewayError as error:
            fault(str(error))

    @ui.refreshable
    async def cards() -> None:
        try:
            _cards(await visit.gateway.get(GpuStatus, "/admin/gpu/status"))
        except GatewayError as error:
            fault(str(error))

    with panel(
        visit.t("Engines"), hint="Calls go down their chains past engines that are down or left alone."
    ):
        await engines()
    with panel(
        visit.t("Models"), hint="A new one is loaded beside the old one, and takes over between two texts."
    ):
        await models()
    with panel(visit.t("Graphics cards")):
        await cards()

    async def look() -> None:
        await engines.refresh()
        await models.refresh()
        await cards.refresh()

    ui.timer(REFRESH_S, visit.needs(Role.VIEWER)(look), immediate=False)


def _engines(engines: list[Engine]) -> None:
    with ui.element("div").classes("scrolls"), ui.element("table").classes("grid-table"):
        with ui.element("thead"), ui.element("tr"):
            for title, right in (
                ("Engine", ""), ("State", ""), ("Breaker", ""), ("Works on", "right"),
                ("Last latency", "right"), ("Restarts", "right"), ("Last failure", ""),
            ):  # fmt: skip
                Words("th", title, right).props("scope=col")
        with ui.element("tbody"):
            for engine in engines:
                with ui.element("tr"):
                    with ui.element("td"):
                        Words("span", engine.name, "strong")
                        Words("span", _KINDS[engine.kind], "soft small verb-of")
                        for sentence in for_engine(engine):
                            Words("div", sentence, "soft small advice-line")
                    with ui.element("td"):
                        pill(engine.state, _STATES[engine.state])
                    with ui.element("td"):
                        pill(engine.breaker, _BREAKERS[engine.breaker])
                    Words("td", str(engine.jobs), "right")
                    latency = "–" if engine.latency_ms is None else f"{engine.latency_ms:.0f} ms"
                    Words("td", latency, "right")
                    Words("td", str(engine.restarts), "right")
                    Words(
                        "td",
                        engine.last_failure or "none",
                        "small" + ("" if engine.last_failure else " soft"),
                    )


# --- models


def _models(visit: Visit, asking: Element, models: Models) -> None:
    if not models.places:
        empty("No model of this server can be switched: its engines are embedded, or at services elsewhere.")
    else:
        with ui.element("div").classes("scrolls"), ui.element("table").classes("grid-table"):
            with ui.element("thead"), ui.element("tr"):
                for title in ("Place", "Engine", "Model", "State", ""):
                    Words("th", title).props("scope=col")
            with ui.element("tbody"):
                for place in models.places:
                    _place(visit, asking, place)
    for standing in models.switches[:5]:
        _switch(standing)


def _place(visit: Visit, asking: Element, place: PlaceStanding) -> None:
    with ui.element("tr"):
        Words("td", place.place, "strong")
        Words("td", place.engine)
        Words("td", place.version, "mono")
        with ui.element("td"):
            pill(place.state, _STATES[place.state])
        with ui.element("td").classes("right"):
            if visit.may(Role.OPERATOR):
                ask = visit.needs(Role.OPERATOR, "models.switch")(lambda: _ask(visit, asking, place))
                button = ui.button("Switch …", on_click=ask).props("flat dense")
                button.props(f'aria-label="Switch the model of {place.place}"')


async def _ask(visit: Visit, asking: Element, place: PlaceStanding) -> None:
    with asking, ui.dialog() as dialog, ui.card().classes("review ask"):
        Words("h2", f"Another model for {place.place}", "panel-title")
        Words("p", "Calls do not hear it: what has begun ends with the old one.", "soft")
        to = ui.input("Engine", value=place.engine).props("dense outlined").classes("wide")
        weights = ui.input("Weights", placeholder="a folder beside the engine's; empty: its own").props(
            "dense outlined"
        )
        weights.classes("wide")
        first = ui.checkbox("Unload the old one first, where both do not fit on the card")
        with ui.element("div").classes("row-start"):
            ui.button("Switch", on_click=lambda: dialog.submit(True))
            ui.button("Cancel", on_click=lambda: dialog.submit(False)).props("flat")
    wanted = await dialog
    order = {"engine": place.place, "to": to.value.strip(), "weights": weights.value.strip()}
    unload_first = bool(first.value)
    dialog.delete()
    if wanted:
        with asking:  # the row of the button may be shown anew by now
            await visit.needs(Role.OPERATOR, "models.switch")(lambda: _order(visit, order, unload_first))()


async def _order(visit: Visit, order: dict[str, str], unload_first: bool) -> None:
    try:
        body = SwitchBody(
            engine=order["engine"],
            to=order["to"] or None,
            weights=order["weights"] or None,
            unload_first=unload_first,
        )
    except ValueError:
        ui.notify("Names of engines and folders have letters, digits, dots and dashes.", type="negative")
        return
    answer = await visit.gateway.send("POST", "/admin/models/switch", by=visit.user.name, body=body)
    standing = SwitchStanding.model_validate(answer)
    ui.notify(f"{standing.to} is loading; it takes over when it is warm.", type="info")


def _switch(standing: SwitchStanding) -> None:
    """A switch with the way that it has gone."""
    going = standing.ended_at is None
    failed = standing.stage == "failed" or standing.stage in ("abandoning", "restoring")
    tone: Tone = "bad" if failed else "info" if going else "good"
    with ui.element("div").classes("switch").props("role=status" if going else ""):
        with ui.element("div").classes("row-start"):
            pill(standing.stage, tone)
            weights = f" with {standing.weights}" if standing.weights else ""
            Words("span", f"{standing.engine}: {standing.before} → {standing.to}{weights}")
            Words("span", f"by {standing.by}, {standing.began_at:%H:%M:%S} UTC", "soft small")
        if going and not failed:
            done = _STAGES.index(standing.stage) + 1 if standing.stage in _STAGES else 1
            bar = ui.element("div").classes("meter").props("role=progressbar aria-valuemin=0")
            bar.props(f'aria-valuenow={done} aria-valuemax={len(_STAGES)} aria-label="How far the switch is"')
            with bar:
                ui.element("div").classes("meter-fill").style(f"width: {done / len(_STAGES):.0%}")
        if standing.reason:
            Words("p", standing.reason, "small tone-bad")


# --- cards


def _cards(status: GpuStatus) -> None:
    if not status.gpus:
        empty(status.reason or "This machine has no graphics card.")
    budgets = {budget.card: budget for budget in status.budget}
    for gpu in status.gpus:
        _card(gpu, budgets.pop(gpu.index, None))
    for budget in budgets.values():
        _planned(budget)


def _card(gpu: Gpu, budget: Budget | None) -> None:
    with ui.element("div").classes("card-row"):
        told = [gpu.name, f"{_gb(gpu.memory_used_mb)} of {_gb(gpu.memory_total_mb)} in use"]
        if gpu.utilisation_percent is not None:
            told.append(f"{gpu.utilisation_percent} % busy")
        if gpu.temperature_c is not None:
            told.append(f"{gpu.temperature_c} °C")
        Words("p", f"Card {gpu.index}: {' · '.join(told)}", "strong")
        _bar("In use", [(p.engine or f"process {p.pid}", p.memory_mb or 0) for p in gpu.processes],
             gpu.memory_total_mb, gpu.memory_used_mb)  # fmt: skip
        if budget is not None:
            _planned(budget)


def _planned(budget: Budget) -> None:
    total = budget.total_gb * 1024
    shares = [(share.name, (share.gb or 0) * 1024) for share in budget.shares]
    _bar(f"Planned on card {budget.card}", shares, total, budget.needed_gb * 1024)
    unknown = [share.name for share in budget.shares if share.gb is None]
    if unknown:
        Words("p", f"Never measured: {', '.join(unknown)}.", "small soft")
    if not budget.fits:
        Words("p", "What is planned does not fit on this card.", "small tone-bad")


def _bar(label: str, parts: list[tuple[str, float]], total: float, used: float) -> None:
    """Parts of a whole, each named in the legend with its size."""
    Words("p", f"{label}: {_gb(used)} of {_gb(total)}", "small soft")
    rest = max(0.0, used - sum(size for _, size in parts))
    shown = [*parts, *([("other", rest)] if rest > 1 else [])]
    bar = ui.element("div").classes("meter parts").props("role=img")
    bar.props["aria-label"] = f"{label}: " + ", ".join(f"{name} {_gb(size)}" for name, size in shown)
    with bar:
        for number, (_, size) in enumerate(shown):
            width = f"{min(1.0, size / total):.2%}" if total else "0"
            ui.element("div").classes(f"part part-{number % 6}").style(f"width: {width}")
    with ui.element("div").classes("legend"):
        for number, (name, size) in enumerate(shown):
            with ui.element("span"):
                ui.element("i").classes(f"part-{number % 6}").props("aria-hidden=true")
                Words("span", f"{name} {_gb(size)}")


def _gb(mb: float) -> str:
    return f"{mb / 1024:.1f} GB"


PAGE = Page("/engines", "Engines", "graphic_eq", Role.VIEWER, build)
