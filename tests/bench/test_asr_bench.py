"""The measurement of a recognising service against the real one."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from ivr.bench.asr import run
from ivr.bench.service import Options


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
