"""A small benchmark, whole: a server, the generator, the figures."""

import json
from pathlib import Path

import pytest

from ivr.bench.command import Options, RateOptions, run
from ivr.bench.flow import NAME, SIGNATURE_OFFSET, signature, write_flow
from ivr.flow.loader import load_flow
from ivr.phone.voice import from_file
from media.codecs import PCMA

KEYS = {
    "calls",
    "failed",
    "rtp_spacing_ms",
    "rtp_lost",
    "key_to_prompt_ms",
    "setup_ms",
    "cpu_percent_per_call",
    "rss_kb_per_call",
    "generator_lateness_ms_p99",
}


def test_the_flow_is_good_and_every_packet_tells_its_prompt(tmp_path: Path) -> None:
    write_flow(tmp_path)
    assert load_flow(tmp_path / f"{NAME}.yaml").name == NAME
    for name in "ab":
        frames = from_file(tmp_path / f"{name}.wav", PCMA).frames
        assert {frame[SIGNATURE_OFFSET] for frame in frames} == {signature(name)}
    assert signature("a") != signature("b")


def test_three_calls(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(Options(calls=3, seconds=3.0, rate=10.0)) == 0
    report = json.loads(capfd.readouterr().out)
    assert set(report) == KEYS
    assert report["calls"] == 3
    assert report["rtp_lost"] == 0
    assert 15 < report["rtp_spacing_ms"]["p50"] < 25
    assert 0 < report["key_to_prompt_ms"]["p50"] <= report["key_to_prompt_ms"]["max"]
    assert report["setup_ms"]["p99"] > 0
    assert report["cpu_percent_per_call"] > 0


def test_encrypted_calls_that_come_and_go(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(RateOptions(rate=4.0, seconds=4.0, srtp=True)) == 0
    report = json.loads(capfd.readouterr().out)
    assert (report["calls"], report["failed"], report["rtp_lost"]) == (16, 0, 0)
    assert 0 < report["setup_ms"]["p50"] <= report["setup_ms"]["max"]
    assert 15 < report["rtp_spacing_ms"]["p50"] < 25
    assert report["cpu_percent"] > 0


def test_a_server_that_is_not_named_right(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(Options(calls=1, seconds=1.0, server="nowhere")) == 2
    assert "HOST:PORT" in capsys.readouterr().err
