"""The two speech services over the engines that the configuration names: what `ivr tts` and `ivr asr` serve.

Apart from the engines, since a server of calls needs none of what decodes files and answers requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from engines.asr.roster import EMBEDDED as LISTENER
from engines.catalogue import Kind
from engines.service.admin import Operators, admin_routes
from engines.service.asr.app import create_app as create_asr
from engines.service.asr.roster import Roster
from engines.service.asr.transcriptions import Bounds
from engines.service.keys import Keys
from engines.service.metrics import ServiceMetrics
from engines.tts.profiles import VoiceProfiles
from engines.tts.roster import EMBEDDED as SPEAKER
from engines.tts.service.app import create_app as create_tts
from engines.tts.service.desk import Desk
from engines.tts.service.elsewhere import following
from engines.tts.service.models import SpeechBody
from engines.tts.service.speaking import Speaker
from engines.tts.service.streaming import whole
from ivr.config import Config
from ivr.flow.sayas import known_languages, normalise
from ivr.gpu_budget import checked_budgets
from ivr.recognition import new_engine as new_recogniser
from ivr.recognition import recognizer_engines
from ivr.speech import new_engine as new_voice
from ivr.speech import running, voice_engines
from ivr.switching import monitor_of, placed_recognisers, placed_voices, switcher_of
from media.vad import VadBatch


@asynccontextmanager
async def asr_service(config: Config) -> AsyncIterator[FastAPI]:
    """The application of `ivr asr`, its engines running. Raises `ConfigError`, `EngineError`, `OSError`."""
    settings = config.services.asr
    budgets = await checked_budgets(config)
    engines = [*placed_recognisers(recognizer_engines(config)), new_recogniser(config, LISTENER)]
    vad = VadBatch()
    async with running([*engines, vad]):
        keys = Keys(settings.keys)
        app = create_asr(
            Roster({engine.name: engine for engine in engines}, config.engines.hearing_routes),
            vad,
            ServiceMetrics("asr"),
            keys,
            bounds=Bounds(audio_s=settings.audio_s, work_s=settings.work_s),
            body_bytes=int(settings.body_mb * 1024 * 1024),
            most_streams=settings.streams,
            final_s=settings.deadline_s,
        )
        switcher = switcher_of(config, engines, budgets, {Kind.ASR: new_recogniser})
        app.include_router(admin_routes(Operators(settings.operators, keys), monitor_of(switcher), switcher))
        try:
            yield app
        finally:
            await switcher.close()


@asynccontextmanager
async def tts_service(config: Config) -> AsyncIterator[FastAPI]:
    """The application of `ivr tts`, its engines running. Raises `ConfigError`, `EngineError`, `OSError`."""
    settings = config.services.tts
    budgets = await checked_budgets(config)
    engines = [*placed_voices(voice_engines(config)), new_voice(config, SPEAKER)]
    profiles = await asyncio.to_thread(VoiceProfiles, config.store.path / "voices")
    async with running(engines):
        metrics = ServiceMetrics("tts")
        desk = Desk(engines, config.engines.voice_routes, profiles)
        speaker = Speaker(in_words, metrics, deadline_s=settings.deadline_s, most_streams=settings.streams)
        keys = Keys(settings.keys)
        app = create_tts(desk, speaker, profiles, keys, metrics)
        await _warm(desk)
        switcher = switcher_of(config, engines, budgets, {Kind.TTS: new_voice})
        app.include_router(admin_routes(Operators(settings.operators, keys), monitor_of(switcher), switcher))
        async with AsyncExitStack() as on_exit:
            on_exit.push_async_callback(switcher.close)
            await on_exit.enter_async_context(following(profiles, desk))
            yield app


async def _warm(desk: Desk) -> None:
    """One text in each language before anybody waits: patterns are compiled, tables computed."""
    speaker = Speaker(in_words, ServiceMetrics("tts"))
    for language in known_languages():
        body = SpeechBody.model_validate({"input": "1 2 3 4 5", "language": language, "model": SPEAKER})
        await whole(await speaker.begin(desk.order(body, "")))


def in_words(text: str, language: str) -> str:
    """The text without figures and signs, where the language has words for them."""
    return normalise(text, language) if language in known_languages() else text
