"""Prompts on disk: whole or not there, within their limit, whoever else writes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.prompt_cache.files import Entry, PromptFiles
from ivr.prompt_cache.key import PromptKey

KEY = PromptKey("indic-parler", "1.0-1", "", "hi", 1.0, "neutral", 0.5, "नमस्ते।", "PCMA")
FRAMES = [bytes([n]) * 160 for n in range(50)]
MB = 1024 * 1024


def key(text: str) -> PromptKey:
    return replace(KEY, text=text)


def only_file(folder: Path) -> Path:
    (path,) = (path for path in folder.rglob("*") if path.is_file())
    return path


@pytest.fixture
def files(tmp_path: Path) -> PromptFiles:
    return PromptFiles(tmp_path, MB)


def test_what_was_kept_is_found_by_whoever_looks(files: PromptFiles, tmp_path: Path) -> None:
    assert files.load(KEY) is None
    assert files.keep(KEY, FRAMES) == only_file(tmp_path).stat().st_size
    assert PromptFiles(tmp_path, MB).load(KEY) == FRAMES


@pytest.mark.parametrize(
    "change",
    [
        {"engine": "kokoro"},
        {"version": "1.1-1"},
        {"voice": "rohit"},
        {"language": "mr"},
        {"speed": 1.25},
        {"emotion": "happy"},
        {"intensity": 0.6},
        {"text": "नमस्ते"},
        {"codec": "PCMU"},
    ],
)
def test_every_part_of_the_key_makes_another_prompt(files: PromptFiles, change: dict[str, object]) -> None:
    files.keep(KEY, FRAMES)
    assert files.load(replace(KEY, **change)) is None


def test_names_tell_nothing_of_the_text(files: PromptFiles, tmp_path: Path) -> None:
    files.keep(KEY, FRAMES)
    path = only_file(tmp_path)
    assert path.relative_to(tmp_path).as_posix() == f"{path.name[:2]}/{path.name}"
    assert len(path.name) == 64
    assert set(path.name) <= set("0123456789abcdef")


@settings(max_examples=60)
@given(data=st.data())
def test_a_damaged_file_is_a_miss_and_is_made_anew(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("prompts")
    files = PromptFiles(folder, MB)
    files.keep(KEY, FRAMES[:2])
    path = only_file(folder)
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        path.write_bytes(whole[:at])
    else:
        path.write_bytes(whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :])
    assert files.load(KEY) is None
    assert files.damaged == 1
    assert not path.exists()
    assert list(files.entries()) == []
    files.keep(KEY, FRAMES)
    assert files.load(KEY) == FRAMES


def test_another_prompt_under_its_name_is_a_miss(files: PromptFiles, tmp_path: Path) -> None:
    files.keep(KEY, FRAMES)
    path = only_file(tmp_path)
    files.keep(key("other"), FRAMES[:1])
    (other,) = (p for p in tmp_path.rglob("*") if p.is_file() and p != path)
    other.replace(path)
    assert files.load(KEY) is None


def test_a_folder_in_its_place_is_a_miss(files: PromptFiles, tmp_path: Path) -> None:
    files.keep(KEY, FRAMES)
    path = only_file(tmp_path)
    path.unlink()
    path.mkdir()
    assert files.load(KEY) is None
    assert files.keep(KEY, FRAMES) == 0


def test_a_disk_that_cannot_be_written_costs_the_cache_only(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    files = PromptFiles(blocked, MB)
    assert files.keep(KEY, FRAMES) == 0
    assert files.load(KEY) is None


def test_without_room_nothing_is_kept(tmp_path: Path) -> None:
    files = PromptFiles(tmp_path / "prompts", 0)
    assert files.keep(KEY, FRAMES) == 0
    assert not (tmp_path / "prompts").exists()


def aged(files: PromptFiles, *texts: str) -> None:
    """Keeps prompts, the first one used longest ago."""
    for age, text in enumerate(reversed(texts), 1):
        files.keep(key(text), FRAMES)
        path = next(entry.path for entry in files.entries() if entry.key.text == text)
        os.utime(path, (time.time() - 100 * age, time.time() - 100 * age))


def test_the_least_recently_used_go_when_it_is_full(tmp_path: Path) -> None:
    size = PromptFiles(tmp_path / "one", MB).keep(key("0"), FRAMES)
    files = PromptFiles(tmp_path / "prompts", 5 * size)
    aged(files, *"01234")
    assert files.load(key("0")) == FRAMES, "it is used now"
    files.keep(key("5"), FRAMES)
    left = sorted(entry.key.text for entry in files.entries())
    assert left == ["0", "3", "4", "5"], "down to nine tenths"
    assert files.evicted == 2
    assert files.bytes == 4 * size


def test_a_smaller_limit_holds_from_the_start_on(files: PromptFiles, tmp_path: Path) -> None:
    aged(files, *"01234")
    smaller = PromptFiles(tmp_path, MB // 100)
    smaller.tidy()
    assert [entry.key.text for entry in smaller.entries()] == ["4"]


def test_what_other_processes_wrote_counts_too(tmp_path: Path) -> None:
    size = PromptFiles(tmp_path / "one", MB).keep(key("0"), FRAMES)
    first, second = (PromptFiles(tmp_path / "both", 40 * size) for _ in range(2))
    for number in range(35):
        first.keep(key(f"a{number:02}"), FRAMES)
        second.keep(key(f"b{number:02}"), FRAMES)
        kept = sum(path.stat().st_size for path in (tmp_path / "both").rglob("*") if path.is_file())
        assert kept <= 45 * size, "no more than an eighth over it, with two that write"
    assert first.evicted + second.evicted >= 25


def test_what_was_never_finished_is_cleared_away(files: PromptFiles, tmp_path: Path) -> None:
    files.keep(KEY, FRAMES)
    folder = only_file(tmp_path).parent
    dead, live = folder / ".1.part", folder / ".2.part"
    for path in (dead, live):
        path.write_bytes(b"half")
    os.utime(dead, (time.time() - 7200, time.time() - 7200))
    files.tidy()
    assert (dead.exists(), live.exists()) == (False, True)
    assert files.load(KEY) == FRAMES


def test_entries_tell_what_is_there(files: PromptFiles) -> None:
    files.keep(KEY, FRAMES)
    (entry,) = files.entries()
    assert entry == Entry(entry.path, KEY, 1.0, entry.path.stat().st_size, entry.path.stat().st_mtime)


def test_clearing_all_or_some(files: PromptFiles) -> None:
    for text in ("one", "two", "three"):
        files.keep(key(text), FRAMES)
    assert files.clear(lambda entry: entry.key.text == "two") == 1
    assert sorted(entry.key.text for entry in files.entries()) == ["one", "three"]
    assert files.clear() == 2
    assert list(files.entries()) == []


WRITER = """
import sys
from pathlib import Path
from tests.prompt_cache.test_files import FRAMES, KEY, PromptFiles
files = PromptFiles(Path(sys.argv[1]), 1024 * 1024)
for _ in range(100):
    files.keep(KEY, FRAMES)
"""


def test_a_reader_beside_a_writing_process_sees_whole_prompts_only(tmp_path: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], cwd=Path(__file__).parents[2])
    try:
        files = PromptFiles(tmp_path, MB)
        found = 0
        while writer.poll() is None:
            if (frames := files.load(KEY)) is not None:
                assert frames == FRAMES
                found += 1
        assert writer.wait() == 0
        assert files.load(KEY) == FRAMES
        assert files.damaged == 0
    finally:
        writer.kill()
        writer.wait()


def test_many_threads_of_one_process(tmp_path: Path) -> None:
    files = PromptFiles(tmp_path, MB)
    wrong: list[str] = []

    def work(number: int) -> None:
        for turn in range(20):
            text = f"{(number + turn) % 5}"
            files.keep(key(text), FRAMES)
            if files.load(key(text)) not in (FRAMES, None):
                wrong.append(text)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert files.damaged == 0
