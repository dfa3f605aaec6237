"""Small files in the layouts that data sets come in, and every way in which a manifest can be wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engines.service.encoding import AudioFormat, encode
from ivr.evaluation.asr import errors, plain
from ivr.evaluation.line import Line
from ivr.evaluation.manifests import read
from ivr.evaluation.recording import ManifestError, Recording
from tests.fakes.speech import noise

WAV = encode(noise(1600, 1000), 8000, AudioFormat.WAV)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.wav", "wav/b.wav", "clips/c.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(WAV)
    return tmp_path


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_nemo_manifest(folder: Path) -> None:
    lines = [
        {"audio_filepath": "a.wav", "text": "नमस्ते", "duration": 1.0, "lang": "hi"},
        {"audio_filepath": str(folder / "wav" / "b.wav"), "text": "hello"},
    ]
    manifest = write(folder / "test.json", "\n".join(map(json.dumps, lines)) + "\n")
    assert read(manifest) == [
        Recording(folder / "a.wav", "नमस्ते", "hi"),
        Recording(folder / "wav" / "b.wav", "hello", ""),
    ]


def test_a_table(folder: Path) -> None:
    write(folder / "metadata.csv", 'file_name,transcription,language\na.wav,"one, two",Marathi\n')
    assert read(folder) == [Recording(folder / "a.wav", "one, two", "mr")]
    manifest = write(folder / "test.tsv", "path\tsentence\tlocale\nc.wav\tहाँ\thi-IN\n")
    assert read(manifest) == [Recording(folder / "clips" / "c.wav", "हाँ", "hi")]


def test_the_form_of_ljspeech(folder: Path) -> None:
    write(folder / "metadata.csv", "a|raw, 1|plain one\nb|text\n")
    assert read(folder) == [
        Recording(folder / "a.wav", "plain one"),
        Recording(folder / "wav" / "b.wav", "text"),
    ]


def test_festival_and_kaldi(folder: Path) -> None:
    write(folder / "txt.done.data", '( b "मेरा नाम" )\n(a "x")\n')
    assert [each.text for each in read(folder)] == ["मेरा नाम", "x"]
    (folder / "txt.done.data").unlink()
    write(folder / "wav.scp", "u1 a.wav\nu2 wav/b.wav\n")
    write(folder / "text", "u1 one two\nu2 three\n")
    assert [(each.audio.name, each.text) for each in read(folder)] == [
        ("a.wav", "one two"),
        ("b.wav", "three"),
    ]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("x.jsonl", "{", "x.jsonl:1: is not JSON"),
        ("x.jsonl", "[1]", "is no JSON object"),
        ("x.jsonl", '{"audio": "a.wav"}', "has no text"),
        ("x.jsonl", '{"text": "a"}', "has no audio"),
        ("x.jsonl", '{"text": "a", "audio": "z.wav"}', r"x.jsonl:1: the audio z\.wav is not there"),
        ("x.jsonl", "", "names no recording"),
        ("metadata.csv", "a|b\nc", "metadata.csv:2: should be ID"),
        ("txt.done.data", "a b", "txt.done.data:1: should be"),
        ("x.parquet", "", "x.parquet: is no Parquet file that can be read"),
        ("x.txt", "", "is no layout that is known"),
    ],
)
def test_what_is_wrong_is_named(folder: Path, name: str, text: str, says: str) -> None:
    with pytest.raises(ManifestError, match=says):
        read(write(folder / name, text))


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="holds no manifest"):
        read(tmp_path)
    with pytest.raises(ManifestError, match="is not there"):
        read(tmp_path / "x.csv")


def test_words_are_compared_without_case_and_punctuation() -> None:
    assert plain("Hello,  World! मेरा नाम सीता है।") == "hello world मेरा नाम सीता है"
    assert errors([("a b c d", "A, b c."), ("हाँ", "हाँ।")]) == {
        "wer": 0.2,
        "cer": pytest.approx(0.2, abs=0.02),
    }


def test_the_line() -> None:
    pcm = noise(16000, 3000)
    clean = np.frombuffer(Line().carry(pcm, 0), "<i2").astype(float)
    original = np.frombuffer(pcm, "<i2").astype(float)
    assert 30 < 10 * np.log10((original**2).mean() / ((clean - original) ** 2).mean()) < 45  # A-law alone
    noisy = np.frombuffer(Line(snr_db=10).carry(pcm, 0), "<i2").astype(float)
    assert 9 < 10 * np.log10((original**2).mean() / ((noisy - original) ** 2).mean()) < 11
    lossy = np.frombuffer(Line(loss=0.2).carry(pcm, 0), "<i2").reshape(-1, 160)
    assert 0.05 < (~lossy.any(axis=1)).mean() < 0.4
    assert Line(snr_db=10, loss=0.2).carry(pcm, 3) == Line(snr_db=10, loss=0.2).carry(pcm, 3)
    assert Line(snr_db=10).carry(pcm, 3) != Line(snr_db=10).carry(pcm, 4)
