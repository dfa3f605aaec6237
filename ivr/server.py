"""The server: the parts of a node, put together, started in order and stopped in the reverse one."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import time
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final, Protocol

import httpx
import uvicorn

from engines.asr.pocketsphinx import PocketsphinxRecognizer
from engines.catalogue import Kind
from engines.service.serving import HttpServer
from engines.supervisor import WorkerHealth
from engines.switching.places import VoicePlace
from engines.switching.switcher import Switcher
from engines.tts.espeak import EspeakSynthesizer
from ivr.agents import warn_of_missing_agents
from ivr.api import create_app
from ivr.api.gateway import CallRequest, EngineStatus, FlowFace, LiveCall, NoCapacity, Readiness, TrunkStatus
from ivr.call_parts import Services
from ivr.campaigns.runner import campaigns_of
from ivr.campaigns.settings import Campaigns
from ivr.classifiers import classifiers_of
from ivr.config import Config, ConfigError
from ivr.desk import CallDesk, Load
from ivr.elsewhere import Elsewhere
from ivr.endpoints import Endpoints
from ivr.feed import Feed
from ivr.gpu_budget import checked_budgets
from ivr.library import FlowLibrary, environment_of
from ivr.metrics import LoopLag, Metrics
from ivr.outbox import Outbox
from ivr.overview import Overview, engines_shown
from ivr.prompt_cache.figures import PromptFigures
from ivr.prompt_cache.settings import codecs_of, folder_of, limits_of
from ivr.prompts import Prompts
from ivr.recognition import advisor_of, recognizer_engines, recognizer_of
from ivr.recognition import new_engine as new_recogniser
from ivr.routed import EngineWatch, SpeechEngines
from ivr.shelf.keeper import FlowKeeper
from ivr.shelf.opening import open_library
from ivr.shelf.reader import FlowReaderProcess
from ivr.slow_engines import slow_engines
from ivr.speech import Engine, start_when_able, voice_engines, voices_of
from ivr.speech import new_engine as new_voice
from ivr.stacks import stack_of
from ivr.store import Store, database_url
from ivr.supervision import Supervisors
from ivr.switchboard import Switchboard
from ivr.switching import monitor_of, placed_recognisers, placed_voices, switcher_of
from ivr.talking.configured import running_agents
from ivr.tracing import tracing_of
from ivr.trunks import queues_of, trunks_of
from ivr.web.book import FlowCall, SessionBook, Supervision
from ivr.web.sockets import MESSAGE_BYTES, socket_routes
from media.leg import CallLeg
from media.plane import RtpPlane
from media.ports import PortPool
from media.recorder import RecordingWriter, recover
from media.vad import VadBatch
from sip.stack import SipStack
from sip.trunks import TrunkTable

WATCH_S: Final = 1.0

log = logging.getLogger(__name__)

VOICES: Final = 2
"""Embedded voices: the second speaks while the first restarts."""


class Server:
    """A running node; the `Gateway` of its API. Made by `running`."""

    def __init__(
        self,
        config: Config,
        library: FlowLibrary,
        keeper: FlowKeeper,
        desk: CallDesk,
        stack: SipStack,
        store: Store,
        voices: tuple[EspeakSynthesizer, ...],
        prompts: Prompts,
        speech: SpeechEngines,
        switcher: Switcher,
        elsewhere: Elsewhere,
        plane: RtpPlane,
        overview: Overview,
        api: str,
    ) -> None:
        self.config = config
        self.library = library
        self.flows = keeper
        self.api = api
        self._desk = desk
        self._stack = stack
        self._store = store
        self.voices = voices
        self._prompts = prompts
        self._speech = speech
        self.trials = speech.trials()
        self.switcher = switcher
        self.elsewhere = elsewhere
        self.plane = plane
        self.book = SessionBook(config.web.sessions)
        self.overview = overview
        self.gpu = monitor_of(switcher)

    @property
    def sip(self) -> list[str]:
        """Where SIP is really listened for, as `udp:127.0.0.1:5060`."""
        return self._stack.addresses()

    @property
    def live_calls(self) -> int:
        return self._desk.live

    async def initiate(self, request: CallRequest) -> str:
        if self._desk.draining:
            raise NoCapacity(10, "the server is about to stop")
        return await self._desk.initiate(request, self._stack)

    async def serve(self, leg: CallLeg, call: FlowCall) -> str:
        if self._desk.draining:
            raise NoCapacity(10, "the server is about to stop")
        return await self._desk.serve(leg, call)

    @property
    def feed(self) -> Feed:
        return self._desk.feed

    def check(self, request: CallRequest) -> str:
        return self._desk.check(request)

    def face(self, flow: str) -> FlowFace:
        found = self._desk.flow(flow)
        return FlowFace(found.languages, found.params, tuple(found.result))

    @property
    def campaign_rules(self) -> Campaigns:
        return self.config.campaigns

    def room(self, trunk: str) -> tuple[int, int]:
        """Calls that could be placed over the trunk now, and how many it could have at most."""
        configured = self.config.trunks.get(trunk)
        if configured is None:
            return 1, 1  # that it is not there is told to who calls
        lines = min(configured.max_calls, self.config.limits.calls)
        if self._stack.wait_s(trunk) is not None:
            return 0, lines
        return min(self._desk.room(), configured.max_calls - self._stack.calls(trunk)), lines

    async def supervise(self, leg: CallLeg, wish: Supervision) -> str:
        return await self.supervisors.begin(leg, wish)

    @property
    def supervisors(self) -> Supervisors:
        return self._desk.supervisors

    async def hang_up(self, call_id: str) -> bool:
        return await self._desk.hang_up(call_id)

    def signal(self, call_id: str, name: str, values: Mapping[str, Any]) -> bool:
        return self._desk.signal(call_id, name, values)

    def live(self, call_id: str) -> LiveCall | None:
        return self._desk.live_call(call_id)

    def flow_calls(self) -> Mapping[tuple[str, str], int]:
        return self._desk.flows

    def forget_personal(self) -> None:
        self._prompts.forget_personal()

    def readiness(self) -> Readiness:
        reasons = []
        if self._desk.draining:
            reasons.append("draining")
        elif self._desk.full:
            reasons.append("no capacity for another call")
        if self._store.failing is not None:
            reasons.append(f"store: {self._store.failing}")
        if not any(voice.health.pid is not None for voice in self.voices):
            reasons.append("no voice is up")
        return Readiness(tuple(reasons))

    def engines(self) -> tuple[EngineStatus, ...]:
        return self._speech.statuses()

    def trunks(self) -> tuple[TrunkStatus, ...]:
        stack = self._stack
        return tuple(
            TrunkStatus(name, trunk.profile, stack.trunk_state(name), stack.calls(name), trunk.max_calls)
            for name, trunk in self.config.trunks.items()
        )

    async def drain(self, wait_s: float) -> None:
        """No new calls from here on; returns when the live ones have ended, or after `wait_s`."""
        self._desk.draining = True
        await self._stack.drain()
        await self._desk.wait_until_idle(wait_s)


@asynccontextmanager
async def running(config: Config) -> AsyncIterator[Server]:
    """A server that takes calls; everything of it is gone when the block is left.

    Raises `LibraryError`, `ConfigError`, `StoreError`, `EngineError`, `OSError` (an address that cannot be
    bound) before any call is taken.
    """
    async with AsyncExitStack() as on_exit:
        budgets = await checked_budgets(config)
        engines = placed_voices(voice_engines(config))
        recognizers = placed_recognisers(recognizer_engines(config))
        named = (
            "espeak",
            "pocketsphinx",
            *(engine.name for engine in engines),
            *(heard.name for heard in recognizers),
            *(provider.name for provider in config.llm.providers),
        )
        metrics = Metrics(engines=named, classifiers=config.classifiers)
        lag = LoopLag(metrics.observe_lag)
        _background(on_exit, lag.run())

        outbox = Outbox(config.endpoints, config.webhook, metrics, config.broker)
        url = database_url(config.store.path, config.store.database)
        store = await Store.open(url, announce=outbox.announce, observer=metrics.observe_commit)
        on_exit.push_async_callback(store.close)
        metrics.watch_store(lambda: store.backlog)
        library, memory = await open_library(config, store)
        reader = FlowReaderProcess(config.flows, environment_of(config), memory)
        keeper = FlowKeeper(config.flows, reader, library, store, metrics)
        on_exit.push_async_callback(keeper.close)
        await asyncio.to_thread(recover, config.store.path / "recordings")

        voices = tuple(EspeakSynthesizer() for _ in range(VOICES))
        recognizer = PocketsphinxRecognizer()
        vad = VadBatch()
        recorder = RecordingWriter()
        advisor = advisor_of(config)
        larger: tuple[Engine, ...] = (*engines, *recognizers, *(() if advisor is None else (advisor,)))
        for engine in larger:
            on_exit.push_async_callback(engine.close)
            _background(on_exit, start_when_able(engine))
        parts: tuple[_Part, ...] = (*voices, recognizer, vad, recorder)
        for part in parts:
            on_exit.push_async_callback(part.close)
        await asyncio.gather(*(part.start() for part in parts))
        makers = {Kind.TTS: new_voice, Kind.ASR: new_recogniser}
        switcher = switcher_of(config, (*engines, *recognizers), budgets, makers)
        on_exit.push_async_callback(switcher.close)
        workers = (engine for engine in engines if isinstance(engine, VoicePlace))
        _background(on_exit, _count_restarts((*voices, *workers, *recognizers, recognizer), metrics))

        speakers = voices_of(config, engines, voices, EngineWatch(metrics, "tts"))
        hearer = recognizer_of(config, recognizers, (recognizer,), EngineWatch(metrics, "asr"))
        speech = SpeechEngines(speakers, (*engines, *voices), hearer, (*recognizers, recognizer))
        speech.watched_by(metrics)
        on_exit.push_async_callback(speakers.close)
        prompts = Prompts(speakers, folder_of(config), limits=limits_of(config), codecs=codecs_of(config))
        await asyncio.to_thread(prompts.files.tidy)
        metrics.watch_prompts(PromptFigures(prompts))
        on_exit.push_async_callback(prompts.close)
        client = await on_exit.enter_async_context(httpx.AsyncClient(follow_redirects=False))

        hosts = _media_hosts(config)
        plane = RtpPlane(
            PortPool(*config.media.ports, config.media.rest_s, *hosts),
            timeout_s=config.media.timeout_s,
            address=hosts[0],
        )
        metrics.watch_media(plane.totals, lambda: plane.lateness_ms)

        # The stack is there before the first call is.
        switchboard = Switchboard(
            queues_of(config),
            lambda call: stack.call(call),
            config.longest_call_s,
            metrics.observe_search,
            tuple(config.trunks),
        )
        metrics.watch_queues(config.queues, switchboard.waiting)

        agents = await on_exit.enter_async_context(running_agents(config, metrics))
        services = Services(
            prompts=prompts,
            vad=vad,
            recognizer=hearer,
            asr_deadline_s=config.engines.asr_deadline_s,
            endpoints=Endpoints(config.endpoints, client),
            switchboard=switchboard,
            classifiers=classifiers_of(config.classifiers, client, metrics.classified),
            max_call_s=config.limits.call_s,
            agents=agents,
            advisor=advisor,
        )
        trunks = trunks_of(config)
        try:
            table = TrunkTable(trunks)
        except ValueError as error:
            raise ConfigError(str(error)) from error
        warn_of_missing_agents(
            (entry.version.flow for entry in library if entry.version is not None), services.agents
        )
        for slow in slow_engines(config):
            log.warning("%s", slow)
        load = Load(config.limits.calls, config.limits.loop_lag_ms, lambda: plane.lateness_ms)
        tracing = tracing_of(config.tracing)
        on_exit.push_async_callback(asyncio.to_thread, tracing.close)
        desk = CallDesk(config, library, store, services, recorder, table, load, metrics, tracing)
        stack = stack_of(config, trunks, plane, desk.admit, desk.take, metrics.sip_dropped)
        metrics.watch_trunks(trunks, stack.trunk_state, stack.calls)
        overview = Overview(
            desk.feed, metrics.hour, lambda: plane.lateness_ms, lambda: engines_shown(speech.statuses())
        )
        _background(on_exit, overview.run())
        metrics.watch_operators(lambda: desk.supervisors.count, lambda: overview.followers)
        await store.recover(time.time())
        await outbox.start(store)
        on_exit.push_async_callback(outbox.close)

        listener = _listener(config)
        api = f"http://{config.api.host}:{listener.getsockname()[1]}"
        elsewhere = Elsewhere(config.engines.setup, client)
        server = Server(
            config,
            library,
            keeper,
            desk,
            stack,
            store,
            voices,
            prompts,
            speech,
            switcher,
            elsewhere,
            plane,
            overview,
            api,
        )
        await _serve_api(on_exit, server, store, metrics, listener)
        # What is there now stays: the collector need not walk it again while calls are live.
        gc.collect()
        gc.freeze()
        gc.set_threshold(10_000, 50, 50)  # less often: what a call makes is mostly freed by counting
        await plane.start()
        on_exit.push_async_callback(plane.close)
        on_exit.push_async_callback(stack.close)
        campaigns = campaigns_of(config, server, store)
        on_exit.push_async_callback(campaigns.close)
        on_exit.push_async_callback(desk.close)
        await stack.start()
        keeper.start()
        _background(on_exit, campaigns.run())
        yield server


def _background(on_exit: AsyncExitStack, work: Coroutine[Any, Any, None]) -> None:
    """Runs until the server stops."""
    task = asyncio.create_task(work)

    async def stop() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    on_exit.push_async_callback(stop)


class _Part(Protocol):
    async def start(self) -> None: ...

    async def close(self) -> None: ...


class _Supervised(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def health(self) -> WorkerHealth: ...


async def _count_restarts(engines: tuple[_Supervised, ...], metrics: Metrics) -> None:
    seen = [0] * len(engines)
    while True:
        for index, engine in enumerate(engines):
            restarts = engine.health.restarts
            for _ in range(restarts - seen[index]):
                metrics.engine_restarted(engine.name)
            seen[index] = restarts
        await asyncio.sleep(WATCH_S)


async def _serve_api(
    on_exit: AsyncExitStack, server: Server, store: Store, metrics: Metrics, listener: socket.socket
) -> None:
    config = server.config
    app = create_app(server, store, metrics, config.api.keys, config.web, config.limits.call_s)
    on_exit.push_async_callback(app.state.browsers.close)
    for router in socket_routes(config, server, server.library, store, metrics):
        app.include_router(router)
    settings = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
        ws_max_size=MESSAGE_BYTES,
        # Audio does not shrink, and each connection's window would cost memory and time.
        ws_per_message_deflate=False,
    )
    api = HttpServer(settings)
    task = asyncio.create_task(api.serve(sockets=[listener]))
    # Its first steps import much, and would be felt as lateness by the first call.
    await asyncio.wait([task, asyncio.ensure_future(api.ready.wait())], return_when=asyncio.FIRST_COMPLETED)

    async def stop() -> None:
        api.should_exit = True
        await asyncio.wait([task], timeout=3.0)
        task.cancel()

    on_exit.push_async_callback(stop)


def _listener(config: Config) -> socket.socket:
    """The API's listening socket; raises OSError that names the address."""
    family = socket.AF_INET6 if ":" in config.api.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((config.api.host, config.api.port))
    except OSError as error:
        listener.close()
        raise OSError(f"api: {config.api.host}:{config.api.port}: {error.strerror}") from error
    return listener


def _media_hosts(config: Config) -> list[str]:
    """RTP is received where SIP is: at the first address of each IP version."""
    found: dict[bool, str] = {}
    for text in config.sip.listen:
        host = text.split(":", 1)[1].rpartition(":")[0].strip("[]")
        found.setdefault(":" in host, host)
    return list(found.values())
