"""The server: all parts of a node, put together, started in order and stopped in the reverse one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import uvicorn

from engines.asr.pocketsphinx import PocketsphinxRecognizer
from engines.tts.espeak import EspeakSynthesizer
from ivr.api import create_app
from ivr.api.gateway import CallRequest, LiveCall, NoCapacity, Readiness
from ivr.call import Services
from ivr.config import Config
from ivr.config import Trunk as TrunkConfig
from ivr.desk import CallDesk, Load
from ivr.endpoints import Endpoints
from ivr.library import load_library
from ivr.metrics import LoopLag, Metrics
from ivr.outbox import Outbox
from ivr.prompts import Prompts, prune
from ivr.store import Store, database_url
from media.plane import RtpPlane
from media.ports import PortPool
from media.recorder import RecordingWriter, recover
from media.vad import VadBatch
from sip.digest import Credentials
from sip.trunks import Trunk, TrunkTable
from sip.user_agent import UserAgent

log = logging.getLogger(__name__)

VOICES: Final = 2
"""Embedded voices: the second speaks while the first restarts."""

USER_AGENT: Final = "ivr-server"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the server really listens."""

    sip: tuple[str, ...]
    api: str


class Server:
    """One node; a `Gateway` for its API."""

    def __init__(self, config: Config, desk: CallDesk, stack: UserAgent, store: Store, voices: tuple[EspeakSynthesizer, ...]) -> None:
        self._config = config
        self._desk = desk
        self._stack = stack
        self._store = store
        self._voices = voices

    async def initiate(self, request: CallRequest) -> str:
        if self._desk.draining:
            raise NoCapacity(10, "the server is about to stop")
        return await self._desk.initiate(request, self._stack)

    async def hang_up(self, call_id: str) -> bool:
        return await self._desk.hang_up(call_id)

    def live(self, call_id: str) -> LiveCall | None:
        return self._desk.live_call(call_id)

    def readiness(self) -> Readiness:
        reasons = []
        if self._desk.draining:
            reasons.append("draining")
        elif self._desk.admit() is not None:
            reasons.append("no capacity for another call")
        if self._store.failing is not None:
            reasons.append(f"store: {self._store.failing}")
        if not any(voice.health.up for voice in self._voices):
            reasons.append("no voice is up")
        return Readiness(tuple(reasons))

    async def drain(self, wait_s: float) -> None:
        """No new calls from here on; returns when the live ones have ended, or after `wait_s`."""
        self._desk.draining = True
        await self._stack.drain()
        await self._desk.wait_until_idle(wait_s)
