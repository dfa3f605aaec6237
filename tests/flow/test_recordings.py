"""Audio files: what can be played, and what the check says of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.flow.loader import check_file, load_flow
from ivr.flow.recordings import Recordings
from tests.flow.calls import write_wav

FLOW = """
flow: jingle
languages: [en]
limits: {call: 20s, visits: 1}
start: hello
steps: {hello: {say: {en: {audio: hello.wav}}, next: bye}, bye: {end: normal}}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "flow.yaml"
    path.write_text(FLOW, encoding="utf-8")
    return path


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 44100, 48000])
def test_mono_16_bit_of_any_usual_rate_can_be_played(path: Path, rate: int) -> None:
    write_wav(path.parent / "hello.wav", b"\0\1" * rate, rate)
    flow = load_flow(path)
    (wording,) = flow.prompts["hello.say"].wordings.values()
    assert wording.recording.seconds == 1.0


@pytest.mark.parametrize(
    ("shape", "fault"),
    [
        ({"channels": 2}, "has 2 channels, and a call has one"),
        ({"width": 3}, "has 24-bit samples, and only 16-bit ones are played"),
        ({"width": 1}, "has 8-bit samples, and only 16-bit ones are played"),
        ({"rate": 4000}, "has a rate of 4000 Hz; from 8000 to 192000 can be played"),
        ({"pcm": b""}, "is empty"),
    ],
)
def test_other_forms_are_told(path: Path, shape: dict[str, int], fault: str) -> None:
    write_wav(path.parent / "hello.wav", **{"pcm": b"\0" * 1200, **shape})  # type: ignore[arg-type]
    (problem,) = check_file(path)
    assert (problem.line, problem.column, problem.rule) == (6, 27, 8)
    assert problem.message == f'prompt hello.say: the audio file "hello.wav" {fault}'
    assert problem.hint


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"ID3\x04" + bytes(500), "is MP3, and only WAV is played"),
        (b"\xff\xfb\x90\x00" + bytes(500), "is MP3, and only WAV is played"),
        (b"OggS" + bytes(500), "is no WAV file of PCM (file does not start with RIFF id)"),
        (b"RIFF\x10\0\0\0WAVE", "is no WAV file of PCM (fmt chunk and/or data chunk missing)"),
        (b"", "is no WAV file of PCM (it is cut short)"),
    ],
)
def test_files_that_are_something_else_are_told(path: Path, data: bytes, fault: str) -> None:
    (path.parent / "hello.wav").write_bytes(data)
    (problem,) = check_file(path)
    assert problem.message == f'prompt hello.say: the audio file "hello.wav" {fault}'


def test_how_long_a_file_lasts_counts_in_the_longest_way(path: Path) -> None:
    write_wav(path.parent / "hello.wav", b"\0\1" * 8000 * 15)
    assert check_file(path) == []
    write_wav(path.parent / "hello.wav", b"\0\1" * 8000 * 25)
    (problem,) = check_file(path)
    assert problem.rule == 6


@pytest.mark.parametrize("name", ["/etc/passwd", "../secret.wav", "a/../../secret.wav", "..\\x.wav", "a\0b"])
def test_nothing_outside_the_folder_is_read(tmp_path: Path, name: str) -> None:
    write_wav(tmp_path / "secret.wav")
    found = Recordings(tmp_path / "flows").look(name)
    assert "outside the folder" in found.fault
    assert not found.digest
