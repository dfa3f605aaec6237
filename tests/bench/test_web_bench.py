"""A small benchmark of browsers, whole: the server's half, the callers, the figures."""

import json

import pytest

from ivr.bench.web.browsers import Options, run


def test_three_browsers(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(Options(calls=3, seconds=2.5)) == 0
    report = json.loads(capfd.readouterr().out)
    assert (report["calls"], report["failed"], report["missed"]) == (3, 0, 0)
    assert report["beeps"] >= 3
    assert 0 < report["microphone_to_plane_ms"]["p50"] < 500
    assert 0 < report["plane_to_wire_ms"]["p50"] < 500
    assert report["cpu_percent"] > 0
