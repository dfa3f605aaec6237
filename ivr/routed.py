"""What the routers of the engines tell: as metrics, and how each engine stands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal, Protocol, TypeVar

from engines.asr.router import RoutedRecognizer
from engines.breaker import BreakerState
from engines.contract import Passed, Recognizer, Route
from engines.routing.routes import Purpose, key_of
from engines.supervisor import WorkerHealth
from engines.tts.levelled import LevelledSynthesizer
from engines.tts.roster import TtsEngine, health_of
from engines.tts.router import SpeechRouter
from ivr.api.gateway import EngineStatus
from ivr.metrics import EngineKind, Metrics
from ivr.trials import Trials

_E = TypeVar("_E", bound="_Named")


class _Named(Protocol):
    @property
    def name(self) -> str: ...


class EngineWatch:
    """A `Watch` for engines of one kind."""

    def __init__(self, metrics: Metrics, kind: EngineKind) -> None:
        self._metrics = metrics
        self._kind: EngineKind = kind

    def answered(self, route: Route, purpose: Purpose, took_s: float) -> None:
        self._metrics.engine_routed(self._kind, route, purpose, took_s)

    def passed(self, passed: Passed) -> None:
        self._metrics.engine_passed(self._kind, passed)


class _Healthy(Recognizer, Protocol):
    @property
    def health(self) -> WorkerHealth: ...


class SpeechEngines:
    """All speech engines of a server and the routers over them."""

    def __init__(
        self,
        speakers: SpeechRouter,
        voices: Iterable[TtsEngine],
        hearer: RoutedRecognizer,
        recognizers: Iterable[_Healthy],
    ) -> None:
        self._standing: dict[Literal["tts", "asr"], Mapping[str, Callable[[], BreakerState]]] = {
            "tts": speakers.standing(),
            "asr": hearer.standing(),
        }
        self._voices = _by_key(voices)
        self._recognizers = _by_key(recognizers)

    def trials(self) -> Trials:
        """Each engine by itself, as loud as calls hear it; of those that are alike the first."""
        voices = {k: LevelledSynthesizer(one) for k, one in self._voices.items() if k == one.name}
        return Trials(voices, {k: one for k, one in self._recognizers.items() if k == one.name})

    def watched_by(self, metrics: Metrics) -> None:
        for kind, standing in self._standing.items():
            metrics.watch_breakers(kind, standing)

    def statuses(self) -> tuple[EngineStatus, ...]:
        standing = self._standing
        return (
            *(
                EngineStatus(k, "tts", health_of(one), standing["tts"][k]())
                for k, one in self._voices.items()
            ),
            *(
                EngineStatus(k, "asr", one.health, standing["asr"][k]())
                for k, one in self._recognizers.items()
            ),
        )


def _by_key(engines: Iterable[_E]) -> dict[str, _E]:
    """By the keys of their links."""
    found: dict[str, _E] = {}
    for engine in engines:
        number = sum(each.name == engine.name for each in found.values()) + 1
        found[key_of(engine.name, number)] = engine
    return found
