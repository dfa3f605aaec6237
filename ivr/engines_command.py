"""What `ivr engines` does. Each function prints, and gives the exit status."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from engines.catalogue import ENGINES, CatalogueEntry, Embedded, Installed, Kind, UnknownEngine, find
from engines.contract import EngineError, RecognitionRequest, SpeechRequest
from engines.embedding.use import Use
from engines.gpu.cards import memory_gb, read_cards
from engines.installing.install import InstallOptions
from engines.installing.install import install as install_engine
from engines.installing.shelf import Shelf
from engines.installing.sources import HUB, Bases, InstallError
from engines.installing.voices import take
from engines.tts.espeak import EspeakSynthesizer
from engines.tts.roster import health_of
from ivr import recognition, speech
from ivr.config import Config, ConfigError
from ivr.engine_places import place_of, shelf_of
from ivr.failures import config_or_told
from ivr.gpu_command import tell_budgets
from ivr.knowledge.configured import engine_of
from ivr.known_voices import voices_of_engine
from ivr.slow_engines import slow_engines
from media.resample import resample_clip

_DEADLINE_S: Final = 60.0
_RATE: Final = 16000
_SHOWN_LANGUAGES: Final = 4

_SAMPLES: Final = {"hi": "हाँ", "mr": "हो", "en": "yes"}
"""What is said to a recogniser: every one of them, however small, can be asked for it."""
_SENTENCES: Final = {
    "hi": "आपका ऑर्डर तैयार है।",
    "mr": "तुमची ऑर्डर तयार आहे.",
    "en": "Your order is ready.",
    "zh": "您的订单已准备好。",
}


def list_engines(config: Path, *, as_json: bool) -> int:
    loaded = config_or_told(config)
    if loaded is None:
        return 2
    shelf = shelf_of(loaded)
    if as_json:
        print(json.dumps([_described(entry, shelf) for entry in ENGINES], ensure_ascii=False, indent=1))
        return 0
    columns = (
        "engine",
        "kind",
        "here",
        "languages",
        "rate",
        "streams",
        "clones",
        "licence",
        "VRAM",
        "latency",
    )
    table = Table(*columns, box=None, pad_edge=False)
    for entry in ENGINES:
        table.add_row(*_row(entry, shelf))
    # A pipe is as wide as it needs to be.
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    return tell_budgets(loaded)


def install(config: Path, name: str, *, python: str, hub: str, accepted: bool, weights_only: bool) -> int:
    options = InstallOptions(
        Bases(hub or HUB), python=python, environment=not weights_only, licence_accepted=accepted
    )

    def work(loaded: Config, entry: CatalogueEntry, shelf: Shelf) -> None:
        bars = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        with Progress("{task.description}", *bars, console=Console(stderr=True)) as progress:
            asyncio.run(install_engine(entry, shelf, _Bars(progress), options))

    return _with_engine(config, name, work)


def remove(config: Path, name: str) -> int:
    def work(loaded: Config, entry: CatalogueEntry, shelf: Shelf) -> None:
        if not isinstance(entry.runs, Installed):
            raise InstallError(f"{name} has nothing on this disk: there is nothing to remove")
        for path in shelf.remove(entry):
            print(f"removed {path}")
        print(f"{name} is not installed")

    return _with_engine(config, name, work)


def try_out(config: Path, name: str) -> int:
    def work(loaded: Config, entry: CatalogueEntry, shelf: Shelf) -> None:
        tried = asyncio.run(_TRIALS[entry.kind](loaded, entry))
        latency_ms = round(tried.latency_s * 1000, 1)
        shelf.note(
            entry,
            latency_ms=latency_ms,
            vram_gb=tried.vram_gb,
            voices=tried.voices,
            tested_at=round(time.time()),
        )
        vram = "" if tried.vram_gb is None else f", {tried.vram_gb:.1f} GB of the card's memory"
        print(f"{name} works: {tried.what}, {latency_ms:.0f} ms{vram}")
        for slow in slow_engines(loaded, name):
            print(f"ivr: {slow}", file=sys.stderr)

    return _with_engine(config, name, work)


def voices(config: Path, name: str, source: Path | None) -> int:
    """Lists the voices of an engine; with a `source` takes those of that folder first."""

    def work(loaded: Config, entry: CatalogueEntry, shelf: Shelf) -> None:
        if entry.kind is not Kind.TTS:
            raise InstallError(f"{name} {entry.kind.does}, it does not speak")
        if source is not None:
            weights = place_of(loaded, name).weights
            if weights is None:
                raise InstallError(f"{name} is not installed: run `ivr engines install {name}` first")
            for taken in take(entry, source, weights):
                print(f"took {taken}")
        known = voices_of_engine(loaded, name)
        if known is None:
            print(f"the voices of {name} are known once `ivr engines test {name}` has started it")
            return
        for language in sorted(language for language, names in known.items() if names):
            print(f"{language}: {', '.join(sorted(known[language]))}")
        if not any(known.values()):
            print(f"{name} has no voice by name")

    return _with_engine(config, name, work)


class _Bars:
    """A bar for each file."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def say(self, text: str) -> None:
        self._progress.console.print(text, highlight=False)

    def begin(self, path: str, size: int) -> None:
        self._tasks[path] = self._progress.add_task(path, total=size)

    def update(self, path: str, done: int) -> None:
        self._progress.update(self._tasks[path], completed=done)


