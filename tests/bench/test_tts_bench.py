"""The measurement of a service against fakes and against the real one, and its chart."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from ivr.bench.plot import chart
from ivr.bench.service import Options
from ivr.bench.tts import run


def test_a_chart_has_a_line_for_each_share() -> None:
    svg = ElementTree.fromstring(
        chart("First <audio>", "ms", [1, 8, 64], {"p50": [1.0, 2.0, 4.0], "p99": [3.0, None, 90.0]})
    )
    name = "{http://www.w3.org/2000/svg}"
    lines = [line.get("points", "").split() for line in svg.iter(f"{name}polyline")]
    assert [len(points) for points in lines] == [3, 2]
    (left, low), (middle, _), (right, high) = (map(float, point.split(",")) for point in lines[0])
    assert left < middle < right
    assert low > high  # larger values stand higher
    texts = [text.text for text in svg.iter(f"{name}text")]
    assert "First <audio>" in texts
    assert "100" in texts
    ElementTree.fromstring(chart("nothing", "ms", [1], {"p50": [None]}))


def test_it_measures_a_service_that_it_starts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plot = tmp_path / "first.svg"
    assert run(Options(levels=(1, 4), seconds=2.0, plot=plot)) == 0
    levels = json.loads(capsys.readouterr().out)["levels"]
    assert [level["streams"] for level in levels] == [1, 4]
    for level in levels:
        assert level["requests"] >= level["streams"]
        assert level["engines"] == ["espeak"]
        first = level["first_audio_ms"]
        assert 0 < first["p50"] <= first["p95"] <= first["p99"] <= first["max"]
        assert level["rtf"]["p50"] > 0
        assert level["service_cores"] > 0
    ElementTree.fromstring(plot.read_text())


def test_a_service_that_is_away_is_told() -> None:
    with pytest.raises(SystemExit, match=r"http://127\.0\.0\.1:9: ConnectionRefusedError"):
        run(Options(url="http://127.0.0.1:9", levels=(1,), seconds=1.0))
