"""Which recordings a data set has, and what is said in them: one reader for each layout that sets come in.

- Parquet, as the hub has most of them: Rasa, Rural Women, Vaani, GLOBE, svq, IndicTTS (`parquet.py`)
- jsonl, a `.jsonl` or `.json` file with an object a line: NeMo's manifests, a hub set's `metadata.jsonl`
- a table, a `.csv` or `.tsv` file with a header: Common Voice, a hub set's `metadata.csv`
- LJSpeech's `metadata.csv` without a header, `id|text`
- Festival's `txt.done.data`, `( id "text" )`: IndicTTS
- SYSPIN's `IISc_SYSPINProject_..._Transcripts.json` with a folder of recordings: LIMMITS
- Kaldi's data folder with `wav.scp` and `text`

Columns and keys go by several names; audio is looked for beside the manifest, and in the usual folders there.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from ivr.evaluation import parquet
from ivr.evaluation.datasets import ANY, SETS, DataSet, by_columns, language_code, language_of_path
from ivr.evaluation.recording import ManifestError, Recording

_FOLDERS: Final = ("", "wav", "wavs", "audio", "clips")
_SUFFIXES: Final = ("", ".wav", ".flac", ".mp3", ".ogg")
_FESTIVAL: Final = re.compile(r'\(\s*(\S+)\s+"(.*)"\s*\)')
_SYSPIN: Final = "*_Transcripts.json"
_NAMED: Final = ("txt.done.data", "metadata.jsonl", "metadata.csv", "metadata.tsv", "manifest.jsonl")

Reader = Callable[[Path, DataSet], Iterator[Recording]]


def read(manifest: Path, dataset: str = "", split: str = "") -> list[Recording]:
    """All recordings of a data set, whose manifest or folder this is; raises `ManifestError`, also for audio
    that is not there. `dataset` is one of `SETS`; without it, columns and files tell what they can. `split`
    is the part that is wanted, where there are several: of a set that is known the one for measuring, else
    all.
    """
    if dataset and dataset not in SETS:
        raise ManifestError(f"there is no data set {dataset!r}; there are {', '.join(SETS)}")
    known = SETS.get(dataset, ANY)
    found: list[Recording] = []
    for reader, path in _layout(manifest, known, split):
        try:
            found += reader(path, known)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise ManifestError(f"{path}: {error}") from error
    if not found:
        raise ManifestError(f"{manifest}: names no recording")
    return found


def _layout(manifest: Path, known: DataSet, split: str) -> list[tuple[Reader, Path]]:
    if not manifest.exists():
        raise ManifestError(f"{manifest}: is not there")
    if manifest.is_dir():
        return _folder(manifest, known, split)
    if split:
        raise ManifestError(f"{manifest}: is one file; a split is chosen in a folder")
    if manifest.name.endswith(".data"):
        return [(_festival, manifest)]
    if manifest.match(_SYSPIN):
        return [(_syspin, manifest)]
    if manifest.suffix == ".parquet":
        return [(parquet.recordings, manifest)]
    if manifest.suffix in (".jsonl", ".json"):
        return [(_jsonl, manifest)]
    if manifest.suffix in (".csv", ".tsv"):
        head = manifest.read_text(encoding="utf-8-sig").partition("\n")[0]
        return [(_ljspeech if "|" in head and "," not in head.partition("|")[0] else _table, manifest)]
    raise ManifestError(
        f"{manifest}: is no layout that is known (Parquet, jsonl, csv, tsv, txt.done.data, SYSPIN, Kaldi)"
    )


def _folder(folder: Path, known: DataSet, split: str) -> list[tuple[Reader, Path]]:
    if not split:
        for name in _NAMED:
            if (folder / name).exists():
                return _layout(folder / name, known, "")
        if (folder / "wav.scp").exists() and (folder / "text").exists():
            return [(_kaldi, folder)]
    if files := sorted(folder.rglob("*.parquet")):
        return [(parquet.recordings, path) for path in parquet.of_split(folder, files, known.split, split)]
    if split:
        raise ManifestError(f"{folder}: has no splits: there is no Parquet file")
    for pattern, reader in ((_SYSPIN, _syspin), ("txt.done.data", _festival)):
        if files := sorted(folder.rglob(pattern)):
            return [(reader, path) for path in files]
    raise ManifestError(
        f"{folder}: holds no manifest that is known: no *.parquet, {', '.join(_NAMED)}, {_SYSPIN}, wav.scp"
    )


def _jsonl(path: Path, known: DataSet) -> Iterator[Recording]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except ValueError as error:
            raise ManifestError(f"{path}:{number}: is not JSON: {error}") from error
        if not isinstance(entry, dict):
            raise ManifestError(f"{path}:{number}: is no JSON object")
        yield from _recording(path, number, entry, known)


def _table(path: Path, known: DataSet) -> Iterator[Recording]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ",")
        for number, row in enumerate(rows, start=2):
            yield from _recording(path, number, row, known)


def _ljspeech(path: Path, known: DataSet) -> Iterator[Recording]:
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1):
        if not line.strip():
            continue
        parts = line.split("|")
        if len(parts) < 2:
            raise ManifestError(f"{path}:{number}: should be ID|TEXT")
        yield _said(_find(path, number, parts[0].strip()), parts[-1], known, path)


def _festival(path: Path, known: DataSet) -> Iterator[Recording]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        match = _FESTIVAL.fullmatch(line.strip())
        if match is None:
            raise ManifestError(f'{path}:{number}: should be ( ID "TEXT" )')
        yield _said(_find(path, number, match[1]), match[2], known, path)


def _syspin(path: Path, known: DataSet) -> Iterator[Recording]:
    try:
        transcripts = json.loads(path.read_text(encoding="utf-8"))["Transcripts"]
        said = [(str(key), str(entry["Transcript"])) for key, entry in transcripts.items()]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ManifestError(f'{path}: should be {{"Transcripts": {{ID: {{"Transcript": ...}}}}}}') from error
    for key, text in said:
        yield _said(_find(path, 1, key), text, known, path)


def _kaldi(folder: Path, known: DataSet) -> Iterator[Recording]:
    audio = dict(_pairs(folder / "wav.scp"))
    for number, (key, text) in enumerate(_pairs(folder / "text"), start=1):
        if key not in audio:
            raise ManifestError(f"{folder / 'text'}:{number}: {key} is not in wav.scp")
        yield _said(_find(folder / "wav.scp", number, audio[key]), text, known, folder)


def _pairs(path: Path) -> Iterator[tuple[str, str]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip():
            key, _, rest = line.strip().partition(" ")
            yield key, rest.strip()


def _said(audio: Path, text: str, known: DataSet, manifest: Path) -> Recording:
    """Of a layout that does not tell the language: its folder's name may."""
    return Recording(audio, known.clean(text.strip()), known.spoken or language_of_path(manifest))


def _recording(path: Path, number: int, entry: Mapping[str, Any], known: DataSet) -> Iterator[Recording]:
    if known is ANY:
        known = by_columns(frozenset(entry))
    if not known.wanted(entry):
        return
    audio, text = _first(entry, known.audio), _first(entry, known.text)
    if audio is None or text is None:
        missing, names = ("audio", known.audio) if audio is None else ("text", known.text)
        raise ManifestError(f"{path}:{number}: has no {missing} (one of {', '.join(names)})")
    language = language_code(_first(entry, known.language) or known.spoken)
    yield Recording(_find(path, number, audio), known.clean(text), language)


def _first(entry: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    for name in names:
        value = entry.get(name)
        if isinstance(value, Mapping):
            value = value.get("path")
        if value:
            return str(value).strip()
    return None


def _find(manifest: Path, number: int, name: str) -> Path:
    base = manifest.parent
    for folder in _FOLDERS:
        for suffix in _SUFFIXES:
            path = base / folder / f"{name}{suffix}"
            if path.is_file():
                return path
    raise ManifestError(f"{manifest}:{number}: the audio {name} is not there")