@dataclasses.dataclass(frozen=True, slots=True)
class _Tried:
    latency_s: float
    vram_gb: float | None
    what: str
    voices: dict[str, list[str]] = dataclasses.field(default_factory=dict)


async def _hear(config: Config, entry: CatalogueEntry) -> _Tried:
    """From the end of a spoken word to its transcript."""
    language = _language(entry, _SAMPLES)
    voice = EspeakSynthesizer()
    recognizer = recognition.new_engine(config, entry.name)
    try:
        await voice.start()
        request = SpeechRequest(_SAMPLES[language], language)
        said = b"".join([part async for part in voice.synthesize(request, deadline_s=_DEADLINE_S)])
        pcm = bytes(_RATE) + resample_clip(said, voice.sample_rate, _RATE) + bytes(_RATE)
        await recognizer.start()
        latency_s = 0.0
        for _ in range(2):  # the first one finds the model cold
            stream = recognizer.open(RecognitionRequest(language, _RATE, tuple(_SAMPLES.values())))
            stream.write(pcm)
            began = time.perf_counter()
            transcript = await stream.finish(deadline_s=_DEADLINE_S)
            latency_s = time.perf_counter() - began
        vram_gb = await _vram_gb(recognizer.health.pid)
        return _Tried(latency_s, vram_gb, f"it was told {_SAMPLES[language]!r} and heard {transcript.text!r}")
    finally:
        await recognizer.close()
        await voice.close()


async def _speak(config: Config, entry: CatalogueEntry) -> _Tried:
    """To the first sound of a sentence."""
    language = _language(entry, _SENTENCES)
    engine = speech.new_engine(config, entry.name)
    try:
        await engine.start()
        latency_s = seconds = 0.0
        for _ in range(2):
            began = time.perf_counter()
            size = 0
            request = SpeechRequest(_SENTENCES[language], language)
            async for part in engine.synthesize(request, deadline_s=_DEADLINE_S):
                if not size:
                    latency_s = time.perf_counter() - began
                size += len(part)
            seconds = size / 2 / engine.sample_rate
        voices = {each: sorted(engine.voices(each)) for each in entry.languages if engine.voices(each)}
        vram_gb = await _vram_gb(health_of(engine).pid)
        return _Tried(latency_s, vram_gb, f"it spoke for {seconds:.1f} s", voices)
    finally:
        await engine.close()


