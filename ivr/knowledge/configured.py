"""The knowledge that the configuration names."""

from __future__ import annotations

from pathlib import Path

from engines.catalogue import UnknownEngine
from engines.embedding.encoder import LIMITS, EncoderSettings, command_of
from engines.running_here import CannotUse, limits_with
from ivr.config import Config, ConfigError
from ivr.engine_places import place_of
from ivr.knowledge.base import KnowledgeBase
from ivr.knowledge.builder import Job
from ivr.knowledge.embedding import EmbeddingServer
from ivr.knowledge.index import erase
from ivr.knowledge.meaning import EmbeddingEngine, Source
from ivr.llm_config import EmbeddingsHere
from ivr.speech_config import EngineSetup


def index_of(config: Config) -> Path:
    return config.store.path.resolve() / "knowledge.db"


def source_of(config: Config) -> Source | None:
    """Raises `ConfigError`."""
    embeddings = config.llm.embeddings
    if embeddings is None:
        return None
    if isinstance(embeddings, EmbeddingsHere):
        return engine_of(config, embeddings.engine, embeddings.deadline_s)
    return EmbeddingServer(embeddings.url, embeddings.model, embeddings.key, embeddings.deadline_s)


def engine_of(config: Config, name: str, deadline_s: float = 0.15) -> EmbeddingEngine:
    """The model of a name as this configuration sets it up. Raises `ConfigError`."""
    setup = config.engines.setup.get(name) or EngineSetup()
    if setup.address:
        raise ConfigError(f"engines.setup.{name}: a model at a server is named by llm.embeddings.url")
    try:
        place = place_of(config, name)
        settings = EncoderSettings(place.python, place.weights, setup.device or "cpu", setup.options)
        command = command_of(name, settings)
    except (CannotUse, UnknownEngine) as error:
        raise ConfigError(f"engines.setup.{name}: {error}") from error
    # Other weights under the same name have other vectors.
    folder = Path(str(command.settings["model"])).name
    model = name if folder == name else f"{name} ({folder})"
    return EmbeddingEngine(model, command, limits_with(LIMITS, setup.memory_gb), deadline_s)


def job_of(config: Config) -> Job:
    """Raises `ConfigError`."""
    return Job(index_of(config), config.knowledge, source_of(config))


def knowledge_of(config: Config) -> KnowledgeBase | None:
    """To be started and closed; None, and nothing left of an earlier one, where no collection is named.
    Raises `ConfigError`."""
    if not config.knowledge:
        erase(index_of(config))
        return None
    return KnowledgeBase(config.knowledge, index_of(config), source_of(config))
