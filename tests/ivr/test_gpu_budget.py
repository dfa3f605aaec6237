"""Which engines of a configuration share a card, and the start that is refused when they do not fit."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engines.catalogue import find
from engines.gpu.budget import Part
from engines.gpu.cards import Cards, read_cards
from engines.installing.shelf import Shelf
from ivr import gpu_budget, gpu_command, server, services
from ivr.cli import app
from ivr.config import Config, ConfigError, load
from ivr.gpu_budget import budgets_of, check
from tests.fakes.nvml import GB, FakeCard, FakeNvml

NONE = Cards((), "there is no NVIDIA driver on this machine")
CHAINS = """
engines:
  asr: {hi: {engines: [faster-whisper, deepgram], hedge_ms: 200}, mr: [faster-whisper]}
  tts: {hi: [indic-parler, chatterbox-multilingual], en: [chatterbox-turbo, kokoro]}
"""


def cards(*totals_gb: float) -> Cards:
    return read_cards(FakeNvml(*(FakeCard(total=int(total * GB)) for total in totals_gb)))


def config(folder: Path, text: str) -> Config:
    path = folder / "ivr.yaml"
    path.write_text(f"store: {{path: var}}\n{text}", encoding="utf-8")
    return load(path)


def test_without_a_card_and_a_word_of_one_there_is_no_budget(tmp_path: Path) -> None:
    assert budgets_of(config(tmp_path, CHAINS), NONE) == ()


def test_engines_elsewhere_and_on_the_cpu_take_nothing(tmp_path: Path) -> None:
    loaded = config(
        tmp_path,
        CHAINS
        + """
  setup:
    kokoro: {device: cpu}
    chatterbox-multilingual: {address: "http://gpu-2:7002"}
    chatterbox-turbo: {device: "cuda:1", vram_gb: 1.7}
  gpu: {memory_gb: 10, others: {vllm: 3}}
""",
    )
    first, second = budgets_of(loaded, cards(12, 6))
    assert [(share.name, share.gb) for share in first.shares] == [
        ("faster-whisper", 2.0),
        ("indic-parler", 2.0),
        ("vllm", 3.0),
        ("CUDA", 1.0),
    ]
    assert (first.total_gb, first.name) == (10, "NVIDIA GeForce RTX 3060")
    assert [(share.name, share.gb) for share in second.shares] == [("chatterbox-turbo", 1.7), ("CUDA", 1.0)]
    assert second.total_gb == 6, "no more than there is"
    check(loaded, (first, second))


def test_a_profile_names_the_card_where_none_can_be_asked(tmp_path: Path) -> None:
    loaded = config(tmp_path, "engines: {asr: {hi: [faster-whisper]}, gpu: {profile: C}}")
    (budget,) = budgets_of(loaded, NONE)
    assert (budget.total_gb, budget.needed_gb) == (12.0, 8.5)
    assert {share.name for share in budget.shares if share.part is Part.RESERVED} == {
        "chatterbox-turbo",
        "indic-parler",
    }
    with pytest.raises(ConfigError, match="write memory_gb, or name a profile"):
        budgets_of(config(tmp_path, "engines: {gpu: {}}"), NONE)


def test_a_card_that_is_not_there(tmp_path: Path) -> None:
    loaded = config(tmp_path, 'engines: {tts: {en: [kokoro]}, setup: {kokoro: {device: "cuda:2"}}}')
    with pytest.raises(ConfigError, match="kokoro should run on card 2, and there are 1"):
        budgets_of(loaded, cards(12))


def test_what_was_measured_here_counts_before_the_catalogue(tmp_path: Path) -> None:
    loaded = config(tmp_path, "engines: {tts: {en: [kokoro]}}")
    Shelf(tmp_path / "var" / "engines").note(find("kokoro"), vram_gb=0.9)
    (budget,) = budgets_of(loaded, cards(12))
    assert budget.share("kokoro").gb == 0.9  # type: ignore[union-attr]


def test_a_size_that_nobody_measured(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where the configuration speaks of the card it is an error; else a start that worked goes on working."""
    chain = "engines: {tts: {en: [glm-tts]}%s}"
    spoken = config(tmp_path, chain % ", gpu: {memory_gb: 12}")
    with pytest.raises(
        ConfigError, match=r"`ivr engines test glm-tts` does, or write engines\.setup\.glm-tts\.vram"
    ):
        check(spoken, budgets_of(spoken, cards(12)))
    unspoken = config(tmp_path, chain % "")
    with caplog.at_level(logging.WARNING):
        check(unspoken, budgets_of(unspoken, cards(12)))
    assert "nobody measured what glm-tts takes of card 0" in caplog.text


TOO_MUCH = CHAINS + "  setup: {chatterbox-multilingual: {vram_gb: 3.5}}\n  gpu: {memory_gb: 8}\n"


async def test_no_process_starts_when_it_does_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = config(tmp_path, TOO_MUCH)
    monkeypatch.setattr(gpu_budget, "read_cards", lambda: NONE)
    refusal = "the models do not fit on card 0, which has 8.0 GB"
    for start in (server.running, services.tts_service, services.asr_service):
        with pytest.raises(ConfigError, match=refusal) as refused:
            async with start(loaded):
                pass
        for name in (
            "faster-whisper",
            "indic-parler",
            "chatterbox-multilingual",
            "chatterbox-turbo",
            "kokoro",
        ):
            assert name in str(refused.value)
        assert "together" in str(refused.value)
        assert "Drop " in str(refused.value)


def test_the_commands_tell_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_command, "read_cards", lambda: cards(12))
    path = tmp_path / "ivr.yaml"
    run = CliRunner()
    config(tmp_path, "engines: {asr: {hi: [faster-whisper]}, gpu: {profile: A}}")
    shown = run.invoke(app, ["engines", "budget", "--config", str(path)])
    assert shown.exit_code == 0, shown.output
    assert "card 0 (NVIDIA GeForce RTX 3060), 12.0 GB" in shown.output
    for row in ("faster-whisper 2.0 engine", "cosyvoice3 1.5 reserved", "CUDA 1.0 cuda", "free 4.0"):
        assert row in [" ".join(line.split()) for line in shown.output.splitlines()]
    as_json = run.invoke(app, ["engines", "budget", "--config", str(path), "--json"])
    assert json.loads(as_json.output)["budget"][0]["needed_gb"] == 8.0
    listed = run.invoke(app, ["engines", "list", "--config", str(path)])
    assert listed.exit_code == 0
    assert "card 0 (NVIDIA GeForce RTX 3060): 8.0 of 12.0 GB are spoken for" in listed.output
    config(tmp_path, TOO_MUCH)
    for command in ("budget", "list"):
        refused = run.invoke(app, ["engines", command, "--config", str(path)])
        assert refused.exit_code == 1
        assert "do not fit on card 0" in refused.output
    path.write_text("engines: {gpu: {profile: D}}", encoding="utf-8")
    assert run.invoke(app, ["engines", "budget", "--config", str(path)]).exit_code == 2


def test_without_a_card_the_command_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_command, "read_cards", lambda: NONE)
    config(tmp_path, CHAINS)
    shown = CliRunner().invoke(app, ["engines", "budget", "--config", str(tmp_path / "ivr.yaml")])
    assert shown.exit_code == 0
    assert "there is no NVIDIA driver" in shown.output
    assert "no engine is meant for a card" in shown.output
