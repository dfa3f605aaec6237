"""The engines that the configuration names, started and stopped together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, Protocol

from engines.catalogue import UnknownEngine
from engines.contract import EngineError, Synthesizer
from engines.routing.watch import Watch
from engines.running_here import CannotUse
from engines.tts.levelled import LevelledSynthesizer
from engines.tts.roster import EMBEDDED, TtsEngine, TtsSettings
from engines.tts.roster import new_engine as new_voice
from engines.tts.router import SpeechRouter
from ivr.config import Config, ConfigError
from ivr.engine_places import Place, place_of
from ivr.speech_config import EngineSetup

log = logging.getLogger(__name__)

RETRY_S: Final = 30.0


class Startable(Protocol):
    async def start(self) -> None: ...

    async def close(self) -> None: ...


class Engine(Startable, Protocol):
    @property
    def name(self) -> str: ...


def voice_engines(config: Config) -> list[TtsEngine]:
    """The engines of all chains, each once, without the embedded one; none of them runs yet. Raises
    `ConfigError`.
    """
    return [new_engine(config, name) for name in config.engines.voice_routes.engines if name != EMBEDDED]


def voices_of(
    config: Config,
    engines: Iterable[TtsEngine],
    embedded: Sequence[Synthesizer],
    watch: Watch | None = None,
) -> SpeechRouter:
    """The engines as the prompts try them: each language and purpose in its own order, the embedded ones
    last. All are equally loud; the embedded ones alone are left as they are."""
    named = {engine.name: LevelledSynthesizer(engine) for engine in engines}
    last = [LevelledSynthesizer(voice) for voice in embedded] if named else embedded
    return SpeechRouter(
        config.engines.voice_routes,
        named,
        last,
        deadline_s=config.engines.tts_deadline_s,
        embedded=EMBEDDED,
        watch=watch,
    )


async def start_when_able(engine: Engine) -> None:
    """Starts an engine beside live calls, however long its model loads, and again when that fails: until then
    calls are spoken by the next of their chain.
    """
    while True:
        try:
            await engine.start()
            return
        except EngineError as error:
            log.error("%s does not start: %s; the next try is in %g s", engine.name, error, RETRY_S)
        await asyncio.sleep(RETRY_S)


@asynccontextmanager
async def running(engines: Iterable[Startable]) -> AsyncIterator[None]:
    """Raises `EngineError` when one of them does not start; none runs then."""
    async with AsyncExitStack() as on_exit:
        for engine in engines:
            on_exit.push_async_callback(engine.close)
        async with asyncio.TaskGroup() as starting:
            for engine in engines:
                starting.create_task(engine.start())
        yield


def new_engine(config: Config, name: str) -> TtsEngine:
    """The voice of a name as this configuration sets it up. Raises `ConfigError`."""
    try:
        place = place_of(config, name)
        return new_voice(name, _settings(config.engines.setup.get(name) or EngineSetup(), place))
    except (CannotUse, UnknownEngine) as error:
        raise ConfigError(f"engines.setup.{name}: {error}") from error


def _settings(setup: EngineSetup, place: Place) -> TtsSettings:
    return TtsSettings(
        interpreter=place.python,
        weights=place.weights,
        device=setup.device or "cuda",
        streams=setup.streams,
        memory_gb=setup.memory_gb,
        licence_accepted=place.licence_accepted,
        voices=setup.voices,
        key=setup.key,
        address=setup.address,
        more=setup.options,
    )
