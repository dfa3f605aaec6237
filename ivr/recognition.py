"""The recognisers that the configuration names, and the service over them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from engines.asr.roster import EMBEDDED, AsrEngine, AsrSettings, CannotUse, new_recognizer
from engines.asr.router import RoutedRecognizer
from engines.catalogue import Kind, UnknownEngine
from engines.contract import EngineError, Recognizer
from engines.routing.watch import Watch
from engines.service.admin import Operators, admin_routes
from engines.service.asr.app import create_app
from engines.service.asr.roster import Roster
from engines.service.asr.transcriptions import Bounds
from engines.service.keys import Keys
from engines.service.metrics import ServiceMetrics
from engines.turns.smart_turn import SmartTurn, installed_model
from ivr.config import Config, ConfigError
from ivr.engine_places import place_of
from ivr.gpu_budget import checked_budgets
from ivr.speech import running
from ivr.switching import monitor_of, placed_recognisers, switcher_of
from media.vad import VadBatch


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
    setup = config.engines.setup.get(name)
    try:
        place = place_of(config, name)
        settings = AsrSettings(interpreter=place.python, weights=place.weights)
        if setup is not None:
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


@asynccontextmanager
async def asr_service(config: Config) -> AsyncIterator[FastAPI]:
    """The application of `ivr asr`, its engines running. Raises `ConfigError`, `EngineError`, `OSError`."""
    settings = config.services.asr
    budgets = await checked_budgets(config)
    engines = [*placed_recognisers(recognizer_engines(config)), new_engine(config, EMBEDDED)]
    vad = VadBatch()
    async with running([*engines, vad]):
        keys = Keys(settings.keys)
        app = create_app(
            Roster({engine.name: engine for engine in engines}, config.engines.hearing_routes),
            vad,
            ServiceMetrics("asr"),
            keys,
            bounds=Bounds(audio_s=settings.audio_s, work_s=settings.work_s),
            body_bytes=int(settings.body_mb * 1024 * 1024),
            most_streams=settings.streams,
            final_s=settings.deadline_s,
        )
        switcher = switcher_of(config, engines, budgets, {Kind.ASR: new_engine})
        app.include_router(admin_routes(Operators(settings.operators, keys), monitor_of(switcher), switcher))
        try:
            yield app
        finally:
            await switcher.close()
