"""The data sets of the plan, in small files of the layouts that they come in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engines.service.encoding import AudioFormat, encode
from ivr.evaluation.datasets import SETS, language_of_path, without_notes
from ivr.evaluation.manifests import read
from ivr.evaluation.recording import Cell, ManifestError, opened
from tests.fakes.speech import noise

SOUNDS = [encode(noise(800, 1000, seed), 8000, AudioFormat.FLAC) for seed in range(3)]
TEXTS = ["पहिले वाक्य", "दुसरे वाक्य", "तिसरे"]


def hub(path: Path, rows: Sequence[dict[str, Any]], column: str = "audio", group: int = 2) -> Path:
    """As the hub's library writes it: sound as `{bytes, path}`, several row groups."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sounds = [
        {column: {"bytes": SOUNDS[number % 3], "path": f"{number}.flac"}, **row}
        for number, row in enumerate(rows)
    ]
    pq.write_table(pa.Table.from_pylist(sounds), path, row_group_size=group)
    return path


def heard(folder: Path, dataset: str = "", split: str = "") -> list[tuple[str, str]]:
    """Texts and languages; each recording can be opened, and is the right one."""
    found = read(folder, dataset, split)
    for each in found:
        with opened(each.audio) as file:
            sound = file.read()
        if isinstance(each.audio, Cell):
            assert sound == SOUNDS[(each.audio.row - 1) % 3]
    return [(each.text, each.language) for each in found]


def test_rasa(tmp_path: Path) -> None:
    rows = [
        {
            "filename": f"MAR_F_{n}.wav",
            "text": text,
            "language": "Marathi",
            "gender": "Female",
            "style": "HAPPY",
        }
        for n, text in enumerate(TEXTS)
    ]
    hub(tmp_path / "Marathi" / "train-00000-of-00002.parquet", rows[:1])
    hub(tmp_path / "Marathi" / "test-00000-of-00001.parquet", rows)
    assert heard(tmp_path, "rasa") == [(text, "mr") for text in TEXTS]
    assert heard(tmp_path, "rasa", "train") == [(TEXTS[0], "mr")]
    assert len(heard(tmp_path)) == 4  # nobody said which part is for measuring
    assert len(heard(tmp_path, split="Marathi")) == 4
    with pytest.raises(ManifestError, match="has no split dev; there are Marathi, test, train"):
        read(tmp_path, "rasa", "dev")


def test_rural_women(tmp_path: Path) -> None:
    folder = tmp_path / "Rural_Women_Bhojpuri"
    hub(folder / "data" / "benchmark-00000-of-00001.parquet", [{"text": text} for text in TEXTS])
    hub(folder / "data" / "train_synthetic-00000-of-00001.parquet", [{"text": "x"}])
    assert heard(folder, "rural-women") == [(text, "bho") for text in TEXTS]


def test_vaani(tmp_path: Path) -> None:
    """What is not transcribed is left out, and the notes of who transcribed are no words."""
    rows = [
        {
            "language": "Hindi",
            "isTranscriptionAvailable": "Yes",
            "transcript": "यहाँ बस{bus} <noise> खड़ी है --",
        },
        {"language": "Hindi", "isTranscriptionAvailable": "No", "transcript": None},
        {"language": "Marathi", "isTranscriptionAvailable": "Yes", "transcript": "गाडी [unclear] आहे"},
    ]
    path = hub(tmp_path / "Hindi" / "train-00000-of-00001.parquet", rows)
    want = [("यहाँ बस खड़ी है", "hi"), ("गाडी आहे", "mr")]
    assert heard(path) == heard(tmp_path, "vaani") == want
    assert without_notes("a <x> [y] b{c} -- d") == "a b d"


def test_globe(tmp_path: Path) -> None:
    rows = [
        {"speaker_id": "S_1", "transcript": "two  words", "accent": "India and South Asia", "duration": 1.0}
    ]
    hub(tmp_path / "data" / "test-00000-of-00001.parquet", rows)
    hub(tmp_path / "data" / "train-00000-of-00001.parquet", rows * 2)
    assert heard(tmp_path, "globe") == [("two  words", "en")]


