"""The demo: whole, and the order of its lines."""

from __future__ import annotations

import time
import wave
from pathlib import Path

import pytest

from ivr import demo


def test_lines_stand_in_the_order_of_their_times(capsys: pytest.CaptureFixture[str]) -> None:
    timeline = demo.LiveTimeline()
    now = time.monotonic()
    timeline.note("phone", "second", now + 1)
    timeline.note("server", "first", now)
    timeline.note("server", "third", now + 2)
    timeline.flush(now + 1.5)
    assert [line.split()[-1] for line in capsys.readouterr().out.splitlines()] == ["first", "second"]
    timeline.flush(float("inf"))
    assert capsys.readouterr().out.split() == ["2.000", "server", "third"]


@pytest.mark.parametrize(
    ("channels", "frame", "fault"),
    [
        (2, b"\0\0\0\x40", ""),
        (2, b"\0\x40\0\0", "the server is not heard in the recording"),
        (1, b"\0\x40", "the recording is not stereo"),
    ],
)
def test_what_is_wrong_with_a_recording(tmp_path: Path, channels: int, frame: bytes, fault: str) -> None:
    path = tmp_path / "call.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, 2, 8000, 0, "NONE", ""))
        file.writeframes(frame * 100)
    assert demo._recording_fault(path) == fault


def test_no_recording_and_a_broken_one(tmp_path: Path) -> None:
    assert demo._recording_fault(None) == "there is no recording"
    (tmp_path / "call.wav").write_bytes(b"RIFF")
    assert "cannot be read" in demo._recording_fault(tmp_path / "call.wav")


def test_faults_are_named_and_make_it_fail(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = demo.Outcome()
    outcome.expect(True, "not this")
    outcome.expect(False, "no prompt followed the key 1")
    assert demo._report(outcome) == 1
    assert capsys.readouterr().err == "FAILED: no prompt followed the key 1\n"


def test_two_calls(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.run(tmp_path / "demo") == 0, capsys.readouterr()
    printed = capsys.readouterr().out
    for part in ('"decision": "accepted"', '"eta": 20', '"decision": "rejected"', "worst key to prompt"):
        assert part in printed
