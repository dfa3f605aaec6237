"""An engine of a speech service elsewhere (`ivr tts`, beside a GPU) as a `Synthesizer` here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final

import httpx

from engines.catalogue import CatalogueEntry
from engines.contract import EngineError, EngineUnavailable, SpeechRequest, base_of
from engines.tts.http_sound import Refused, http_sound

_ASK_S: Final = 5.0


class RemoteSynthesizer:
    """Asks the service for one of its engines; a voice profile there is a voice here."""

    def __init__(self, entry: CatalogueEntry, address: str, key: str | None = None) -> None:
        """`key` is an API key of the service."""
        self._entry = entry
        self._version = "0"
        self._voices: dict[str, frozenset[str]] = {}
        self._client = httpx.AsyncClient(
            base_url=address,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            limits=httpx.Limits(max_connections=None, keepalive_expiry=300.0),
            timeout=None,  # every wait has a deadline of its own
        )

    @property
    def name(self) -> str:
        return self._entry.name

    @property
    def version(self) -> str:
        return self._version

    @property
    def sample_rate(self) -> int:
        return 8000

    async def start(self) -> None:
        """Asks what the engine is there; raises `EngineUnavailable` when the service is away or lacks it."""
        try:
            async with asyncio.timeout(_ASK_S):
                model = await self._client.get(f"/v1/models/{self.name}")
                voices = await self._client.get("/v1/voices")
                model.raise_for_status()
                voices.raise_for_status()
        except (httpx.HTTPError, TimeoutError) as error:
            raise EngineUnavailable(f"{self.name} at {self._client.base_url}: {error}") from error
        self._version = f"{model.json().get('version', '0')}-remote1"
        self._voices = _by_language(self.name, voices.json()["voices"])

    async def close(self) -> None:
        await self._client.aclose()

    def supports(self, language: str) -> bool:
        return self._entry.speaks(language)

    def voices(self, language: str) -> frozenset[str]:
        return self._voices.get(base_of(language), frozenset())

    async def synthesize(self, request: SpeechRequest, *, deadline_s: float) -> AsyncGenerator[bytes, None]:
        """See `Synthesizer`. The service levels and normalises; it gives 8 kHz, which is all a call has."""
        deadline = asyncio.get_running_loop().time() + deadline_s
        if request.reference:
            raise EngineError(f"{self.name} is elsewhere: keep the voice as a profile there")
        body = {
            "input": request.text,
            "model": self.name,
            "voice": request.voice or "default",
            "language": request.language,
            "speed": request.speed,
            "emotion": request.emotion,
            "intensity": request.intensity,
            "response_format": "pcm",
            "sample_rate": self.sample_rate,
        }
        odd = b""
        async with aclosing(self._sound(body, deadline)) as sound:
            async for chunk in sound:
                chunk = odd + chunk
                whole = len(chunk) & ~1
                odd = chunk[whole:]
                if whole:
                    yield chunk[:whole]

    async def _sound(self, body: dict[str, Any], deadline: float) -> AsyncGenerator[bytes, None]:
        """Asked once more when it fails before the first sound: the service may be several replicas, of which
        one has just died, or a connection that was kept open may be that of a former one.
        """
        for tries_left in (1, 0):
            asked = self._client.build_request("POST", "/v1/audio/speech/stream", json=body)
            begun = False
            try:
                async with aclosing(http_sound(self.name, self._client, asked, deadline)) as sound:
                    async for chunk in sound:
                        begun = True
                        yield chunk
                return
            except Refused:
                raise
            except EngineUnavailable:
                if begun or not tries_left:
                    raise


def _by_language(engine: str, voices: list[dict[str, Any]]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for voice in voices:
        if voice["engine"] == engine:
            for language in voice["languages"]:
                found.setdefault(language, set()).add(voice["id"])
    return {language: frozenset(names) for language, names in found.items()}
