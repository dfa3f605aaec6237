"""The agents that the configuration makes possible."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ivr.agents import Agents, NoAgents
from ivr.config import Config
from ivr.llm import chain_of
from ivr.metrics import Metrics
from ivr.talking.dialogue import Style
from ivr.talking.service import ModelAgents


@asynccontextmanager
async def running_agents(config: Config, metrics: Metrics) -> AsyncIterator[Agents]:
    """With connections to the models, until the block is left; none where no model is configured. Raises
    `ConfigError`."""
    llm = config.llm
    model = chain_of(llm, metrics.model_answered, metrics.model_took)
    if model is None:
        yield NoAgents()
        return
    await model.start()
    try:
        yield ModelAgents(model, metrics, Style(llm.temperature, llm.most_tokens), llm.deadline_s)
    finally:
        await model.close()
