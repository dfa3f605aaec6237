"""Voices that are files: those that come with an engine, and those that somebody adds.

They lie in the folder `voices` of the engine's weights: presets (`NAME.pt`), or recordings of a few seconds
with what is said in them beside (`NAME.wav`, `NAME.txt`).
"""

from __future__ import annotations

import shutil
import wave
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from engines.catalogue import CatalogueEntry, Installed, Repository, VoiceFiles
from engines.installing.sources import InstallError

VOICES: Final = "voices"
SHORTEST_S: Final = 3.0
LONGEST_S: Final = 30.0
"""CosyVoice refuses longer ones."""
_POINTER: Final = b"version https://git-lfs"


def finish(entry: CatalogueEntry, folder: Path) -> list[str]:
    """Writes what is said in the recordings that were fetched beside them, and removes files that only point
    to where their content is; says what is to be done about those."""
    told = []
    weights = entry.runs.weights if isinstance(entry.runs, Installed) else ()
    for source in weights:
        if not isinstance(source, Repository):
            continue
        for name, words in source.words:
            (folder / source.folder / name).with_suffix(".txt").write_text(words, encoding="utf-8")
        for path in sorted((folder / source.folder).iterdir()):
            if _points_elsewhere(path):
                path.unlink()
                told.append(
                    f"{source.repository} keeps {path.name} elsewhere (Git LFS): clone it with git-lfs, then "
                    f"`ivr engines voices {entry.name} --take FOLDER`"
                )
    return told


def _points_elsewhere(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_POINTER)) == _POINTER


def take(entry: CatalogueEntry, source: Path, weights: Path) -> list[str]:
    """Copies the voices of a folder to those of the engine; the names of what was taken. Nothing is taken
    when one of them cannot be used: `InstallError` says why."""
    kind = entry.runs.voice_files if isinstance(entry.runs, Installed) else None
    if kind is None:
        raise InstallError(f"the voices of {entry.name} are no files: there is nothing to add")
    if not source.is_dir():
        raise InstallError(f"{source} is no folder")
    found = sorted(source.glob(f"*{kind}"))
    if not found:
        raise InstallError(f"{source} has no voice of {entry.name}: they are files *{kind}")
    if kind is VoiceFiles.RECORDINGS:
        for path in found:
            _check_recording(path)
    target = weights / VOICES
    target.mkdir(parents=True, exist_ok=True)
    for path in found:
        for file in (path, path.with_suffix(".txt")):
            if file.is_file():
                beside = target / f".{file.name}.part"
                shutil.copyfile(file, beside)
                beside.replace(target / file.name)
    return [path.stem for path in found]


def names_of(
    entry: CatalogueEntry, weights: Path | None, folder: Path | None = None
) -> Mapping[str, set[str]]:
    """The voices that are known without running the engine, by language: those of the catalogue, and those
    that are files in `folder`, or else beside the weights."""
    found = {language: set(names) for language, names in (entry.voices or {}).items()}
    kind = entry.runs.voice_files if isinstance(entry.runs, Installed) else None
    where = folder or (None if weights is None else weights / VOICES)
    if kind is not None and where is not None and where.is_dir():
        names = {path.stem for path in where.glob(f"*{kind}")}
        for language in entry.languages:
            found.setdefault(language, set()).update(names)
    return found


def _check_recording(path: Path) -> None:
    words = path.with_suffix(".txt")
    if not words.is_file() or not words.read_text(encoding="utf-8").strip():
        raise InstallError(f"{path.name} wants the words that are said in it, in {words.name}")
    try:
        with wave.open(str(path), "rb") as file:
            seconds = file.getnframes() / file.getframerate()
    except (wave.Error, EOFError, OSError) as error:
        raise InstallError(f"{path.name} is no WAV file: {error}") from error
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise InstallError(
            f"{path.name} lasts {seconds:.1f} s: a voice is taken from {SHORTEST_S:g} to {LONGEST_S:g} s"
        )
