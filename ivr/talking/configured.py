"""The agents that the configuration makes possible."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from ivr.agents import Agents, NoAgents
from ivr.config import Config
from ivr.knowledge.configured import knowledge_of
from ivr.llm import chain_of
from ivr.metrics import Metrics
from ivr.talking.asking import Style
from ivr.talking.service import ModelAgents


@asynccontextmanager
async def running_agents(config: Config, metrics: Metrics) -> AsyncIterator[Agents]:
    """With connections to the models and what they may look up, until the block is left; none where no model
    is configured. Raises `ConfigError`."""
    llm = config.llm
    model = chain_of(llm, metrics.model_answered, metrics.model_took)
    knowledge = knowledge_of(config)
    if model is None:
        yield NoAgents()
        return
    async with AsyncExitStack() as on_exit:
        on_exit.push_async_callback(model.close)
        model.warm()  # calls are taken meanwhile
        if knowledge is not None:
            on_exit.push_async_callback(knowledge.close)
            await knowledge.start()
        style = Style(llm.temperature, llm.most_tokens)
        yield ModelAgents(model, metrics, style, llm.deadline_s, knowledge)
