"""Who is told what became of the engines that were asked: metrics, and the log."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from engines.contract import Passed, Reason, Route
from engines.routing.race import Race
from engines.routing.routes import Purpose, name_of

_log = logging.getLogger(__name__)


class Watch(Protocol):
    def answered(self, route: Route, purpose: Purpose, took_s: float) -> None:
        """`took_s` is the engine's own time to its answer."""

    def passed(self, passed: Passed) -> None:
        """An engine did not do what it was asked, or was not asked."""


class Unwatched:
    def answered(self, route: Route, purpose: Purpose, took_s: float) -> None: ...

    def passed(self, passed: Passed) -> None: ...


class Telling:
    """Tells of one race what is new."""

    def __init__(self, race: Race, watch: Watch, work: str) -> None:
        """`work` is what the log calls it."""
        self._race = race
        self._watch = watch
        self._work = work
        self._told = 0

    def new(self) -> None:
        """To be called after every step of the race."""
        passed = self._race.passed
        if len(passed) == self._told:
            return
        for each in by_name(passed[self._told :]):
            known = each.reason in (Reason.DOWN, Reason.OPEN)
            _log.log(logging.DEBUG if known else logging.WARNING, "%s by %s", self._work, in_words((each,)))
            self._watch.passed(each)
        self._told = len(passed)

    def route(self, engine: str, reason: Reason, wait_s: float) -> Route:
        """`reason` holds where the first choice did it."""
        passed = by_name(self._race.passed)
        return Route(engine, passed[0].reason if passed else reason, wait_s, passed)

    def failure(self) -> str:
        """Why nobody did it."""
        return in_words(by_name(self._race.passed)) or "no engine answered"


def by_name(passed: Sequence[Passed]) -> tuple[Passed, ...]:
    """Engines by their names, not by the keys of their links."""
    return tuple(replace(each, engine=name_of(each.engine)) for each in passed)


def in_words(passed: Sequence[Passed]) -> str:
    return "; ".join(f"{each.engine}: {each.detail or each.reason.value}" for each in passed)
