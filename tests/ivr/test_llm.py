"""The models of the configuration, and `ivr llm test`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from engines.contract import EngineUnavailable
from engines.llm.contract import ChatRequest, FromCaller, Usage
from ivr.cli import app
from ivr.config import Config
from ivr.knowledge.embedding import EmbeddingServer
from ivr.llm import chain_of
from ivr.llm_command import try_all, try_embeddings
from ivr.llm_config import Llm
from ivr.metrics import Metrics
from tests.fakes.llm_server import Answer, Call, LlmServer, Script, llm_server


def config_of(*servers: LlmServer, **more: Any) -> Llm:
    providers = [
        {"name": f"m{n}", "url": server.url, "model": "small", "price_in": 1, "price_out": 2}
        for n, server in enumerate(servers)
    ]
    return Llm.model_validate({"providers": providers, **more})


async def tried(config: Llm) -> tuple[bool, str]:
    lines: list[str] = []
    well = await try_all(config, lines.append, deadline_s=25.0)
    return well, "\n".join(lines)


def with_tools(call: Call | None, **more: Any) -> Script:
    """Answers words, and to an offer of tools with a call."""

    def answer(body: dict[str, Any]) -> Answer:
        return Answer(calls=(call,)) if call and "tools" in body else Answer("हाँ जी, दस दिन में।", **more)

    return answer


async def test_a_model_that_works_is_told_in_words() -> None:
    call = Call("order_state", '{"order": "48213"}')
    async with llm_server(otherwise=with_tools(call, token_s=0.001)) as server:
        well, said = await tried(config_of(server))
    assert well
    assert "m0: small at http://127.0.0.1:" in said
    assert "answers: first word after" in said
    assert "tokens a second" in said
    assert "it said: हाँ जी, दस दिन में।" in said
    assert "tools: it used one as it should" in said
    assert "by its prices 0.000" in said
    assert "estimated" not in said


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (None, "did not use it: choose a model that can"),
        (Call("order_state", "{"), "it used one, but its arguments are no JSON"),
        (Call("order_state", '{"order": "1"}'), "other values than it was told: order_state {'order': '1'}"),
        (Call("order", '{"order": "48213"}'), "other values than it was told: order {"),
    ],
)
async def test_tools_that_do_not_work_are_told(call: Call | None, words: str) -> None:
    async with llm_server(otherwise=with_tools(call)) as server:
        well, said = await tried(config_of(server))
    assert not well
    assert words in said


async def test_one_that_fails_does_not_hide_the_others() -> None:
    call = Call("order_state", '{"order": 48213}')
    async with (
        llm_server(otherwise=lambda body: Answer(status=401, message="no such key")) as closed,
        llm_server(otherwise=with_tools(call, usage=False, first_s=0.02)) as open_,
    ):
        well, said = await tried(config_of(closed, open_, slow_s=0.01, second_s=20, deadline_s=25))
    assert not well
    assert "does not work: m0 does not take its key (status 401): no such key" in said
    assert "callers hear a filler" in said
    assert "estimated" in said


async def test_a_model_of_meaning_is_tried_too() -> None:
    lines: list[str] = []
    async with llm_server() as server:
        quick = EmbeddingServer(server.url, "letters", deadline_s=5.0)
        assert await try_embeddings(quick, lines.append)
        assert "a question has 64 dimensions after" in lines[1]
        server.embedding_delay_s = 0.05
        late = EmbeddingServer(server.url, "letters", deadline_s=0.01)
        assert not await try_embeddings(late, lines.append)
        assert "too late: after 0.01 s" in lines[-1]
    assert not await try_embeddings(quick, lines.append)
    assert "does not work: letters: " in lines[-1]


def test_without_a_model_nothing_is_tried(tmp_path: Path) -> None:
    path = tmp_path / "ivr.yaml"
    path.write_text("store: {path: var}\n", encoding="utf-8")
    shown = CliRunner().invoke(app, ["llm", "test", "--config", str(path)])
    assert (shown.exit_code, chain_of(Llm())) == (2, None)
    assert "names no model: set llm.providers" in shown.output


def test_the_command_tries_what_the_file_names(tmp_path: Path) -> None:
    path = tmp_path / "ivr.yaml"
    path.write_text("llm: {providers: [{name: gone, url: 'http://127.0.0.1:1/v1', model: m}]}")
    shown = CliRunner().invoke(app, ["llm", "test", "--config", str(path)])
    assert shown.exit_code == 1
    assert "does not work: gone: the connection failed" in shown.output


async def test_the_models_of_the_configuration_are_one_and_are_counted() -> None:
    metrics = Metrics(engines=["m0", "m1"])
    request = ChatRequest((FromCaller("Is it there?"),))
    spent: list[Usage] = []
    async with llm_server(Answer(status=500)) as bad, llm_server(Answer("It is.")) as good:
        config = Config(llm=config_of(bad, good)).llm
        chain = chain_of(config, metrics.model_answered, metrics.model_took)
        assert chain is not None
        await chain.start()
        async for _ in chain.chat(request, deadline_s=25.0, spent=spent.append):
            pass
        bad.script.append(Answer(status=500))
        good.script.append(Answer(status=503))
        with pytest.raises(EngineUnavailable):
            await anext(chain.chat(request, deadline_s=25.0))
        await chain.close()
    figures = metrics.render().decode()
    assert 'ivr_engine_seconds_count{engine="m1",kind="llm"} 1.0' in figures
    assert 'ivr_engine_failures_total{engine="m0",kind="llm"} 2.0' in figures
    assert 'ivr_llm_tokens_total{direction="out",engine="m1"} 2.0' in figures
    assert f'ivr_llm_cost_total{{engine="m1"}} {spent[0].cost}' in figures
