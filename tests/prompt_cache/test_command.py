"""`ivr prompts` as an operator calls it, with the embedded voice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ivr.cli import app

FLOW = """
flow: ready
languages: [en]
params: {vendor: text}
start: hello
steps:
  hello: {say: {en: "Hello {{ vendor }}. Your order is ready."}, next: bye}
  bye: {say: {en: "Thank you."}, next: end}
  end: {end: normal}
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "ready.yaml").write_text(FLOW, encoding="utf-8")
    (tmp_path / "ivr.yaml").write_text("{}", encoding="utf-8")
    return tmp_path


def ivr(*words: str, status: int = 0) -> str:
    result = CliRunner().invoke(app, ["prompts", *words])
    assert result.exit_code == status, result.output
    return result.output


@pytest.mark.usefixtures("home")
def test_build_list_and_clear() -> None:
    built = json.loads(ivr("build", "flows", "--format", "json"))
    assert {state: built[state] for state in ("made", "there", "skipped", "failed")} == {
        "made": 2,
        "there": 0,
        "skipped": 1,
        "failed": 0,
    }
    made = [one for one in built["prompts"] if one["state"] == "made"]
    assert [(one["text"], one["engine"], one["codecs"]) for one in made] == [
        ("Your order is ready.", "espeak", ["PCMA", "PCMU"]),
        ("Thank you.", "espeak", ["PCMA", "PCMU"]),
    ]
    assert all(one["version"] and one["seconds"] > 0.5 for one in made)

    listed = json.loads(ivr("list", "--format", "json"))
    assert sorted((one["text"], one["codec"]) for one in listed) == [
        ("Thank you.", "PCMA"),
        ("Thank you.", "PCMU"),
        ("Your order is ready.", "PCMA"),
        ("Your order is ready.", "PCMU"),
    ]
    assert sum(one["bytes"] for one in listed) == built["bytes"]
    assert "4 prompts" in ivr("list")

    again = ivr("build", "flows/ready.yaml")
    assert "0 made (0 s, 0.0 MB), 2 there, 1 skipped, 0 failed" in again
    assert "holds values: vendor" in again

    assert ivr("clear", "--engine", "kokoro").startswith("0 prompts deleted")
    assert ivr("clear", "--unused-days", "1").startswith("0 prompts deleted")
    assert ivr("clear", "--language", "en").startswith("4 prompts deleted")
    assert json.loads(ivr("list", "--format", "json")) == []


@pytest.mark.usefixtures("home")
def test_an_engine_that_does_not_start_fails_its_prompts(home: Path) -> None:
    broken = "engines: {tts: {en: [kokoro]}, setup: {kokoro: {weights: flows}}}"
    (home / "ivr.yaml").write_text(broken, encoding="utf-8")
    built = json.loads(ivr("build", "flows", "--codec", "G722", "--format", "json", status=1))
    assert (built["made"], built["failed"]) == (0, 2)
    assert {one["engine"] for one in built["prompts"] if one["state"] == "failed"} == {"kokoro"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nowhere",), "nowhere is not there"),
        (("empty",), "there is no flow in empty"),
        (("flows", "--language", "mr"), "no flow speaks mr; they speak en"),
        (("flows", "--codec", "OPUS"), "there is no codec OPUS; there are PCMA, PCMU, G722, opus"),
        (("broken.yaml",), "broken.yaml:1:1: rule"),
        (("flows", "--config", "none.yaml"), "none.yaml"),
        (("flows", "--config", "off.yaml"), "prompts.disk_mb is 0"),
    ],
)
def test_what_cannot_be_built_is_told(home: Path, words: tuple[str, ...], told: str) -> None:
    (home / "empty").mkdir()
    (home / "broken.yaml").write_text("flow: broken", encoding="utf-8")
    (home / "off.yaml").write_text("prompts: {disk_mb: 0}", encoding="utf-8")
    assert told in ivr("build", *words, status=2)
