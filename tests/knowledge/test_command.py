"""`ivr knowledge` as a person uses it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from ivr.cli import app
from tests.knowledge.shop import open_shop


@pytest.fixture
def config(tmp_path: Path) -> Path:
    open_shop(tmp_path / "shop")
    path = tmp_path / "ivr.yaml"
    path.write_text("knowledge: {shop: shop}\nstore: {path: var}\n", encoding="utf-8")
    return path


def knowledge(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["knowledge", *arguments, "--config", str(config)])


def test_it_says_what_was_read_and_what_was_not(config: Path) -> None:
    shown = knowledge(config, "build")
    assert (shown.exit_code, shown.output) == (0, "shop: 4 files, 13 passages\n")
    (config.parent / "shop" / "manual.pdf").write_bytes(b"%PDF")
    shown = knowledge(config, "build")
    assert shown.exit_code == 1
    assert "  manual.pdf: is neither Markdown (.md, .txt) nor a table (.csv, .tsv)\n" in shown.output


def test_it_shows_what_an_agent_would_be_given(config: Path) -> None:
    shown = knowledge(config, "ask", "shop", "रिफंड कैश में", "--most", "1")
    assert shown.exit_code == 0
    assert "returns.md, Returns, Refunds, Cash (0." in shown.output
    assert "  A refund in cash is paid at the counter.\n" in shown.output
    assert "1 passage in " in shown.output
    assert knowledge(config, "ask", "shop", "weather").exit_code == 1
    unknown = knowledge(config, "ask", "shoop", "weather")
    assert (unknown.exit_code, "there is no collection shoop: shop" in unknown.output) == (2, True)


def test_it_is_erased(config: Path) -> None:
    knowledge(config, "build")
    index = config.parent / "var" / "knowledge.db"
    assert index.exists()
    assert knowledge(config, "erase").output == "the index is gone; the files are as they were\n"
    assert not index.exists()
    assert knowledge(config, "erase").output == "there is no index\n"


def test_without_knowledge_there_is_nothing_to_do(tmp_path: Path) -> None:
    path = tmp_path / "ivr.yaml"
    path.write_text("store: {path: var}\n")
    shown = knowledge(path, "build")
    assert (shown.exit_code, "names no knowledge" in shown.output) == (2, True)
    assert knowledge(tmp_path / "gone.yaml", "build").exit_code == 2
