"""Measuring on random weights: what it needs, what it writes, what it tells of the card."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from engines.gpu.cards import Cards, read_cards
from ivr.bench import random_weights
from ivr.bench.random_weights import RECIPES, prepared
from ivr.bench.service import Options
from ivr.bench.vram import peak_vram
from ivr.cli import app
from ivr.config import load
from ivr.local import ServerFailed
from tests.fakes.nvml import GB, FakeCard, FakeNvml

NONE = Cards((), "there is no NVIDIA driver on this machine")
ONE = read_cards(FakeNvml(FakeCard()))


def options(**more: object) -> Options:
    return Options(levels=(1,), seconds=1.0, random_weights=True, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("command", ["asr", "tts"])
def test_without_a_card_it_is_refused_with_the_reason(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random_weights, "read_cards", lambda: NONE)
    done = CliRunner().invoke(app, ["bench", command, "--random-weights", "--languages", "hi"])
    assert done.exit_code != 0
    says = f"{done.output}{done.exception}"
    assert "--random-weights needs a GPU: there is no NVIDIA driver on this machine" in says


def test_what_else_it_cannot_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(random_weights, "read_cards", lambda: ONE)
    monkeypatch.setattr(random_weights, "find_spec", lambda package: None)
    broken = tmp_path / "broken.yaml"
    broken.write_text("engines: 7", encoding="utf-8")
    store = tmp_path / "ivr.yaml"
    store.write_text("store: {path: var}", encoding="utf-8")
    for service, given, says in (
        ("asr", options(url="http://gpu-1:7001"), "leave --url out"),
        ("tts", options(model="kokoro"), "no random weights for kokoro: they can be made for indic-parler"),
        ("tts", options(languages=("hi", "fr")), "indic-parler does not speak fr"),
        ("asr", options(config=broken), "engines"),
        ("tts", options(config=store), "run `ivr engines install indic-parler`"),
    ):
        with pytest.raises(ServerFailed, match=says), prepared(service, given):
            pass


def test_without_the_option_nothing_is_made() -> None:
    plain = Options(levels=(1,), seconds=1.0)
    with prepared("asr", plain) as chosen:
        assert chosen is plain


def test_a_service_of_its_own_is_set_up_on_the_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights are written in the engine's interpreter, by a module that needs nothing else of ours."""
    monkeypatch.setattr(random_weights, "read_cards", lambda: ONE)
    written: list[tuple[str, Path]] = []

    def write(recipe: random_weights.Recipe, interpreter: Path, weights: Path) -> None:
        written.append((recipe.module, interpreter))
        weights.mkdir()

    monkeypatch.setattr(random_weights, "_write", write)
    with prepared("asr", options(languages=("hi", "mr"))) as chosen:
        assert chosen.model == "faster-whisper"
        assert chosen.config is not None
        loaded = load(chosen.config)
        assert loaded.engines.hearing_routes.engines == ("faster-whisper",)
        setup = loaded.engines.setup["faster-whisper"]
        assert (setup.device, setup.python) == ("cuda", Path(sys.executable))
        assert setup.weights is not None
        assert setup.weights.is_dir()
        assert setup.options == {"no_speech": None, "log_prob": None, "compression": None}
        assert yaml.safe_load(chosen.config.read_text())["engines"]["asr"]["mr"] == ["faster-whisper"]
    assert written == [("ivr.bench.random_whisper", Path(sys.executable))]
    assert not chosen.config.exists(), "nothing of it stays"


def test_weights_that_cannot_be_written_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(random_weights, "read_cards", lambda: ONE)
    monkeypatch.setitem(
        RECIPES, "asr", random_weights.Recipe("faster-whisper", "ivr.bench.none", "numpy", {})
    )
    with pytest.raises(ServerFailed, match=r"(?s)not written.*ivr\.bench\.none"), prepared("asr", options()):
        pass


async def test_the_peak_of_a_service_on_the_card() -> None:
    used = iter([1 * GB, 3 * GB, 2 * GB])
    latest = 0

    def read() -> Cards:
        nonlocal latest
        latest = next(used, latest)
        return read_cards(FakeNvml(FakeCard(processes={os.getpid(): latest, 1: 9 * GB})))

    async with peak_vram(os.getpid(), read) as peak:
        pass
    assert peak.mb is not None
    assert peak.mb >= 2048, "ours alone, at the end at the latest"
    assert peak.mb < 9 * 1024
    for pid, cards in ((os.getpid(), NONE), (None, ONE), (2**22 + 1, ONE)):
        async with peak_vram(pid, lambda cards=cards: cards) as nothing:  # type: ignore[misc]
            pass
        assert nothing.mb is None
