from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from engines.contract import SpeechRequest
from engines.service.admin import Operators, admin_routes
from engines.service.keys import Keys
from engines.service.metrics import ServiceMetrics
from engines.service.serving import served
from engines.tts.profiles import VoiceProfiles
from engines.tts.service.app import create_app
from engines.tts.service.desk import Desk
from engines.tts.service.speaking import Speaker
from ivr.services import in_words
from ivr.switching import monitor_of
from tests.fakes.engines import ToneSynthesizer, routes_by_language
from tests.fakes.switching import no_switcher

KEYS = {"shop": "shop-key-0123456789", "clinic": "clinic-key-0123456789"}


@dataclass
class ToneEngine(ToneSynthesizer):
    """A tone with the name of an engine of the catalogue; notes which references it was given."""

    name: str = "espeak"
    forgotten: list[str] = field(default_factory=list)
    references: list[str] = field(default_factory=list)

    async def start(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def forget(self, key: str) -> None:
        self.forgotten.append(key)

    def synthesize(self, request: SpeechRequest, *, deadline_s: float):  # type: ignore[no-untyped-def]
        if request.reference:
            assert Path(request.reference.path).stat().st_size > 24000 * 2 * 8
            self.references.append(request.reference.path)
        return super().synthesize(request, deadline_s=deadline_s)


@dataclass
class Stage:
    """A service over tones: espeak (hi, mr, en), chatterbox-multilingual (hi, en), kokoro (en)."""

    folder: Path
    embedded: ToneEngine = field(default_factory=ToneEngine)
    cloning: ToneEngine = field(
        default_factory=lambda: ToneEngine(
            name="chatterbox-multilingual", languages=frozenset({"hi", "en"}), known_voices=frozenset()
        )
    )
    fast: ToneEngine = field(
        default_factory=lambda: ToneEngine(
            name="kokoro", languages=frozenset({"en"}), known_voices=frozenset({"af_heart"})
        )
    )
    keys: dict[str, str] = field(default_factory=dict)
    operators: dict[str, str] = field(default_factory=dict)
    streams: int = 50
    deadline_s: float = 5.0
    chains: dict[str, list[str]] = field(
        default_factory=lambda: {
            "en": ["kokoro", "chatterbox-multilingual"],
            "hi": ["chatterbox-multilingual"],
        }
    )
    metrics: ServiceMetrics = field(default_factory=lambda: ServiceMetrics("tts"))

    @property
    def engines(self) -> Sequence[ToneEngine]:
        return (self.embedded, self.cloning, self.fast)

    def still_there(self, path: str) -> bool:
        return Path(path).exists()

    def app(self):  # type: ignore[no-untyped-def]
        profiles = VoiceProfiles(self.folder)
        desk = Desk(self.engines, routes_by_language(self.chains), profiles)
        speaker = Speaker(in_words, self.metrics, deadline_s=self.deadline_s, most_streams=self.streams)
        keys = Keys(self.keys)
        app = create_app(desk, speaker, profiles, keys, self.metrics)
        switcher = no_switcher()
        app.include_router(admin_routes(Operators(self.operators, keys), monitor_of(switcher), switcher))
        return app

    @asynccontextmanager
    async def client(self, key: str | None = None) -> AsyncIterator[httpx.AsyncClient]:
        """Without sockets; for what is answered whole."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        transport = httpx.ASGITransport(self.app(), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://tts", headers=headers) as client:
            yield client

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        """With a real socket: its address."""
        async with served(self.app(), "127.0.0.1", 0, 1) as url:
            yield url


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path / "voices")


@pytest.fixture
async def tts(stage: Stage) -> AsyncIterator[httpx.AsyncClient]:
    async with stage.client() as client:
        yield client