async def _encode(config: Config, entry: CatalogueEntry) -> _Tried:
    """From a question to its vector."""
    encoder = engine_of(config, entry.name).encoder()
    text = _SENTENCES[_language(entry, _SENTENCES)]
    try:
        await encoder.start()
        latency_s, size = 0.0, 0
        for _ in range(2):
            began = time.perf_counter()
            (vector,) = await encoder.encode([text], Use.QUESTION, deadline_s=_DEADLINE_S)
            latency_s, size = time.perf_counter() - began, len(vector)
        return _Tried(latency_s, await _vram_gb(encoder.health.pid), f"a text has {size} dimensions")
    finally:
        await encoder.close()


_TRIALS: Final = {Kind.ASR: _hear, Kind.TTS: _speak, Kind.EMBEDDING: _encode}


async def _vram_gb(pid: int | None) -> float | None:
    """What the worker has on the card, once it has worked."""
    return None if pid is None else memory_gb(await asyncio.to_thread(read_cards), pid)


def _language(entry: CatalogueEntry, known: dict[str, str]) -> str:
    for language in known:
        if entry.speaks(language):
            return language
    raise InstallError(f"{entry.name} speaks none of {', '.join(known)}: there is nothing to say to it")


def _with_engine(config: Path, name: str, work: Callable[[Config, CatalogueEntry, Shelf], None]) -> int:
    loaded = config_or_told(config)
    if loaded is None:
        return 2
    shelf = shelf_of(loaded)
    try:
        work(loaded, find(name), shelf)
    except (UnknownEngine, InstallError, ConfigError, EngineError, OSError) as error:
        print(f"ivr: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nivr: interrupted; what was fetched is kept", file=sys.stderr)
        return 130
    return 0


def _row(entry: CatalogueEntry, shelf: Shelf) -> tuple[str, ...]:
    record = shelf.record(entry)
    more = len(entry.languages) - _SHOWN_LANGUAGES
    first = sorted(entry.languages, key=lambda code: (code not in _SAMPLES, code))[:_SHOWN_LANGUAGES]
    return (
        entry.name,
        entry.kind.value,
        shelf.standing(entry).value,
        ", ".join(first) + (f" +{more}" if more > 0 else ""),
        "-" if entry.rate is None else f"{entry.rate / 1000:g} kHz",
        entry.streaming.value,
        "yes" if entry.cloning else "no",
        entry.licence.weights + ("" if entry.licence.commercial else " (non-commercial)"),
        _vram(entry, record.vram_gb),
        "-" if record.latency_ms is None else f"{record.latency_ms:g} ms",
    )


def _vram(entry: CatalogueEntry, measured_gb: float | None) -> str:
    """As measured here, else as the catalogue has it."""
    if not isinstance(entry.runs, Installed):
        return "-"
    size_gb = entry.runs.vram_gb if measured_gb is None else measured_gb
    return "?" if size_gb is None else f"{size_gb:g} GB"


def _described(entry: CatalogueEntry, shelf: Shelf) -> dict[str, Any]:
    record = shelf.record(entry)
    vram = entry.runs.vram_gb if isinstance(entry.runs, Installed) else None
    return {
        "name": entry.name,
        "kind": entry.kind.value,
        "role": entry.role,
        "standing": shelf.standing(entry).value,
        "embedded": isinstance(entry.runs, Embedded),
        "languages": list(entry.languages),
        "rate": entry.rate,
        "streaming": entry.streaming.value,
        "cloning": entry.cloning,
        "tags": list(entry.tags),
        "licence": dataclasses.asdict(entry.licence),
        "vram_gb": vram,
        "vram_measured_gb": record.vram_gb,
        "packages": list(entry.runs.environment.packages) if isinstance(entry.runs, Installed) else [],
        "latency_ms": record.latency_ms,
        "tested_at": record.tested_at,
    }
