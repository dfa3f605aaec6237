"""Which recordings a data set has, and what is said in them: one reader for each layout that sets come in.

- jsonl, a `.jsonl` or `.json` file with an object a line: NeMo's manifests, a hub set's `metadata.jsonl`
- a table, a `.csv` or `.tsv` file with a header: Common Voice, a hub set's `metadata.csv`
- LJSpeech's `metadata.csv` without a header, `id|text`; Rasa asks for this form
- Festival's `txt.done.data`, `( id "text" )`: IndicTTS
- Kaldi's data folder with `wav.scp` and `text`

Columns and keys go by several names; audio is looked for beside the manifest, and in the usual folders there.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final


class ManifestError(Exception):
    """A manifest that cannot be read; the text names the file, and the line where it is one."""


@dataclass(frozen=True, slots=True)
class Recording:
    """`language` is empty where the data set does not tell it."""

    audio: Path
    text: str
    language: str = ""


_AUDIO: Final = ("audio_filepath", "file_name", "path", "audio", "audio_path", "wav", "filename", "file")
_TEXT: Final = ("text", "transcript", "transcription", "sentence", "normalized_text", "verbatim")
_LANGUAGE: Final = ("language", "lang", "locale")
_FOLDERS: Final = ("", "wav", "wavs", "audio", "clips")
_SUFFIXES: Final = ("", ".wav", ".flac", ".mp3", ".ogg")
_FESTIVAL: Final = re.compile(r'\(\s*(\S+)\s+"(.*)"\s*\)')
_NAMES: Final = {
    "hindi": "hi", "marathi": "mr", "english": "en", "bengali": "bn", "gujarati": "gu", "kannada": "kn",
    "tamil": "ta", "telugu": "te", "malayalam": "ml", "punjabi": "pa", "odia": "or", "assamese": "as",
}  # fmt: skip


def read(manifest: Path) -> list[Recording]:
    """All recordings of a data set; raises `ManifestError`, also for audio that is not there."""
    reader, path = _layout(manifest)
    try:
        found = list(reader(path))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ManifestError(f"{path}: {error}") from error
    if not found:
        raise ManifestError(f"{path}: names no recording")
    return found


def _layout(manifest: Path) -> tuple[Callable[[Path], Iterator[Recording]], Path]:
    if manifest.is_dir():
        for name in ("txt.done.data", "metadata.jsonl", "metadata.csv", "metadata.tsv", "manifest.jsonl"):
            if (manifest / name).exists():
                return _layout(manifest / name)
        if (manifest / "wav.scp").exists() and (manifest / "text").exists():
            return _kaldi, manifest
        raise ManifestError(f"{manifest}: holds no manifest that is known")
    if not manifest.exists():
        raise ManifestError(f"{manifest}: is not there")
    if manifest.name.endswith(".data"):
        return _festival, manifest
    if manifest.suffix in (".jsonl", ".json"):
        return _jsonl, manifest
    if manifest.suffix in (".csv", ".tsv"):
        head = manifest.read_text(encoding="utf-8-sig").partition("\n")[0]
        return (_ljspeech if "|" in head and "," not in head.partition("|")[0] else _table), manifest
    raise ManifestError(f"{manifest}: is no layout that is known (jsonl, csv, tsv, txt.done.data, Kaldi)")


def _jsonl(path: Path) -> Iterator[Recording]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except ValueError as error:
            raise ManifestError(f"{path}:{number}: is not JSON: {error}") from error
        if not isinstance(entry, dict):
            raise ManifestError(f"{path}:{number}: is no JSON object")
        yield _recording(path, number, entry)


def _table(path: Path) -> Iterator[Recording]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ",")
        for number, row in enumerate(rows, start=2):
            yield _recording(path, number, row)


def _ljspeech(path: Path) -> Iterator[Recording]:
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1):
        if not line.strip():
            continue
        parts = line.split("|")
        if len(parts) < 2:
            raise ManifestError(f"{path}:{number}: should be ID|TEXT")
        yield Recording(_find(path, number, parts[0].strip()), parts[-1].strip())


def _festival(path: Path) -> Iterator[Recording]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        match = _FESTIVAL.fullmatch(line.strip())
        if match is None:
            raise ManifestError(f'{path}:{number}: should be ( ID "TEXT" )')
        yield Recording(_find(path, number, match[1]), match[2].strip())


def _kaldi(folder: Path) -> Iterator[Recording]:
    audio = dict(_pairs(folder / "wav.scp"))
    for number, (key, text) in enumerate(_pairs(folder / "text"), start=1):
        if key not in audio:
            raise ManifestError(f"{folder / 'text'}:{number}: {key} is not in wav.scp")
        yield Recording(_find(folder / "wav.scp", number, audio[key]), text)


def _pairs(path: Path) -> Iterator[tuple[str, str]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip():
            key, _, rest = line.strip().partition(" ")
            yield key, rest.strip()


def _recording(path: Path, number: int, entry: Mapping[str, Any]) -> Recording:
    audio, text = _first(entry, _AUDIO), _first(entry, _TEXT)
    if audio is None or text is None:
        missing, names = ("audio", _AUDIO) if audio is None else ("text", _TEXT)
        raise ManifestError(f"{path}:{number}: has no {missing} (one of {', '.join(names)})")
    language = (_first(entry, _LANGUAGE) or "").lower()
    return Recording(_find(path, number, audio), text, _NAMES.get(language, language.partition("-")[0]))


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