@pytest.mark.parametrize("plain", [False, True], ids=["as the hub's audio", "as bytes"])
def test_svq(tmp_path: Path, plain: bool) -> None:
    rows = [
        {"utt_id": f"u{n}", "locale": locale, "environment": "clean", "text": text}
        for n, (locale, text) in enumerate([("hi_in", "सवाल"), ("en_in", "a question"), ("mr_in", "प्रश्न")])
    ]
    path = tmp_path / "audio" / "clean.parquet"
    if plain:
        path.parent.mkdir()
        table = pa.Table.from_pylist([{**row, "waveform": SOUNDS[n]} for n, row in enumerate(rows)])
        pq.write_table(table, path)
    else:
        hub(path, rows, "waveform")
    (tmp_path / "utt_index.jsonl").write_text('{"utt_id": "u0", "index": "audio/clean:0"}\n')
    want = [("सवाल", "hi"), ("a question", "en"), ("प्रश्न", "mr")]
    assert heard(tmp_path, "svq") == heard(tmp_path) == want


def test_indictts(tmp_path: Path) -> None:
    """From its makers: Festival's prompts. From the hub: Parquet, with the language in the name alone."""
    folder = tmp_path / "Hindi_female" / "hindi"
    (folder / "wav").mkdir(parents=True)
    (folder / "wav" / "train_hindifemale_00001.wav").write_bytes(SOUNDS[0])
    (folder / "txt.done.data").write_text('( train_hindifemale_00001 "मेरा नाम" )\n', encoding="utf-8")
    assert heard(tmp_path, "indictts") == heard(folder) == [("मेरा नाम", "hi")]
    other = tmp_path / "IndicTTS_Marathi" / "data" / "train-00000-of-00004.parquet"
    hub(other, [{"text": TEXTS[0], "gender": 1}])
    assert heard(other, "indictts") == [(TEXTS[0], "mr")]


def test_limmits(tmp_path: Path) -> None:
    name = "IISc_SYSPINProject_hi_f_AGRI_00001"
    folder = tmp_path / "IISc_SYSPINProject_Hindi_Female_Spk001_HC"
    (folder / "wavs").mkdir(parents=True)
    (folder / "wavs" / f"{name}.wav").write_bytes(SOUNDS[0])
    manifest = folder / "IISc_SYSPINProject_Hindi_Female_Spk001_HC_Transcripts.json"
    told = {
        "MetaData": {},
        "SpeakersMetaData": {},
        "Transcripts": {name: {"Transcript": "खेत", "Domain": "AGRI"}},
    }
    manifest.write_text(json.dumps(told), encoding="utf-8")
    assert heard(tmp_path, "limmits") == heard(manifest) == [("खेत", "hi")]
    manifest.write_text(json.dumps({"Transcripts": {name: "खेत"}}), encoding="utf-8")
    with pytest.raises(ManifestError, match=r"_Transcripts\.json: should be"):
        read(tmp_path, "limmits")


def test_what_is_wrong_in_a_parquet_file_is_named(tmp_path: Path) -> None:
    path = hub(tmp_path / "x.parquet", [{"text": "a"}, {"text": "b"}, {"text": None}])
    with pytest.raises(ManifestError, match=r"x\.parquet:3: has no text"):
        read(path)
    hub(path, [{"words": "a"}])
    with pytest.raises(ManifestError, match=r"has no column of text \(one of text.*\); it has words"):
        read(path)
    pq.write_table(pa.table({"audio": ["a.wav"], "text": ["a"]}), path)
    with pytest.raises(ManifestError, match="has no column of audio"):
        read(path)
    table = pa.Table.from_pylist([{"audio": {"bytes": SOUNDS[0], "path": "a"}, "text": "a"}] * 2)
    empty = table.set_column(0, "audio", pa.array([{"bytes": None, "path": "a"}] * 2, table.schema[0].type))
    pq.write_table(empty, path)
    with pytest.raises(ManifestError, match=r"x\.parquet:2: the column audio holds no audio"):
        opened(read(path)[1].audio)
    with pytest.raises(ManifestError, match="there is no data set 'x'; there are rasa, rural-women, vaani"):
        read(path, "x")
    with pytest.raises(ManifestError, match="is one file; a split is chosen in a folder"):
        read(path, "rasa", "test")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ManifestError, match=r"holds no manifest that is known: no \*\.parquet"):
        read(tmp_path / "empty", "globe")


def test_every_set_of_the_plan_has_a_name() -> None:
    assert set(SETS) == {"rasa", "rural-women", "vaani", "globe", "svq", "indictts", "limmits"}
    assert language_of_path(Path("/x/hindi/a/b/c/d/e.parquet")) == ""
