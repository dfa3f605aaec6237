"""Carries out switches, one at a time: loads, warms up, gives the place, waits for what is under way,
unloads.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from engines.contract import EngineError
from engines.gpu.budget import CardBudget, Share
from engines.switching.machine import Command, Event, Stage, Switch
from engines.switching.places import RecogniserPlace, VoicePlace

_log = logging.getLogger(__name__)
_audit = logging.getLogger("ivr.audit")

DRAIN_S: Final = 120.0
"""How long what is under way with the old model may take: longer than any utterance or answer."""
GRACE_S: Final = 1.0
"""Who has asked for the old model a moment ago, and not begun."""
_KEPT: Final = 20

Place = VoicePlace | RecogniserPlace


class SwitchRefused(Exception):
    """Nothing was begun; `code` is for programs."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that is to take a place, not loaded yet. `engine` is of the place's kind; `card` None: it takes
    nothing of a card. `gb` None: nobody measured it."""

    engine: Any
    card: int | None
    gb: float | None


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody asked for. `weights` names a folder beside that of the engine's weights; None: those that
    the configuration has."""

    engine: str
    to: str
    weights: str | None = None
    vram_gb: float | None = None
    unload_first: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """How a switch stands. Times are Unix times; `cut_off` is how much was still under way with the old model
    when it was unloaded."""

    order: Order
    by: str
    stage: Stage
    reason: str
    before: str
    after: str
    began_at: float
    ended_at: float | None = None
    cut_off: int = 0


Make = Callable[[Place, Order], Candidate]
"""Makes the engine that is to have the place, which does not run yet; raises `SwitchRefused`."""

WarmUp = Callable[[Any], Awaitable[None]]
"""Lets an engine that runs do its work once; raises `EngineError`."""


