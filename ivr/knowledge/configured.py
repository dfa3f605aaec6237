"""The knowledge that the configuration names."""

from __future__ import annotations

from pathlib import Path

from ivr.config import Config
from ivr.knowledge.base import KnowledgeBase
from ivr.knowledge.builder import Job
from ivr.knowledge.embedding import EmbeddingServer
from ivr.knowledge.index import erase


def index_of(config: Config) -> Path:
    return config.store.path.resolve() / "knowledge.db"


def server_of(config: Config) -> EmbeddingServer | None:
    embeddings = config.llm.embeddings
    if embeddings is None:
        return None
    return EmbeddingServer(embeddings.url, embeddings.model, embeddings.key, embeddings.deadline_s)


def job_of(config: Config) -> Job:
    return Job(index_of(config), config.knowledge, server_of(config))


def knowledge_of(config: Config) -> KnowledgeBase | None:
    """To be started and closed; None, and nothing left of an earlier one, where no collection is named."""
    if not config.knowledge:
        erase(index_of(config))
        return None
    return KnowledgeBase(config.knowledge, index_of(config), server_of(config))
