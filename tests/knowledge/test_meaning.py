"""Knowledge with a model of meaning that runs here, on the recorded contract of its package."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engines.launch import WorkerCommand
from engines.supervisor import Limits
from ivr.cli import app
from ivr.config import Config, ConfigError
from ivr.knowledge.base import KnowledgeBase
from ivr.knowledge.builder import Job, Report, run
from ivr.knowledge.configured import knowledge_of, source_of
from ivr.knowledge.embedding import EmbeddingError, EmbeddingServer
from ivr.knowledge.meaning import EmbeddingEngine, meaning_of, packed, unpacked
from tests.fakes.encoders import NAME, PACKAGES, command_in, encoded, weights_in
from tests.knowledge.shop import open_shop

LONG_S = 25.0
LIMITS = Limits(start_s=60, ping_wait_s=20, stuck_s=60)


async def ask(base: KnowledgeBase, question: str) -> list[str]:
    found = await base.find(("shop",), question, deadline_s=LONG_S)
    return [passage.source for passage in found]


async def built_already(job: Job) -> Report:
    return Report()


async def test_what_callers_mean_is_found_and_what_hangs_leaves_the_words(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shop = open_shop(tmp_path / "shop")
    (shop / "zebra.md").write_text("zebra zebra zebra")
    engine = EmbeddingEngine(NAME, command_in(tmp_path), LIMITS, deadline_s=LONG_S)
    report = await asyncio.to_thread(run, Job(tmp_path / "k.db", {"shop": shop}, engine))
    assert (report.without_vectors, report.vectors_fault) == (0, "")
    read = encoded(tmp_path)
    assert "passage: \nzebra zebra zebra" in [text for step in read for text in step]
    base = KnowledgeBase({"shop": shop}, tmp_path / "k.db", engine, build=built_already)
    await base.start()
    async with asyncio.timeout(LONG_S):
        while (await ask(base, "ab zerbbra"))[:1] != ["zebra.md"]:  # the model still starts
            await asyncio.sleep(0.01)
    assert encoded(tmp_path)[-1] == ["query: ab zerbbra"]
    late = await base.find(("shop",), "refund in cash HANG", deadline_s=0.5)
    assert late[0].source == "returns.md, Returns, Refunds, Cash"
    assert encoded(tmp_path)[-1] == ["query: refund in cash HANG"], "the model was asked"
    assert "refund" not in caplog.text, "what callers say stands in no log"
    await base.close()


async def test_a_model_that_does_not_start_takes_nothing_from_the_words(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shop = open_shop(tmp_path / "shop")
    engine = EmbeddingEngine(NAME, WorkerCommand("engines.none:Here"), LIMITS)
    report = await asyncio.to_thread(run, Job(tmp_path / "k.db", {"shop": shop}, engine))
    assert report.without_vectors == 13
    assert "did not start" in report.vectors_fault
    base = KnowledgeBase({"shop": shop}, tmp_path / "k.db", engine, build=built_already)
    with caplog.at_level(logging.ERROR):
        await base.start()
        async with asyncio.timeout(LONG_S):
            while "words alone count, for now" not in caplog.text:
                assert await ask(base, "refund in cash") != []
                await asyncio.sleep(0.01)
    await base.close()


async def test_a_text_that_breaks_the_model_is_told(tmp_path: Path) -> None:
    engine = EmbeddingEngine(NAME, command_in(tmp_path), LIMITS)
    meaning = meaning_of(engine)
    await meaning.start()
    with pytest.raises(EmbeddingError, match=f"{NAME}: .* must match the size"):
        await meaning.question("BREAK", LONG_S)
    await meaning.close()
    with pytest.raises(EmbeddingError, match=f"{NAME}: .* is down"):
        await meaning.question("closed", LONG_S)


def test_a_model_goes_to_another_process_as_it_is(tmp_path: Path) -> None:
    for source in (
        EmbeddingEngine(NAME, command_in(tmp_path), LIMITS, 0.2),
        EmbeddingServer("http://gpu-1/v1", "bge-m3", "sk-secret", 0.3),
    ):
        assert unpacked(json.loads(json.dumps(packed(source)))) == source


# --- by the configuration


def config_of(folder: Path, **setup: object) -> Config:
    return Config.model_validate(
        {
            "store": {"path": folder},
            "knowledge": {"shop": folder / "shop"},
            "llm": {"embeddings": {"engine": NAME}},
            "engines": {"setup": {NAME: setup}},
        }
    )


def test_the_configuration_names_it(tmp_path: Path) -> None:
    weights = weights_in(tmp_path)
    source = source_of(config_of(tmp_path, python=sys.executable, weights=weights, memory_gb=2))
    assert isinstance(source, EmbeddingEngine)
    assert (source.model, source.deadline_s, source.limits.memory_bytes) == (NAME, 0.15, 2 * 2**30)
    assert source.command.settings["device"] == "cpu", "a card is for what speaks and hears, unless told"
    other = weights.rename(tmp_path / "e5-hindi")
    source = source_of(config_of(tmp_path, python=sys.executable, weights=other))
    assert source is not None
    assert source.model == f"{NAME} (e5-hindi)", "other weights, other vectors"


def test_one_that_is_not_installed_says_how_it_would_be(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"has no weights: run `ivr engines install {NAME}`"):
        knowledge_of(config_of(tmp_path))
    with pytest.raises(ConfigError, match=r"at a server is named by llm\.embeddings\.url"):
        source_of(config_of(tmp_path, address="http://gpu-1"))


def test_a_person_tries_it_and_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(PACKAGES))
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "zebra.md").write_text("zebra zebra zebra")
    (tmp_path / "shop" / "lion.md").write_text("lion")
    weights_in(tmp_path)
    path = tmp_path / "ivr.yaml"
    path.write_text(
        "knowledge: {shop: shop}\nstore: {path: var}\n"
        f"llm: {{embeddings: {{engine: {NAME}, deadline_s: 5}}}}\n"
        f"engines: {{setup: {{{NAME}: {{python: {sys.executable}, weights: {NAME}}}}}}}\n",
        encoding="utf-8",
    )

    def ivr(*arguments: str) -> str:
        shown = CliRunner().invoke(app, [*arguments, "--config", str(path)])
        assert shown.exit_code == 0, shown.output
        return shown.output

    assert f"{NAME} works: a text has 384 dimensions, " in ivr("engines", "test", NAME)
    assert "zebra.md (0." in ivr("knowledge", "ask", "shop", "ab zerbbra", "--most", "1")
    assert "a question has 384 dimensions after" in ivr("llm", "test")
