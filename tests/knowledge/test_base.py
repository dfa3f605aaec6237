"""The knowledge of a running server: kept up to date beside the calls, and asked within them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest

from ivr.config import Config
from ivr.knowledge.base import KnowledgeBase
from ivr.knowledge.builder import Job, Report, run, run_beside
from ivr.knowledge.configured import index_of, knowledge_of
from ivr.knowledge.embedding import EmbeddingServer
from ivr.knowledge.index import CollectionReport, build, erase
from tests.fakes.llm_server import LlmServer, llm_server
from tests.knowledge.shop import open_shop

LONG_S = 25.0


async def in_a_thread(job: Job) -> Report:
    """As in a process, but sooner."""
    return await asyncio.to_thread(run, job)


@contextlib.asynccontextmanager
async def base_of(
    folder: Path, server: EmbeddingServer | None = None, **more: Path
) -> AsyncGenerator[KnowledgeBase]:
    collections = {"shop": folder / "shop", **more}
    base = KnowledgeBase(collections, folder / "k.db", server, look_s=0.02, build=in_a_thread)
    await base.start()
    try:
        async with asyncio.timeout(LONG_S):
            await base.built()
        yield base
    finally:
        await base.close()


async def ask(base: KnowledgeBase, question: str, *collections: str) -> list[str]:
    found = await base.find(collections or ("shop",), question, deadline_s=LONG_S)
    return [passage.source for passage in found]


def spoil(index: Path) -> None:
    erase(index)
    index.write_bytes(b"as you like it" * 1000)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(LONG_S):
        while not true():
            await asyncio.sleep(0.01)


async def test_it_is_built_at_the_start_and_answers(tmp_path: Path) -> None:
    open_shop(tmp_path / "shop")
    async with base_of(tmp_path) as base:
        assert base.report.collections == {"shop": CollectionReport(4, 13, ())}
        assert (await ask(base, "refund in cash"))[0] == "returns.md, Returns, Refunds, Cash"
        assert await ask(base, "refund in cash", "nothing", "shop") != []
        assert await ask(base, "refund in cash", "nothing") == []
        assert await ask(base, "  ") == []


async def test_what_an_earlier_run_has_built_is_there_at_once(tmp_path: Path) -> None:
    open_shop(tmp_path / "shop")
    build(tmp_path / "k.db", {"shop": tmp_path / "shop"})

    async def never(job: Job) -> Report:
        await asyncio.Event().wait()
        raise AssertionError

    base = KnowledgeBase({"shop": tmp_path / "shop"}, tmp_path / "k.db", build=never)
    await base.start()
    assert await ask(base, "refund in cash") != []
    await base.close()


async def test_a_changed_file_is_read_beside_the_calls(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shop = open_shop(tmp_path / "shop")
    async with base_of(tmp_path) as base:
        (shop / "alterations.md").write_text("Alterations are free.")
        (shop / "bad.md").write_bytes(b"\xff\xfe")
        with caplog.at_level(logging.INFO):
            await until(lambda: base.report.collections["shop"].files == 6)
        assert await ask(base, "what do alterations cost") == ["alterations.md"]
        assert "knowledge shop: bad.md: is written in UTF-16" in caplog.text
        (shop / "returns.md").unlink()
        await until(lambda: base.report.collections["shop"].files == 5)
        assert await ask(base, "refund in cash") == []
        assert caplog.text.count("bad.md") == 1, "it is told once"


async def test_a_build_that_fails_leaves_what_is_known(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    open_shop(tmp_path / "shop")
    build(tmp_path / "k.db", {"shop": tmp_path / "shop"})

    async def fails(job: Job) -> Report:
        return Report(failure="the disk is full")

    base = KnowledgeBase({"shop": tmp_path / "shop"}, tmp_path / "k.db", build=fails)
    await base.start()
    assert (await base.built()).failure == "the disk is full"
    assert "the disk is full; what is known stays" in caplog.text
    assert await ask(base, "refund in cash") != []
    await base.close()


async def test_a_broken_index_costs_no_call_and_is_mended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shop = open_shop(tmp_path / "shop")
    async with base_of(tmp_path) as base:
        spoil(tmp_path / "k.db")
        assert await ask(base, "refund in cash") == []
        assert "knowledge: file is not a database" in caplog.text
        assert "refund" not in caplog.text, "what callers say stands in no log"
        (shop / "new.md").write_text("New.")
        await until(lambda: base.report.collections["shop"].files == 5)
        assert await ask(base, "refund in cash") != []


async def test_an_index_that_was_erased_is_made_anew(tmp_path: Path) -> None:
    open_shop(tmp_path / "shop")
    async with base_of(tmp_path) as base:
        erase(tmp_path / "k.db")
        async with asyncio.timeout(LONG_S):
            while not await ask(base, "refund in cash"):
                await asyncio.sleep(0.01)


async def test_a_search_that_takes_too_long_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    open_shop(tmp_path / "shop")
    async with base_of(tmp_path) as base:
        begun = asyncio.Event()
        loop = asyncio.get_running_loop()
        endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"

        def slow(db: sqlite3.Connection, *rest: object) -> list[int]:
            loop.call_soon_threadsafe(begun.set)
            db.execute(endless).fetchone()
            return []

        with monkeypatch.context() as patched:
            patched.setattr("ivr.knowledge.searching._by_terms", slow)
            assert await base.find(("shop",), "refund", deadline_s=0.1) == ()
            async with asyncio.timeout(LONG_S):
                await begun.wait()
        assert "nothing was found within 0.1 s" in caplog.text
        assert await ask(base, "refund in cash") != [], "the thread is free again"


@pytest.fixture
async def llm() -> AsyncGenerator[LlmServer]:
    async with llm_server() as llm:
        yield llm


async def test_meaning_counts_as_well_where_there_is_a_model_of_it(tmp_path: Path, llm: LlmServer) -> None:
    shop = open_shop(tmp_path / "shop")
    (shop / "zebra.md").write_text("zebra zebra zebra")
    server = EmbeddingServer(llm.url, "letters", deadline_s=LONG_S)
    async with base_of(tmp_path, server) as base:
        assert (await ask(base, "ab zerbbra"))[0] == "zebra.md", "no word of it, but its letters"
        assert llm.embedded[-1] == ["ab zerbbra"]
        assert (await ask(base, "refund in cash"))[0] == "returns.md, Returns, Refunds, Cash"


async def test_without_a_vector_in_time_the_words_alone_count(
    tmp_path: Path, llm: LlmServer, caplog: pytest.LogCaptureFixture
) -> None:
    open_shop(tmp_path / "shop")
    server = EmbeddingServer(llm.url, "letters", deadline_s=0.05)
    async with base_of(tmp_path, server) as base:
        assert base.report.without_vectors == 0
        llm.embedding_delay_s = 60.0
        assert (await ask(base, "refund in cash"))[0] == "returns.md, Returns, Refunds, Cash"
        assert "letters: " in caplog.text


async def test_a_server_of_vectors_that_is_away_takes_nothing_from_the_words(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    open_shop(tmp_path / "shop")
    server = EmbeddingServer("http://127.0.0.1:1/v1", "letters")
    async with base_of(tmp_path, server) as base:
        assert base.report.without_vectors == 13
        assert "13 passages have no vectors yet: letters: " in caplog.text
        assert await ask(base, "refund in cash") != []


async def test_it_is_built_in_a_process_of_its_own(tmp_path: Path, llm: LlmServer) -> None:
    shop = open_shop(tmp_path / "shop")
    (shop / "bad.csv").write_text("a,b\n1,2\n1,2,3\n")
    server = EmbeddingServer(llm.url, "letters", "sk-secret")
    report = await run_beside(Job(tmp_path / "k.db", {"shop": shop}, server))
    assert report.collections == {
        "shop": CollectionReport(5, 14, (("bad.csv", "line 3: 3 cells under 2 columns"),))
    }
    assert (report.changed, report.without_vectors, report.failure) == (5, 0, "")
    assert sum(map(len, llm.embedded)) == 14


async def test_a_process_that_fails_or_hangs_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    report = await run_beside(Job(tmp_path / "file" / "k.db", {}))
    assert "file" in report.failure
    assert (await run_beside(Job(tmp_path / "k.db", {}), within_s=0.0)).failure.endswith("within 0 s")


async def test_the_configuration_names_it(tmp_path: Path) -> None:
    config = Config.model_validate(
        {
            "store": {"path": tmp_path},
            "knowledge": {"shop": open_shop(tmp_path / "shop")},
            "llm": {"embeddings": {"url": "http://gpu-1/v1", "model": "bge-m3"}},
        }
    )
    base = knowledge_of(config)
    assert base is not None
    await base.close()
    build(index_of(config), config.knowledge)
    assert knowledge_of(Config.model_validate({"store": {"path": tmp_path}})) is None
    assert not index_of(config).exists(), "nothing is left of what is not configured any more"
