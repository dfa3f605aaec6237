"""The measurement of a recognising service against the real one."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ivr.bench.asr import run
from ivr.bench.service import Options
from ivr.cli import app


def test_it_measures_a_service_that_it_starts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plot = tmp_path / "final.svg"
    assert run(Options(levels=(1, 3), seconds=2.0, plot=plot)) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["random_weights"] is False
    levels = report["levels"]
    assert [level["streams"] for level in levels] == [1, 3]
    for level in levels:
        assert level["turns"] >= level["streams"]
        assert level["engines"] == ["pocketsphinx"]
        assert level["right"] >= 0.5
        final = level["final_ms"]
        assert 0 < final["p50"] <= final["p95"] <= final["p99"] <= final["max"]
        assert level["added_ms"]["p50"] <= final["p50"]
        assert level["service_cores"] > 0
        assert level["vram_mb"] is None or level["vram_mb"] > 0
    ElementTree.fromstring(plot.read_text())


def test_a_service_that_is_away_is_told() -> None:
    with pytest.raises(SystemExit, match="ivr: "):
        run(Options(url="http://127.0.0.1:9", levels=(1,), seconds=1.0))


@pytest.mark.parametrize("command", ["asr", "tts"])
def test_what_it_cannot_measure_is_said_in_a_line(command: str) -> None:
    for given, says in (
        (["--streams", "1,many"], "'1,many' should be whole numbers from 1 on"),
        (["--streams", "0"], "'0' should be whole numbers from 1 on"),
        (["--cores", "z"], "'z' should be whole numbers from 0 on"),
        (["--cores", "4096"], "the cores here are "),
        (["--languages", "hi,xx"], "the bench has nothing to say in 'xx': it has hi, mr, en"),
    ):
        done = CliRunner().invoke(app, ["bench", command, *given], env={"COLUMNS": "200"})
        assert done.exit_code != 0
        assert says in f"{done.output}{done.exception}"
        assert done.exception is None or isinstance(done.exception, SystemExit)
