"""The models of a process that can be switched, and how a new one is made as the configuration says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from engines.asr.remote import WorkerRecognizer
from engines.asr.roster import AsrEngine
from engines.catalogue import CatalogueEntry, Installed, Kind, UnknownEngine, find
from engines.contract import EngineError, RecognitionRequest, SpeechRequest
from engines.gpu.budget import CardBudget
from engines.gpu.status import GpuMonitor
from engines.switching.places import RecogniserPlace, VoicePlace
from engines.switching.switcher import Candidate, Order, Place, Switcher, SwitchRefused
from engines.tts.neural import NeuralSynthesizer
from engines.tts.roster import TtsEngine
from ivr.config import Config, ConfigError
from ivr.engine_places import place_of
from ivr.gpu_budget import card_of, size_gb
from ivr.speech_config import EngineSetup

_WARM_UP_S: Final = 60.0
_RATE: Final = 16000
_SENTENCES: Final = {"hi": "नमस्ते।", "mr": "नमस्कार.", "en": "Hello."}


Makers = Mapping[Kind, Callable[[Config, str], Any]]
"""How engines of a kind are made; they raise `ConfigError`."""


def placed_voices(engines: Iterable[TtsEngine]) -> list[TtsEngine]:
    """The same, those with a model of their own here each in a place."""
    return [VoicePlace(each) if isinstance(each, NeuralSynthesizer) else each for each in engines]


def placed_recognisers(engines: Iterable[AsrEngine]) -> list[AsrEngine]:
    return [RecogniserPlace(each) if isinstance(each, WorkerRecognizer) else each for each in engines]


def switcher_of(
    config: Config, engines: Sequence[object], budgets: tuple[CardBudget, ...], makers: Makers
) -> Switcher:
    """Over those of the engines that have a place."""
    places: dict[str, Place] = {
        each.name: each for each in engines if isinstance(each, VoicePlace | RecogniserPlace)
    }
    elsewhere = {name: setup.address for name, setup in config.engines.setup.items() if setup.address}
    return Switcher(
        places,
        lambda place, order: candidate(config, place, order, makers),
        warm_up,
        budgets,
        elsewhere=elsewhere,
    )


def monitor_of(switcher: Switcher) -> GpuMonitor:
    return GpuMonitor(
        lambda: {place.name: place.health.pid for place in switcher.places.values()},
        lambda: switcher.budgets,
    )


def candidate(config: Config, place: Place, order: Order, makers: Makers) -> Candidate:
    """The model that is asked for, which does not run yet; raises `SwitchRefused`."""
    kind = Kind.TTS if isinstance(place, VoicePlace) else Kind.ASR
    entry = _entry(order.to, kind)
    setup = config.engines.setup.get(order.to) or EngineSetup()
    if setup.address:
        raise SwitchRefused(f"{order.to} runs at {setup.address}: switch it there", "cannot_be_used")
    if order.weights is not None:
        setup = setup.model_copy(update={"weights": _beside(config, order.to, order.weights)})
        changed = config.engines.model_copy(update={"setup": {**config.engines.setup, order.to: setup}})
        config = config.model_copy(update={"engines": changed})
    try:
        engine = makers[kind](config, order.to)
    except ConfigError as error:
        raise SwitchRefused(str(error), "cannot_be_used") from error
    return Candidate(engine, card_of(config, entry), order.vram_gb or size_gb(config, entry))


async def warm_up(engine: Any) -> None:
    """A short text or some silence, to the end: what is slow the first time is slow before anybody waits."""
    entry = find(engine.name)
    if entry.kind is Kind.ASR:
        language = _language(entry)
        stream = engine.open(RecognitionRequest(language, _RATE, ("yes", "no")))
        try:
            stream.write(bytes(_RATE))
            await stream.finish(deadline_s=_WARM_UP_S)
        finally:
            stream.cancel()
        return
    language = _language(entry)
    if entry.cloning and not engine.voices(language):
        return  # it has no voice of its own to say anything in
    request = SpeechRequest(_SENTENCES.get(language, _SENTENCES["en"]), language)
    size = sum([len(chunk) async for chunk in engine.synthesize(request, deadline_s=_WARM_UP_S)])
    if not size:
        raise EngineError("it gave no sound")


def _language(entry: CatalogueEntry) -> str:
    return next((code for code in _SENTENCES if code in entry.languages), entry.languages[0])


def _entry(name: str, kind: Kind) -> CatalogueEntry:
    try:
        entry = find(name)
    except UnknownEngine as error:
        raise SwitchRefused(str(error), "cannot_be_used") from error
    if entry.kind is not kind:
        raise SwitchRefused(f"{name} {entry.kind.does}: it cannot have this place", "cannot_be_used")
    if not isinstance(entry.runs, Installed):
        raise SwitchRefused(f"{name} has no model that could be loaded", "cannot_be_used")
    return entry


def _beside(config: Config, name: str, folder: str) -> Path:
    """The folder beside that of the engine's weights: no path of a client's leads anywhere else."""
    weights = place_of(config, name).weights
    if weights is None:
        raise SwitchRefused(f"{name} has no weights here, so there are none beside them", "unknown_weights")
    found = weights.parent / folder
    if not found.is_dir():
        there = sorted(each.name for each in weights.parent.iterdir() if each.is_dir())
        raise SwitchRefused(
            f"there is no folder {folder!r} beside the weights of {name}; there are {', '.join(there[:20])}",
            "unknown_weights",
        )
    return found
