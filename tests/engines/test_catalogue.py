"""The catalogue is data; what the data promise is checked here."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

from engines.catalogue import ENGINES, Cloud, Hub, Installed, Kind, UnknownEngine, find
from engines.launch import WorkerCommand
from engines.worker.settings import VARIABLE, packed, settings

INSTALLED = [entry for entry in ENGINES if isinstance(entry.runs, Installed)]


def test_every_engine_has_a_name_of_its_own_and_speaks_something() -> None:
    assert len({entry.name for entry in ENGINES}) == len(ENGINES)
    for entry in ENGINES:
        assert find(entry.name) is entry
        assert entry.languages
        assert len(set(entry.languages)) == len(entry.languages)
        assert entry.rate is None if entry.kind is Kind.EMBEDDING else entry.rate >= 8000


def test_a_wrong_name_is_told_with_the_right_one() -> None:
    with pytest.raises(UnknownEngine, match="did you mean faster-whisper"):
        find("faster-wisper")
    with pytest.raises(UnknownEngine, match="there are faster-whisper, "):
        find("zzz")


def test_regional_codes_are_spoken_by_their_language() -> None:
    assert find("indic-parler").speaks("mr-IN")
    assert not find("kokoro").speaks("mr")


def test_what_is_installed_is_pinned() -> None:
    for entry in INSTALLED:
        assert isinstance(entry.runs, Installed)
        packages = entry.runs.environment.packages
        assert any("==" in package or "git+" in package for package in packages), entry.name
        assert entry.runs.weights
        for weights in entry.runs.weights:
            assert weights.repository.count("/") == 1
            assert weights.files


def test_environments_that_share_a_name_are_one() -> None:
    environments = {entry.runs.environment for entry in INSTALLED if isinstance(entry.runs, Installed)}
    assert len({environment.name for environment in environments}) == len(environments)


def test_only_the_core_environment_is_free_of_torch() -> None:
    core = next(
        e.runs.environment for e in INSTALLED if e.name == "faster-whisper" and isinstance(e.runs, Installed)
    )
    assert not any("torch" in package for package in core.packages)
    assert {e.name for e in INSTALLED if isinstance(e.runs, Installed) and e.runs.environment is core} == {
        "faster-whisper",
        "kokoro",
    }


def test_weights_that_may_not_earn_money_are_marked() -> None:
    assert [entry.name for entry in ENGINES if not entry.licence.commercial] == ["xtts-v2"]


def test_keys_of_clouds_are_variables() -> None:
    clouds = {entry.name: entry.runs for entry in ENGINES if isinstance(entry.runs, Cloud)}
    assert clouds.keys() == {"deepgram", "elevenlabs"}
    assert all(cloud.key_variable.isupper() for cloud in clouds.values())


def test_speech_of_both_kinds_ends_with_what_is_embedded() -> None:
    """The last link of every chain needs nothing."""
    for kind in (Kind.ASR, Kind.TTS):
        last = [entry for entry in ENGINES if entry.kind is kind][-1]
        assert not isinstance(last.runs, Installed | Cloud)


def test_the_catalogue_imports_no_engine() -> None:
    code = "import sys, engines.catalogue; print({'numpy', 'onnxruntime', 'soxr'} & sys.modules.keys())"
    root = Path(importlib.import_module("engines").__file__ or "").parents[1]
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert run.stdout.strip() == "set()"


def test_patterns_choose_files_of_a_hub_repository() -> None:
    whisper = find("faster-whisper").runs
    assert isinstance(whisper, Installed)
    assert isinstance(whisper.weights[0], Hub)
    assert "*.bin" in whisper.weights[0].files


def test_a_model_that_its_repository_has_in_many_forms_is_fetched_in_one() -> None:
    runs = find("multilingual-e5-small").runs
    assert isinstance(runs, Installed)
    (weights,) = runs.weights
    wanted = {"1_Pooling/config.json", "config.json", "model.safetensors", "modules.json", "tokenizer.json"}
    others = {"README.md", "onnx/config.json", "onnx/model.onnx", "openvino/config.json", "pytorch_model.bin"}
    fetched = {path for path in wanted | others if any(fnmatch(path, pattern) for pattern in weights.files)}
    assert fetched == wanted


def test_settings_reach_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    command = WorkerCommand("x:y", settings={"model": "/a b", "n": 1})
    environment = packed(command.settings)
    monkeypatch.setenv(VARIABLE, environment[VARIABLE])
    assert settings() == {"model": "/a b", "n": 1}
    monkeypatch.delenv(VARIABLE)
    assert settings() == {}
    assert packed({}) == {}
    monkeypatch.setenv(VARIABLE, "[1]")
    with pytest.raises(ValueError, match="JSON object"):
        settings()
