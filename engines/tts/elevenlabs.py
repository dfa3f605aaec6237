"""ElevenLabs' streaming API as a `Synthesizer`: µ-law at 8 kHz, as telephony wants it, over HTTP.

A network in between costs nothing when it fails: the deadline is to the first audio, whatever the cause.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Final

import httpx

from engines.catalogue import find
from engines.contract import EngineError, EngineTimeout, SpeechRequest, base_of
from engines.tts.emotion import fit, style
from engines.tts.http_sound import http_sound
from media.g711 import decode_ulaw

_RATE: Final = 8000
_FORMAT: Final = "ulaw_8000"
# What the service takes as the voice's speed.
_SLOWEST, _FASTEST = 0.7, 1.2


class ElevenLabsSynthesizer:
    """`voices` are the service's voice ids by a name of our own; the first is the choice of ""."""

    name: Final = "elevenlabs"
    sample_rate: Final = _RATE

    def __init__(
        self,
        key: str,
        voices: Mapping[str, str],
        *,
        model: str = "eleven_flash_v2_5",
        address: str = "https://api.elevenlabs.io",
        streams: int = 8,
    ) -> None:
        """`streams` is how many requests the account allows at once; more wait for their turn."""
        if not voices:
            raise ValueError("name at least one voice of the service")
        self._ids = dict(voices)
        self._model = model
        self._turns = asyncio.Semaphore(streams)
        self._entry = find(self.name)
        self._client = httpx.AsyncClient(
            base_url=address,
            headers={"xi-api-key": key},
            limits=httpx.Limits(max_connections=streams, keepalive_expiry=300.0),
            timeout=None,  # every wait below has its own deadline
        )

    @property
    def version(self) -> str:
        return f"{self._model}-1"

    async def start(self) -> None:
        """Nothing is asked before the first text: a service that is away must not keep the server from
        starting.
        """

    async def close(self) -> None:
        await self._client.aclose()

    def supports(self, language: str) -> bool:
        return self._entry.speaks(language)

    def voices(self, language: str) -> frozenset[str]:
        return frozenset(self._ids) if self.supports(language) else frozenset()

    async def synthesize(self, request: SpeechRequest, *, deadline_s: float) -> AsyncGenerator[bytes, None]:
        """See `Synthesizer`. Raises `EngineUnavailable` when the service refuses (its key, its quota, its own
        trouble), `EngineError` for a language or voice it does not know.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + deadline_s
        if not self.supports(request.language):
            raise EngineError(f"elevenlabs does not speak {request.language!r}")
        if request.voice and request.voice not in self._ids:
            raise EngineError(f"elevenlabs has no voice {request.voice!r}; it has {', '.join(self._ids)}")
        if request.reference:
            raise EngineError("elevenlabs clones voices in its own console: name such a voice")
        try:
            async with asyncio.timeout_at(deadline):
                await self._turns.acquire()
        except TimeoutError:
            raise EngineTimeout("elevenlabs was busy: all of its streams are in use") from None
        try:
            sound = http_sound(self.name, self._client, self._request(request), deadline)
            async with aclosing(sound):
                async for chunk in sound:
                    yield decode_ulaw(chunk)
        finally:
            self._turns.release()

    def _request(self, request: SpeechRequest) -> httpx.Request:
        voice = self._ids[request.voice or next(iter(self._ids))]
        settings: dict[str, Any] = dict(style(self.name, request.emotion, request.intensity) or {})
        settings["speed"] = min(_FASTEST, max(_SLOWEST, request.speed))
        body = {
            "text": fit(request.text, self.name).text,
            "model_id": self._model,
            "language_code": base_of(request.language),
            "voice_settings": settings,
            # Figures are words already.
            "apply_text_normalization": "off",
        }
        return self._client.build_request(
            "POST", f"/v1/text-to-speech/{voice}/stream", params={"output_format": _FORMAT}, json=body
        )
