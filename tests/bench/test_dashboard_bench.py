"""What a dashboard costs: a small run, whole."""

from __future__ import annotations

import json

import pytest

from ivr.bench.web.dashboard import Options, run


def test_three_calls_are_watched(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(Options(calls=3, seconds=1.0, pairs=1)) == 0
    report = json.loads(capfd.readouterr().out)
    assert (report["calls"], report["failed"], report["seen_live"], report["missed"]) == (3, 0, 3, 0)
    assert report["events_a_second"] > 0
    assert 0 < report["event_to_follower_ms"]["p50"] <= report["event_to_follower_ms"]["max"]
    assert report["cpu_percent_without"] > 0
    assert len(report["cpu_percent_of_dashboard"]["all"]) == 1
