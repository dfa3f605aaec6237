"""The recognisers that the configuration names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from engines.asr.roster import EMBEDDED, AsrEngine, AsrSettings, new_recognizer
from engines.asr.router import RoutedRecognizer
from engines.catalogue import UnknownEngine
from engines.contract import EngineError, Recognizer
from engines.routing.watch import Watch
from engines.running_here import CannotUse
from engines.turns.smart_turn import SmartTurn, installed_model
from ivr.config import Config, ConfigError
from ivr.engine_places import place_of
from ivr.speech_config import EngineSetup


def recognizer_engines(config: Config) -> list[AsrEngine]:
    """The engines of all chains, each once, without the embedded one; none of them runs yet. Raises
    `ConfigError`.
    """
    return [new_engine(config, name) for name in config.engines.hearing_routes.engines if name != EMBEDDED]


def recognizer_of(
    config: Config,
    engines: Iterable[AsrEngine],
    embedded: Sequence[Recognizer],
    watch: Watch | None = None,
) -> RoutedRecognizer:
    """The recognisers as a call tries them: each language and purpose in its own order, the embedded ones
    last."""
    named = {engine.name: engine for engine in engines}
    return RoutedRecognizer(config.engines.hearing_routes, named, embedded, embedded=EMBEDDED, watch=watch)


def new_engine(config: Config, name: str) -> AsrEngine:
    """The recogniser of a name as this configuration sets it up. Raises `ConfigError`."""
    setup = config.engines.setup.get(name) or EngineSetup()
    try:
        place = place_of(config, name)
        settings = AsrSettings(
            interpreter=place.python,
            weights=place.weights,
            device=setup.device,
            memory_gb=setup.memory_gb,
            key=setup.key,
            address=setup.address,
            more=setup.options,
        )
        return new_recognizer(name, settings)
    except (CannotUse, UnknownEngine) as error:
        raise ConfigError(f"engines.setup.{name}: {error}") from error


def advisor_of(config: Config) -> SmartTurn | None:
    """Who tells by the sound of a turn whether it is over, where one is wanted; not started yet. Raises
    `ConfigError`."""
    wanted = config.engines.smart_turn
    if wanted is None:
        return None
    try:
        return SmartTurn(installed_model() if wanted == "installed" else Path(wanted))
    except EngineError as error:
        raise ConfigError(f"engines.smart_turn: {error}") from error
