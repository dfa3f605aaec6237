"""A text to several voices, a recording to several recognisers: what each made of it, or why not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from ivr.admin.gateway import GatewayClient, GatewayError
from ivr.api.trials import MOST_BYTES, RecogniserTried, VoiceTried, VoiceTry

AT_ONCE: Final = 2
"""As many as the server makes at a time."""

TRIES: Final = 5
AGAIN_S: Final = 1.0
WAIT_S: Final = 90.0
MOST_CHARACTERS: Final = 500


@dataclass(frozen=True, slots=True)
class Failed:
    """Why an engine gave nothing."""

    engine: str
    reason: str


@dataclass(frozen=True, slots=True)
class Recording:
    """A WAV file, and what it is to be heard for."""

    wav: bytes
    language: str
    phrases: tuple[str, ...] = ()
    rate: int = 8000


def text_fault(text: str) -> str | None:
    """What is wrong with a text that is to be spoken."""
    if not text.strip():
        return "Write something to be said."
    if len(text) > MOST_CHARACTERS:
        return f"{MOST_CHARACTERS} characters at most are spoken at once; this has {len(text):,}."
    return None


def recording_fault(wav: bytes) -> str | None:
    """What is wrong with a recording, before it is sent."""
    if len(wav) > MOST_BYTES:
        return f"{MOST_BYTES // 2**20} MB at most are taken; this has {len(wav) / 2**20:.1f} MB."
    if not wav.startswith(b"RIFF"):
        return "This is no WAV file: 16 bits, mono, 8 to 48 kHz are taken."
    return None


class Trier:
    """Asks the server for each engine, two at a time; `told` is given what came of it, as it comes."""

    def __init__(self, gateway: GatewayClient, by: str) -> None:
        self._gateway = gateway
        self._by = by
        self._places = asyncio.Semaphore(AT_ONCE)

    async def speak(self, wanted: list[VoiceTry], told: Callable[[VoiceTried | Failed], None]) -> None:
        async def one(body: VoiceTry) -> None:
            ask = {"body": body.model_dump()}
            told(await self._ask(body.engine, "/api/voice/voices/try", VoiceTried, ask))

        await asyncio.gather(*(one(body) for body in wanted))

    async def hear(
        self, engines: list[str], recording: Recording, told: Callable[[RecogniserTried | Failed], None]
    ) -> None:
        async def one(engine: str) -> None:
            params = {
                "engine": engine,
                "language": recording.language,
                "rate": recording.rate,
                "phrases": list(recording.phrases),
            }
            headers = {"Content-Type": "audio/wav"}
            ask = {"content": recording.wav, "params": params, "headers": headers}
            told(await self._ask(engine, "/api/voice/recognisers/try", RecogniserTried, ask))

        await asyncio.gather(*(one(engine) for engine in engines))

    async def _ask(self, engine: str, path: str, model: Any, ask: dict[str, Any]) -> Any:
        async with self._places:
            for left in reversed(range(TRIES)):
                try:
                    answer = await self._gateway.send("POST", path, by=self._by, deadline_s=WAIT_S, **ask)
                    return model.model_validate(answer)
                except GatewayError as error:
                    if error.kind != "trials-busy" or not left:
                        return Failed(engine, str(error))
                await asyncio.sleep(AGAIN_S)
        raise AssertionError("there is a last try")
