"""What the routers of the engines tell, as metrics."""

from __future__ import annotations

from engines.contract import Passed, Route
from engines.routing.routes import Purpose
from ivr.metrics import EngineKind, Metrics


class EngineWatch:
    """A `Watch` for engines of one kind."""

    def __init__(self, metrics: Metrics, kind: EngineKind) -> None:
        self._metrics = metrics
        self._kind: EngineKind = kind

    def answered(self, route: Route, purpose: Purpose, took_s: float) -> None:
        self._metrics.engine_routed(self._kind, route, purpose, took_s)

    def passed(self, passed: Passed) -> None:
        self._metrics.engine_passed(self._kind, passed)
