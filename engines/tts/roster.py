"""Makes the engines that a configuration names, ready to be started."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from engines.catalogue import CatalogueEntry, Cloud, Embedded, Installed, Kind, find
from engines.contract import Synthesizer
from engines.launch import WorkerCommand
from engines.running_here import OFFLINE, CannotUse, limits_with, weights_of
from engines.supervisor import WorkerHealth, WorkerState
from engines.tts.elevenlabs import ElevenLabsSynthesizer
from engines.tts.espeak import EspeakSynthesizer
from engines.tts.neural import LIMITS, NeuralSynthesizer
from engines.tts.remote import RemoteSynthesizer

EMBEDDED: Final = "espeak"


class TtsEngine(Synthesizer, Protocol):
    """A `Synthesizer` with a life of its own."""

    async def start(self) -> None:
        """Raises `EngineError`."""

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class TtsSettings:
    """How an engine runs here.

    `interpreter` is that of its virtual environment, `weights` the folder of its weights, `device` cpu or
    cuda. `streams` sentences are made at once. `more` is told to the worker as it is. `voices`, `key` and
    `address` are a cloud service's: its voice ids by names of our own. With an `address` any other engine is
    asked of a speech service there, with `key` as its API key.
    """

    interpreter: Path | None = None
    weights: Path | None = None
    device: str = "cuda"
    streams: int | None = None
    memory_gb: float | None = None
    licence_accepted: bool = False
    voices: Mapping[str, str] = field(default_factory=dict)
    key: str | None = None
    address: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


def new_engine(name: str, settings: TtsSettings | None = None) -> TtsEngine:
    """The engine of a name; nothing of it runs yet.

    Raises `UnknownEngine` for a name that is none, `CannotUse` when something is missing.
    """
    settings = settings or TtsSettings()
    entry = find(name)
    if entry.kind is not Kind.TTS:
        raise CannotUse(f"{name} {entry.kind.does}, it does not speak")
    if not entry.licence.commercial and not settings.licence_accepted:
        raise CannotUse(
            f"the weights of {name} ({entry.licence.weights}) may not be used to earn money: it is off until "
            "`licence_accepted: true` says that you keep to that"
        )
    match entry.runs:
        case Embedded():
            return EspeakSynthesizer()
        case Cloud():
            return _cloud(entry, entry.runs, settings)
        case Installed() if settings.address:
            return RemoteSynthesizer(entry, settings.address, settings.key)
        case Installed():
            return _installed(entry, entry.runs, settings)


class Named(Protocol):
    @property
    def name(self) -> str: ...


def health_of(engine: Named) -> WorkerHealth:
    """Of its worker; an engine without one, a cloud service, counts as up."""
    health = getattr(engine, "health", None)
    if isinstance(health, WorkerHealth):
        return health
    return WorkerHealth(engine.name, WorkerState.UP, 0, 0, os.getpid(), None, None, "")


def _installed(entry: CatalogueEntry, runs: Installed, settings: TtsSettings) -> NeuralSynthesizer:
    weights = weights_of(entry, settings.weights)
    told = {"weights": str(weights), "device": settings.device, **settings.more}
    command = WorkerCommand(
        runs.worker,
        str(settings.interpreter or sys.executable),
        environment=OFFLINE,
        settings=told,
    )
    limits = limits_with(LIMITS, settings.memory_gb)
    return NeuralSynthesizer(entry, command, streams=settings.streams or 1, limits=limits)


def _cloud(entry: CatalogueEntry, runs: Cloud, settings: TtsSettings) -> ElevenLabsSynthesizer:
    key = settings.key or os.environ.get(runs.key_variable)
    if not key:
        raise CannotUse(f"{entry.name} needs a key: set `key`, or {runs.key_variable} in the environment")
    if not settings.voices:
        raise CannotUse(f"{entry.name} needs voices: set `voices`, ids of the service by names of your own")
    return ElevenLabsSynthesizer(
        key, settings.voices, address=settings.address or runs.address, streams=settings.streams or 8
    )
