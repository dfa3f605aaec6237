"""Models of meaning, wherever they run: an open one is asked for the vectors of questions and of passages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol

import httpx

from engines.contract import EngineError
from engines.embedding.encoder import LIMITS, Encoder
from engines.embedding.use import Use
from engines.launch import WorkerCommand
from engines.supervisor import Limits
from ivr.knowledge.embedding import EmbeddingError, EmbeddingServer, Vector, embed, unit_vectors


@dataclass(frozen=True, slots=True)
class EmbeddingEngine:
    """A model that runs here, in a process of its own. Vectors are kept by the name `model`."""

    model: str
    command: WorkerCommand
    limits: Limits = LIMITS
    deadline_s: float = 0.15

    def encoder(self) -> Encoder:
        return Encoder(self.model, self.command, self.limits)


Source = EmbeddingServer | EmbeddingEngine
"""What the configuration names; nothing of it runs or is connected yet."""


class Meaning(Protocol):
    """An open model. Vectors have length 1; every call raises `EmbeddingError`."""

    async def start(self) -> None:
        """Until it can be asked; it may be called again after it failed."""

    async def close(self) -> None: ...

    async def question(self, text: str, within_s: float) -> Vector: ...

    async def passages(self, texts: Sequence[str], within_s: float) -> list[Vector]: ...


def meaning_of(source: Source) -> Meaning:
    return _AtServer(source) if isinstance(source, EmbeddingServer) else _Here(source)


class _AtServer:
    def __init__(self, server: EmbeddingServer) -> None:
        self._server = server
        self._client = httpx.AsyncClient(follow_redirects=False)

    async def start(self) -> None:
        """It is somebody else's: whether it is there, the first question tells."""

    async def close(self) -> None:
        await self._client.aclose()

    async def question(self, text: str, within_s: float) -> Vector:
        return (await self.passages([text], within_s))[0]

    async def passages(self, texts: Sequence[str], within_s: float) -> list[Vector]:
        return await embed(self._client, self._server, texts, within_s)


class _Here:
    def __init__(self, engine: EmbeddingEngine) -> None:
        self._model = engine.model
        self._encoder = engine.encoder()

    async def start(self) -> None:
        try:
            await self._encoder.start()
        except EngineError as error:
            raise EmbeddingError(str(error)) from error

    async def close(self) -> None:
        await self._encoder.close()

    async def question(self, text: str, within_s: float) -> Vector:
        return (await self._encode([text], Use.QUESTION, within_s))[0]

    async def passages(self, texts: Sequence[str], within_s: float) -> list[Vector]:
        return await self._encode(texts, Use.PASSAGE, within_s)

    async def _encode(self, texts: Sequence[str], use: Use, within_s: float) -> list[Vector]:
        try:
            return unit_vectors(await self._encoder.encode(texts, use, deadline_s=within_s))
        except EngineError as error:
            raise EmbeddingError(f"{self._model}: {error}") from error
        except ValueError as error:
            raise EmbeddingError(f"{self._model}: what it gave is none: {error}") from error


_SERVER: Final = "server"
_ENGINE: Final = "engine"


def packed(source: Source) -> dict[str, Any]:
    """As JSON has it, for another process."""
    return {_SERVER if isinstance(source, EmbeddingServer) else _ENGINE: asdict(source)}


def unpacked(packed: Mapping[str, Any]) -> Source:
    if _SERVER in packed:
        return EmbeddingServer(**packed[_SERVER])
    engine = packed[_ENGINE]
    command, limits = WorkerCommand(**engine["command"]), Limits(**engine["limits"])
    return EmbeddingEngine(engine["model"], command, limits, engine["deadline_s"])
