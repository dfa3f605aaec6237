"""`ivr engines` as a person uses it: a hub on this machine, and the engines that are embedded."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engines.catalogue import ENGINES, find
from engines.installing.shelf import Shelf
from ivr.cli import app
from tests.fakes.hub import FakeHub, hub

runner = CliRunner()


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "ivr.yaml"
    path.write_text("store: {path: var}\n", encoding="utf-8")
    return str(path)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "var" / "engines")


@pytest.fixture
def fake() -> Iterator[FakeHub]:
    """A hub in a thread: the command has a loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    context = hub(model_bin=bytes(200_000), config_json=b"{}")
    yield asyncio.run_coroutine_threadsafe(context.__aenter__(), loop).result(20)
    asyncio.run_coroutine_threadsafe(context.__aexit__(None, None, None), loop).result(20)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(20)
    loop.close()


def test_the_list_has_every_engine(config: str) -> None:
    shown = runner.invoke(app, ["engines", "list", "--config", config])
    assert shown.exit_code == 0
    for entry in ENGINES:
        assert entry.name in shown.output
    row = next(line for line in shown.output.splitlines() if line.startswith("xtts-v2"))
    assert "not installed" in row
    assert "CPML (non-commercial)" in row
    whole = runner.invoke(app, ["engines", "list", "--config", config, "--json"])
    assert [entry["name"] for entry in json.loads(whole.output)] == [entry.name for entry in ENGINES]


def test_weights_come_and_go(config: str, fake: FakeHub, shelf: Shelf) -> None:
    fake.cuts = [100_000]
    arguments = ["--config", config, "--hub", fake.url, "--weights-only"]
    done = runner.invoke(app, ["engines", "install", "faster-whisper", *arguments])
    assert done.exit_code == 0, done.output
    folder = shelf.weights(find("faster-whisper"))
    assert folder is not None
    assert (folder / "model.bin").read_bytes() == bytes(200_000)
    gone = runner.invoke(app, ["engines", "remove", "faster-whisper", "--config", config])
    assert gone.exit_code == 0
    assert not folder.exists()


def test_what_is_wrong_is_said(config: str, fake: FakeHub) -> None:
    for arguments, says in (
        (["install", "faster-wisper"], "did you mean faster-whisper"),
        (["install", "deepgram"], "DEEPGRAM_API_KEY"),
        (["install", "xtts-v2", "--hub", fake.url, "--weights-only"], "--accept-licence"),
        (["remove", "espeak"], "nothing to remove"),
        (["test", "indic-conformer"], "ivr engines install indic-conformer"),
        (["test", "kokoro"], "ivr engines install kokoro"),
    ):
        result = runner.invoke(app, ["engines", *arguments, "--config", config])
        assert result.exit_code == 1, result.output
        assert says in result.output + result.stderr
    missing = runner.invoke(app, ["engines", "list", "--config", "nowhere.yaml"])
    assert missing.exit_code == 2


@pytest.mark.parametrize(("name", "says"), [("pocketsphinx", "heard 'हाँ'"), ("espeak", "it spoke for 1.")])
def test_the_embedded_engines_are_measured(config: str, shelf: Shelf, name: str, says: str) -> None:
    result = runner.invoke(app, ["engines", "test", name, "--config", config])
    assert result.exit_code == 0, result.output
    assert says in result.output
    record = shelf.record(find(name))
    assert record.latency_ms is not None
    assert f"{record.latency_ms:g} ms" in runner.invoke(app, ["engines", "list", "--config", config]).output
