"""What a look at a folder tells, and what it leaves unread."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from ivr.shelf import folder as module
from ivr.shelf.folder import FlowFolder, FolderUnreadable
from ivr.shelf.version import Seen, Version
from tests.flow.calls import write_wav
from tests.shelf.flows import WITH_AUDIO, entering, flow, look, told, write


@pytest.fixture
def folder(tmp_path: Path) -> FlowFolder:
    return FlowFolder(tmp_path, None)


def test_flows_are_seen_once_scenarios_and_other_files_never(folder: FlowFolder, tmp_path: Path) -> None:
    write(tmp_path, "hello.yaml", flow())
    write(tmp_path, "deep/er.yaml", flow("deeper"))
    write(tmp_path, "hello.scenarios.yaml", "flow: hello\n")
    write(tmp_path, ".hello.yaml.77.part", flow())
    write(tmp_path, "notes.txt", "flow: notes")
    assert look(folder) == ["deep/er.yaml:deeper", "hello.yaml:hello"]
    assert look(folder) == []


def test_only_what_has_changed_is_read_again(
    folder: FlowFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [write(tmp_path, f"{name}.yaml", flow(name)) for name in ("a", "b", "c")]
    look(folder)
    read: list[Path] = []
    original = module.read_text

    def counting(path: Path, *rest: object) -> object:
        read.append(path)
        return original(path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "read_text", counting)
    write(tmp_path, "b.yaml", flow("b", "Hello again."))
    os.utime(paths[2], (1, 1))  # touched, and says what it said
    assert look(folder) == ["b.yaml:b"]
    assert read == [paths[1]]
    assert look(folder) == []


def test_a_file_that_still_grows_is_not_read(folder: FlowFolder, tmp_path: Path) -> None:
    text = flow()
    path = write(tmp_path, "hello.yaml", "")
    for end in range(10, len(text), 40):
        path.write_text(text[:end], encoding="utf-8")
        assert look(folder, settled=True) == []
    path.write_text(text, encoding="utf-8")
    assert look(folder, settled=True) == []
    assert look(folder, settled=True) == ["hello.yaml:hello"]
    assert look(folder, settled=True) == []


def test_an_editor_that_renames_over_the_file(folder: FlowFolder, tmp_path: Path) -> None:
    write(tmp_path, "hello.yaml", flow())
    look(folder)
    new = write(tmp_path, "hello.yaml~", flow(says="Well."))
    (tmp_path / "hello.yaml").unlink()
    assert look(folder, settled=True) == []  # gone for a moment: nobody is told
    new.replace(tmp_path / "hello.yaml")
    assert look(folder, settled=True) == []
    assert look(folder, settled=True) == ["hello.yaml:hello"]


def test_a_file_that_is_gone_is_told_after_two_looks(folder: FlowFolder, tmp_path: Path) -> None:
    path = write(tmp_path, "hello.yaml", flow())
    look(folder)
    path.unlink()
    assert look(folder, settled=True) == []
    assert look(folder, settled=True) == ["-hello.yaml"]
    assert look(folder, settled=True) == []


def test_a_folder_that_is_away_tells_nothing_and_loses_nothing(tmp_path: Path) -> None:
    place = tmp_path / "flows"
    write(place, "hello.yaml", flow())
    folder = FlowFolder(place, None)
    look(folder)
    shutil.move(place, tmp_path / "elsewhere")
    with pytest.raises(FolderUnreadable):
        look(folder)
    shutil.move(tmp_path / "elsewhere", place)
    assert look(folder) == []


def test_another_recording_makes_another_version(folder: FlowFolder, tmp_path: Path) -> None:
    write(tmp_path, "jingle.yaml", WITH_AUDIO)
    assert look(folder) == ["jingle.yaml:jingle!"]
    write_wav(tmp_path / "hello.wav", b"\0\1" * 800)
    (one,) = folder.look(settled=False)
    write_wav(tmp_path / "hello.wav", b"\0\2" * 900)
    (two,) = folder.look(settled=False)
    assert isinstance(one, Seen)
    assert isinstance(two, Seen)
    assert isinstance(one.version, Version)
    assert isinstance(two.version, Version)
    assert one.version.hash != two.version.hash
    (tmp_path / "hello.wav").unlink()
    assert look(folder) == ["jingle.yaml:jingle!"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("flow: other\n\tsteps: {}", "other"),
        ('"flow": other\nlanguages: [', "other"),
        ("{flow: other", "other"),
        ("flow:\nsteps: {", "hello"),
        ("", "hello"),
    ],
)
def test_a_file_that_cannot_be_read_still_has_a_name(
    folder: FlowFolder, tmp_path: Path, text: str, name: str
) -> None:
    write(tmp_path, "hello.yaml", text)
    assert look(folder) == [f"hello.yaml:{name}!"]


def test_odd_files_are_problems_and_no_exceptions(folder: FlowFolder, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "b.yaml").mkdir()
    (tmp_path / "c.yaml").symlink_to(tmp_path / "nowhere")
    (tmp_path / "d.yaml").write_bytes(b"x" * 600_000)
    assert look(folder) == ["a.yaml:a!", "b.yaml:b!", "d.yaml:d!"]


def test_another_process_goes_on_from_what_is_remembered(folder: FlowFolder, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path, f"{name}.yaml", flow(name))
    look(folder)
    other = FlowFolder(tmp_path, None, folder.memory)
    write(tmp_path, "b.yaml", flow("b", "Changed."))
    assert look(other) == ["b.yaml:b"]


def test_a_text_is_checked_without_being_remembered(folder: FlowFolder, tmp_path: Path) -> None:
    write(tmp_path, "hello.yaml", flow())
    look(folder)
    (good,) = folder.check("hello.yaml", flow(says="Well.").encode())
    (bad,) = folder.check("hello.yaml", flow().replace("next: bye", "next: by").encode())
    assert good.version is not None
    assert [problem.rule for problem in bad.problems] == [1]
    assert look(folder) == []


class TestFlowsWithinFlows:
    @pytest.fixture(autouse=True)
    def written(self, tmp_path: Path, folder: FlowFolder) -> None:
        write(tmp_path, "outer.yaml", entering("outer", "middle"))
        write(tmp_path, "deep/middle.yaml", entering("middle", "inner"))
        write(tmp_path, "inner.yaml", flow("inner"))
        write(tmp_path, "other.yaml", flow("other"))
        assert all("!" not in one for one in look(folder))

    def test_a_change_makes_all_that_enter_it_anew(self, tmp_path: Path, folder: FlowFolder) -> None:
        write(tmp_path, "inner.yaml", flow("inner", "Changed."))
        assert look(folder) == ["inner.yaml:inner", "deep/middle.yaml:middle", "outer.yaml:outer"]
        assert look(folder) == []

    def test_one_that_breaks_or_goes_breaks_them_until_it_is_back(
        self, tmp_path: Path, folder: FlowFolder
    ) -> None:
        write(tmp_path, "inner.yaml", flow("inner").replace("next: bye", "next: by"))
        assert look(folder) == ["inner.yaml:inner!", "deep/middle.yaml:middle!", "outer.yaml:outer!"]
        (tmp_path / "inner.yaml").unlink()
        assert look(folder) == ["-inner.yaml", "deep/middle.yaml:middle!", "outer.yaml:outer!"]
        write(tmp_path, "elsewhere.yaml", flow("inner"))
        assert look(folder) == ["elsewhere.yaml:inner", "deep/middle.yaml:middle", "outer.yaml:outer"]

    def test_one_that_goes_while_what_it_enters_changes(self, tmp_path: Path, folder: FlowFolder) -> None:
        look(folder, settled=True)
        write(tmp_path, "inner.yaml", flow("inner", "Changed."))
        assert look(folder, settled=True) == []
        (tmp_path / "outer.yaml").unlink()
        assert look(folder, settled=True) == ["inner.yaml:inner", "deep/middle.yaml:middle"]
        assert look(folder, settled=True) == ["-outer.yaml"]

    def test_the_recording_of_one_within_counts(self, tmp_path: Path, folder: FlowFolder) -> None:
        write_wav(tmp_path / "hello.wav")
        write(tmp_path, "inner.yaml", WITH_AUDIO.replace("flow: jingle", "flow: inner"))
        look(folder)
        write_wav(tmp_path / "hello.wav", b"\0\3" * 900)
        assert look(folder) == ["inner.yaml:inner", "deep/middle.yaml:middle", "outer.yaml:outer"]

    def test_a_text_is_checked_with_all_that_enter_it(self, tmp_path: Path, folder: FlowFolder) -> None:
        assert told(list(folder.check("inner.yaml", flow("inner", "Well.").encode()))) == ["inner.yaml:inner"]
        hindi = flow("inner").replace("[en]", "[hi]").replace("en:", "hi:").encode()
        first, *others = folder.check("inner.yaml", hindi)
        assert first.version is not None
        assert sorted(told(list(others))) == ["deep/middle.yaml:middle!", "outer.yaml:outer!"]
        assert "does not speak en" in others[0].problems[0].message

    def test_what_was_broken_before_does_not_stand_in_the_way(
        self, tmp_path: Path, folder: FlowFolder
    ) -> None:
        write(tmp_path, "outer.yaml", entering("outer", "middle").replace("bye:", "by:"))
        write(tmp_path, "deep/middle.yaml", entering("middle", "inner").replace("bye:", "by:"))
        look(folder)
        found = folder.check(
            "inner.yaml", flow("inner").replace("[en]", "[hi]").replace("en:", "hi:").encode()
        )
        assert told(list(found)) == ["inner.yaml:inner"]
