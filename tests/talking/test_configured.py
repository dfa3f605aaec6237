"""The agents that a configuration makes: models over HTTP, and the knowledge of its folders."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from ivr.agents import NoAgents
from ivr.config import Config
from ivr.flow.agent_protocol import AgentSays
from ivr.flow.protocol import Heard
from ivr.knowledge.index import build
from ivr.metrics import Metrics
from ivr.talking.configured import running_agents
from tests.fakes.llm_server import Answer, llm_server
from tests.knowledge.shop import open_shop
from tests.talking.driver import begin


async def test_what_the_caller_asks_is_looked_up_and_told_by_the_model(tmp_path: Path) -> None:
    shop = open_shop(tmp_path / "shop")
    build(tmp_path / "var" / "knowledge.db", {"shop": shop})
    async with llm_server(Answer("It is paid at the counter.")) as server:
        config = Config.model_validate(
            {
                "store": {"path": tmp_path / "var"},
                "knowledge": {"shop": shop},
                "llm": {"providers": [{"name": "m", "url": server.url, "model": "small"}]},
            }
        )
        said: asyncio.Queue[Any] = asyncio.Queue()
        metrics = Metrics(engines=["m"])
        async with running_agents(config, metrics) as agents, asyncio.timeout(25):
            conversation = agents.open(begin(knowledge=("shop",)), said.put_nowait)
            conversation.tell(Heard("how is a refund in cash paid", 0.9))
            says = await said.get()
            conversation.stop()
        assert isinstance(says, AgentSays)
        assert says.text == "It is paid at the counter."
        (asked,) = server.asked
        assert any(
            "returns.md, Returns, Refunds, Cash: A refund in cash is paid at the counter." in message
            for message in asked.said
        )
    assert 'ivr_llm_tokens_total{direction="out",engine="m"}' in metrics.render().decode()


async def test_without_a_model_there_is_no_agent(tmp_path: Path) -> None:
    config = Config.model_validate({"store": {"path": tmp_path}, "knowledge": {"shop": tmp_path / "shop"}})
    async with running_agents(config, Metrics()) as agents:
        assert isinstance(agents, NoAgents)