class Switcher:
    """Knows the places whose models can be switched, by the name of the engine that the configuration has
    there, and what is meant for which card. `elsewhere` are addresses of engines that run in other services:
    who asks for them is told where."""

    def __init__(
        self,
        places: Mapping[str, Place],
        make: Make,
        warm_up: WarmUp,
        budgets: tuple[CardBudget, ...] = (),
        *,
        elsewhere: Mapping[str, str] | None = None,
        drain_s: float = DRAIN_S,
        grace_s: float = GRACE_S,
    ) -> None:
        self.places = dict(places)
        self.budgets = budgets
        self._elsewhere = elsewhere or {}
        self._make = make
        self._warm_up = warm_up
        self._drain_s = drain_s
        self._grace_s = grace_s
        self._task: asyncio.Task[None] | None = None
        self._standings: list[Standing] = []

    @property
    def standings(self) -> tuple[Standing, ...]:
        """The last ones, the latest first."""
        return tuple(reversed(self._standings))

    def order(self, order: Order, by: str) -> Standing:
        """Begins a switch; `by` is who asked for it. Raises `SwitchRefused`."""
        if self._task is not None and not self._task.done():
            raise SwitchRefused("a switch is under way: wait for its end", "switch_under_way")
        place = self._place(order)
        candidate = self._make(place, order)
        self._check(place, candidate, order)
        standing = Standing(
            order, by, Switch(unload_first=order.unload_first).stage, "", _shown(place), "", time.time()
        )
        self._standings = [*self._standings[-_KEPT + 1 :], standing]
        _audit.info("%s switches %s to %s", by, _shown(place), _asked(order))
        run = _Run(self, place, candidate, order)
        self._task = asyncio.create_task(run.carry_out(), name=f"switch {order.engine}")
        return standing

    async def wait(self) -> None:
        """Until the switch under way is over."""
        if self._task is not None:
            await asyncio.wait({self._task})

    async def close(self) -> None:
        """Breaks off the switch under way; what it had loaded beside is unloaded."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def tell(self, **changes: Any) -> None:
        """For runs: how the latest stands."""
        self._standings[-1] = replace(self._standings[-1], **changes)

    async def drain(self, place: Place, engine: Any) -> int:
        await asyncio.sleep(self._grace_s)
        left: int = await place.seat.idle(engine, self._drain_s)
        return left

    async def warm_up(self, engine: Any) -> None:
        await self._warm_up(engine)

    def _place(self, order: Order) -> Place:
        place = self.places.get(order.engine) or next(
            (each for each in self.places.values() if each.name == order.engine), None
        )
        if place is None and (address := self._elsewhere.get(order.engine)):
            raise SwitchRefused(f"{order.engine} runs at {address}: switch it there", "unknown_engine")
        if place is None:
            known = ", ".join(self.places) or "none"
            raise SwitchRefused(
                f"no model of {order.engine!r} can be switched here; it can be that of: {known}",
                "unknown_engine",
            )
        taken = {each.name for each in self.places.values() if each is not place}
        if order.to in taken:
            raise SwitchRefused(f"{order.to} has a place of its own already", "engine_in_use")
        return place

    def _check(self, place: Place, candidate: Candidate, order: Order) -> None:
        """Raises `SwitchRefused` where the new model does not fit: beside the old one, or in its stead."""
        budget = self._budget(candidate.card)
        if budget is None:
            return
        if candidate.gb is None:
            raise SwitchRefused(
                f"nobody measured what {order.to} takes of card {budget.index}: say it with vram_gb",
                "size_unknown",
            )
        share = Share(f"{order.to} (new)", candidate.gb)
        if order.unload_first:
            refusal = budget.without(place.name).beside(share).refusal()
            advice = ""
        else:
            refusal = budget.beside(share).refusal()
            fits = not budget.without(place.name).beside(share).refusal()
            advice = (
                "\nIn the old one's stead it would fit: with unload_first the next engine of the chain "
                "serves until it is loaded."
                if fits
                else ""
            )
        if refusal:
            raise SwitchRefused(f"{refusal}{advice}", "does_not_fit")

    def _budget(self, card: int | None) -> CardBudget | None:
        return next((budget for budget in self.budgets if budget.index == card), None)

    def given(self, before: str, candidate: Candidate) -> None:
        """For runs: the new model has got the place of the old one."""
        self.budgets = tuple(
            budget.without(before).beside(Share(candidate.engine.name, candidate.gb))
            if budget.index == candidate.card
            else budget.without(before)
            for budget in self.budgets
        )


class _Run:
    """One switch that is carried out."""

    def __init__(self, switcher: Switcher, place: Place, candidate: Candidate, order: Order) -> None:
        self._switcher = switcher
        self._place = place
        self._candidate = candidate
        self._order = order
        self._old: Any = place.seat.last
        self._new: Any = candidate.engine
        self._switch = Switch(unload_first=order.unload_first)

    async def carry_out(self) -> None:
        try:
            commands = list(self._switch.begin())
            while commands:
                command = commands.pop(0)
                event, reason = await self._do(command)
                if event is not None:
                    commands = list(self._switch.handle(event, reason))
                self._switcher.tell(stage=self._switch.stage, reason=self._switch.reason)
        except BaseException:
            self._switcher.tell(stage=Stage.FAILED, reason="it was broken off")
            raise
        finally:
            await self._end()

    async def _do(self, command: Command) -> tuple[Event | None, str]:
        """How it went; None for what is no work."""
        seat: Any = self._place.seat
        match command:
            case Command.LOAD_NEW:
                return await _tried(self._new.start())
            case Command.WARM_UP_NEW:
                return await _tried(self._switcher.warm_up(self._new))
            case Command.LOAD_OLD:
                return await _tried(self._old.start())
            case Command.ROUTE_NEW:
                seat.give(self._new)
                self._switcher.given(self._old.name, self._candidate)
            case Command.ROUTE_OLD:
                seat.give(self._old)
            case Command.ROUTE_NOBODY:
                seat.leave_empty(f"{self._old.name} is being switched")
            case Command.DRAIN_OLD:
                left = await self._switcher.drain(self._place, self._old)
                if left:
                    _log.warning("%d still under way with %s when it is unloaded", left, self._old.name)
                self._switcher.tell(cut_off=left)
                return Event.DONE, ""
            case Command.UNLOAD_OLD:
                await self._old.close()
                return Event.DONE, ""
            case Command.UNLOAD_NEW:
                await self._new.close()
                return Event.DONE, ""
        return None, ""

    async def _end(self) -> None:
        """Only who has the place is loaded afterwards. Where neither came up, it stays empty, and the chain
        goes on with the next, until another switch."""
        seat: Any = self._place.seat
        if seat.last is not self._new:
            await self._new.close()
        elif seat.last is not self._old:
            await self._old.close()
        self._switcher.tell(after=_shown(self._place), ended_at=time.time())
        standing = self._switcher.standings[0]
        _audit.info(
            "the switch of %s is %s%s",
            self._order.engine,
            standing.stage.value,
            f": {standing.reason}" if standing.reason else f": {standing.after}",
        )


async def _tried(work: Awaitable[object]) -> tuple[Event, str]:
    try:
        await work
    except (EngineError, OSError) as error:
        return Event.FAILED, str(error) or type(error).__name__
    except Exception as error:
        _log.exception("a switch failed in a way that is no engine's own")
        return Event.FAILED, f"internal error: {type(error).__name__}"
    return Event.DONE, ""


def _shown(place: Place) -> str:
    return f"{place.name} {place.version}"


def _asked(order: Order) -> str:
    more = f" with {order.weights}" if order.weights else ""
    return f"{order.to}{more}" + (", unloading first" if order.unload_first else "")
