"""Makes the recognisers that a configuration names, ready to be started."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Protocol

from engines.asr.client import ServiceRecognizer
from engines.asr.deepgram import DeepgramRecognizer
from engines.asr.pocketsphinx import PocketsphinxRecognizer
from engines.asr.remote import WorkerRecognizer
from engines.asr.whisper import LIMITS, whisper
from engines.catalogue import CatalogueEntry, Cloud, Embedded, Installed, Kind, find
from engines.catalogue.asr import CONFORMER, FASTER_WHISPER
from engines.contract import Recognizer
from engines.launch import WorkerCommand
from engines.running_here import OFFLINE, CannotUse, limits_with, weights_of
from engines.supervisor import WorkerHealth

EMBEDDED: Final = "pocketsphinx"


class AsrEngine(Recognizer, Protocol):
    """A `Recognizer` with a life of its own."""

    @property
    def health(self) -> WorkerHealth: ...

    async def start(self) -> None:
        """Raises `EngineError`."""

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class AsrSettings:
    """How an engine runs here.

    `interpreter` is that of its virtual environment, `weights` the folder of its weights, `device` cpu or
    cuda (None: a GPU where there is one). `more` is told to the worker as it is. `key` and `address` are a
    cloud service's; with an `address` any other engine is asked of an `ivr asr` there.
    """

    interpreter: Path | None = None
    weights: Path | None = None
    device: str | None = None
    memory_gb: float | None = None
    key: str | None = None
    address: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


def new_recognizer(name: str, settings: AsrSettings | None = None) -> AsrEngine:
    """The recogniser of a name; nothing of it runs yet.

    Raises `UnknownEngine` for a name that is none, `CannotUse` when something is missing.
    """
    settings = settings or AsrSettings()
    entry = find(name)
    if entry.kind is not Kind.ASR:
        raise CannotUse(f"{name} {entry.kind.does}, it does not hear")
    match entry.runs:
        case Embedded():
            return PocketsphinxRecognizer()
        case Cloud():
            key = settings.key or os.environ.get(entry.runs.key_variable)
            if not key:
                raise CannotUse(f"{name} needs a key: set `key`, or {entry.runs.key_variable}")
            return DeepgramRecognizer(key, address=settings.address or entry.runs.address, **settings.more)
        case Installed() if settings.address:
            return ServiceRecognizer(entry, settings.address, settings.key)
        case Installed():
            return _installed(entry, entry.runs, settings)


def _installed(entry: CatalogueEntry, runs: Installed, settings: AsrSettings) -> WorkerRecognizer:
    weights = weights_of(entry, settings.weights)
    if settings.interpreter is None and runs.environment is CONFORMER:
        raise CannotUse(f"{entry.name} has no environment: run `ivr engines install {entry.name}`")
    if settings.interpreter is None and find_spec("faster_whisper") is None:
        raise CannotUse(f"{entry.name} has no environment: run `ivr engines install {entry.name}`")
    interpreter = str(settings.interpreter or sys.executable)
    limits = limits_with(LIMITS, settings.memory_gb)
    told = {"device": settings.device or "auto", **settings.more}
    if entry is FASTER_WHISPER:
        return whisper(weights, interpreter, told, limits)
    command = WorkerCommand(
        runs.worker,
        interpreter,
        environment=OFFLINE,
        settings={**told, "model": str(weights)},
    )
    return WorkerRecognizer(entry.name, f"{weights.name}-1", command, limits, entry.speaks)
