"""Voices that are files: fetched with the engine, or taken from a folder of somebody's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engines.catalogue import CatalogueEntry, Installed, Repository, find
from engines.installing.install import InstallOptions, install
from engines.installing.shelf import Shelf
from engines.installing.sources import Bases, InstallError
from engines.installing.voices import names_of, take
from tests.engines.test_installing import Told
from tests.fakes.hub import hub
from tests.flow.calls import write_wav

VIBEVOICE, COSYVOICE = find("vibevoice-realtime"), find("cosyvoice3")
FOLDER = "demo/voices/streaming_model"
PRESET = bytes(range(256)) * 100


def voices_alone(entry: CatalogueEntry) -> CatalogueEntry:
    """The engine without its large files."""
    assert isinstance(entry.runs, Installed)
    repositories = tuple(source for source in entry.runs.weights if isinstance(source, Repository))
    assert repositories
    return replace(entry, runs=replace(entry.runs, weights=repositories))


def options(url: str) -> InstallOptions:
    return InstallOptions(Bases(url, url, url), environment=False, first_wait_s=0.01)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "engines")


async def test_presets_come_with_their_engine_checked_and_resumed(shelf: Shelf) -> None:
    entry = voices_alone(VIBEVOICE)
    files = {
        f"{FOLDER}/en-Carter_man.pt": PRESET,
        f"{FOLDER}/in-Samuel_man.pt": PRESET[::-1],
        f"{FOLDER}/de-Spk0_man.pt": PRESET,
        "README.md": b"no voice",
    }
    async with hub() as fake:
        fake.files, fake.cuts, fake.corrupt = files, [10_000], 1
        await install(entry, shelf, Told(), options(fake.url))
        voices = shelf.weights_folder(entry) / "voices"
        assert {path.name: path.read_bytes() for path in voices.iterdir()} == {
            "en-Carter_man.pt": PRESET,
            "in-Samuel_man.pt": PRESET[::-1],
        }
        assert 10_000 in fake.starts, "what a broken connection brought is kept"
        assert shelf.record(entry).files["voices/en-Carter_man.pt"].keys() == {"size", "git-sha1"}
        assert names_of(VIBEVOICE, shelf.weights(entry)) == {"en": {"en-Carter_man", "in-Samuel_man"}}
        before = fake.gets.total()
        await install(entry, shelf, Told(), options(fake.url))
        assert fake.gets.total() == before


async def test_recordings_come_with_what_is_said_in_them(shelf: Shelf) -> None:
    entry = voices_alone(COSYVOICE)
    async with hub() as fake:
        fake.files = {"asset/zero_shot_prompt.wav": PRESET}
        await install(entry, shelf, Told(), options(fake.url))
    voices = shelf.weights_folder(entry) / "voices"
    assert (voices / "zero_shot_prompt.txt").read_text(encoding="utf-8") == "希望你以后能够做的比我还好呦。"
    assert names_of(COSYVOICE, shelf.weights(entry))["en"] == {"zero_shot_prompt"}


async def test_a_file_that_only_points_elsewhere_is_no_voice(shelf: Shelf) -> None:
    entry = voices_alone(VIBEVOICE)
    told = Told()
    async with hub() as fake:
        pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"
        fake.files = {f"{FOLDER}/en-Carter_man.pt": pointer, f"{FOLDER}/in-Samuel_man.pt": PRESET}
        await install(entry, shelf, told, options(fake.url))
    assert any("en-Carter_man.pt elsewhere (Git LFS)" in line for line in told.said)
    assert names_of(entry, shelf.weights(entry)) == {"en": {"in-Samuel_man"}}


async def test_a_repository_without_the_voices_is_told(shelf: Shelf) -> None:
    async with hub(README_md=b"") as fake:
        with pytest.raises(InstallError, match="microsoft/VibeVoice has no demo/voices"):
            await install(voices_alone(VIBEVOICE), shelf, Told(), options(fake.url))


def a_voice(folder: Path, name: str, seconds: float = 5.0, words: str | None = "Hello, it is me.") -> None:
    folder.mkdir(exist_ok=True)
    write_wav(folder / f"{name}.wav", b"\0\1" * round(8000 * seconds))
    if words is not None:
        (folder / f"{name}.txt").write_text(words, encoding="utf-8")


def test_own_voices_are_taken_from_a_folder(tmp_path: Path) -> None:
    a_voice(tmp_path / "own", "asha")
    a_voice(tmp_path / "own", "ravi")
    assert take(COSYVOICE, tmp_path / "own", tmp_path / "weights") == ["asha", "ravi"]
    assert names_of(COSYVOICE, tmp_path / "weights")["de"] == {"asha", "ravi"}
    assert sorted(path.name for path in (tmp_path / "weights" / "voices").iterdir()) == [
        "asha.txt",
        "asha.wav",
        "ravi.txt",
        "ravi.wav",
    ]


@pytest.mark.parametrize(
    ("seconds", "words", "told"),
    [
        (5.0, None, "bad.wav wants the words that are said in it, in bad.txt"),
        (5.0, " ", "wants the words"),
        (2.0, "Hello.", "lasts 2.0 s: a voice is taken from 3 to 30 s"),
        (31.0, "Hello.", "lasts 31.0 s"),
    ],
)
def test_nothing_is_taken_when_one_cannot_be_used(
    tmp_path: Path, seconds: float, words: str | None, told: str
) -> None:
    a_voice(tmp_path / "own", "asha")
    a_voice(tmp_path / "own", "bad", seconds, words)
    with pytest.raises(InstallError, match=told):
        take(COSYVOICE, tmp_path / "own", tmp_path / "weights")
    assert not (tmp_path / "weights").exists()


def test_what_is_no_voice_is_told(tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    with pytest.raises(InstallError, match="is no folder"):
        take(COSYVOICE, tmp_path / "nowhere", weights)
    (tmp_path / "own").mkdir()
    with pytest.raises(InstallError, match=r"they are files \*.pt"):
        take(VIBEVOICE, tmp_path / "own", weights)
    with pytest.raises(InstallError, match="the voices of kokoro are no files"):
        take(find("kokoro"), tmp_path / "own", weights)
    (tmp_path / "own" / "a.wav").write_bytes(b"no sound")
    (tmp_path / "own" / "a.txt").write_text("Hello.")
    with pytest.raises(InstallError, match=r"a\.wav is no WAV file"):
        take(COSYVOICE, tmp_path / "own", weights)
